"""A Supabase project in trouble: whatever it does, the caller hears that it is unavailable."""

from __future__ import annotations

import gzip
import json
import socket

from twisted.internet.defer import CancelledError, Deferred

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.supabase import client as client_module
from cybertemp_imap.supabase import exchange
from cybertemp_imap.supabase.breaker import LONGEST_PAUSE, THRESHOLD, Breaker
from cybertemp_imap.supabase.client import ATTEMPTS
from test.postgrest import AWAY, CUT, HANG, Fault
from test.postgrest_tables import Reply, error_reply
from test.supabase_case import JSON, TOKEN, ClientTestCase


class FailureTests(ClientTestCase):
    """A service in trouble: whatever it does, the caller hears that it is unavailable."""

    async def test_repeated(self) -> None:
        """What may pass is asked again, at most so many times; a status that tells of the request itself is not."""
        self.quick()
        for fault in (AWAY, CUT, Fault(Reply(429, b"{}", {"Retry-After": "0"})), Fault(Reply(500)), Fault(Reply(522))):
            self.project.seen.clear()
            self.project.fail(fault, times=ATTEMPTS - 1)
            self.assertEqual(await self.ask(), [TOKEN])
            self.assertGreaterEqual(len(self.project.seen), ATTEMPTS)
            self.project.fail(fault)
            await self.unavailable()
        for status in (400, 401, 403, 404, 406, 409, 418):
            self.project.seen.clear()
            self.project.fail(Fault(error_reply(status, code="X", message=TOKEN)))
            await self.unavailable()
            self.assertEqual(len(self.project.seen), 1)

    async def test_asked_to_wait_long(self) -> None:
        """A service that asks for a long pause is not asked again at once."""
        self.quick()
        self.project.fail(Fault(Reply(429, b"{}", {"Retry-After": "3600"})))
        await self.unavailable()
        self.assertEqual(len(self.project.seen), 1)

    async def test_slow(self) -> None:
        """A request that hangs is given up in half of the time, and repeated once."""
        self.quick(timeout=0.4)
        self.project.fail(HANG)
        await self.unavailable()
        self.assertEqual(len(self.project.seen), 2)
        self.project.fail(HANG, times=1)
        self.supabase = self.client(timeout=20.0)
        self.supabase._timeout = 1.0
        self.assertEqual(await self.ask(), [TOKEN])

    async def test_hangs_within_the_answer(self) -> None:
        """A body that does not come to its end is given up as well, and its connection closed."""
        self.quick(timeout=0.4)
        self.project.fail(Fault(Reply(200, b"x" * 1000, JSON), cut=500, hang=True))
        await self.unavailable()
        await self.project.until_alone()

    async def test_cut(self) -> None:
        """A body that is cut off is no answer."""
        self.quick()
        whole = json.dumps([{"token": "half"}]).encode() + b" " * 100
        for cut in (1, 10, 50):
            self.project.fail(Fault(Reply(200, whole, JSON), cut=cut))
            await self.unavailable()

    async def test_rubbish(self) -> None:
        """What is not JSON, or JSON of another form, is no answer."""
        self.quick()
        for body in (
            b"",
            b"null",
            b"<html><body>Bad gateway</body></html>",
            b"[{",
            b"[1]",
            b'["a"]',
            b'{"token": "a"}',
            b'[{"token": 1}]',
            b'[{"token": {"a": 1}}]',
            b'[{"token": "\xff"}]',
            b"[" * 100_000,
            b"9" * 10_000,
            b'{"a":' * 100_000,
        ):
            self.project.fail(Fault(Reply(200, body, JSON)))
            await self.unavailable()

    async def test_rubbish_in_http(self) -> None:
        """What is not even HTTP, or is compressed wrongly, is no answer."""
        self.quick()
        for raw in (b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"):
            self.project.fail(Fault(raw=raw))
            await self.unavailable()
        self.project.fail(Fault(Reply(200, b"rubbish", {**JSON, "Content-Encoding": "gzip"})))
        await self.unavailable()
        self.flushLoggedErrors()

    async def test_compressed(self) -> None:
        """A compressed answer is read, and one that blows up is not."""
        self.quick()
        packed = {**JSON, "Content-Encoding": "gzip"}
        self.project.fail(Fault(Reply(200, gzip.compress(b'[{"token": "a"}]'), packed)))
        self.assertEqual(await self.ask(), ["a"])
        self.project.fail(Fault(Reply(200, gzip.compress(b" " * (exchange.LARGEST_ANSWER + 1)), packed)))
        await self.unavailable()

    async def test_huge(self) -> None:
        """An answer beyond all measure is not read to its end."""
        self.quick()
        self.patch(exchange, "LARGEST_ANSWER", 1 << 16)
        self.project.fail(Fault(Reply(200, b"[" + b" " * (1 << 22) + b"]", JSON)))
        await self.unavailable()

    async def test_redirect(self) -> None:
        """A redirect is not followed: the key would go with it."""
        self.quick()
        self.project.fail(Fault(Reply(302, b"", {"Location": f"{self.project.url}/elsewhere"})))
        await self.unavailable()
        self.assertEqual(len(self.project.seen), 1)

    async def test_nobody_there(self) -> None:
        """No port, and a name that does not exist."""
        self.quick()
        await self.project.go()
        await self.unavailable()
        self.project.start()

    def full(self) -> str:
        """Return the URL of a port whose queue is full: connections are neither taken nor refused."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listening.close)
        for _ in range(4):
            waiting = socket.socket()
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        return "http://127.0.0.1:{1}".format(*listening.getsockname())

    async def test_no_connection(self) -> None:
        """A connection that does not come about in time is given up like a request."""
        url = self.full()
        self.patch(type(self.project), "url", url)
        self.quick(timeout=0.4)
        await self.unavailable()

    async def test_stopped_while_connecting(self) -> None:
        """Who waits for a connection when the client is stopped hears of it."""
        url = self.full()
        self.patch(type(self.project), "url", url)
        self.quick()
        asking = Deferred.fromCoroutine(self.ask())
        await self.supabase.stop()
        await self.assertFailure(asking, CancelledError, StoreUnavailable)

    async def test_wrong_key(self) -> None:
        """A key that is refused makes the service unavailable; the log says so once, with the status."""
        self.patch(client_module, "FIRST_RETRY", 0.0)
        self.supabase = self.client(key="wrong")
        for _ in range(3):
            await self.unavailable()
        self.assertEqual(self.logged.getvalue().count("status 401\n"), 1)

    async def test_stopped(self) -> None:
        """Who waits when the client is stopped hears of it."""
        self.project.fail(HANG)
        waiting = Deferred.fromCoroutine(self.unavailable())
        await self.project.until_seen(1)
        await self.supabase.stop()
        await waiting


class CircuitTests(ClientTestCase):
    """A service that does not answer is left alone."""

    async def test_open_and_closed_again(self) -> None:
        """After some failures nothing is asked; after a pause one request tries, and closes the circuit again."""
        self.quick(timeout=20.0)
        moment = [0.0]
        self.supabase._breakers["rest"] = Breaker(lambda: moment[0])
        self.project.fail(AWAY)
        while len(self.project.seen) < THRESHOLD:
            await self.unavailable()
        asked = len(self.project.seen)
        await self.unavailable()
        self.assertEqual(len(self.project.seen), asked)
        self.assertIn("does not answer", self.logged.getvalue())
        moment[0] += LONGEST_PAUSE
        await self.unavailable()
        self.assertEqual(len(self.project.seen), asked + 1)
        moment[0] += LONGEST_PAUSE
        self.project.fail(None)
        self.assertEqual(await self.ask(), [TOKEN])
        self.assertIn("answers again", self.logged.getvalue())
