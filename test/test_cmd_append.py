"""APPEND (RFC 9051 section 6.3.12), with APPENDUID (RFC 4315) and APPENDLIMIT (RFC 7889)."""

from __future__ import annotations

from test.appending import LETTER, AppendTestCase, literal
from test.wire import MINE, NOBODYS, THEIRS


class AppendTests(AppendTestCase):
    """One message."""

    def test_synchronizing(self) -> None:
        """The client is asked for the message with ``+ ``, and only then sends it."""
        self.client.send(b"a APPEND Drafts {%d}\r\n" % len(LETTER))
        self.assertEqual(self.client.take()[:2], b"+ ")
        self.client.send(LETTER)
        self.assertEqual(self.client.take(), b"")
        self.client.send(b"\r\n")
        self.assertEqual(self.answers(), [(b"a", b"OK", b"APPENDUID")])
        self.assertEqual(self.sources(), [LETTER])

    def test_not_synchronizing(self) -> None:
        """A message that comes unasked; what follows it in the same packet is the next command."""
        self.client.send(b"a APPEND Drafts " + literal(LETTER) + b"\r\nb NOOP\r\n")
        self.assertEqual(self.answers(), [(b"a", b"OK", b"APPENDUID"), (b"b", b"OK", None)])
        self.assertEqual(self.sources(), [LETTER])

    def test_uid(self) -> None:
        """APPENDUID tells UIDVALIDITY and the UID (RFC 4315 section 3)."""
        for uid in (b"1", b"2", b"3"):
            counts = self.client.ok("STATUS Drafts (UIDNEXT UIDVALIDITY)").data("STATUS")[0][1]
            code = self.append(LETTER).tagged.code
            self.assertEqual(code, (b"APPENDUID", (counts["UIDVALIDITY"], uid)))
            self.assertEqual(counts["UIDNEXT"], int(uid))

    def test_flags_and_date(self) -> None:
        """Flags and INTERNALDATE are those given; without a date it is now."""
        self.append(LETTER, options='(\\seen $Forwarded \\SEEN) "17-Jul-1996 02:44:25 -0700" ')
        self.append(LETTER, options='" 7-Jul-2026 02:44:25 +0200" ')
        self.append(LETTER, options="() ")
        fetched = self.wire.session("Drafts").ok("FETCH 1:3 (FLAGS INTERNALDATE)").fetched()
        self.assertEqual(set(fetched[1][b"FLAGS"]), {b"\\Seen", b"$Forwarded", b"\\Recent"})
        self.assertEqual(fetched[1][b"INTERNALDATE"], b"17-Jul-1996 09:44:25 +0000")
        self.assertEqual(set(fetched[2][b"FLAGS"]), {b"\\Recent"})
        self.assertEqual(fetched[2][b"INTERNALDATE"], b"07-Jul-2026 00:44:25 +0000")
        self.assertRegex(fetched[3][b"INTERNALDATE"], rb"^\d\d-[A-Z][a-z]{2}-20\d\d \d\d:\d\d:\d\d \+0000$")

    def test_bad_flags_and_dates(self) -> None:
        """Flags that cannot be set and dates that are none; nothing is added."""
        for flag in ("\\Recent", "\\X-Unknown"):
            self.assertStatus(self.append(LETTER, options=f"({flag}) "), "NO", "CANNOT")
        for options in ('"17-Foo-1996 02:44:25 -0700" ', '"31-Feb-2026 00:00:00 +0000" ', "(\\Seen ", "NIL ", "() () "):
            self.assertStatus(self.append(LETTER, options=options), "BAD")
        self.assertStatus(self.append(LETTER, options=f"({' '.join(f'k{n}' for n in range(101))}) "), "NO", "LIMIT")
        self.assertEqual(self.sources(), [])

    def test_what_other_programs_see(self) -> None:
        """The row has the decoded header and text, the place, and the flags."""
        self.append(LETTER, f"{MINE}", options="(\\Flagged) ")
        (email,) = self.store.emails.values()
        row = email.row
        self.assertEqual((row.owner, row.folder, email.flags), (MINE, "INBOX", ("\\Flagged",)))
        self.assertEqual((row.subject, (row.body or "").strip()), ("Grüße", "Hello."))
        self.assertEqual((row.from_addr, row.to_addrs), ("Me <me@example.com>", ("you@example.org",)))

    def test_names(self) -> None:
        """Mailbox names as atom, string and literal; an address and a folder below it."""
        self.client.ok(f"CREATE {MINE}/Work")
        for name in (b"inbox", b'"INBOX"', b"{5+}\r\nINBOX", MINE.encode(), f'"{MINE}/Work"'.encode()):
            self.client.ok(b"APPEND " + name + b" " + literal(LETTER))
        self.assertEqual(len(self.sources("INBOX")), 4)
        self.assertEqual(len(self.sources(MINE)), 1)

    def test_empty(self) -> None:
        """A message of no octets is how a client takes an APPEND back (RFC 3502 section 6.3.11)."""
        self.assertStatus(self.append(b""), "NO", "CANNOT")
        self.client.send(b"a APPEND Drafts " + literal(LETTER) + b" {0}\r\n")
        self.assertEqual(self.client.take()[:2], b"+ ")
        self.client.send(b"\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"CANNOT")])
        self.assertEqual(self.sources(), [])

    def test_not_even_a_header(self) -> None:
        """What is no proper message is kept as it is."""
        odd = [
            b"x",
            b"\r\n",
            b"\r",
            b"\xff\xfe\x80",
            b"Content-Type: multipart/mixed; boundary=\r\n\r\n--",
            b"a" * 5000,
        ]
        for each in odd:
            self.assertStatus(self.append(each), "OK", "APPENDUID")
        self.assertEqual(self.sources(), odd)


class RefusedTests(AppendTestCase):
    """What is refused is refused before the message is sent, where that is known."""

    limits = {"append_limit": 1000, "bad_commands": 1000}  # noqa: RUF012

    def test_try_create(self) -> None:
        """A mailbox that is not there: TRYCREATE at once, alike for what is another's (section 6.3.12)."""
        for name in ("Nothing", THEIRS, NOBODYS, f"{THEIRS}/Work", f"{MINE}/Nothing"):
            self.client.send(f"a APPEND {name} {{10}}\r\n".encode())
            self.assertEqual(self.answers(), [(b"a", b"NO", b"TRYCREATE")])
            self.client.ok("NOOP")

    def test_impossible_name(self) -> None:
        """A name that cannot be one is refused without TRYCREATE."""
        self.client.send(b'a APPEND "a*b" {10}\r\n')
        self.assertEqual(self.answers(), [(b"a", b"NO", b"CANNOT")])

    def test_refused_unasked(self) -> None:
        """A literal that comes all the same is passed over, commands in it too, and those of further messages."""
        self.client.send(b"a APPEND Nothing {12+}\r\n\r\nb LOGOUT\r\n (\\Seen) {4+}\r\nc NO\r\nd NOOP\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"TRYCREATE"), (b"d", b"OK", None)])

    def test_gone_meanwhile(self) -> None:
        """The mailbox goes while the message comes: TRYCREATE, and nothing is left."""
        self.client.ok("CREATE Box")
        self.client.send(b"a APPEND Box {10}\r\n")
        self.client.take()
        self.wire.session().ok("DELETE Box")
        self.client.send(b"0123456789\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"TRYCREATE")])

    def test_too_big(self) -> None:
        """More than the limit that is announced is not asked for (RFC 7889 section 4)."""
        (announced,) = self.client.ok("CAPABILITY").data("CAPABILITY")
        self.assertIn(b"APPENDLIMIT=1000", announced)
        self.client.send(b"a APPEND Drafts {1001}\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"TOOBIG")])
        self.client.send(b"b APPEND Drafts {1001+}\r\n" + b"x" * 1001 + b"\r\nc NOOP\r\n")
        self.assertEqual(self.answers(), [(b"b", b"NO", b"TOOBIG"), (b"c", b"OK", None)])
        self.assertStatus(self.append(b"x" * 1000), "OK", "APPENDUID")
        self.assertEqual(self.client.ok("STATUS Drafts (APPENDLIMIT)").data("STATUS")[0][1], {"APPENDLIMIT": 1000})

    def test_far_too_big(self) -> None:
        """A non-synchronizing literal of a size that nobody passes over ends the connection."""
        self.client.send(b"a APPEND Drafts {4294967295+}\r\n")
        self.assertTrue(self.client.take().startswith(b"* BYE "))
        self.assertTrue(self.client.closed)

    def test_banned_sender(self) -> None:
        """A message that would be hidden at once is refused, not lost."""
        self.store.ban("sender", "me@example.com")
        self.assertStatus(self.append(LETTER), "NO", "NOPERM")
        self.assertEqual(self.store.emails, {})

    def test_malformed(self) -> None:
        """Wrong arguments are BAD; APPEND before login takes no message."""
        for arguments in ("", " Drafts", " Drafts x", " Drafts (\\Seen)", ' Drafts "x"', " Drafts () x"):
            self.assertStatus(self.client.command(f"APPEND{arguments}"), "BAD")
        client = self.wire.connect()
        self.assertStatus(client.command(b"APPEND Drafts {3+}\r\nabc"), "BAD")

    def test_syntax_error_afterwards(self) -> None:
        """What is wrong behind a message that has come takes it back, and the next APPEND is not troubled."""
        for wrong in (b" x", b"x", b" (", b" (\\Seen)", b" (\\Seen) {3+}\r\nabcdef"):
            self.client.send(b"a APPEND Drafts " + literal(LETTER) + wrong + b"\r\n")
            self.assertEqual(self.answers(), [(b"a", b"BAD", None)], wrong)
            self.assertEqual(self.store._uploads, {})
            self.assertStatus(self.append(LETTER), "OK", "APPENDUID")
        self.assertEqual(self.sources(), [LETTER] * 5)

    def test_line_too_long_afterwards(self) -> None:
        """A line without end behind a message takes it back too."""
        self.client.send(b"a APPEND Drafts " + literal(LETTER) + b" (" + b"x" * 66_000 + b")\r\n")
        self.assertEqual(self.answers(), [(b"a", b"BAD", None)])
        self.assertStatus(self.append(LETTER), "OK", "APPENDUID")

    def test_an_answer_for_a_tag(self) -> None:
        """Where it is taken for an echo, it is not kept either."""
        self.client.send(b"OK APPEND Drafts " + literal(LETTER) + b"\r\n")
        self.client.take()
        self.assertStatus(self.append(LETTER), "OK", "APPENDUID")
        self.assertEqual(self.sources(), [LETTER])

    def test_unavailable(self) -> None:
        """Without the store: NO before the message is sent, or after, and nothing is added."""
        self.store.available = False
        self.client.send(b"a APPEND Drafts {10}\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"UNAVAILABLE")])
        self.store.available = True
        self.client.send(b"b APPEND Drafts {10}\r\n")
        self.store.available = False
        self.client.send(b"0123456789\r\nc CAPABILITY\r\n")
        found = self.answers()
        self.assertEqual(
            [each[:2] for each in found], [(b"+", b"+"), (b"b", b"NO"), (b"*", b"CAPABILITY"), (b"c", b"OK")]
        )
        self.store.available = True
        self.assertEqual(self.sources(), [])


class ToldTests(AppendTestCase):
    """Sessions learn of what is appended."""

    def test_selected_here(self) -> None:
        """EXISTS before the answer, where the target is the selected mailbox (section 6.3.12)."""
        self.client.select("Drafts")
        for count in (1, 2):
            answer = self.append(LETTER, options="(\\Seen) ")
            self.assertEqual((answer.numbers("EXISTS"), answer.numbers("RECENT")), ([count], [count]))
        self.assertEqual(self.client.ok("FETCH 2 FLAGS").flags(), {2: {b"\\Seen", b"\\Recent"}})

    def test_read_only_here(self) -> None:
        """A mailbox that is open for reading only can be appended to: it is named, not the session's."""
        self.client.ok("EXAMINE Drafts")
        self.assertEqual(self.append(LETTER).numbers("EXISTS"), [1])

    def test_selected_elsewhere(self) -> None:
        """Another session is told with its next command, and while it idles at once."""
        other, idling = self.wire.session("Drafts"), self.wire.session("Drafts")
        idling.send(b"a IDLE\r\n")
        idling.take()
        self.append(LETTER)
        self.assertIn(b"* 1 EXISTS\r\n", idling.take())
        self.assertEqual(other.ok("NOOP").numbers("EXISTS"), [1])

    def test_inbox_and_address(self) -> None:
        """What is appended to an address is in INBOX too."""
        inbox = self.wire.session("INBOX")
        self.append(LETTER, MINE)
        self.assertEqual(inbox.ok("NOOP").numbers("EXISTS"), [1])
        self.append(LETTER, "INBOX")
        self.assertEqual(inbox.ok("NOOP").numbers("EXISTS"), [2])

    def test_from_selected_elsewhere(self) -> None:
        """Appending to another mailbox than the selected one tells nothing here."""
        self.client.select(MINE)
        self.assertEqual(self.append(LETTER).responses, [])
