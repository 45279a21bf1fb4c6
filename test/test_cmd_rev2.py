"""IMAP4rev2: what changes with ENABLE IMAP4rev2, item by item of RFC 9051 appendix E, and what does not.

What the parser of responses knows of IMAP4rev2 is checked in every test besides: no RECENT, no SEARCH response, no
``\\Recent`` and no UNSEEN code after it was enabled, UTF-8 in quoted strings only then.
"""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

from test.wire import MINE, MINE_TOO, THEIRS, Client, WireTestCase, letter

KEYWORDS = ("$MDNSent", "$Forwarded", "$Junk", "$NonJunk", "$NotJunk", "$Phishing")


class Rev2TestCase(WireTestCase):
    """A session of each version."""

    def setUp(self) -> None:
        """Deliver three messages and log in."""
        super().setUp()
        self.wire.deliver(3)
        self.client = self.speaker()
        self.older = self.wire.session()

    def speaker(self, name: str | None = None) -> Client:
        """Log in and enable IMAP4rev2; with a name, open that mailbox."""
        client = self.wire.session()
        self.assertEqual(client.ok("ENABLE imap4REV2").data("ENABLED"), [(b"IMAP4rev2",)])
        return client.select(name) if name else client


class EnableTests(Rev2TestCase):
    """Sections 6.1.1 and 6.3.1."""

    def test_announced(self) -> None:
        """Both versions are announced in every state, before login too."""
        for client in (self.wire.connect(), self.older, self.client):
            (announced,) = client.ok("CAPABILITY").data("CAPABILITY")
            self.assertGreaterEqual(set(announced), {b"IMAP4rev1", b"IMAP4rev2"})

    def test_not_enabled(self) -> None:
        """A session that has not enabled it, and one that has enabled others only, speak IMAP4rev1."""
        other = self.wire.session()
        other.ok("ENABLE UTF8=ACCEPT")
        for client in (self.older, other):
            answer = client.ok(f"SELECT {MINE}")
            self.assertEqual((len(answer.named("RECENT")), answer.named("LIST")), (1, []))
            self.assertEqual(client.ok("SEARCH ALL").data("SEARCH"), [(1, 2, 3)])

    def test_while_selected(self) -> None:
        r"""Enabled with a mailbox open, it holds from then on: nothing is told of ``\Recent`` any more."""
        self.older.ok(f"SELECT {MINE}")
        self.assertIn(b"\\Recent", self.older.ok("FETCH 1 FLAGS").flags()[1])
        self.older.ok("ENABLE IMAP4rev2")
        self.assertEqual(self.older.ok("FETCH 1:* FLAGS").flags(), {1: set(), 2: set(), 3: set()})
        self.wire.deliver(1)
        self.assertEqual([response.name for response in self.older.ok("NOOP").responses], [b"EXISTS"])
        self.older.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual([response.name for response in self.older.ok("EXPUNGE").responses], [b"EXPUNGE"])


class SelectTests(Rev2TestCase):
    """Items 9 to 12: SELECT and EXAMINE (sections 6.3.2 and 6.3.3)."""

    def test_responses(self) -> None:
        """FLAGS, EXISTS, LIST, PERMANENTFLAGS, UIDVALIDITY and UIDNEXT; no RECENT, no UNSEEN."""
        for command, code in (("SELECT", "READ-WRITE"), ("EXAMINE", "READ-ONLY")):
            answer = self.speaker().ok(f"{command} {MINE}")
            self.assertEqual(answer.code, code)
            names = [response.name for response in answer.responses if response.name != b"OK"]
            self.assertEqual(sorted(names), [b"EXISTS", b"FLAGS", b"LIST"])
            codes = {response.code[0] for response in answer.named("OK") if response.code}
            self.assertEqual(codes, {b"PERMANENTFLAGS", b"UIDVALIDITY", b"UIDNEXT", b"HIGHESTMODSEQ", b"MAILBOXID"})
            (listed,) = answer.data("LIST")
            self.assertEqual((listed["name"], listed["delimiter"], listed["extended"]), (MINE.encode(), b"/", {}))

    def test_closed(self) -> None:
        """CLOSED tells that the mailbox open before is not any more."""
        self.client.ok(f"SELECT {MINE}")
        for name in (MINE_TOO, THEIRS, MINE):
            answer = self.client.command(f"SELECT {name}")
            closed = [response.code for response in answer.named("OK")][:1] == [(b"CLOSED", None)]
            self.assertEqual(closed, name != MINE, name)

    def test_name(self) -> None:
        """LIST tells the name the mailbox has, and with OLDNAME the one given where they differ (section 6.3.9.7)."""
        for given, name in ((MINE.upper(), MINE), ("inbox", "INBOX"), ("Archive", "Archive")):
            (listed,) = self.client.ok(f"SELECT {given}").data("LIST")
            self.assertEqual(listed["name"], name.encode())
            differs = name not in (given, "INBOX")
            self.assertEqual(listed["extended"], {b"OLDNAME": (given.encode(),)} if differs else {})

    def test_refused(self) -> None:
        """What cannot be opened is told nothing of."""
        self.assertEqual(self.client.command(f"SELECT {THEIRS}").responses, [])


class RecentTests(Rev2TestCase):
    r"""Item 12: ``\Recent`` is gone."""

    def test_never_told(self) -> None:
        """Not by FETCH, STORE or new mail; and it is left for a session of the older version."""
        self.client.ok(f"SELECT {MINE}")
        for command in ("FETCH 1:* FLAGS", "FETCH 1:* (FLAGS RFC822.SIZE)", "FETCH 1:* (FLAGS BODY.PEEK[])"):
            self.assertEqual(self.client.ok(command).flags(), {1: set(), 2: set(), 3: set()})
        self.assertEqual(self.client.ok("STORE 1 +FLAGS (\\Seen)").flags(), {1: {b"\\Seen"}})
        self.wire.deliver(1)
        self.assertEqual([response.name for response in self.client.ok("NOOP").responses], [b"EXISTS"])
        self.assertEqual(self.older.ok(f"SELECT {MINE}").numbers("RECENT"), [4])

    def test_asked_for(self) -> None:
        """STATUS RECENT and the search keys still work for who asks: IMAP4rev1 is announced too (appendix A)."""
        ((_, counts),) = self.client.ok(f"STATUS {MINE} (RECENT)").data("STATUS")
        self.assertEqual(counts, {"RECENT": 3})
        self.client.ok(f"SELECT {MINE}")
        self.assertNotIn("ALL", self.client.ok("SEARCH RECENT").data("ESEARCH")[0])
        self.assertNotIn("ALL", self.client.ok("SEARCH NEW").data("ESEARCH")[0])
        self.assertEqual(self.client.ok("SEARCH OLD").data("ESEARCH")[0]["ALL"], b"1:3")

    def test_idle(self) -> None:
        """An idling session is told EXISTS alone."""
        self.client.ok(f"SELECT {MINE}")
        self.client.send(b"a IDLE\r\n")
        self.client.take()
        self.wire.deliver(1)
        self.assertEqual([response.name for response in self.client.responses()], [b"EXISTS"])
        self.client.send(b"DONE\r\n")


class SearchTests(Rev2TestCase):
    """Item 4: SEARCH is answered by ESEARCH (sections 6.4.4 and 7.3.4)."""

    def search(self, command: str) -> dict[str, Any]:
        """Search and return what ESEARCH tells, without its tag, which must be that of the command."""
        answer = self.client.ok(command)
        (told,) = answer.data("ESEARCH")
        self.assertEqual((len(answer.responses), told.pop("tag")), (1, answer.tagged.tag))
        found: dict[str, Any] = told
        return found

    def test_extended(self) -> None:
        """Without RETURN it is RETURN (ALL); nothing found is an ESEARCH without ALL; UID SEARCH says UID."""
        self.client.ok(f"SELECT {MINE}")
        for program, numbers in (("ALL", b"1:3"), ("1,3", b"1,3"), ("SEEN", None), ("CHARSET UTF-8 2", b"2")):
            expected = {} if numbers is None else {"ALL": numbers}
            self.assertEqual(self.search(f"SEARCH {program}"), {"uid": False, **expected})
            self.assertEqual(self.search(f"UID SEARCH {program}"), {"uid": True, **expected})
        self.assertEqual(self.search("SEARCH RETURN () 2"), {"uid": False, "ALL": b"2"})
        self.assertEqual(self.search("SEARCH RETURN (COUNT MIN) ALL"), {"uid": False, "COUNT": 3, "MIN": 1})

    def test_empty_mailbox(self) -> None:
        """Also where there is no message at all."""
        self.client.ok("SELECT Archive")
        self.assertEqual(self.search("SEARCH ALL"), {"uid": False})

    def test_saved(self) -> None:
        """``$`` is what was saved, and not changed by a search that saves nothing (section 6.4.4.1)."""
        self.client.ok(f"SELECT {MINE}")
        self.assertEqual(self.client.ok("SEARCH RETURN (SAVE) 1:2").responses, [])
        self.search("SEARCH 3")
        self.assertEqual(self.search("SEARCH $"), {"uid": False, "ALL": b"1:2"})

    def test_with_condstore(self) -> None:
        """The highest mod-sequence of what was found is in ESEARCH as well (RFC 7162 section 3.1.5)."""
        self.client.ok("ENABLE CONDSTORE")
        self.client.ok(f"SELECT {MINE}")
        mod_seq = self.client.ok("FETCH 2 MODSEQ").fetched()[2][b"MODSEQ"]
        found = self.search("SEARCH MODSEQ 1 2")
        self.assertEqual(found, {"uid": False, "ALL": b"2", "MODSEQ": mod_seq})

    def test_charset(self) -> None:
        """An unknown charset is BADCHARSET (section 6.4.4)."""
        self.client.ok(f"SELECT {MINE}")
        self.assertStatus(self.client.command("SEARCH CHARSET KOI8-R ALL"), "NO", "BADCHARSET")
        self.assertStatus(self.client.command("SEARCH UNKNOWN"), "BAD")


class NameTests(Rev2TestCase):
    """Item 16: names and headers in UTF-8 (section 5.1)."""

    def test_utf8(self) -> None:
        """Names are UTF-8 both ways, ``&`` stands for itself; without it they are modified UTF-7."""
        self.client.ok('CREATE "Grüße & mehr"')
        self.assertIn("Grüße & mehr".encode(), [data["name"] for data in self.client.ok('LIST "" *').data("LIST")])
        self.assertIn(b"Gr&APwA3w-e &- mehr", [data["name"] for data in self.older.ok('LIST "" *').data("LIST")])
        (listed,) = self.client.ok('SELECT "Grüße & mehr"').data("LIST")
        self.assertEqual(listed["name"], "Grüße & mehr".encode())
        self.client.ok('STATUS "Grüße & mehr" (MESSAGES)')

    def test_normal_form(self) -> None:
        """A name in another form than NFC is told with the one it has (sections 6.3.4, 6.3.6 and 6.3.9.7)."""
        spelled, other = normalize("NFD", "Ärger"), normalize("NFD", "Öl")
        (listed,) = self.client.ok(f'CREATE "{spelled}"').data("LIST")
        self.assertEqual((listed["name"], listed["extended"]), ("Ärger".encode(), {b"OLDNAME": (spelled.encode(),)}))
        (listed,) = self.client.ok(f'EXAMINE "{spelled}"').data("LIST")
        self.assertEqual((listed["name"], listed["extended"]), ("Ärger".encode(), {b"OLDNAME": (spelled.encode(),)}))
        (listed,) = self.client.ok(f'RENAME "{spelled}" "{other}"').data("LIST")
        self.assertEqual((listed["name"], listed["extended"]), ("Öl".encode(), {b"OLDNAME": (spelled.encode(),)}))
        (listed,) = self.client.ok(f'RENAME "Öl" "{spelled}"').data("LIST")
        self.assertEqual((listed["name"], listed["extended"]), ("Ärger".encode(), {b"OLDNAME": ("Öl".encode(),)}))
        for command in ('CREATE "Übrig/"', 'RENAME "Übrig" "Weg"', "CREATE Plain"):
            self.assertEqual(self.client.ok(command).responses, [])

    def test_headers(self) -> None:
        """A message with UTF-8 in its header can be appended."""
        message = "Subject: Grüße\r\n\r\n"
        self.client.ok(f"APPEND Drafts {{{len(message.encode())}+}}\r\n{message}")
        self.client.ok("SELECT Drafts")
        self.assertEqual(self.client.ok("FETCH 1 BODY[]").fetched()[1][b"BODY[]"], message.encode())


class FoldedInTests(Rev2TestCase):
    """Items 2, 3, 7, 8, 15 and 21: what was an extension is part of it."""

    def test_status(self) -> None:
        """SIZE and DELETED (item 3)."""
        ((_, counts),) = self.client.ok(f"STATUS {MINE} (SIZE DELETED MESSAGES)").data("STATUS")
        self.assertEqual((counts["DELETED"], counts["MESSAGES"]), (0, 3))
        self.assertGreater(counts["SIZE"], 0)

    def test_copy_and_move(self) -> None:
        """COPYUID for COPY, MOVE and their UID forms (item 7); no mailbox is created, TRYCREATE (item 8)."""
        self.client.ok(f"SELECT {MINE}")
        for command in ("COPY 1", "UID COPY 1", "MOVE 1", "UID MOVE 2"):
            self.assertStatus(self.client.command(f"{command} Nowhere"), "NO", "TRYCREATE")
            self.assertIsNotNone(self.client.ok(f"{command} Archive").copied)
        self.assertEqual(self.client.ok('LIST "" Nowhere').responses, [])

    def test_keywords(self) -> None:
        """The keywords of section 2.3.2 can be set (item 15)."""
        self.client.ok(f"SELECT {MINE}")
        flags = self.client.ok(f"STORE 1 +FLAGS ({' '.join(KEYWORDS)})").flags()[1]
        self.assertEqual(flags, {keyword.encode() for keyword in KEYWORDS})

    def test_unasked_fetch(self) -> None:
        """FETCH that was not asked for tells the UID (item 21)."""
        self.client.ok(f"SELECT {MINE}")
        self.older.ok(f"SELECT {MINE}")
        self.older.ok("STORE 2 +FLAGS (\\Flagged)")
        self.assertEqual(self.client.ok("NOOP").fetched(), {2: {b"UID": 2, b"FLAGS": (b"\\Flagged",)}})

    def test_the_rest(self) -> None:
        """NAMESPACE, UNSELECT, UIDPLUS, IDLE, LIST-EXTENDED and LIST-STATUS, BINARY, literals (item 2)."""
        self.client.ok(f"STATUS {MINE} (MESSAGES)")
        self.store.deliver(letter(source=b"Content-Transfer-Encoding: base64\r\n\r\nAAE=\r\n"))
        self.assertEqual(self.client.ok("NAMESPACE").data("NAMESPACE"), [(((b"", b"/"),), None, None)])
        answer = self.client.ok('LIST (SUBSCRIBED) "" (INBOX Archive) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))')
        self.assertEqual((len(answer.named("LIST")), len(answer.named("STATUS"))), (2, 2))
        self.assertEqual(self.client.ok("APPEND Drafts {1+}\r\nx").code, "APPENDUID")
        self.client.ok(f"SELECT {MINE}")
        found = self.client.ok("FETCH 4 (BINARY[1] BINARY.SIZE[1])").fetched()[4]
        self.assertEqual((found[b"BINARY[1]"], found[b"BINARY.SIZE[1]"]), (b"\0\1", 2))
        self.client.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(self.client.ok("UID EXPUNGE 2").numbers("EXPUNGE"), [2])
        self.assertEqual(self.client.ok("UNSELECT").responses, [])
        self.assertStatus(self.client.command("FETCH 1 FLAGS"), "BAD")


class DeprecatedTests(Rev2TestCase):
    """Items 17 to 19: what is gone is answered to who asks, since IMAP4rev1 is announced too (appendix A)."""

    def test_commands(self) -> None:
        """CHECK, LSUB, and the RFC822 items."""
        self.assertTrue(self.client.ok('LSUB "" *').named("LSUB"))
        self.client.ok(f"SELECT {MINE}")
        self.client.ok("CHECK")
        found = self.client.ok("FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)").fetched()[1]
        self.assertGreaterEqual(set(found), {b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT"})
