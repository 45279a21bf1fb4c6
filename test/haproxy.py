"""HAProxy, run with the configuration of the documentation; and a client of it that comes from a chosen address."""

from __future__ import annotations

import imaplib
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from test.documentation import TOP, literal_block

PATIENCE = 30.0

PAGE = TOP / "docs" / "howto" / "haproxy.rst"


class Haproxy:
    """HAProxy as the page has it, with what ``places`` says in the place of ports and addresses."""

    def __init__(self, folder: Path, places: Mapping[str, str]) -> None:
        program = shutil.which("haproxy")
        assert program is not None
        text = literal_block(PAGE, "defaults\n")
        for there, here in places.items():
            assert there in text, there
            text = text.replace(there, here)
        file = folder / "haproxy.cfg"
        file.write_text(text)
        subprocess.run([program, "-c", "-f", str(file)], check=True, capture_output=True)
        self._process = subprocess.Popen([program, "-db", "-f", str(file)], stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(PATIENCE)


class Client(imaplib.IMAP4_SSL):
    """A client at an address of the loopback network; it waits until somebody greets it."""

    def __init__(self, port: int, address: str, certificate: Path) -> None:
        self._address = address
        super().__init__("localhost", port, ssl_context=ssl.create_default_context(cafile=str(certificate)))

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE, source_address=(self._address, 0))
                return self.ssl_context.wrap_socket(plain, server_hostname="localhost")  # type: ignore[no-any-return]
            except (ConnectionError, ssl.SSLEOFError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
