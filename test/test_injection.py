"""Whatever rows, names and keywords hold, nothing that is sent has a line or a token more than it should."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from test.test_mime_render import HOSTILE
from test.wire import MINE, Answer, Client, Wire

TEXTS = (
    st.sampled_from(
        [
            "\r\n* BYE gone\r\n",
            'a" "b',
            '"\r\na1 OK done\r\n',
            ")\r\n* 1 EXPUNGE\r\n* 2 FETCH (UID 7",
            "{5}\r\n",
            "x\\",
            "NIL",
            "\\Seen",
            "=?utf-8?q?=0D=0A*_BYE=22?=",
            "[ALERT] x",
            "ü\u2028\x85",
        ]
    )
    | HOSTILE
)
WHOLE = st.builds(
    "From: {0}\nTo: {0}\nSubject: {1}\nContent-Type: multipart/mixed; boundary={2}; name*=utf-8''{1}\n"
    'Content-Disposition: attachment; filename="{0}"\nMessage-ID: {2}\nContent-Language: {1}\n\n--{2}\n'
    "Content-Type: message/rfc822\nContent-ID: {0}\nContent-Description: {1}\n\nSubject: {2}\n\n{0}\n".format,
    TEXTS,
    TEXTS,
    TEXTS,
)
ROWS = st.fixed_dictionaries(
    {
        "subject": st.none() | TEXTS,
        "from_addr": st.none() | TEXTS,
        "to_addrs": st.lists(TEXTS, max_size=3).map(tuple),
        "body": st.none() | TEXTS | WHOLE,
        "html": st.none() | TEXTS,
        "flags": st.lists(TEXTS | st.sampled_from(["\\Seen", "word", "a]", "]", "\\X", "a*"]), max_size=3),
        "folder": st.just("INBOX") | TEXTS,
        "owner": st.just(MINE) | TEXTS.map(lambda text: text + MINE),
    }
)
ITEMS = (
    "FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE EMAILID THREADID SAVEDATE MODSEQ "
    "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.HEADER] BODY.PEEK[1.1] "
    "BODY.PEEK[HEADER.FIELDS (Subject From)] BODY.PEEK[HEADER.FIELDS.NOT (To)] BODY.PEEK[]<3.9> BINARY.SIZE[1]"
)
SEARCHES = ("ALL", "SUBJECT BYE", 'FROM "a"', "KEYWORD word", "TEXT x", "RETURN (MIN MAX ALL COUNT) BODY BYE")


class RowTests(SynchronousTestCase):
    """Values of ``emails`` on their way to a client."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ROWS, min_size=1, max_size=3), st.booleans())
    @example([{"folder": "a\u2028b"}, {"folder": "\u2029"}], False)
    def test_rows(self, rows: list[dict[str, Any]], rev2: bool) -> None:
        """Every mailbox can be listed, counted, opened, read and searched, and each response is one."""
        wire = Wire()
        for row in rows:
            wire.deliver(**row)
        client = wire.session()
        if rev2:
            client.ok("ENABLE IMAP4rev2 CONDSTORE UTF8=ACCEPT")
        names = {each.data["name"] for each in client.ok('LIST "" * RETURN (CHILDREN SPECIAL-USE)').named("LIST")}
        self.assertIn(MINE.encode(), names)
        client.ok('LSUB "" *')
        client.ok('LIST "" * RETURN (STATUS (MESSAGES UNSEEN SIZE))')
        for name in sorted(names - {b""}):
            self.look_at(client, name)
        wire.close()
        wire.check()

    def look_at(self, client: Client, name: bytes) -> None:
        """Ask for all that can be asked of a mailbox."""
        quoted = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        status = client.command(b"STATUS " + quoted + b" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE MAILBOXID)")
        if status.status != "OK":
            # Only a name above others, without a mailbox.
            self.assertEqual(status.code, "NONEXISTENT")
            return
        (_, found), *_ = status.data("STATUS")
        count = found["MESSAGES"]
        client.ok(b"SELECT " + quoted)
        if count:
            self.assertEqual(len(client.ok(f"FETCH 1:* ({ITEMS})").fetched()), count)
            self.assertOne(client.command("FETCH 1:* (RFC822 RFC822.HEADER RFC822.TEXT BINARY.PEEK[1])"))
        for program in SEARCHES:
            client.ok(f"SEARCH {program}")

    def assertOne(self, answer: Answer) -> None:
        """A part that cannot be decoded is all that may be refused."""
        self.assertIn((answer.status, answer.code), [("OK", None), ("NO", "UNKNOWN-CTE")])


class ArgumentTests(SynchronousTestCase):
    """What a client says, as far as it comes back to it or to other sessions."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TEXTS, TEXTS.filter(lambda text: "\0" not in text))
    @example("\n\0", "\r\n* BYE gone\r\n")
    def test_names_and_keywords(self, name: str, other: str) -> None:
        """A folder is made with a name and a keyword set with it, or both are refused; a list has no line more."""
        wire = Wire()
        wire.deliver()
        # One for each, since who has given too many bad commands is sent away.
        plain, utf8, watching = wire.session(MINE), wire.session(MINE), wire.session(MINE)
        utf8.ok("ENABLE UTF8=ACCEPT")
        for client in (plain, utf8):
            for text in (name, other):
                octets = text.encode("utf-8", "surrogatepass")
                literal = b"{%d+}\r\n%b" % (len(octets), octets)
                for command in (
                    *(b"CREATE " + literal, b"SUBSCRIBE " + literal, b"RENAME Drafts " + literal, b"DELETE " + literal),
                    *(b"STORE 1 +FLAGS (" + octets + b")", b"SEARCH KEYWORD " + literal, b"COPY 1 " + literal),
                    *(b"LIST " + literal + b" *", b"STATUS " + literal + b" (MESSAGES)", b"ID (" + literal + b" NIL)"),
                    *(
                        b"APPEND " + literal + b" (" + octets + b") {5+}\r\nhello",
                        b"FETCH 1 BODY[HEADER.FIELDS (%b)]" % literal,
                    ),
                ):
                    client.send(b"z " + command + b"\r\n")
        for each in (plain, utf8, watching):
            if not each.closed:
                each.send(b'z NOOP\r\nz LIST "" *\r\nz LSUB "" *\r\nz FETCH 1 FLAGS\r\n')
        wire.close()
        wire.check()
