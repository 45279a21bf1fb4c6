"""A client that costs next to nothing, so that what is measured is the server."""

from __future__ import annotations

import secrets
import socket
from types import TracebackType

_LONGEST_COMPLETION = 1024


class Refused(Exception):
    """The server did not answer OK."""


class Client:
    """One connection. Answers are not parsed: the end of one is a line that begins with a tag that no mail holds."""

    def __init__(self, address: tuple[str, int], timeout: float = 300.0) -> None:
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(1 << 18))
        self._prefix = secrets.token_hex(6)
        self._number = 0
        while not bytes(self._buffer[: self._socket.recv_into(self._buffer)]).endswith(b"\r\n"):
            pass

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def idle(self) -> socket.socket:
        """Send IDLE, and return the connection once the server has agreed: whoever reads it hears of news.

        :raises Refused: the server did not agree.
        """
        self._socket.sendall(b"idle IDLE\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            octets = self._socket.recv(4096)
            if not octets:
                raise Refused("IDLE: the connection was closed")
            answer += octets
        if not answer.rpartition(b"\r\n")[0].rpartition(b"\r\n")[2].startswith(b"+"):
            raise Refused(f"IDLE: {answer.decode('ascii', 'replace').strip()}")
        return self._socket

    def close(self) -> None:
        """Break the connection off."""
        self._socket.close()

    def run(self, command: str) -> int:
        """Send a command, throw its answer away, and return how many octets that was.

        :raises Refused: the answer was not OK.
        """
        return self._run(command, None)

    def ask(self, command: str) -> bytes:
        """Send a command and return its whole answer; raises as :meth:`run`."""
        kept: list[bytes] = []
        self._run(command, kept)
        return b"".join(kept)

    def _run(self, command: str, kept: list[bytes] | None) -> int:
        self._number += 1
        tag = f"{self._prefix}{self._number}"
        begin, buffer, receive = f"{tag} ".encode(), self._buffer, self._socket.recv_into
        self._socket.sendall(f"{tag} {command}\r\n".encode())
        tail = b""
        total = 0
        while True:
            count = receive(buffer)
            if not count:
                raise Refused(f"{command.split(maxsplit=1)[0]}: the connection was closed")
            total += count
            if kept is not None:
                kept.append(bytes(buffer[:count]))
            tail = (tail + bytes(buffer[max(0, count - _LONGEST_COMPLETION) : count]))[-_LONGEST_COMPLETION:]
            if tail.endswith(b"\r\n"):
                last = tail[tail.rfind(b"\r\n", 0, -2) + 2 :] if b"\r\n" in tail[:-2] else tail
                if last.startswith(begin):
                    break
        if not last.startswith(begin + b"OK"):
            raise Refused(f"{command.split(maxsplit=1)[0]}: {last.decode('ascii', 'replace').strip()}")
        return total
