"""A client that costs next to nothing, so that what is measured is the server."""

from __future__ import annotations

import secrets
import socket
from types import TracebackType

_LONGEST_COMPLETION = 1024
ROOM = 1 << 18


class Refused(Exception):
    """The server did not answer OK."""


class Client:
    """One connection. Answers are not parsed: the end of one is a line that begins with a tag that no mail holds.

    ``room`` is the size of its buffer; one that is only to idle needs little. Unless it is ``greeted``, the greeting is
    still to be received, as an answer is. ``source`` is the address that it connects from.
    """

    def __init__(
        self,
        address: tuple[str, int],
        timeout: float = 300.0,
        room: int = ROOM,
        greeted: bool = True,
        source: str | None = None,
    ) -> None:
        self._socket = socket.create_connection(address, timeout, None if source is None else (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(room))
        self._prefix = secrets.token_hex(6)
        self._number = 0
        self._name = "greeting"
        self._begin = b"* "
        self._tail = b""
        self.octets = 0
        """How many octets of the answer have come."""
        while greeted and not self.receive():
            pass

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def local_port(self) -> int:
        """This end's port."""
        port: int = self._socket.getsockname()[1]
        return port

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits for several connections."""
        return self._socket.fileno()

    def idle(self) -> socket.socket:
        """Send IDLE, and return the connection once the server has agreed: whoever reads it hears of news.

        :raises Refused: the server did not agree.
        """
        self._socket.sendall(b"idle IDLE\r\n")
        self._continued("IDLE")
        return self._socket

    def done(self) -> None:
        """End IDLE.

        :raises Refused: the server did not agree.
        """
        self._expect("IDLE", b"idle ")
        self._socket.sendall(b"DONE\r\n")
        while not self.receive():
            pass

    def append(self, mailbox: str, octets: bytes) -> None:
        """Append a message as a synchronizing literal, with a flag, as every server takes it.

        :raises Refused: the answer was not OK.
        """
        self._number += 1
        tag = f"{self._prefix}{self._number}"
        self._socket.sendall(f"{tag} APPEND {mailbox} (\\Seen) {{{len(octets)}}}\r\n".encode())
        self._continued("APPEND")
        self._expect("APPEND", f"{tag} ".encode())
        self._socket.sendall(octets + b"\r\n")
        while not self.receive():
            pass

    def _continued(self, name: str) -> None:
        answer = b""
        while not answer.endswith(b"\r\n"):
            octets = self._socket.recv(4096)
            if not octets:
                raise Refused(f"{name}: the connection was closed")
            answer += octets
        # News may come with it, before and after.
        if not any(line.startswith(b"+") for line in answer.split(b"\r\n")):
            raise Refused(f"{name}: {answer.decode('ascii', 'replace').strip()}")

    def close(self) -> None:
        """Break the connection off."""
        self._socket.close()

    def run(self, command: str) -> int:
        """Send a command, throw its answer away, and return how many octets that was.

        :raises Refused: the answer was not OK.
        """
        self.send(command)
        while not self.receive():
            pass
        return self.octets

    def ask(self, command: str) -> bytes:
        """Send a command and return its whole answer; raises as :meth:`run`."""
        kept: list[bytes] = []
        self.send(command)
        while not self.receive(kept):
            pass
        return b"".join(kept)

    def send(self, command: str) -> None:
        """Send a command; its answer is to be received before the next."""
        self._number += 1
        tag = f"{self._prefix}{self._number}"
        self._expect(command.split(maxsplit=1)[0], f"{tag} ".encode())
        self._socket.sendall(f"{tag} {command}\r\n".encode())

    def _expect(self, name: str, begin: bytes) -> None:
        self._name, self._begin, self._tail, self.octets = name, begin, b"", 0

    def receive(self, kept: list[bytes] | None = None) -> bool:
        """Receive some of an answer, and tell whether that was the end of it.

        :raises Refused: the answer was not OK.
        """
        buffer = self._buffer
        count = self._socket.recv_into(buffer)
        if not count:
            raise Refused(f"{self._name}: the connection was closed")
        self.octets += count
        if kept is not None:
            kept.append(bytes(buffer[:count]))
        tail = (self._tail + bytes(buffer[max(0, count - _LONGEST_COMPLETION) : count]))[-_LONGEST_COMPLETION:]
        self._tail = tail
        if not tail.endswith(b"\r\n"):
            return False
        last = tail[tail.rfind(b"\r\n", 0, -2) + 2 :] if b"\r\n" in tail[:-2] else tail
        if not last.startswith(self._begin):
            return False
        if not last.startswith(self._begin + b"OK"):
            raise Refused(f"{self._name}: {last.decode('ascii', 'replace').strip()}")
        return True
