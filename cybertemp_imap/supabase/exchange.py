"""One HTTP request and its answer, bounded in time, in size and in number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from OpenSSL.SSL import Error as TlsError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import RequestNotSent
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    PartialDownloadError,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

CONNECTIONS = 8
"""Requests under way at a time, and connections kept open for the next ones."""

LARGEST_ANSWER = 8 << 20
"""Octets: a page of 1,000 rows has some 200 kB."""


class ExchangeFailed(Exception):
    """There is no usable answer; the text is for the log: it tells the kind of failure, and nothing of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response; ``headers`` has the last value of each of :data:`NOTED`, by its name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


NOTED = ("content-range", "retry-after")

_FAILURES = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    PartialDownloadError,
    RequestNotSent,
    RequestTransmissionFailed,
    ResponseFailed,
    TimedOut,
    TimeoutError,
    TlsError,
)


class Exchange:
    """Sends requests over a pool of persistent connections. It never follows a redirect: the key would go with it."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = CONNECTIONS
        self._http = HTTPClient(Agent(reactor, pool=self._pool))
        self._free = DeferredSemaphore(CONNECTIONS)
        self._sending: set[Deferred[Answer]] = set()

    async def stop(self) -> None:
        """Give up what is under way, and close the connections that wait for a next request."""
        for sending in list(self._sending):
            sending.cancel()
        await self._pool.closeCachedConnections()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        """Send a request; return the answer, or raise :class:`ExchangeFailed` within ``seconds``."""
        until = self._reactor.seconds() + seconds
        sending = Deferred.fromCoroutine(self._send(method, url, headers, body))
        self._sending.add(sending)
        try:
            return await sending.addTimeout(seconds, self._reactor)
        except ConnectingCancelledError:
            # So ends a connection that is given up while it is made, in time or because nobody wants it any more.
            if self._reactor.seconds() < until:
                raise CancelledError from None
            raise ExchangeFailed("TimeoutError") from None
        except _FAILURES as error:
            # Neither its text nor its context goes any further: they may quote the request.
            raise ExchangeFailed(type(error).__name__) from None
        finally:
            self._sending.discard(sending)

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        await self._free.acquire()
        try:
            raw = Headers({name: [value] for name, value in headers.items()})
            response = await self._http.request(
                method, url, headers=raw, data=body, allow_redirects=False, unbuffered=True
            )
            content = await _read(response)
        finally:
            self._free.release()
        noted = {name: values[-1] for name in NOTED if (values := response.headers.getRawHeaders(name))}
        return Answer(response.code, noted, content)


def _read(response: IResponse) -> Deferred[bytes]:
    """Return the body; an answer that is too long, or for which nobody waits any more, costs its connection."""
    body = _Body()
    response.deliverBody(body)
    return body.whole


class _Body(Protocol):
    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._pieces: list[bytes] = []
        self._size = 0

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= LARGEST_ANSWER:
            self._pieces.append(data)
        else:
            self._pieces.clear()
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Without Content-Length and chunks, the end of the connection is the answer's (RFC 9112 section 6.3).
        if self.whole.called:
            return
        if self._size > LARGEST_ANSWER:
            self.whole.errback(ExchangeFailed("the answer is too long"))
        elif reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._pieces))
        else:
            self.whole.errback(reason)
