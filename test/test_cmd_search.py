"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4): forms, results, saved results, character sets.

Which messages a key finds is tested with the search itself; here it is what a client sends and is told.
"""

from __future__ import annotations

from datetime import timedelta

from test.wire import BASE, MINE, WireTestCase, letter

LATE = BASE + timedelta(days=1)

KEYS = (
    ("ALL", (1, 2, 3, 4)),
    ("2:3", (2, 3)),
    ("*", (4,)),
    ("UID 4:*", (3, 4)),
    ("UID 3", ()),
    ("ANSWERED", (3,)),
    ("UNANSWERED", (1, 2, 4)),
    ("DELETED", (4,)),
    ("UNDELETED", (1, 2, 3)),
    ("DRAFT", (3,)),
    ("UNDRAFT", (1, 2, 4)),
    ("FLAGGED", (2,)),
    ("UNFLAGGED", (1, 3, 4)),
    ("SEEN", (1, 3)),
    ("UNSEEN", (2, 4)),
    ("RECENT", ()),
    ("OLD", (1, 2, 3, 4)),
    ("NEW", ()),
    ("KEYWORD $junk", (2,)),
    ("UNKEYWORD $Junk", (1, 3, 4)),
    ("FROM ann", (2,)),
    ("TO box@example", (1, 2, 3, 4)),
    ("CC x", ()),
    ("BCC x", ()),
    ('SUBJECT "letter"', (1, 3, 4)),
    ('HEADER Subject ""', (1, 2, 3, 4)),
    ("HEADER X-None x", ()),
    ("BODY 123456", (3,)),
    ("TEXT ann@x", (2,)),
    ("BODY html", (4,)),
    ("LARGER 10", (1, 2, 3, 4)),
    ("SMALLER 10", ()),
    ("BEFORE 1-Mar-2026", ()),
    ("ON 1-Mar-2026", (1, 2, 3, 4)),
    ('SINCE "01-Mar-2026"', (1, 2, 3, 4)),
    ("SENTBEFORE 2-Mar-2026", (1, 2, 3, 4)),
    ("SENTON 2-Mar-2026", ()),
    ("SENTSINCE 1-mar-2026", (1, 2, 3, 4)),
    ("YOUNGER 1", ()),
    ("YOUNGER 4294967295", (1, 2, 3, 4)),
    ("OLDER 4294967295", ()),
    ("NOT SEEN", (2, 4)),
    ("OR FLAGGED DELETED", (2, 4)),
    ("(SEEN UNANSWERED)", (1,)),
    ("SEEN UNANSWERED", (1,)),
    ("OR (SEEN DRAFT) NOT OR SEEN 2", (3, 4)),
    ("1:3 SINCE 1-Jan-2020 NOT DELETED", (1, 2, 3)),
    ("charset utf-8 ALL", (1, 2, 3, 4)),
    ("CHARSET US-ASCII SEEN", (1, 3)),
)
"""Keys, and the messages of the tests' mailbox that they find."""


class SearchTests(WireTestCase):
    """The command."""

    limits = {"bad_commands": 100}  # noqa: RUF012

    def setUp(self) -> None:
        """Deliver five messages, of which the third goes: UIDs 1, 2, 4, 5."""
        super().setUp()
        self.wire.deliver(1, flags=["\\Seen"])
        self.wire.deliver(1, flags=["\\Flagged", "$Junk"], subject="Grüße", from_addr="Ann <ann@x.example>")
        (gone,) = self.wire.deliver(1)
        self.wire.deliver(1, flags=["\\Seen", "\\Answered", "\\Draft"], body="Dein Code ist 123456.\n")
        self.wire.deliver(1, flags=["\\Deleted"], html="<p>nur <b>HTML</b></p>", body="")
        self.wire.session(MINE).hang_up()
        self.store.delete_elsewhere(gone)
        self.client = self.wire.session(MINE)

    def found(self, keys: str) -> tuple[int, ...]:
        """Return the sequence numbers found."""
        (numbers,) = self.client.ok(f"SEARCH {keys}").data("SEARCH")
        assert isinstance(numbers, tuple)
        return numbers

    def test_keys(self) -> None:
        """Every key of both versions of IMAP (section 6.4.4, RFC 3501 section 6.4.4, RFC 5032)."""
        for keys, expected in KEYS:
            self.assertEqual(self.found(keys), expected, keys)

    def test_none_found(self) -> None:
        """An empty result is a response too (section 7.3.4, RFC 3501 section 7.2.5)."""
        self.assertEqual(self.client.ok("SEARCH BODY nothing").responses[0].raw, b"* SEARCH\r\n")
        self.client.select("Drafts")
        self.assertEqual(self.client.ok("SEARCH ALL").responses[0].raw, b"* SEARCH\r\n")
        self.assertEqual(self.client.ok("SEARCH RETURN (COUNT ALL) ALL").data("ESEARCH")[0]["COUNT"], 0)

    def test_uid(self) -> None:
        """UID SEARCH finds the same and answers UIDs; numbers in its keys stay sequence numbers (section 6.4.9)."""
        self.assertEqual(self.client.ok("UID SEARCH ALL").data("SEARCH"), [(1, 2, 4, 5)])
        self.assertEqual(self.client.ok("UID SEARCH 3:4 UNSEEN").data("SEARCH"), [(5,)])

    def test_strings(self) -> None:
        """Every form of string, in UTF-8 whether the character set is named or not."""
        for keys in (
            'SUBJECT "grü"'.encode(),
            "SUBJECT {4+}\r\nGRÜ".encode(),
            b'CHARSET UTF-8 SUBJECT "SSE"',
            "CHARSET UTF-8 SUBJECT {4+}\r\nüß".encode(),
            b'FROM "Ann"',
        ):
            self.assertEqual(self.client.ok(b"SEARCH " + keys).data("SEARCH"), [(2,)], keys)

    def test_charset(self) -> None:
        """Another character set is NO, with those there are (section 6.4.4, BADCHARSET)."""
        for charset in ("ISO-8859-1", "utf-16", '"x y"'):
            answer = self.client.command(f"SEARCH CHARSET {charset} SUBJECT x")
            self.assertEqual(answer.tagged.code, (b"BADCHARSET", (b"US-ASCII", b"UTF-8")))

    def test_return(self) -> None:
        """RETURN answers ESEARCH with the tag and what was asked for (section 7.3.4, RFC 4731)."""
        for options, expected in (
            ("()", {"ALL": b"1:2,4"}),
            ("(ALL)", {"ALL": b"1:2,4"}),
            ("(MIN)", {"MIN": 1}),
            ("(MAX)", {"MAX": 4}),
            ("(COUNT)", {"COUNT": 3}),
            ("(min Max ALL count)", {"MIN": 1, "MAX": 4, "COUNT": 3, "ALL": b"1:2,4"}),
        ):
            answer = self.client.ok(f"SEARCH RETURN {options} OR 1:2 DELETED")
            (data,) = answer.data("ESEARCH")
            self.assertEqual(data, {"tag": answer.tagged.tag, "uid": False, **expected})
            self.assertEqual(answer.data("SEARCH"), [])
        (data,) = self.client.ok("UID SEARCH RETURN (MIN MAX ALL) ALL").data("ESEARCH")
        self.assertEqual((data["uid"], data["MIN"], data["MAX"], data["ALL"]), (True, 1, 5, b"1:2,4:5"))

    def test_return_nothing(self) -> None:
        """Where nothing was found there is no MIN, MAX or ALL, but the response and a COUNT (RFC 4731 section 3.1)."""
        (data,) = self.client.ok("UID SEARCH RETURN (MIN MAX ALL COUNT) BODY nothing").data("ESEARCH")
        self.assertEqual({name for name in data if name.isupper()}, {"COUNT"})
        (data,) = self.client.ok("SEARCH RETURN (MIN) BODY nothing").data("ESEARCH")
        self.assertEqual(len(data), 2)

    def test_malformed(self) -> None:
        """What is no SEARCH."""
        for arguments in (
            "",
            " ",
            " FOO",
            " NOT",
            " OR SEEN",
            " (SEEN",
            " ()",
            " KEYWORD",
            " KEYWORD (a)",
            " BEFORE 32-Jan-2020",
            " BEFORE yesterday",
            " LARGER x",
            " UID x",
            " YOUNGER 0",
            " RETURN (FOO) ALL",
            " RETURN ALL",
            " CHARSET",
            " HEADER Subject",
            " SEEN,",
            " " + "NOT " * 200 + "SEEN",
            " " + "(" * 200 + "SEEN" + ")" * 200,
        ):
            for command in ("SEARCH", "UID SEARCH"):
                self.assertStatus(self.client.command(command + arguments), "BAD")
        self.assertStatus(self.wire.session().command("SEARCH ALL"), "BAD")


class SavedResultTests(WireTestCase):
    """``$`` (section 6.4.4.1, RFC 5182)."""

    def setUp(self) -> None:
        """Deliver messages."""
        super().setUp()
        self.ids = self.wire.deliver(6)
        self.client = self.wire.session(MINE)

    def saved(self) -> tuple[int, ...]:
        """Return the UIDs that ``$`` stands for."""
        (uids,) = self.client.ok("UID SEARCH $").data("SEARCH")
        assert isinstance(uids, tuple)
        return uids

    def test_save(self) -> None:
        """SAVE alone answers nothing but OK; with others, what they ask for; each keeps what it says (section 2.4)."""
        for options, answers, kept in (
            ("SAVE", 0, (2, 3, 4)),
            ("SAVE ALL", 1, (2, 3, 4)),
            ("SAVE COUNT", 1, (2, 3, 4)),
            ("SAVE MIN", 1, (2,)),
            ("SAVE MAX", 1, (4,)),
            ("SAVE MIN MAX", 1, (2, 4)),
            ("SAVE MIN COUNT", 1, (2, 3, 4)),
            ("SAVE MIN MAX ALL", 1, (2, 3, 4)),
        ):
            for command in ("SEARCH", "UID SEARCH"):
                self.assertEqual(len(self.client.ok(f"{command} RETURN ({options}) 2:4").responses), answers)
                self.assertEqual(self.saved(), kept, options)

    def test_used(self) -> None:
        """``$`` stands in sets of FETCH, STORE, SEARCH and UID EXPUNGE."""
        self.client.ok("SEARCH RETURN (SAVE) 2,5")
        self.assertEqual(self.client.ok("FETCH $ UID").numbers("FETCH"), [2, 5])
        self.assertEqual(self.client.ok("UID STORE $ +FLAGS (\\Deleted)").numbers("FETCH"), [2, 5])
        self.assertEqual(self.client.ok("SEARCH NOT $").data("SEARCH"), [(1, 3, 4, 6)])
        self.assertEqual(self.client.ok("SEARCH UID $").data("SEARCH"), [(2, 5)])
        self.assertEqual(self.client.ok("UID EXPUNGE $").numbers("EXPUNGE"), [5, 2])
        self.assertEqual(self.saved(), ())

    def test_refined(self) -> None:
        """A search in ``$`` that saves refers to the result before it (section 2.1)."""
        self.client.ok("SEARCH RETURN (SAVE) 2:5")
        self.client.ok("SEARCH RETURN (SAVE) $ 4:6")
        self.assertEqual(self.saved(), (4, 5))

    def test_numbers_move(self) -> None:
        """The result stands for messages, not for their numbers: an expunged one leaves it (section 2.1)."""
        self.client.ok("SEARCH RETURN (SAVE) 3:4")
        self.store.delete_elsewhere(self.ids[0])
        self.store.delete_elsewhere(self.ids[2])
        self.client.ok("NOOP")
        self.assertEqual(self.client.ok("FETCH $ UID").fetched(), {2: {b"UID": 4}})

    def test_forgotten(self) -> None:
        """Another mailbox, a failed search with SAVE: the result is empty; BAD leaves it (section 2.1)."""
        self.client.ok("SEARCH RETURN (SAVE) ALL")
        self.assertStatus(self.client.command("SEARCH RETURN (SAVE) FOO"), "BAD")
        self.client.command("SEARCH CHARSET x ALL")
        self.client.ok("SEARCH RETURN (MIN) 1")
        self.assertEqual(len(self.saved()), 6)
        self.client.command("SEARCH RETURN (SAVE) CHARSET x ALL")
        self.assertEqual(self.saved(), ())
        self.client.ok("SEARCH RETURN (SAVE) ALL")
        self.client.select(MINE)
        self.assertEqual(self.saved(), ())

    def test_pipelined(self) -> None:
        """A result can be used by the very next command in the same packet (section 2.1)."""
        self.client.take()
        self.client.send(b"a SEARCH RETURN (SAVE) 2:3\r\nb FETCH $ UID\r\n")
        self.assertEqual([r.number for r in self.client.responses() if r.name == b"FETCH"], [2, 3])


class LargeSearchTests(WireTestCase):
    """Searches that take longer than a slice of time."""

    def test_many_and_large(self) -> None:
        """Many messages, and one whose text is looked through apart, are found with others served meanwhile."""
        self.wire.deliver(300)
        self.store.deliver(letter(body="x" * 300_000 + " needle\n", timestamp=LATE))
        client = self.wire.session(MINE)
        self.assertEqual(client.ok("SEARCH TEXT needle").data("SEARCH"), [(301,)])
