"""A Supabase project for tests: PostgREST and the auth admin API on a loopback socket, over the tests' PostgreSQL.

It answers and refuses as the real ones do (statuses, headers, error bodies, page limit): tests of a client against
something that accepts everything prove nothing. It can be told to be slow, to fail, to cut connections and to return
rubbish.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from test.postgrest_tables import MAX_ROWS, Refusal, Reply, Seen, Tables, error_reply

KEY = "service-role-key-7d1f"

tcp = cast(IReactorTCP, reactor)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a request: it is not answered, or answered by ``reply``, or by octets that may be no HTTP.

    With ``cut``, only so many octets of the reply's body are sent; then the connection ends, or with ``hang`` nothing
    happens any more.
    """

    reply: Reply | None = None
    raw: bytes | None = None
    cut: int | None = None
    hang: bool = False


HANG = Fault()
CUT = Fault(cut=0)
AWAY = Fault(Reply(503, b"<html>upstream connect error</html>", {"Content-Type": "text/html"}))


class Project:
    """The service: :attr:`seen` has every request, :meth:`fail` has some of them fail."""

    def __init__(self, dsn: str, max_rows: int = MAX_ROWS) -> None:
        self.seen: list[Seen] = []
        self.tables = Tables(dsn, max_rows)
        self.tables.execute("CREATE SCHEMA IF NOT EXISTS auth")
        self.tables.execute("CREATE TABLE IF NOT EXISTS auth.users (id uuid PRIMARY KEY, email text)")
        self.fail(None)
        self._port: Any = None
        self._site = _WatchedSite(_Root(self))
        self.next_replies: deque[Reply] = deque()
        self._awaited: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self._answering: set[Deferred[None]] = set()

    def start(self, port: int = 0) -> None:
        """Begin to listen."""
        site: Any = self._site
        self._port = tcp.listenTCP(port, site, interface="127.0.0.1")

    async def go(self) -> None:
        """Cut every connection and stop listening."""
        await self._port.stopListening()
        await self._site.cut_all()

    async def stop(self) -> None:
        """Go for good."""
        await self.go()
        await DeferredList(list(self._answering))
        self.tables.close()

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._port.getHost().port)

    @property
    def url(self) -> str:
        """The project's URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._site.connections

    def until_alone(self) -> Deferred[Any]:
        """Wait until the connections that are open have ended."""
        return self._site.until_ended()

    def until_seen(self, requests: int, method: str = "") -> Deferred[None]:
        """Wait until there have been so many requests, or so many of a method."""
        awaited: Deferred[None] = Deferred()
        self._awaited.append((lambda: sum(method in seen.method for seen in self.seen) >= requests, awaited))
        self._look()
        return awaited

    def _look(self) -> None:
        for entry in list(self._awaited):
            if entry[0]():
                self._awaited.remove(entry)
                entry[1].callback(None)

    def fail(self, fault: Fault | None, faulty: str = "/", times: int | None = None) -> None:
        """Have requests fail whose path begins with ``faulty``, or the next ``times`` of them; None ends it."""
        self._fault, self._faulty, self._fault_times = fault, faulty, times

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run SQL in the project's database; it blocks."""
        return self.tables.execute(statement, *parameters)

    def meet(self, request: Request) -> None:
        """Answer a request, or do to it what the fault says."""
        raw = request.requestHeaders.getAllRawHeaders()
        headers = {name.decode().lower(): values[-1].decode() for name, values in raw}
        path, _, query = request.uri.decode("ascii").partition("?")
        seen = Seen(request.method.decode(), path, query, headers)
        self.seen.append(seen)
        self._look()
        if self.next_replies:
            _write(request, self.next_replies.popleft())
            return
        if self._fault is not None and path.startswith(self._faulty) and self._fault_times != 0:
            if self._fault_times is not None:
                self._fault_times -= 1
            _spoil(request, self._fault)
            return
        assert request.content is not None
        answering = deferToThread(self._answer, seen, request.content.read())
        done: Deferred[None] = answering.addCallback(lambda reply: _write(request, reply))
        self._answering.add(done)
        done.addBoth(lambda result: self._answering.discard(done))

    def _answer(self, seen: Seen, body: bytes) -> Reply:
        key = seen.headers.get("apikey")
        if key != KEY:
            # The gateway before the services answers so.
            missing = "No API key found in request", "No `apikey` request header or url param was found."
            wrong = "Invalid API key", "Double check your Supabase `anon` or `service_role` API key."
            message, hint = missing if key is None else wrong
            return error_reply(401, message=message, hint=hint)
        service, _, name = seen.path.lstrip("/").partition("/v1/")
        services: dict[str, Callable[[], Reply]] = {
            "rest": lambda: self._rest(seen, name, body),
            "auth": lambda: self._auth(seen, name),
        }
        if service not in services:
            return error_reply(404, message="no Route matched with those values")
        return services[service]()

    def _rest(self, seen: Seen, name: str, body: bytes) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {KEY}":
            return Refusal(401, "PGRST301", "JWSError JWSInvalidSignature").reply
        return self.tables.answer(seen, name, body)

    def _auth(self, seen: Seen, name: str) -> Reply:
        if seen.headers.get("authorization") != f"Bearer {KEY}":
            return error_reply(401, code=401, error_code="no_authorization", msg="This endpoint needs a Bearer token")
        match = re.fullmatch(r"admin/users/([0-9a-f-]{36})", name)
        if match is None or seen.method != "GET":
            return error_reply(404, code=404, error_code="validation_failed", msg="user_id must be an UUID")
        rows = self.execute("SELECT id::text, email FROM auth.users WHERE id = %s", match[1])
        if not rows:
            return error_reply(404, code=404, error_code="user_not_found", msg="User not found")
        ((user, email),) = rows
        # An account that has only a telephone number has an empty e-mail address.
        body = {"id": user, "aud": "authenticated", "role": "authenticated", "email": email or "", "phone": ""}
        return Reply(200, json.dumps(body).encode())


def _spoil(request: Any, fault: Fault) -> None:
    """Do to a request what a fault says; one that hangs is left as it is until its connection ends."""
    if fault.raw is not None:
        request.channel.transport.write(fault.raw)
        request.channel.transport.loseConnection()
    elif fault.cut is not None:
        reply = fault.reply or Reply(200)
        if fault.cut:
            request.setHeader("Content-Length", str(len(reply.body)))
            request.write(reply.body[: fault.cut])
        if not fault.hang:
            request.channel.loseConnection()
    elif fault.reply is not None:
        _write(request, fault.reply)


def _write(request: Any, reply: Reply) -> None:
    if request._disconnected:
        return
    request.setResponseCode(reply.status)
    for name, value in reply.headers.items():
        request.setHeader(name, value)
    request.write(reply.body)
    request.finish()


class _Root(Resource):
    isLeaf = True

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project

    def render(self, request: Request) -> int:
        self._project.meet(request)
        return NOT_DONE_YET


class _WatchedSite(Site):
    """A site whose connections can be cut, and their end waited for."""

    noisy = False

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource, timeout=None)
        self._open: list[tuple[Any, Deferred[None]]] = []

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def log(self, request: Any) -> None:
        """Write no access log."""

    def buildProtocol(self, addr: Any) -> Any:
        channel: Any = super().buildProtocol(addr)
        lost = channel.connectionLost
        ended: Deferred[None] = Deferred()

        def connection_lost(reason: Failure) -> None:
            self._open.remove(entry)
            lost(reason)
            ended.callback(None)

        entry = (channel, ended)
        self._open.append(entry)
        channel.connectionLost = connection_lost
        return channel

    def until_ended(self) -> Deferred[Any]:
        """Wait until the connections that are open have ended."""
        return DeferredList([ended for _, ended in self._open])

    async def cut_all(self) -> None:
        """Cut every connection."""
        ended = self.until_ended()
        for channel, _ in list(self._open):
            channel._channel.transport.abortConnection()
        await ended
