"""Mail in: how many messages a second the server takes by LMTP, on one core with its PostgreSQL.

Each message of 10 KB goes to one address of many, in a transaction of its own, and is answered when it is committed.
Senders keep their connections, as mail servers do, and pipeline the envelope.
"""

from __future__ import annotations

import os
import socket
import statistics
from collections.abc import Callable
from threading import Thread
from time import monotonic
from typing import Any

from bench import machine
from bench.corpus import corpus
from bench.servers import Ours
from cybertemp_imap.mime.render import render

SENDERS = 8
SECONDS = 10.0
RUNS = 3
SIZE = 10_000
ADDRESSES = 200
_PREPARED = 200


def _messages() -> list[bytes]:
    """Return messages of 10 KB as a sender gives them: dots doubled, and the end."""
    found = []
    for mail in corpus("delivery@example.com", _PREPARED, smallest=SIZE, largest=SIZE):
        found.append(render(mail.row).replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
    return found


class _Sender:
    """One connection that sends one message after another until the time is over."""

    def __init__(self, port: int, number: int, messages: list[bytes]) -> None:
        self.sent = 0
        self.octets = 0
        self.slowest = 0.0
        self.thread = Thread(target=self._work, daemon=True)
        self.until = 0.0
        self._socket = socket.create_connection(("127.0.0.1", port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("rb")
        self._number = number
        self._messages = messages
        self._expect(b"220")
        self._socket.sendall(b"LHLO bench.example\r\n")
        while self._lines.readline()[3:4] == b"-":
            pass

    def _expect(self, *codes: bytes) -> None:
        for code in codes:
            line = self._lines.readline()
            if not line.startswith(code):
                raise RuntimeError(f"{code!r} was expected: {line!r}")

    def _work(self) -> None:
        while (began := monotonic()) < self.until:
            self._number += SENDERS
            message = self._messages[self._number % len(self._messages)]
            recipient = b"box%d@example.com" % (self._number % ADDRESSES)
            self._socket.sendall(b"MAIL FROM:<bench@good.example>\r\nRCPT TO:<" + recipient + b">\r\nDATA\r\n")
            self._expect(b"250", b"250", b"354")
            self._socket.sendall(message)
            self._expect(b"250")
            self.sent += 1
            self.octets += len(message)
            self.slowest = max(self.slowest, monotonic() - began)

    def close(self) -> None:
        """Go away."""
        self._lines.close()
        self._socket.close()


def measure(server: Ours, say: Callable[[str], None]) -> dict[str, Any]:
    """Restart the server on one core with its database, send as fast as it takes, and return the figures."""
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    server.start_with_mail()
    server.database.execute("INSERT INTO public.domains (domain, active) VALUES ('example.com', true)")
    messages = _messages()
    runs = []
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, client_cores)
    try:
        for number in range(RUNS + 1):
            say(f"delivery, {number} of {RUNS}")
            run = _run(server, messages)
            # The first makes the rows of the addresses, and warms everything up.
            runs += [run] if number else []
            server.database.settle()
    finally:
        os.sched_setaffinity(0, before)
    ((stored,),) = server.database.execute("SELECT count(*) FROM imap.source")
    return {"senders": SENDERS, "seconds": SECONDS, "stored": stored, "runs": runs}


def _run(server: Ours, messages: list[bytes]) -> dict[str, float]:
    assert server.mail_port is not None
    senders = [_Sender(server.mail_port, number, messages) for number in range(SENDERS)]
    used, busy, own = machine.processor_seconds(server.processes()), machine.busy_seconds(), sum(os.times()[:2])
    began = monotonic()
    for sender in senders:
        sender.until = began + SECONDS
        sender.thread.start()
    for sender in senders:
        sender.thread.join()
    elapsed = monotonic() - began
    used = machine.processor_seconds(server.processes()) - used
    others = max(machine.busy_seconds() - busy - used - (sum(os.times()[:2]) - own), 0.0) / elapsed
    sent = sum(sender.sent for sender in senders)
    for sender in senders:
        sender.close()
    return {
        "rate": sent / elapsed,
        "cpu": used / sent,
        "octets": sum(sender.octets for sender in senders) / sent,
        "slowest": max(sender.slowest for sender in senders),
        "others": others,
    }


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    runs = results["runs"]
    rates = " ".join(f"{run['rate']:.0f}" for run in runs)
    return [
        f"mail in by LMTP: {results['senders']} senders, {runs[0]['octets']:.0f} octets a message, one recipient, "
        "server and PostgreSQL on one core",
        f"{'':4}{statistics.median(run['rate'] for run in runs):.0f} messages a second ({rates}); "
        f"{1000 * statistics.median(run['cpu'] for run in runs):.2f} ms of processor time each; "
        f"slowest answer {1000 * max(run['slowest'] for run in runs):.0f} ms; "
        f"others busy {statistics.median(run['others'] for run in runs):.2f}",
    ]
