"""What the operator's programs ask over HTTP: metrics, whether the process lives, and whether it can serve."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from cybertemp_imap import metrics
from cybertemp_imap.vitals import Vitals
from cybertemp_imap.web.http import Text

PLAIN = b"text/plain; charset=utf-8"


class Observed(Protocol):
    """What is told of: a server that is ready to serve."""

    async def faults(self) -> list[str]:
        """Return what keeps it from serving, one sentence each."""

    async def collected(self) -> Iterable[Metric]:
        """Return its metrics."""


class OneServer:
    """A server that is one process."""

    def __init__(self, vitals: Vitals) -> None:
        self._registry = metrics.registry(vitals)
        self.faults = vitals.faults

    async def collected(self) -> Iterable[Metric]:
        """Return its metrics."""
        return self._registry.collect()


class _Collected(Collector):
    """Metrics that have been collected."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._found


class OperatorRoot(Resource):
    """``/metrics``, ``/healthz`` and ``/readyz``; they are there before the server is ready, and say that it is not."""

    def __init__(self) -> None:
        super().__init__()
        self._observed: list[Observed] = []
        self.putChild(b"healthz", Text(b"ok\n", PLAIN))
        self.putChild(b"readyz", Readiness(self._observed))
        self.putChild(b"metrics", Metrics(self._observed))

    def open(self, observed: Observed) -> None:
        """Tell from now on how a server is that is ready to serve."""
        self._observed[:] = [observed]

    def close(self) -> None:
        """Tell that there is no server."""
        self._observed.clear()


class _Looking(Resource):
    """Answers when it has looked."""

    isLeaf = True
    _log = Logger()

    def __init__(self, observed: list[Observed]) -> None:
        super().__init__()
        self._observed = observed

    def render_GET(self, request: Request) -> bytes | int:
        """Look, and answer."""
        if not self._observed:
            return _unavailable(request, ["The server is not ready."])
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        def answer(body: bytes) -> None:
            if not gone:
                request.write(body)
                request.finish()

        def failed(failure: Failure) -> None:
            self._log.failure("Looking how the server is failed", failure)
            answer(_unavailable(request, ["Looking how the server is failed."]))

        Deferred.fromCoroutine(self.look(request, self._observed[0])).addCallbacks(answer, failed)
        return NOT_DONE_YET

    @abstractmethod
    async def look(self, request: Request, observed: Observed) -> bytes:
        """Return what to answer."""


class Metrics(_Looking):
    """The metrics in the form of Prometheus."""

    async def look(self, request: Request, observed: Observed) -> bytes:
        """Return all metrics as they are now."""
        found = await observed.collected()
        request.setHeader(b"Content-Type", CONTENT_TYPE_LATEST.encode())
        request.setHeader(b"Cache-Control", b"no-store")
        return generate_latest(_Collected(found))


class Readiness(_Looking):
    """Whether mail clients can be served; what is wrong, otherwise."""

    async def look(self, request: Request, observed: Observed) -> bytes:
        """Return that it is ready, or with the status 503 what is missing."""
        faults = await observed.faults()
        if faults:
            return _unavailable(request, faults)
        request.setHeader(b"Content-Type", PLAIN)
        request.setHeader(b"Cache-Control", b"no-store")
        return b"ready\n"


def _unavailable(request: Request, faults: list[str]) -> bytes:
    request.setResponseCode(SERVICE_UNAVAILABLE)
    request.setHeader(b"Content-Type", PLAIN)
    request.setHeader(b"Cache-Control", b"no-store")
    return "".join(f"{fault}\n" for fault in faults).encode()
