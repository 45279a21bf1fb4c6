"""UTF8=ACCEPT (RFC 6855): names and strings in UTF-8 where a session has enabled it, modified UTF-7 where not."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from test.wire import MINE, Client, WireTestCase, letter

NAME = "Grüße & 日本"
MODIFIED = b"Gr&APwA3w-e &- &ZeVnLA-"
MESSAGE = "From: Grüße <grüße@example.com>\r\nSubject: 日本\r\n\r\nText\r\n".encode()


class Utf8TestCase(WireTestCase):
    """A session that has enabled it, and one that has not."""

    def setUp(self) -> None:
        """Log in twice."""
        super().setUp()
        self.client = self.wire.session()
        self.assertEqual(self.client.ok("ENABLE UTF8=ACCEPT").data("ENABLED"), [(b"UTF8=ACCEPT",)])
        self.older = self.wire.session()

    def names(self, client: Client, command: str = 'LIST "" *') -> set[bytes]:
        """Return the names that LIST or LSUB tells."""
        return {data["name"] for data in client.ok(command).data(command.split(" ", maxsplit=1)[0])}


class NameTests(Utf8TestCase):
    """Mailbox names (section 3)."""

    def test_both_ways(self) -> None:
        """A name is UTF-8 in quoted strings, in commands as in answers; the other session has modified UTF-7."""
        self.client.ok(f'CREATE "{NAME}"')
        for command in ('LIST "" *', 'LSUB "" *', 'LIST "" "Gr\u00fc*"', f'LIST "" "{NAME}"'):
            self.assertIn(NAME.encode(), self.names(self.client, command))
        for command in ('LIST "" *', 'LSUB "" *', 'LIST "" "Gr&APw-*"', f'LIST "" "{MODIFIED.decode()}"'):
            self.assertIn(MODIFIED, self.names(self.older, command))
        self.assertNotIn(NAME.encode(), self.names(self.older))
        self.assertIn(b'LIST (\\HasNoChildren) "/" "' + NAME.encode() + b'"', self.client.ok('LIST "" *').raw)

    def test_every_command(self) -> None:
        """Every command that has a name."""
        self.wire.deliver(2)
        self.client.ok(f'CREATE "{NAME}"')
        self.client.ok(f'UNSUBSCRIBE "{NAME}"')
        self.client.ok(f'SUBSCRIBE "{NAME}"')
        self.client.ok(f'APPEND "{NAME}" {{1+}}\r\nx')
        self.client.ok(f"SELECT {MINE}")
        self.client.ok(f'COPY 1 "{NAME}"')
        self.client.ok(f'MOVE 2 "{NAME}"')
        ((name, counts),) = self.client.ok(f'STATUS "{NAME}" (MESSAGES)').data("STATUS")
        self.assertEqual((name, counts), (NAME.encode(), {"MESSAGES": 3}))
        self.client.ok(f'EXAMINE "{NAME}"')
        self.client.ok(f'SELECT "{NAME}"')
        self.client.ok('CREATE "Ä"')
        self.client.ok(f'RENAME "{NAME}" "Ä/{NAME}"')
        answer = self.client.ok('LIST "" "Ä/*" RETURN (STATUS (MESSAGES))')
        self.assertEqual(answer.data("STATUS"), [(f"Ä/{NAME}".encode(), {"MESSAGES": 3})])
        self.client.ok(f'DELETE "Ä/{NAME}"')
        self.assertTrue(self.client.ok("NAMESPACE").data("NAMESPACE"))

    def test_literal(self) -> None:
        """A name may be a literal in UTF-8 too."""
        octets = NAME.encode()
        self.client.ok(b"CREATE {%d+}\r\n%b" % (len(octets), octets))
        self.assertIn(octets, self.names(self.client))

    def test_ampersand(self) -> None:
        """``&`` stands for itself, and what looks like modified UTF-7 is none."""
        self.client.ok('CREATE "a&b"')
        self.client.ok('CREATE "&APw-"')
        self.assertGreater(self.names(self.client), {b"a&b", b"&APw-"})
        self.assertGreater(self.names(self.older), {b"a&-b", b"&-APw-"})

    def test_impossible(self) -> None:
        """Controls, delete, line and paragraph separators are in no name (section 3)."""
        for character in "\x01\x1f\x7f\u0080\u009f\u2028\u2029":
            self.assertStatus(self.client.command(f'CREATE "a{character}b"'), "NO", "CANNOT")

    def test_malformed(self) -> None:
        """Octets in a quoted string that are not UTF-8 are BAD, whether a name or anything else (section 3)."""
        self.client.ok(f"SELECT {MINE}")
        for octets in (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"a\xe4b"):
            for command in (b'CREATE "%b"', b'STATUS "%b" (MESSAGES)', b'LIST "" "%b"', b'SEARCH SUBJECT "%b"'):
                self.assertStatus(self.client.command(command % octets), "BAD")

    def test_normal_form(self) -> None:
        """Names are kept in NFC, in whichever spelling they are given (RFC 5198 section 2)."""
        spelled = normalize("NFD", "Ärger")
        self.client.ok(f'CREATE "{spelled}"')
        self.assertIn("Ärger".encode(), self.names(self.client))
        for command in ("STATUS {} (MESSAGES)", "SELECT {}", "UNSUBSCRIBE {}", "APPEND {} {{1+}}\r\nx"):
            self.client.ok(command.format(f'"{spelled}"'))
        self.assertStatus(self.client.command(f'CREATE "{spelled}"'), "NO", "ALREADYEXISTS")
        self.client.ok(f'RENAME "{spelled}" "{normalize("NFD", "Öl")}"')
        self.assertIn("Öl".encode(), self.names(self.client))

    def test_made_elsewhere(self) -> None:
        """A folder that another program has spelled otherwise is reached by its own name."""
        spelled = normalize("NFD", "Ärger")
        self.store.deliver(letter(folder=spelled))
        name = f"{MINE}/{spelled}"
        self.assertIn(name.encode(), self.names(self.client))
        self.client.ok(f'SELECT "{name}"')
        self.assertStatus(self.client.command(f'SELECT "{MINE}/Ärger"'), "NO", "NONEXISTENT")


class SearchTests(Utf8TestCase):
    """SEARCH (section 3)."""

    def test_utf8(self) -> None:
        """Quoted strings are UTF-8, without a charset; naming one is BAD."""
        self.store.deliver(letter(subject="Viele Grüße"))
        self.client.ok(f"SELECT {MINE}")
        self.assertEqual(self.client.ok('SEARCH SUBJECT "GRÜSSE"').data("SEARCH"), [(1,)])
        for charset in ("UTF-8", "US-ASCII", "KOI8-R"):
            self.assertStatus(self.client.command(f"SEARCH CHARSET {charset} ALL"), "BAD")
            self.assertStatus(self.client.command(f"UID SEARCH RETURN (COUNT) CHARSET {charset} ALL"), "BAD")

    def test_without(self) -> None:
        """A session that has not enabled it names charsets as before."""
        self.store.deliver(letter(subject="Viele Grüße"))
        self.older.ok(f"SELECT {MINE}")
        self.assertEqual(self.older.ok('SEARCH CHARSET UTF-8 SUBJECT "Grüße"').data("SEARCH"), [(1,)])
        self.assertStatus(self.older.command("SEARCH CHARSET KOI8-R ALL"), "NO", "BADCHARSET")


class MessageTests(Utf8TestCase):
    """Messages with UTF-8 in their header (sections 4, 7 and 8)."""

    def append(self, client: Client, message: bytes, form: bytes) -> Any:
        """Append a message in one of the forms there are."""
        data = b"{%d+}\r\n%b" % (len(message), message)
        return client.command(b"APPEND Drafts " + form.replace(b"*", data))

    def test_append(self) -> None:
        """Each form is taken from a session that has enabled it; octet for octet."""
        for form in (b"UTF8 (~*)", b"utf8 (~*)", b"~*", b"*"):
            self.assertStatus(self.append(self.client, MESSAGE, form), "OK", "APPENDUID")
        self.client.ok("SELECT Drafts")
        found = self.client.ok("FETCH 1:* (BODY.PEEK[] RFC822.SIZE)").fetched()
        self.assertEqual([items[b"BODY[]"] for items in found.values()], [MESSAGE] * 4)
        self.assertEqual({items[b"RFC822.SIZE"] for items in found.values()}, {len(MESSAGE)})

    def test_append_without(self) -> None:
        """Who has not enabled it may not append 8-bit header fields, in any form; 8-bit text is fine (section 4)."""
        for form in (b"UTF8 (~*)", b"~*", b"*"):
            self.assertStatus(self.append(self.older, MESSAGE, form), "NO", "CANNOT")
            self.assertStatus(self.append(self.older, b"Subject: x\r\n\r\n\xc3\xbc\xff", form), "OK", "APPENDUID")

    def test_what_everybody_reads(self) -> None:
        """A message has the same octets and sizes for all sessions; 8-bit is in literals only (RFC 3501 section 9)."""
        self.append(self.client, MESSAGE, b"UTF8 (~*)")
        told = []
        for client in (self.client, self.older):
            client.ok("SELECT Drafts")
            items = "ENVELOPE BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (Subject)] RFC822.SIZE BODYSTRUCTURE"
            told.append(client.ok(f"FETCH 1 ({items})").fetched()[1])
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[0][b"BODY[HEADER]"], MESSAGE.split(b"Text")[0])

    def test_syntax(self) -> None:
        """UTF8 wants a literal8 in parentheses."""
        for form in (b"UTF8 (*)", b"UTF8 ~*", b"UTF8 *", b"UTF8 (~*"):
            self.assertStatus(self.append(self.client, MESSAGE, form), "BAD")
