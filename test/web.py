"""Asking a server over HTTP, and reading what it says."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from cybertemp_imap.config import Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.service import ImapService
from test.postgres import create_database, drop_database


@dataclass(frozen=True)
class Reply:
    """What came back; ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(port: int, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Reply:
    """Ask, and return the answer; blocks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, headers)
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, fields, answer.read())
    finally:
        connection.close()


async def asked(port: int, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Reply:
    """Ask in a thread."""
    reply: Reply = await deferToThread(ask, port, path, body, method, **headers)
    return reply


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of metrics by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def started(test: Any, **settings: Any) -> ImapService:
    """Return a server over a database of its own that has been started, and is stopped after the test."""
    dsn = create_database()
    test.addCleanup(drop_database, dsn)
    service = ImapService(Settings(database_url=dsn, bind=Address("127.0.0.1", 0), **settings), reactor)
    service.startService()
    test.addCleanup(service.stopService)
    assert service._starting is not None
    await service._starting
    return service
