"""The parser that reads again what the server sends: it takes what the RFCs have, and nothing else."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from test.response_parser import Malformed, parse_responses

ENVELOPE = b'("d" NIL (("n" NIL "m" "h")(NIL NIL "m" "h")) NIL NIL NIL NIL NIL NIL "<i>")'
LEAF = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1)'
LEAF_X = b'("text" "plain" NIL NIL NIL "7bit" 5 1 NIL ("inline" NIL) ("de" "en") NIL)'

GOOD = (
    b"* OK [CAPABILITY IMAP4rev1 ID] hello",
    b"* BYE bye",
    b"+ ",
    b"+ Go ahead",
    b"a1 OK [READ-WRITE] done",
    b"a1 NO [BADCHARSET (US-ASCII UTF-8)] no",
    b"* 0 EXISTS",
    b"* 3 EXPUNGE",
    b"* FLAGS (\\Seen $Junk)",
    b"* OK [PERMANENTFLAGS (\\Seen \\*)] some",
    b"* OK [PERMANENTFLAGS ()] none",
    b'* LIST (\\HasNoChildren \\Sent) "/" "Sent"',
    b'* LIST () NIL {3}\r\na\nb ("CHILDINFO" ("SUBSCRIBED"))',
    b"* SEARCH",
    b"* SEARCH 2 84 882",
    b'* ESEARCH (TAG "a") UID MIN 1 COUNT 3 ALL 1:2,4',
    b"* ESEARCH",
    b'* STATUS "x" (MESSAGES 0 UIDNEXT 4)',
    b'* NAMESPACE (("" "/")) NIL NIL',
    b"* ID NIL",
    b'* ID ("name" NIL)',
    b"* ENABLED",
    b"* 1 FETCH (FLAGS (\\Seen \\Recent) UID 7)",
    b'* 1 FETCH (INTERNALDATE " 1-Jan-2020 00:00:00 +0000" RFC822.SIZE 44)',
    b"* 1 FETCH (ENVELOPE " + ENVELOPE + b")",
    b"* 1 FETCH (BODY " + LEAF + b" BODYSTRUCTURE " + LEAF_X + b")",
    b"* 1 FETCH (BODY (" + LEAF + LEAF + b' "mixed"))',
    b'* 1 FETCH (BODY ("message" "rfc822" NIL NIL NIL "7bit" 5 ' + ENVELOPE + b" " + LEAF + b" 3))",
    b'* 1 FETCH (BODY[1.HEADER.FIELDS (To "a b")]<0> {2}\r\n\r\n BINARY[2] ~{2}\r\n\0\0 BINARY.SIZE[2] 2 BODY[] NIL)',
)
BAD = (
    b"",
    b"+",
    b"* ",
    b"* OK",
    b"* OK ",
    b"* OK [FOO] x",
    b"* OK [UNSEEN 0] x",
    b"* OK [UIDNEXT] x",
    b"* OK [READ-WRITE]",
    b"* OK caf\xc3\xa9",
    b"* ok hello",
    b"a1 BYE x",
    b"a1 PREAUTH x",
    b"a+1 OK x",
    b"* 0 EXPUNGE",
    b"* 01 EXISTS",
    b"* 4294967296 EXISTS",
    b"* -1 EXISTS",
    b"* FLAGS (\\Recent)",
    b"* FLAGS (\\Seen  \\Draft)",
    b"* FLAGS \\Seen",
    b"* CAPABILITY ID",
    b"* CAPABILITY IMAP4rev1 ID ID",
    b'* LIST (\\A \\A) "/" x',
    b'* LIST () "/" inbox',
    b'* LIST () "/"',
    b'* LIST () "//" x',
    b'* LIST () "/" "\xc3\xa9"',
    b'* LIST () "/" "a\\b"',
    b"* SEARCH 1  2",
    b"* SEARCH 1 ",
    b"* SEARCH 0",
    b"* ESEARCH MIN 0",
    b"* ESEARCH ALL ",
    b"* ESEARCH COUNT 1 COUNT 1",
    b'* STATUS "x" ()',
    b'* STATUS "x" (MESSAGES)',
    b'* STATUS "x" (MESSAGES 1 MESSAGES 1)',
    b'* STATUS "x" (UIDNEXT 0)',
    b"* NAMESPACE () NIL NIL",
    b"* NAMESPACE NIL NIL",
    b"* 1 FETCH ()",
    b"* 1 FETCH (UID 0)",
    b"* 1 FETCH (UID 1",
    b"* 1 FETCH (UID 1 UID 1)",
    b"* 1 FETCH (FLAGS (\\Seen \\seen))",
    b"* 1 FETCH (FLAGS (a A))",
    b"* 1 FETCH (FLAGS (\\Foo))",
    b'* 1 FETCH (INTERNALDATE "1-Jan-2020 00:00:00 +0000")',
    b"* 1 FETCH (ENVELOPE " + ENVELOPE.replace(b"NIL NIL NIL NIL NIL NIL", b"NIL NIL NIL NIL NIL") + b")",
    b"* 1 FETCH (ENVELOPE " + ENVELOPE.replace(b'(("n"', b'() (("n"') + b")",
    b"* 1 FETCH (BODY " + LEAF_X + b")",
    b"* 1 FETCH (BODYSTRUCTURE " + LEAF + b")",
    b"* 1 FETCH (BODY " + LEAF.replace(b" 5 1", b" 5") + b")",
    b'* 1 FETCH (BODY ("image" "png" NIL NIL NIL "7bit" 5 1))',
    b'* 1 FETCH (BODY ( "mixed"))',
    b"* 1 FETCH (BODY[] {3}\r\nab)",
    b"* 1 FETCH (BODY[] {03}\r\nabc)",
    b"* 1 FETCH (BODY[] {1}\r\n\0)",
    b"* 1 FETCH (BODY[] ~{1}\r\n\0)",
    b"* 1 FETCH (BODY[HEADER.FIELDS ()] {0}\r\n)",
    b"* 1 FETCH (BODY[FOO] {0}\r\n)",
    b"* 1 FETCH (BINARY[TEXT] {0}\r\n)",
    b"* FOO",
)


class ResponseParserTests(SynchronousTestCase):
    """Tables of both."""

    def test_good(self) -> None:
        """Well-formed responses are read whole, one by one and all together."""
        for line in GOOD:
            self.assertEqual(len(parse_responses(line + b"\r\n")), 1, line)
        self.assertEqual(len(parse_responses(b"".join(line + b"\r\n" for line in GOOD))), len(GOOD))

    def test_bad(self) -> None:
        """Everything else is malformed."""
        for line in BAD:
            with self.assertRaises(Malformed, msg=line):
                parse_responses(line + b"\r\n")
        for line in GOOD:
            with self.assertRaises(Malformed, msg=line):
                parse_responses(line + b"\n")
            with self.assertRaises(Malformed, msg=line):
                parse_responses(line)

    def test_values(self) -> None:
        """What is read is what stands there."""
        (response,) = parse_responses(b"* 1 FETCH (BODY (" + LEAF + LEAF + b' "mixed") UID 7)\r\n')
        self.assertEqual((response.number, response.data[b"UID"]), (1, 7))
        body = response.data[b"BODY"]
        self.assertEqual((body.subtype, [each.size for each in body.children]), (b"mixed", [5, 5]))
        (response,) = parse_responses(b'* LIST (\\Sent) "/" "a\\"b"\r\n')
        self.assertEqual((response.data["name"], response.data["delimiter"]), (b'a"b', b"/"))
