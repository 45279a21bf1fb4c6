"""The client of tests that replays what it is told, on what a server may send it."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from test.replaying import Session

OPENED = (
    b"* OK hello\r\n"
    b"t1 OK logged in\r\n"
    b"* ENABLED QRESYNC\r\nt2 OK enabled\r\n"
    b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 401] x\r\n* OK [HIGHESTMODSEQ 8] x\r\n"
    b"t3 OK [READ-WRITE] opened\r\n"
    b"* 1 FETCH (UID 400 MODSEQ (8) FLAGS () BODY[HEADER.FIELDS (SUBJECT)] {17}\r\nSubject: s400\r\n\r\n)\r\n"
    b"t4 OK fetched\r\n"
)
"""One message, whose UID is 400; the next command is t5."""


class VanishedTests(SynchronousTestCase):
    """VANISHED of messages that were told to exist, and whose UIDs were not told."""

    def session(self, more: bytes) -> Session:
        """Return a session that has a mailbox open, and is then sent more."""
        with socket.create_server(("127.0.0.1", 0)) as port:
            here = socket.create_connection(port.getsockname())
            there, _ = port.accept()
        self.addCleanup(there.close)
        self.patch(socket, "create_connection", lambda *_: here)
        there.sendall(OPENED + more)
        session = Session(1, "user", "token", "QRESYNC")
        self.addCleanup(session.close)
        session.select("INBOX")
        return session

    def test_last(self) -> None:
        """One that was told last has the last place: the others' UIDs may be below one that is known by now."""
        session = self.session(
            # 402 and 404 come; 404 is known by its flags, and goes; 410 comes, and goes.
            b"* 3 EXISTS\r\n* 3 FETCH (UID 404 MODSEQ (9) FLAGS (work))\r\n* VANISHED 404\r\n"
            b"* 3 EXISTS\r\n* VANISHED 410\r\nt5 OK done\r\n"
            b"* 2 FETCH (UID 402 MODSEQ (9) FLAGS ())\r\nt6 OK done\r\n"
        )
        session.ok("NOOP")
        session.ok("FETCH 2 (UID FLAGS)")
        self.assertEqual([message.uid for message in session.messages], [400, 402])

    def test_between(self) -> None:
        """Its place is between the known UIDs below and above it."""
        session = self.session(
            b"* 4 EXISTS\r\n* 3 FETCH (UID 404 MODSEQ (9) FLAGS (work))\r\n* VANISHED 402\r\nt5 OK done\r\n"
            b"* 3 FETCH (UID 405 MODSEQ (9) FLAGS ())\r\nt6 OK done\r\n"
        )
        session.ok("NOOP")
        session.ok("FETCH 3 (UID FLAGS)")
        self.assertEqual([message.uid for message in session.messages], [400, 404, 405])

    def test_never_told(self) -> None:
        """There is no place for one that was never told to exist."""
        session = self.session(b"* VANISHED 399\r\nt5 OK done\r\n")
        with self.assertRaises(AssertionError):
            session.ok("NOOP")
