"""ENVELOPE, and the address lists in it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.address import GROUP_END, MAX_ADDRESSES, Address, parse_addresses
from cybertemp_imap.mime.envelope import envelope
from test.test_mime_wire import check_envelope, read_wire

RFC_HEADER = (
    b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"
    b"From: Terry Gray <gray@cac.washington.edu>\r\n"
    b"Subject: IMAP4rev2 WG mtg summary and minutes\r\n"
    b"To: imap@cac.washington.edu\r\n"
    b"cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
    b"Message-Id: <B27397-0100000@cac.washington.edu>\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n"
    b"\r\n"
)

ADDRESSES = st.lists(
    st.sampled_from(list(b'"()<>,:;@[]\\. ') + list(b"ab\xc3\xa9=?_\0\r\n\t")).map(lambda octet: bytes((octet,)))
    | st.sampled_from([b"a@b.c", b"Ann <a@b.c>", b"=?utf-8?q?x,y?=", b"Friends: "]),
    max_size=60,
).map(b"".join)


def plain(mailbox: bytes, host: bytes, name: bytes | None = None, route: bytes | None = None) -> Address:
    return Address(name, route, mailbox, host)


class AddressTests(unittest.SynchronousTestCase):
    """RFC 5322 section 3.4, its examples in appendix A, and what is really sent."""

    def check(self, value: bytes, *expected: Address) -> None:
        self.assertEqual(parse_addresses(value), list(expected), value)

    def test_usual(self) -> None:
        """Bare, with a name, with a quoted name, several."""
        self.check(b"a@b.c", plain(b"a", b"b.c"))
        self.check(b"John Doe <jdoe@one.test>", plain(b"jdoe", b"one.test", b"John Doe"))
        self.check(b'"Joe Q. Public" <john@example.com>', plain(b"john", b"example.com", b"Joe Q. Public"))
        self.check(
            b'Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>, <boss@nil.test>, "G \\"Big\\" B" <s@e.n>',
            plain(b"mary", b"x.test", b"Mary Smith"),
            plain(b"jdoe", b"example.org"),
            plain(b"one", b"y.test", b"Who?"),
            plain(b"boss", b"nil.test"),
            plain(b"s", b"e.n", b'G "Big" B'),
        )

    def test_groups(self) -> None:
        """A group begins and ends with its marks, also an empty one and one that is not closed."""
        start = Address(None, None, b"A Group", None)
        self.check(
            b"A Group:Ed Jones <c@a.test>,joe@where.test;",
            start,
            plain(b"c", b"a.test", b"Ed Jones"),
            plain(b"joe", b"where.test"),
            GROUP_END,
        )
        self.check(b"A Group:;, x@y", start, GROUP_END, plain(b"x", b"y"))
        self.check(b"A Group: x@y", start, plain(b"x", b"y"), GROUP_END)

    def test_obsolete(self) -> None:
        """Routes, comments, and spaces around dots and at signs (RFC 5322 section 4.4 and appendix A.5, A.6)."""
        self.check(
            b"Mary <@node.test,@n2.test:mary@example.net>",
            plain(b"mary", b"example.net", b"Mary", b"@node.test,@n2.test"),
        )
        self.check(b"john (his account) @ (comment) silly.test", plain(b"john", b"silly.test", b"comment"))
        self.check(b"pete@test (Pete (the second))", plain(b"pete", b"test", b"Pete (the second)"))
        self.check(b'"john doe"@x.y', plain(b"john doe", b"x.y"))
        self.check(b"a@[127.0.0.1]", plain(b"a", b"[127.0.0.1]"))

    def test_broken(self) -> None:
        """What is no address is still shown, and never takes the form of a group."""
        self.check(b"root", plain(b"root", b""))
        self.check(b"Some Body", plain(b"", b"", b"Some Body"))
        self.check(b"Bounces <>", plain(b"", b"", b"Bounces"))
        self.check(b"Ann ann@example.com", plain(b"ann", b"example.com", b"Ann"))
        self.check(b'"Ann <ann@example.com>', plain(b"ann", b"example.com", b"Ann"))
        self.check(b"(Ann <ann@example.com>", plain(b"ann", b"example.com", b"Ann"))
        self.check(b"a@b@c", plain(b"a@b", b"c"))
        self.check(b"=?utf-8?Q?Doe,_J?= <j@d.e>", plain(b"j", b"d.e", b"=?utf-8?Q?Doe,_J?="))
        self.check(b"", *())
        self.check(b" , ,, ", *())

    def test_bounded(self) -> None:
        """Of 100,000 addresses no more than the limit are read; the last is whole."""
        found = parse_addresses(b", ".join(b"a%d@b.c" % number for number in range(100_000)))
        self.assertEqual(len(found), MAX_ADDRESSES)
        found = parse_addresses(b", ".join(b"%s%d@b.c" % (b"x" * 200, number) for number in range(10_000)))
        self.assertEqual(found[-1].host, b"b.c")

    @settings(deadline=None)
    @given(ADDRESSES)
    def test_any_octets(self, value: bytes) -> None:
        """Never raises; groups are opened and closed in turn."""
        check_envelope([None, None, [list(a) for a in parse_addresses(value)] or None, *[None] * 7])


class EnvelopeTests(unittest.SynchronousTestCase):
    """RFC 9051 section 7.5.2."""

    def test_rfc_example(self) -> None:
        """The example of RFC 9051 section 8, octet for octet."""
        self.assertEqual(
            envelope(RFC_HEADER),
            b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
            b'(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) '
            b'(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) '
            b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL '
            b'"<B27397-0100000@cac.washington.edu>")',
        )

    def test_defaults(self) -> None:
        """Sender and Reply-To that are absent or empty are From; an empty field is not an empty list."""
        node = read_wire(envelope(b"From: a@b\r\nSender:\r\nReply-To: ,\r\nTo: \r\nSubject:\r\n\r\n"))
        self.assertEqual(node[2:6], [[[None, None, b"a", b"b"]]] * 3 + [None])
        self.assertEqual((node[0], node[1]), (None, b""))
        self.assertEqual(envelope(b""), b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")

    def test_unusual_values(self) -> None:
        """Folded values are unfolded, 8-bit is a literal, NUL is dropped, encoded words stay."""
        for value, expected in (
            (b"a\r\n b\r\n\tc", b'"a b\tc"'),
            (b"caf\xc3\xa9", b"{5}\r\ncaf\xc3\xa9"),
            (b"a\0b", b'"ab"'),
            (b'say "hi" \\o/', b'"say \\"hi\\" \\\\o/"'),
            (b"=?utf-8?q?x?=", b'"=?utf-8?q?x?="'),
        ):
            wire = envelope(b"Subject: " + value + b"\r\n\r\n")
            self.assertEqual(wire, b"(NIL " + expected + b" NIL NIL NIL NIL NIL NIL NIL NIL)")

    def test_repeated(self) -> None:
        """All addresses of repeated fields are there; of other fields the first counts."""
        node = read_wire(envelope(b"To: a@b\nSubject: one\nTo: c@d\nSubject: two\n\n"))
        self.assertEqual(node[5], [[None, None, b"a", b"b"], [None, None, b"c", b"d"]])
        self.assertEqual(node[1], b"one")

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from([b"From", b"to", b"CC", b"Subject", b"Date", b"X", b"Message-ID"]), ADDRESSES)
        ),
        st.sampled_from([b"\r\n", b"\n"]),
    )
    def test_any_octets(self, values: list[tuple[bytes, bytes]], line_end: bytes) -> None:
        """Always well-formed."""
        check_envelope(read_wire(envelope(b"".join(name + b": " + value + line_end for name, value in values))))
