"""What the operator's programs ask over HTTP: metrics, whether the process lives, and whether it can serve."""

from __future__ import annotations

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from cybertemp_imap import metrics
from cybertemp_imap.vitals import Vitals
from cybertemp_imap.web.http import Text

PLAIN = b"text/plain; charset=utf-8"


class OperatorRoot(Resource):
    """``/metrics``, ``/healthz`` and ``/readyz``; they are there before the server is ready, and say that it is not."""

    def __init__(self) -> None:
        super().__init__()
        self._vitals: list[Vitals] = []
        self.putChild(b"healthz", Text(b"ok\n", PLAIN))
        self.putChild(b"readyz", Readiness(self._vitals))
        self.putChild(b"metrics", Metrics())

    def open(self, vitals: Vitals) -> None:
        """Tell from now on how a server is that is ready to serve."""
        self._vitals[:] = [vitals]
        self.putChild(b"metrics", Metrics(vitals))

    def close(self) -> None:
        """Tell that there is no server."""
        self._vitals.clear()
        self.putChild(b"metrics", Metrics())


class Metrics(Resource):
    """The metrics in the form of Prometheus."""

    isLeaf = True

    def __init__(self, vitals: Vitals | None = None) -> None:
        super().__init__()
        self._registry = None if vitals is None else metrics.registry(vitals)

    def render_GET(self, request: Request) -> bytes:
        """Return all metrics as they are now."""
        if self._registry is None:
            return _unavailable(request, ["The server is not ready."])
        request.setHeader(b"Content-Type", CONTENT_TYPE_LATEST.encode())
        request.setHeader(b"Cache-Control", b"no-store")
        return generate_latest(self._registry)


class Readiness(Resource):
    """Whether mail clients can be served; what is wrong, otherwise."""

    isLeaf = True
    _log = Logger()

    def __init__(self, vitals: list[Vitals]) -> None:
        super().__init__()
        self._vitals = vitals

    def render_GET(self, request: Request) -> bytes | int:
        """Look, and answer 200 or 503."""
        if not self._vitals:
            return _unavailable(request, ["The server is not ready."])
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        looking = Deferred.fromCoroutine(self._vitals[0].faults())
        looking.addCallback(lambda faults: None if gone else _answer(request, faults))
        looking.addErrback(lambda failure: self._log.failure("Looking whether the server is ready failed", failure))
        return NOT_DONE_YET


def _answer(request: Request, faults: list[str]) -> None:
    if faults:
        request.write(_unavailable(request, faults))
    else:
        request.setHeader(b"Content-Type", PLAIN)
        request.setHeader(b"Cache-Control", b"no-store")
        request.write(b"ready\n")
    request.finish()


def _unavailable(request: Request, faults: list[str]) -> bytes:
    request.setResponseCode(SERVICE_UNAVAILABLE)
    request.setHeader(b"Content-Type", PLAIN)
    request.setHeader(b"Cache-Control", b"no-store")
    return "".join(f"{fault}\n" for fault in faults).encode()
