"""The grammar as a table: the examples of the RFCs, what clients send, and what is no command."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from twisted.trial import unittest

from cybertemp_imap.protocol import command as c
from cybertemp_imap.protocol import search_key as sk
from cybertemp_imap.protocol.grammar.append import awaits_message
from cybertemp_imap.protocol.grammar.login import decode_base64
from cybertemp_imap.protocol.grammar.parse import COMMANDS, UnknownCommand, parse_command, parse_tag
from cybertemp_imap.protocol.sequence import SequenceSet
from cybertemp_imap.protocol.tokens import SyntaxFault, Tokens

A = c.Attribute
SEEN = sk.KeyFlag("\\Seen")


def some(text: str) -> SequenceSet:
    """A sequence set."""
    return SequenceSet.parse(text.encode())


def header_fields(*names: bytes, peek: bool = True) -> c.BodySection:
    """BODY[HEADER.FIELDS (…)]."""
    return c.BodySection((), c.Section.HEADER_FIELDS, names, None, peek)


ENVELOPE_MACRO = (A.FLAGS, A.INTERNALDATE, A.SIZE, A.ENVELOPE)
PACIFIC = timezone(timedelta(hours=-8))

GOOD: dict[bytes, c.Command] = {
    b"capability": c.Capability(),
    b"NooP  ": c.Noop(),
    b"ID NIL": c.Id(None),
    b"ID ()": c.Id(()),
    b'id ("name" "sodr" "version" nil)': c.Id(((b"name", b"sodr"), (b"version", None))),
    b"LOGIN smith@x.y sesame]": c.Login(b"smith@x.y", b"sesame]"),
    b'LOGIN {5}\r\na"\\\r\n "\\"\\\\ "': c.Login(b'a"\\\r\n', b'"\\ '),
    b"AUTHENTICATE GSSAPI": c.Authenticate("GSSAPI", None),
    b"authenticate plain =": c.Authenticate("PLAIN", b""),
    b"AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q= ": c.Authenticate("PLAIN", b"test\0test\0test"),
    b"ENABLE condstore UTF8=ACCEPT X-GOOD-IDEA": c.Enable(("CONDSTORE", "UTF8=ACCEPT", "X-GOOD-IDEA")),
    b"SELECT INBOX": c.Select(b"INBOX", False),
    b"EXAMINE blurdybloop (CONDSTORE)": c.Select(b"blurdybloop", True, True),
    b"SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))": c.Select(
        b"INBOX", False, False, c.QresyncParameter(67890007, 20050715194045000, some("41,43:211,214:541"), None)
    ),
    b"SELECT x (CONDSTORE QRESYNC (67890007 90060115194045000 1:29997 (5000,7500 15000,22500)))": c.Select(
        b"x",
        False,
        True,
        c.QresyncParameter(67890007, 90060115194045000, some("1:29997"), (some("5000,7500"), some("15000,22500"))),
    ),
    b"SELECT x (QRESYNC (1 0 (5 6)))": c.Select(
        b"x", False, False, c.QresyncParameter(1, 0, None, (some("5"), some("6")))
    ),
    b"CREATE MyDrafts (USE (\\Drafts \\Sent))": c.Create(b"MyDrafts", ("\\Drafts", "\\Sent")),
    b"CREATE owatagusiam/": c.Create(b"owatagusiam/"),
    b'RENAME "a b" c-d': c.Rename(b"a b", b"c-d"),
    b"SUBSCRIBE #news.comp.mail.mime": c.Subscribe(b"#news.comp.mail.mime"),
    b'LIST "" ""': c.List(b"", (b"",)),
    b"LIST ~/Mail/ %": c.List(b"~/Mail/", (b"%",)),
    b'list (subscribed) "" "*" return (special-use)': c.List(
        b"", (b"*",), frozenset({"SUBSCRIBED"}), frozenset({"SPECIAL-USE"}), None, True
    ),
    b'LIST () "" INBOX/*': c.List(b"", (b"INBOX/*",), extended=True),
    b'LIST "" ("INBOX" Drafts "Sent/%")': c.List(b"", (b"INBOX", b"Drafts", b"Sent/%"), extended=True),
    b'LIST (RECURSIVEMATCH SUBSCRIBED) "" % RETURN (CHILDREN STATUS (MESSAGES UNSEEN messages))': c.List(
        b"",
        (b"%",),
        frozenset({"RECURSIVEMATCH", "SUBSCRIBED"}),
        frozenset({"CHILDREN"}),
        ("MESSAGES", "UNSEEN"),
        True,
    ),
    b'LIST "" % RETURN ()': c.List(b"", (b"%",), extended=True),
    b'LSUB "#news." comp.mail.*': c.Lsub(b"#news.", b"comp.mail.*"),
    b"STATUS blurdybloop (UIDNEXT MESSAGES size)": c.Status(b"blurdybloop", ("UIDNEXT", "MESSAGES", "SIZE")),
    b'STATUS "a@b.com" (uidvalidity)': c.Status(b"a@b.com", ("UIDVALIDITY",)),
    b"APPEND saved-messages (\\Seen) {3}\r\nabc": c.Append(
        b"saved-messages", (c.AppendMessage(("\\Seen",), None, 3, b"abc"),)
    ),
    b'APPEND INBOX " 7-Feb-1994 21:52:25 -0800" ~{2+}\r\n\0a () {0}\r\n': c.Append(
        b"INBOX",
        (
            c.AppendMessage((), datetime(1994, 2, 7, 21, 52, 25, tzinfo=PACIFIC), 2, b"\0a", True),
            c.AppendMessage((), None, 0, b""),
        ),
    ),
    b"APPEND {1}\r\nx utf8 (~{1}\r\ny)": c.Append(b"x", (c.AppendMessage((), None, 1, b"y", True, True),)),
    b"EXPUNGE": c.Expunge(),
    b"UID EXPUNGE 3000:3002": c.Expunge(some("3000:3002")),
    b"COPY 2:4 MEETING": c.Copy(some("2:4"), b"MEETING"),
    b"MOVE 1 x": c.Move(some("1"), b"x"),
    b"uid move $ Trash": c.Move(SequenceSet((), True), b"Trash", True),
    b"STORE 2:4 +FLAGS (\\Deleted)": c.Store(some("2:4"), c.StoreMode.ADD, ("\\Deleted",)),
    b"STORE 1 flags.silent ()": c.Store(some("1"), c.StoreMode.REPLACE, (), True),
    b"UID STORE 6,4,8 (UNCHANGEDSINCE 12121230045) -FLAGS.SILENT \\Deleted $x": c.Store(
        some("6,4,8"), c.StoreMode.REMOVE, ("\\Deleted", "$x"), True, True, 12121230045
    ),
}

FETCHES: dict[bytes, c.Fetch] = {
    b"FETCH 2:4 all": c.Fetch(some("2:4"), ENVELOPE_MACRO),
    b"FETCH 1 FAST": c.Fetch(some("1"), ENVELOPE_MACRO[:3]),
    b"FETCH 1 FULL": c.Fetch(some("1"), (*ENVELOPE_MACRO, A.BODY)),
    b"UID fetch 1:* (FLAGS) ": c.Fetch(some("1:*"), (A.FLAGS,), True),
    b"FETCH 1 BODY": c.Fetch(some("1"), (A.BODY,)),
    b"FETCH 1 (uid Flags UID)": c.Fetch(some("1"), (A.UID, A.FLAGS)),
    b"FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)": c.Fetch(
        some("1"), (A.RFC822, A.RFC822_HEADER, A.RFC822_TEXT, A.SIZE)
    ),
    b"FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])": c.Fetch(
        some("2:4"), (A.FLAGS, header_fields(b"DATE", b"FROM", peek=False))
    ),
    b'UID FETCH 5 (BODY.PEEK[HEADER.FIELDS ("To" {2}\r\nCc X-]y)])': c.Fetch(
        some("5"), (header_fields(b"To", b"Cc", b"X-]y"),), True
    ),
    b"FETCH 1 body[]<0.2048>": c.Fetch(some("1"), (c.BodySection(partial=(0, 2048)),)),
    b"FETCH 1 BODY[4.2.HEADER.FIELDS.NOT (a)]": c.Fetch(
        some("1"), (c.BodySection((4, 2), c.Section.HEADER_FIELDS_NOT, (b"a",)),)
    ),
    b"FETCH 1 (BODY[1.MIME] BODY[HEADER] BODY[1.2] BODY[TEXT])": c.Fetch(
        some("1"),
        (
            c.BodySection((1,), c.Section.MIME),
            c.BodySection((), c.Section.HEADER),
            c.BodySection((1, 2)),
            c.BodySection((), c.Section.TEXT),
        ),
    ),
    b"FETCH 1 (BINARY.PEEK[1]<1.2> BINARY[] BINARY.SIZE[2.3])": c.Fetch(
        some("1"),
        (
            c.BodySection((1,), partial=(1, 2), peek=True, name="BINARY"),
            c.BodySection(name="BINARY"),
            c.BodySection((2, 3), name="BINARY.SIZE"),
        ),
    ),
    b"FETCH 1,2 (MODSEQ EMAILID THREADID SAVEDATE) (CHANGEDSINCE 0)": c.Fetch(
        some("1,2"), (A.MODSEQ, A.EMAILID, A.THREADID, A.SAVEDATE), False, 0
    ),
    b"UID FETCH 300:500 (FLAGS) (VANISHED CHANGEDSINCE 12345)": c.Fetch(some("300:500"), (A.FLAGS,), True, 12345, True),
}

INTERNAL, SINCE = sk.DateField.INTERNAL, sk.DateOrder.SINCE

KEYS: dict[bytes, sk.SearchKey] = {
    b"ALL": sk.KeyAll(),
    b"unseen": sk.KeyNot(SEEN),
    b"NEW": sk.KeyAnd((sk.KeyRecent(), sk.KeyNot(SEEN))),
    b"OLD": sk.KeyNot(sk.KeyRecent()),
    b"KEYWORD $Junk UNKEYWORD x": sk.KeyAnd((sk.KeyFlag("$Junk"), sk.KeyNot(sk.KeyFlag("x")))),
    b'FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"': sk.KeyAnd(
        (
            sk.KeyFlag("\\Flagged"),
            sk.KeyDate(INTERNAL, SINCE, date(1994, 2, 1)),
            sk.KeyNot(sk.KeyHeader(b"FROM", b"Smith")),
        )
    ),
    b"OR (SEEN 1:5) NOT OR 7 $": sk.KeyOr(
        sk.KeyAnd((SEEN, sk.KeySequence(some("1:5")))),
        sk.KeyNot(sk.KeyOr(sk.KeySequence(some("7")), sk.KeySequence(SequenceSet((), True)))),
    ),
    b"((((SEEN))))": SEEN,
    b"(SEEN) (ALL ALL) ": sk.KeyAnd((SEEN, sk.KeyAnd((sk.KeyAll(), sk.KeyAll())))),
    b'header x-] ""': sk.KeyHeader(b"x-]", b""),
    b'SUBJECT {2+}\r\n"( BODY b TEXT t': sk.KeyAnd(
        (sk.KeyHeader(b"SUBJECT", b'"('), sk.KeyBody(b"b"), sk.KeyText(b"t"))
    ),
    b"LARGER 4294967296 SMALLER 0": sk.KeyAnd((sk.KeyLarger(2**32), sk.KeySmaller(0))),
    b'SENTON "01-jan-2020" SAVEDBEFORE 1-JAN-2020 SAVEDATESUPPORTED': sk.KeyAnd(
        (
            sk.KeyDate(sk.DateField.SENT, sk.DateOrder.ON, date(2020, 1, 1)),
            sk.KeyDate(sk.DateField.SAVED, sk.DateOrder.BEFORE, date(2020, 1, 1)),
            sk.KeySaveDateSupported(),
        )
    ),
    b"YOUNGER 259200 OLDER 1": sk.KeyAnd((sk.KeyAge(259200, False), sk.KeyAge(1, True))),
    b'MODSEQ "/flags/\\\\draft" all 620162338': sk.KeyModSeq(620162338),
    b"MODSEQ 0 UID 1:*": sk.KeyAnd((sk.KeyModSeq(0), sk.KeyUid(some("1:*")))),
    b"EMAILID M6d99ac3275bb4e THREADID T1": sk.KeyAnd((sk.KeyEmailId(b"M6d99ac3275bb4e"), sk.KeyThreadId(b"T1"))),
}

SEARCHES: dict[bytes, c.Search] = {
    b"UID SEARCH 1:9 NOT DELETED": c.Search(
        sk.KeyAnd((sk.KeySequence(some("1:9")), sk.KeyNot(sk.KeyFlag("\\Deleted")))), True
    ),
    b"SEARCH return () all": c.Search(sk.KeyAll(), False, frozenset({"ALL"})),
    b"SEARCH RETURN (MIN COUNT) SEEN": c.Search(SEEN, False, frozenset({"MIN", "COUNT"})),
    b"UID SEARCH RETURN (save) CHARSET utf-8 SEEN": c.Search(SEEN, True, frozenset({"SAVE"}), "UTF-8"),
}

BAD = [
    *(b"NOOP x", b"NOOP\tx", b"NOOP(", b"ID", b'ID ("a")', b'ID ("a" "b" )', b"ID (a b)", b"ID xNIL", b"LOGIN a"),
    *(b"LOGIN  a b", b"LOGIN a b c", b'LOGIN a "b', b'LOGIN a "\\b"', b"LOGIN a {3}\r\nab", b"LOGIN (a) b"),
    *(b"LOGIN a {1}\r\n\0", b"LOGIN a b\0", b"LOGIN a \xe4", b'LOGIN a "b"c', b"LOGIN a {1}", b"LOGIN a ~{1}\r\nx"),
    *(b"AUTHENTICATE", b"AUTHENTICATE PLAIN *", b"AUTHENTICATE PLAIN ab=", b"AUTHENTICATE PLAIN abc", b"ENABLE"),
    *(b"AUTHENTICATE PLAIN ====", b"AUTHENTICATE PLAIN =abc", b"SELECT", b"SELECT a b", b"SELECT a ()"),
    *(b"SELECT a (X)", b"SELECT a (QRESYNC)", b"SELECT a (QRESYNC (0 1))", b"SELECT a (QRESYNC (1 1 1:*))"),
    *(b"SELECT a (QRESYNC (1 1 $))", b"SELECT a (QRESYNC (1 1 ))", b"SELECT a (QRESYNC (1 1 5 ))", b"SELECT a%"),
    *(b"SELECT a (QRESYNC (1 1 (1)))", b"CREATE a (USE \\Sent)", b"CREATE a (USE (Sent))", b"CREATE a (X ())"),
    *(b"RENAME a", b"DELETE", b"LIST", b"LIST a", b'LIST "" ()', b'LIST (X) "" *', b'LIST "" * RETURN (MYRIGHTS)'),
    *(b'LIST (RECURSIVEMATCH) "" *', b'LIST (REMOTE RECURSIVEMATCH) "" *', b'LIST "" * X', b'LIST "" * RETURN'),
    *(b'LIST "" * RETURN (STATUS)', b'LIST "" * RETURN (STATUS ())', b"STATUS a", b"STATUS a ()", b"STATUS a (X)"),
    *(b"STATUS a (SIZE ", b"STATUS a (SIZE  UIDNEXT)", b"APPEND a", b"APPEND a b", b"APPEND a (\\Seen {1}\r\nx"),
    *(b'APPEND a "1-Foo-2000 00:00:00 +0000" {1}\r\nx', b"APPEND a UTF8 ({1}\r\nx)", b"APPEND a UTF8 (~{1}\r\nx"),
    *(b"APPEND a UTF ~{1}\r\nx", b'APPEND a "x" {1}\r\nx', b"APPEND a {1}\r\nxy", b"EXPUNGE 1", b"UID", b"UID "),
    *(b"UID EXPUNGE", b"COPY 0 x", b"COPY 1:0 x", b"COPY 1, x", b"COPY 1::2 x", b"COPY 4294967296 x", b"COPY 1 "),
    *(b"COPY 01 x", b"COPY 1$ x", b"STORE 1 FLAG x", b"STORE 1 FLAGS", b"STORE 1 *FLAGS x", b"STORE 1 FLAGS (\\*)"),
    *(b"STORE 1 (UNCHANGEDSINCE) FLAGS x", b"STORE 1 (X 1) FLAGS x", b"STORE 1 +FLAGS.SILENT (a b", b"FETCH 1"),
    *(b"FETCH 1 ()", b"FETCH 1 (ALL)", b"FETCH 1 ALL FAST", b"FETCH 1 X", b"FETCH 1 BODY.PEEK", b"FETCH 1 BODY["),
    *(b"FETCH 1 BODY[MIME]", b"FETCH 1 BODY[1.]", b"FETCH 1 BODY[0]", b"FETCH 1 BODY[.1]", b"FETCH 1 BODY[1.X]"),
    *(b"FETCH 1 BODY[]<0.0>", b"FETCH 1 BODY[]<0>", b"FETCH 1 BODY[]<0.1", b"FETCH 1 BODY[HEADER.FIELDS]"),
    *(b"FETCH 1 BODY[HEADER.FIELDS ()]", b"FETCH 1 BINARY[TEXT]", b"FETCH 1 BINARY", b"FETCH 1 BINARY.SIZE[1]<0.1>"),
    *(b"FETCH 1 FLAGS[]", b"FETCH 1 FLAGS ()", b"FETCH 1 FLAGS (VANISHED)", b"FETCH 1 FLAGS (CHANGEDSINCE x)"),
    *(b"FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", b"FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)"),
    *(b"SEARCH", b"SEARCH X", b"SEARCH ()", b"SEARCH (SEEN", b"SEARCH SEEN)", b"SEARCH OR SEEN", b"SEARCH NOT"),
    *(b"SEARCH OR SEEN)", b"SEARCH (OR SEEN)", b"SEARCH (NOT)", b"SEARCH SEEN  SEEN", b"SEARCH RETURN SEEN"),
    *(b"SEARCH RETURN (X) SEEN", b"SEARCH CHARSET UTF-8", b"SEARCH SINCE 30-Feb-2000", b"SEARCH SINCE 1-1-2000"),
    *(b"SEARCH YOUNGER 0", b"SEARCH LARGER -1", b"SEARCH EMAILID a.b", b"SEARCH KEYWORD \\Seen", b"SEARCH UID x"),
    *(b"SEARCH HEADER a", b"SEARCH MODSEQ x", b'SEARCH MODSEQ "/f" x 1', b"SEARCH FROM", b'SEARCH SINCE "1-Jan-2000'),
    *(b"SEARCH LARGER 99999999999999999999999999", b"SEARCH ON 1-Jan-0000", b"SEARCH CHARSET {1}\r\n\xff SEEN"),
]


class ParseTests(unittest.SynchronousTestCase):
    """Commands and their objects."""

    def test_good(self) -> None:
        """Each command gives its object, with its tag."""
        for text, command in {**GOOD, **FETCHES, **SEARCHES}.items():
            self.assertEqual(parse_command(b"A.1 " + text), (b"A.1", command), text)

    def test_search_keys(self) -> None:
        """Each search program gives its key."""
        for text, key in KEYS.items():
            self.assertEqual(parse_command(b"a SEARCH " + text)[1], c.Search(key), text)

    def test_bad(self) -> None:
        """What breaks the grammar is a fault that knows the tag and repeats nothing the client sent."""
        texts = set()
        for text in BAD:
            fault = self.assertRaises(SyntaxFault, parse_command, b"t1 " + text)
            self.assertEqual(fault.tag, b"t1", text)
            texts.add(fault.text)
        for text in texts:
            self.assertRegex(text, r"\A[A-Z][A-Za-z0-9 ]+\Z")

    def test_every_command(self) -> None:
        """Every name in the table is in the good examples, or has no arguments."""
        named = {text.split(b" ")[0].upper() for text in {**GOOD, **FETCHES, **SEARCHES}}
        for name in set(COMMANDS) - named:
            self.assertIsInstance(parse_command(b"a " + name.lower() + (b" x" if name in NAMED else b""))[1], c.Command)

    def test_unknown(self) -> None:
        """An unknown name is told apart from a fault."""
        for text, name in ((b"xyzzy 1", b"XYZZY"), (b"uid foo 1", b"UID FOO"), (b"OK done", b"OK")):
            unknown = self.assertRaises(UnknownCommand, parse_command, b"a " + text)
            self.assertEqual((unknown.tag, unknown.name), (b"a", name))

    def test_tags(self) -> None:
        """Tag, name and what follows are split; what is no tag gives none."""
        self.assertEqual(parse_tag(b"a1 uid fetch"), (b"a1", b"UID", 6))
        for data in (
            b"",
            b"a",
            b"a ",
            b" a NOOP",
            b"* OK x",
            b"+ OK",
            b"a+b NOOP",
            b"a\0 NOOP",
            b"\xe4 NOOP",
            b"a  NOOP",
        ):
            self.assertIsNone(parse_tag(data), data)
            fault = self.assertRaises(SyntaxFault, parse_command, data)
            self.assertEqual(fault.tag, b"a" if data in (b"a", b"a ", b"a  NOOP") else None, data)

    def test_secrets(self) -> None:
        """Passwords are in no representation."""
        for text in (b"LOGIN u secret", b"AUTHENTICATE PLAIN c2VjcmV0"):
            self.assertNotIn("secret", repr(parse_command(b"a " + text)))

    def test_base64(self) -> None:
        """Base64 is decoded without leniency."""
        self.assertEqual(decode_base64(b""), b"")
        for text in (b"=", b"a", b"ab==\n", b"a b=", b"abcd=", b"ab==abcd", b"-_-_"):
            self.assertRaises(SyntaxFault, decode_base64, text)

    def test_message_literals(self) -> None:
        """The message of APPEND is told from the mailbox, and from the literals of other commands."""
        for prefix, awaited in (
            (b"a APPEND ", False),
            (b"a append x ", True),
            (b'a APPEND "x y" (\\Seen) ', True),
            (b"a APPEND {1}\r\nx ", True),
            (b"a APPEND {1}\r\nx (", True),
            (b"a APPEND x {3}\r\n ", True),
            (b"a APPEND x", False),
            (b"a LOGIN x ", False),
            (b"", False),
        ):
            self.assertEqual(awaits_message(prefix), awaited, prefix)

    def test_numbers(self) -> None:
        """Numbers have their ranges."""
        self.assertEqual(Tokens(b"0004294967295").number(), 2**32 - 1)
        self.assertEqual(Tokens(b"9223372036854775807").number64(), 2**63 - 1)
        for text in (b"4294967296", b"9" * 5000, b"", b"x", b"-1"):
            self.assertRaises(SyntaxFault, Tokens(text).number)
        self.assertRaises(SyntaxFault, Tokens(b"01").nz_number)


NAMED = (b"DELETE", b"UNSUBSCRIBE")
