"""The server for other people's tests, in a thread and in a reactor; and the example that waits for a code."""

from __future__ import annotations

import imaplib
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import TestCase as PlainTestCase

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from cybertemp_imap.store.interface import Store
from cybertemp_imap.testing import MemoryServer, ServerThread, serving

try:
    import imapclient
except ImportError:
    imapclient = None

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def client_of(server: ServerThread | MemoryServer, token: str | None = None) -> imaplib.IMAP4:
    """Return a client that has logged in."""
    client = imaplib.IMAP4(server.host, server.port, timeout=60)
    client.login(server.user, token or server.token)
    return client


def texts(server: ServerThread | MemoryServer, mailbox: str = "INBOX") -> list[bytes]:
    """Return the octets of all messages of a mailbox."""
    with client_of(server) as client:
        client.select(mailbox)
        _, found = client.fetch("1:*", "(BODY.PEEK[])") if client.search(None, "ALL")[1][0] else ("", [])
        return [each[1] for each in found if isinstance(each, tuple)]


class ThreadTests(PlainTestCase):
    """In a thread, without a reactor of the test's."""

    def test_mail(self) -> None:
        """What was delivered, before the login or after, is read by a client."""
        with serving() as server:
            server.deliver(server.address, subject="First", body="One.")
            server.deliver("box@example.com", source=b"Subject: Second\r\n\r\nTwo.\r\n")
            first, second = texts(server)
            self.assertIn(b"Subject: First", first)
            self.assertEqual(second, b"Subject: Second\r\n\r\nTwo.\r\n")
            self.assertEqual(len(texts(server, "box@example.com")), 2)

    def test_accounts(self) -> None:
        """Another account sees its own mail alone; the store can be reached besides."""
        with serving("a@example.com", "s3cret", ["one@example.com", "two@example.com"]) as server:
            token = server.add_account("b@example.com", ["three@example.com"])
            server.deliver("three@example.com", "Hello")
            self.assertEqual((server.token, server.address), ("s3cret", "one@example.com"))
            self.assertEqual(texts(server), [])
            server.user, server.token = "b@example.com", token
            self.assertEqual(len(texts(server)), 1)
            self.assertEqual(server.call(lambda store: len(store.emails)), 1)
            server.call(lambda store: store.ban("sender", "sender@example.net"))
            self.assertEqual(texts(server), [])

    def test_wrong_token(self) -> None:
        """A wrong token is refused at once, however often."""
        with serving() as server:
            for _ in range(5):
                self.assertRaises(imaplib.IMAP4.error, client_of, server, "wrong")

    def test_two_and_again(self) -> None:
        """Servers do not know of each other, and another can be started after the last."""
        with serving() as one, serving() as two:
            self.assertNotEqual(one.port, two.port)
            one.deliver(one.address, "Here")
            self.assertEqual((len(texts(one)), len(texts(two))), (1, 0))
        with serving() as three:
            self.assertEqual(texts(three), [])

    def test_stopped(self) -> None:
        """After its end nothing listens, no thread is left, and a client that is still there is told."""
        with serving() as server:
            client = client_of(server)
        self.assertRaises(ConnectionRefusedError, imaplib.IMAP4, server.host, server.port)
        self.assertRaises((imaplib.IMAP4.abort, OSError), client.noop)
        client.shutdown()
        self.assertNotIn("cybertemp-imap", [thread.name for thread in threading.enumerate()])

    def test_long_search(self) -> None:
        """What takes more than a turn of the reactor is done as well."""
        with serving() as server:
            for number in range(300):
                server.deliver(server.address, f"Letter {number}", "word " * 500)
            server.deliver(server.address, "Big", "pad " * 100_000 + "needle")
            with client_of(server) as client:
                client.select()
                self.assertEqual(client.search(None, "BODY", "needle")[1], [b"301"])


class ReactorTests(TestCase):
    """In the reactor of the test."""

    async def test_mail(self) -> None:
        """It is started and stopped with its context."""
        async with MemoryServer() as server:
            store: Store = server.store
            self.assertIsNotNone(store)
            server.deliver(server.address, subject="First", body="One.", html="<b>One.</b>")
            (message,) = await deferToThread(texts, server)
            self.assertIn(b"multipart/alternative", message)
            port = server.port
        with self.assertRaises(ConnectionRefusedError):
            await deferToThread(imaplib.IMAP4, server.host, port)


class ExampleTests(PlainTestCase):
    """The programs in the documentation."""

    def setUp(self) -> None:
        if imapclient is None:
            raise SkipTest("the Python package imapclient is not installed")

    @property
    def wait_for_code(self) -> Callable[..., Any]:
        """The example's function."""
        found: Callable[..., Any] = runpy.run_path(str(EXAMPLES / "wait_for_code.py"))["wait_for_code"]
        return found

    def test_code_is_there(self) -> None:
        """A code that came before is found at once; what has been read is not looked at."""
        with serving() as server:
            server.deliver(server.address, "Hello", "No code in here: 12345678.")
            server.deliver(server.address, "Your code", "Grüße! Your code is 314159.\n")
            arguments = (server.host, server.port, server.user, server.token)
            self.assertEqual(self.wait_for_code(*arguments, ssl=False), "314159")
            self.assertRaises(TimeoutError, self.wait_for_code, *arguments, patience=0.2, ssl=False)

    def test_code_comes(self) -> None:
        """A code that comes while it waits is found, of a message in HTML too."""
        with serving() as server:
            arguments = (server.host, server.port, server.user, server.token)
            timer = threading.Timer(1, server.deliver, (server.address, "Your code"), {"html": "<p>271828</p>"})
            timer.start()
            self.assertEqual(self.wait_for_code(*arguments, ssl=False), "271828")
            timer.join()

    def test_twenty_lines(self) -> None:
        """It is as short as it is said to be: the function has at most 20 lines."""
        _, _, function = (EXAMPLES / "wait_for_code.py").read_text().partition("\ndef ")
        self.assertLessEqual(function.partition("\n\n\n")[0].count("\n") + 1, 20)

    def test_fixture(self) -> None:
        """The fixture for pytest works as it is written."""
        try:
            import pytest  # noqa: F401
        except ImportError:
            raise SkipTest("pytest is not installed") from None
        environ = {**os.environ, "PYTHONPATH": str(EXAMPLES.parents[1])}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_code.py"]
        done = subprocess.run(
            command, cwd=EXAMPLES, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
