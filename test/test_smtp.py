"""SMTP: what is answered to whom, and what is in the store then."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from cybertemp_imap.errors import StoreUnavailable
from test.mail_wire import BOX, LETTER, OTHER, SENDER, MailWireTestCase


class DeliveryTests(MailWireTestCase):
    """Mail that is taken."""

    def test_a_message(self) -> None:
        """A message is stored as it came, behind trace lines, and 250 is said then."""
        sending = self.begun()
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [250])
        self.assertEqual(self.messages(), [LETTER])
        lines = self.stored()[0].split(b"\r\n")
        self.assertEqual(lines[:2], [b"Return-Path: <sender@good.example>", b"Delivered-To: box@example.com"])
        self.assertEqual(lines[2], b"Received: from me.example ([192.0.2.7])")
        self.assertTrue(lines[3].startswith(b"\tby mx.example.com with ESMTP id "), lines[3])
        self.assertTrue(lines[4].startswith(b"\tfor <box@example.com>; "), lines[4])

    def test_row(self) -> None:
        """The row has what other programs expect in it: decoded text, senders, recipients."""
        text = LETTER.replace(b"A letter", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
        self.begun().send(text + b".\r\n")
        (email,) = self.store.emails.values()
        row = email.row
        self.assertEqual(
            (row.owner, row.folder, row.subject, row.body), (BOX, "INBOX", "Gr\u00fc\u00dfe", "Hello.\r\n")
        )
        self.assertEqual((row.from_addr, row.to_addrs, row.html), ("Sender <sender@good.example>", (BOX,), None))
        self.assertEqual(email.flags, ())

    def test_without_from_and_to(self) -> None:
        """Where the header does not say, the envelope does."""
        self.begun().send(b"\r\nHello.\r\n.\r\n")
        (email,) = self.store.emails.values()
        self.assertEqual((email.row.from_addr, email.row.to_addrs), (SENDER, (BOX,)))

    def test_several_recipients(self) -> None:
        """Each recipient has a copy that names no other; one named twice gets one."""
        sending = self.begun(BOX, OTHER, "BOX@EXAMPLE.com")
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [250])
        self.assertEqual(self.messages(), [LETTER, LETTER])
        self.assertEqual([OTHER.encode() in message for message in self.stored()], [False, True])

    def test_address_that_nobody_made(self) -> None:
        """An address that nobody has becomes one without an owner, also below a domain that is here."""
        sending = self.begun("new@sub.example.com")
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [250])
        self.assertEqual(self.store.addresses["new@sub.example.com"], None)

    def test_null_sender(self) -> None:
        """Notices of failed deliveries have no sender, and are taken."""
        sending = self.connect()
        self.assertEqual(sending.codes(b"MAIL FROM:<>\r\nRCPT TO:<box@example.com>\r\nDATA\r\n"), [250, 250, 354])
        self.assertEqual(sending.codes(b"\r\nFailed.\r\n.\r\n"), [250])
        self.assertTrue(self.stored()[0].startswith(b"Return-Path: <>\r\n"))

    def test_banned_sender(self) -> None:
        """Mail of a banned sender is kept: it shows when the ban is lifted."""
        self.store.ban("sender", SENDER)
        self.assertEqual(self.begun().codes(LETTER + b".\r\n"), [250])
        self.assertEqual(len(self.store.emails), 1)

    def test_two_messages(self) -> None:
        """One message after another goes over a connection, also all at once."""
        one = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@example.com>\r\nDATA\r\n" + LETTER + b".\r\n"
        sending = self.connect()
        self.assertEqual(sending.codes(one + one + b"QUIT\r\n"), [250, 250, 354, 250] * 2 + [221])
        self.assertEqual(self.messages(), [LETTER, LETTER])
        self.assertTrue(sending.transport.lost)

    def test_octet_by_octet(self) -> None:
        """It does not matter how octets are cut."""
        text = LETTER + b"..\r\n.. two\r\n\r\n.\r\n"
        sending = self.begun()
        sending.send(*(text[n : n + 1] for n in range(len(text))))
        self.assertEqual(self.messages(), [LETTER + b".\r\n. two\r\n\r\n"])

    def test_big_message(self) -> None:
        """What is larger than a piece is stored whole, and nothing is left of its pieces."""
        text = LETTER + b"0123456789abcdef" * 60 * 1024 + b"\r\n"
        self.assertEqual(self.begun(BOX, OTHER).codes(text + b".\r\n"), [250])
        self.assertEqual(self.messages(), [text, text])
        self.assertEqual(self.store._uploads, {})

    def test_utf8(self) -> None:
        """SMTPUTF8 allows senders and domains beyond ASCII, and 8-bit headers; the trace says so."""
        self.store.domains.append(self.store.domains[0]._replace(domain="xn--bcher-kva.example"))
        sending = self.connect()
        self.assertEqual(sending.codes("MAIL FROM:<j\u00f6rg@b.example> SMTPUTF8 BODY=8BITMIME\r\n".encode()), [250])
        self.assertEqual(sending.codes("RCPT TO:<box@b\u00fccher.example>\r\n".encode()), [250])
        sending.send(b"DATA\r\n", "Subject: Gr\u00fc\u00dfe\r\n\r\n\u00e4\r\n.\r\n".encode())
        (message,) = self.stored()
        self.assertIn(b" with UTF8SMTP id ", message)
        self.assertTrue(message.startswith("Return-Path: <j\u00f6rg@b.example>\r\n".encode()))
        self.assertIn("xn--bcher-kva.example", next(iter(self.store.emails.values())).row.owner)


class RecipientTests(MailWireTestCase):
    """For whom mail is taken."""

    def answer(self, recipient: str) -> bytes:
        """Return the answer to RCPT."""
        sending = self.connect()
        sending.send(b"MAIL FROM:<>\r\n")
        (line,) = sending.send(f"RCPT TO:<{recipient}>\r\n".encode())
        return line[:9]

    def test_no_relaying(self) -> None:
        """Mail for domains that are not here, or not active, is refused."""
        for recipient in ("a@elsewhere.example", "a@asleep.example", "a@example.com.elsewhere.example"):
            self.assertEqual(self.answer(recipient), b"550 5.7.1", recipient)

    def test_no_address(self) -> None:
        """What can be no address here is refused, whatever trick is in it."""
        for recipient in ("box", "", "a/b@example.com", "a%elsewhere.example@example.com", '"a b"@example.com'):
            self.assertEqual(self.answer(recipient), b"553 5.1.3", recipient)

    def test_source_route(self) -> None:
        """A source route counts for nothing."""
        self.assertEqual(self.answer("@elsewhere.example:box@example.com"), b"250 2.1.5")
        self.assertEqual(self.answer("@example.com:box@elsewhere.example"), b"550 5.7.1")

    def test_bans(self) -> None:
        """A banned address, and any on a banned domain, gets no mail."""
        self.store.ban("email", BOX)
        self.assertEqual(self.answer(BOX), b"550 5.1.1")
        self.assertEqual(self.answer(OTHER), b"250 2.1.5")
        self.store.ban("domain", "example.com")
        self.assertEqual(self.answer(OTHER), b"550 5.1.1")

    def test_owned_or_not(self) -> None:
        """From the answer nobody learns whether somebody has an address."""
        self.assertEqual(self.answer(BOX), self.answer("never-made@example.com"))


class FailureTests(MailWireTestCase):
    """What cannot be done."""

    def test_store_away_at_recipient(self) -> None:
        """While the store is away recipients are to be tried again."""
        sending = self.connect()
        self.store.available = False
        self.assertEqual(sending.codes(b"MAIL FROM:<>\r\nRCPT TO:<box@example.com>\r\n"), [250, 451])

    def test_store_away_at_message(self) -> None:
        """A message that cannot be stored is to be tried again, small or large, and can be then."""
        for text in (LETTER, LETTER + b"x" * 1_000_000 + b"\r\n"):
            sending = self.begun()
            self.store.available = False
            (line,) = sending.send(text + b".\r\n")
            self.assertEqual(line[:9], b"451 4.3.0")
            self.store.available = True
        self.assertEqual(self.messages(), [])

    def test_answer_waits_for_commit(self) -> None:
        """Nothing is said before the store has said that it is done."""
        done: Deferred[None] = Deferred()

        async def receive(*_: Any) -> None:
            await done

        self.patch(self.store, "receive", receive)
        sending = self.begun()
        self.assertEqual(sending.codes(LETTER + b".\r\nNOOP\r\n"), [])
        done.callback(None)
        self.clock.settle()
        self.assertEqual([line[:3] for line in sending.told()], [b"250", b"250"])

    def test_fault(self) -> None:
        """A fault ends the session, and its log quotes nothing."""

        async def receive(*_: Any) -> None:
            raise ValueError(LETTER.decode())

        self.patch(self.store, "receive", receive)
        sending = self.begun()
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [421])
        self.assertTrue(sending.transport.lost)
        self.assertIn("ValueError", self.logged())
        self.assertNotIn("Hello.", self.logged())

    def test_unavailable_text(self) -> None:
        """What the store says of its trouble goes to nobody."""

        async def receive(*_: Any) -> None:
            raise StoreUnavailable("host=10.0.0.1 is away")

        self.patch(self.store, "receive", receive)
        self.assertNotIn(b"10.0.0.1", b"".join(self.begun().send(LETTER + b".\r\n")))

    def test_log(self) -> None:
        """A message is logged by its size and number of recipients, by no address and no text."""
        self.begun().send(LETTER + b".\r\n")
        line = next(line for line in self.logged().splitlines() if "event=mail" in line)
        self.assertIn(f"status=250 recipients=1 size={len(LETTER)}", line)
        for secret in ("box@", "sender@", "Hello"):
            self.assertNotIn(secret, self.logged())


class CommandTests(MailWireTestCase):
    """The order of commands, and their forms."""

    def test_extensions(self) -> None:
        """EHLO announces what there is, and nothing else."""
        lines = self.connect(greeted=False).send(b"EHLO me\r\n")
        self.assertEqual(
            [line[4:] for line in lines],
            [b"mx.example.com", b"PIPELINING", b"SIZE 26214400", b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"],
        )

    def test_order(self) -> None:
        """What is out of order is refused, and nothing is forgotten by it."""
        sending = self.connect(greeted=False)
        self.assertEqual(sending.codes(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n"), [503, 503, 503])
        self.assertEqual(sending.codes(b"HELO me\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n"), [250, 503, 250, 503])
        self.assertEqual(sending.codes(b"DATA\r\nRSET\r\nRCPT TO:<a@b>\r\n"), [503, 250, 503])

    def test_forms(self) -> None:
        """What is not well formed is refused, each in its way."""
        sending = self.connect()
        for line, code in (
            (b"MAIL FROM:a@b.example", 501),
            (b"MAIL FROM:<a@b.example", 501),
            (b"MAIL FROM:<a b@b.example>", 501),
            (b"MAIL FROM:<a\x01@b.example>", 501),
            (b"MAIL FROM:<\xff@b.example>", 501),
            (b"MAIL TO:<a@b.example>", 501),
            ("MAIL FROM:<\u00e4@b.example>".encode(), 553),
            (b"MAIL FROM:<a@b.example>SIZE=1", 501),
            (b"MAIL FROM:<a@b.example> SIZE=x", 501),
            (b"MAIL FROM:<a@b.example> BODY=BINARYMIME", 501),
            (b"MAIL FROM:<a@b.example> RET=FULL", 555),
            (b"MAIL FROM:<a@b.example> SIZE=26214401", 552),
            (b"mail from: <a@b.example> size=26214400 body=8bitmime", 250),
            (b"RSET", 250),
            (b'MAIL FROM:<"a <b> c"@b.example>', 250),
            (b"RCPT TO:<box@example.com> NOTIFY=NEVER", 555),
            (b"rcpt to:<box@example.com>", 250),
            (b"DATA now", 501),
            (b"VRFY box", 252),
            (b"EXPN list", 502),
            (b"AUTH PLAIN", 502),
            (b"BDAT 1", 502),
            (b"STARTTLS", 502),
            (b"LHLO me", 500),
            (b"NONSENSE", 500),
            (b"", 500),
            (b"NOOP", 250),
            (b"HELP", 214),
        ):
            sending = self.connect() if line.upper().startswith(b"MAIL") else sending
            self.assertEqual(sending.codes(line + b"\r\n"), [code], line)

    def test_helo_cannot_forge(self) -> None:
        """A name that could be no host's is left out of the trace lines."""
        sending = self.connect(greeted=False)
        sending.send(b"EHLO x) by \xff\t; evil\r\nMAIL FROM:<>\r\nRCPT TO:<box@example.com>\r\nDATA\r\n")
        sending.send(LETTER + b".\r\n")
        self.assertIn(b"Received: from unknown ([192.0.2.7])\r\n", self.stored()[0])


class LmtpTests(MailWireTestCase):
    """What is different in LMTP."""

    lmtp = True

    def test_answer_for_each_recipient(self) -> None:
        """Each recipient that was accepted has its own answer, in order; one that was not has none."""
        sending = self.connect()
        self.assertEqual(
            sending.codes(
                b"MAIL FROM:<>\r\nRCPT TO:<box@example.com>\r\nRCPT TO:<a@elsewhere.example>\r\n"
                b"RCPT TO:<other@example.com>\r\nRCPT TO:<box@example.com>\r\nDATA\r\n"
            ),
            [250, 250, 550, 250, 250, 354],
        )
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [250, 250, 250])
        self.assertEqual(len(self.messages()), 2)
        self.assertIn(b" with LMTP id ", self.stored()[0])

    def test_failure_for_each_recipient(self) -> None:
        """So has each when the message cannot be stored."""
        sending = self.begun(BOX, OTHER)
        self.store.available = False
        self.assertEqual(sending.codes(LETTER + b".\r\n"), [451, 451])

    def test_greeting(self) -> None:
        """LHLO it is, and neither HELO nor EHLO (RFC 2033 section 4.1); without recipients there is no DATA."""
        sending = self.connect(greeted=False)
        self.assertEqual(
            sending.codes(b"EHLO me\r\nHELO me\r\nLHLO me\r\nMAIL FROM:<>\r\nDATA\r\n"), [500, 500, 250, 250, 503]
        )
