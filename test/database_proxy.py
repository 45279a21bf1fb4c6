"""A way to PostgreSQL on which things go wrong: it can be cut, stalled, slowed down, shut, or lose an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from typing import Any, TypeVar

from psycopg2.extensions import make_dsn, parse_dsn

T = TypeVar("T")
_CHUNK = 1 << 16


class DatabaseProxy:
    """Leads from a TCP port of loopback to the server of a connection string; runs in a thread of its own.

    :ivar delay: seconds by which everything is held up, in both directions.
    :ivar passed: octets that came through.
    """

    def __init__(self, dsn: str) -> None:
        self._target = parse_dsn(dsn)
        self.delay = 0.0
        self.passed = 0
        self._losing: bytes | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._going = asyncio.Event()
        self._going.set()
        self._server: Any = None
        self.port = 0
        self._thread = Thread(target=self._loop.run_forever, name="database proxy", daemon=True)
        self._thread.start()
        self.unshut()

    @property
    def dsn(self) -> str:
        """The connection string that leads through here."""
        return str(make_dsn(**{**self._target, "host": "127.0.0.1", "port": self.port}))

    def close(self) -> None:
        """Cut everything and end."""
        self.shut()
        self._do(self._finish)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Cut all connections."""
        self._do(self._cut)

    def shut(self) -> None:
        """Cut all connections, and accept none."""
        self._do(self._shut)

    def unshut(self) -> None:
        """Accept connections, on the same port as before."""
        self._do(self._listen)

    def stall(self) -> None:
        """Let nothing through, without cutting anything; new connections are accepted and hear nothing."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def resume(self) -> None:
        """Let through what was held up."""
        self._loop.call_soon_threadsafe(self._going.set)

    def lose_answer(self, statement: bytes) -> None:
        """Let the next statement with these octets through; cut its connection once it is answered, instead of that."""
        self._losing = statement

    @property
    def lost_answer(self) -> bool:
        """Whether that has happened."""
        return self._losing is None

    # -- in the proxy's thread ----------------------------------------------------------------------------------------

    def _do(self, work: Callable[[], Awaitable[T]]) -> T:
        async def done() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _finish(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await self._lead(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._going.wait()
        host, port = self._target["host"], self._target.get("port", "5432")
        if host.startswith("/"):
            there, there_writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            there, there_writer = await asyncio.open_connection(host, int(port))
        marked = asyncio.Event()
        pumps = [
            asyncio.ensure_future(self._pump(reader, there_writer, marked, False)),
            asyncio.ensure_future(self._pump(there, writer, marked, True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            there_writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, marked: asyncio.Event, answers: bool
    ) -> None:
        while octets := await reader.read(_CHUNK):
            await self._going.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if not answers and self._losing is not None and self._losing in octets:
                marked.set()
            if answers and marked.is_set():
                self._losing = None
                return
            self.passed += len(octets)
            writer.write(octets)
            await writer.drain()
