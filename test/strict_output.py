"""In every test, whatever one of our servers sends over a real connection is read by the strict parser.

What tests without a network get is read at their end (:mod:`test.wire`), and has to be right as a whole; here each
write is: a server never sends part of a response.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.logger import Logger

from cybertemp_imap.delivery.wire import Wire
from cybertemp_imap.protocol.outlet import Outlet
from cybertemp_imap.workers import worker
from test.response_parser import Malformed, parse_responses
from test.wire_transport import WireTransport

_log = Logger()


def install() -> None:
    """Have everything read that is sent from now on; what is malformed is logged as a failure, which trial reports."""
    write = Outlet.write

    def checked(outlet: Any, data: bytes) -> None:
        # SMTP and LMTP have the same outlet, but are another language.
        mail = isinstance(getattr(outlet._on_stall, "__self__", None), Wire)
        if not (mail or outlet.closed or isinstance(outlet._transport, WireTransport)):
            _check(outlet, data)
        write(outlet, data)

    setattr(Outlet, "write", checked)  # noqa: B010


def _check(outlet: Any, data: bytes) -> None:
    enabled: set[bytes] = outlet.__dict__.setdefault("enabled_by_client", set())
    try:
        for response in parse_responses(data, enabled):
            if response.name == b"ENABLED":
                enabled.update(name.upper() for name in response.data)
    except Malformed:
        _log.failure("A server sent what is no response")


def main() -> None:
    """Run twistd with this in it, and in the workers that it starts."""
    from twisted.scripts import twistd

    setattr(worker, "PROGRAM", ("-c", "import test; from cybertemp_imap.workers.child import main; main()"))  # noqa: B010
    sys.argv[0] = "twistd"
    twistd.run()
