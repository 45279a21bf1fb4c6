"""Texts of messages in a file that has no name: where searches for text look.

The file is made of pages of one size, which mailboxes are lent. It is removed as soon as it is made, so what is in it
can be read by this process alone, and is gone with it, however it ends.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from cybertemp_imap.columns.blocks import END, Block, Concerns, Outcome, Seen, holding
from cybertemp_imap.pace import Pace

PAGE = 1 << 19
"""Octets of a page, and the most that the text of one message may have: a quarter of a millisecond to look through."""


class TextFile:
    """A file of at most so many octets, lent page by page."""

    _log = Logger()

    def __init__(self, octets: int, folder: str | None = None) -> None:
        """``folder``: where the file is made; that for temporary files, if it is not given."""
        self._pages = octets // PAGE
        self._folder = folder
        self._file: int | None = None
        self._free: list[int] = []
        self._used = 0

    def lend(self) -> int | None:
        """Return the number of a page that nobody has; None where there is none left."""
        if self._free:
            return self._free.pop()
        if self._used >= self._pages:
            return None
        self._used += 1
        return self._used - 1

    def take_back(self, page: int) -> None:
        """Have a page lent to others."""
        self._free.append(page)

    def write(self, page: int, at: int, octets: bytes) -> bool:
        """Write into a page; tell whether that was possible. Where it was not, nothing is lent any more."""
        try:
            if self._file is None:
                self._file = _nameless(self._folder)
            written = os.pwrite(self._file, octets, page * PAGE + at)
        except OSError as error:
            self._log.warn("Texts are kept for searches no more: {reason}", reason=error.strerror)
            self._pages = 0
            self._free.clear()
            return False
        return written == len(octets)

    async def read(self, page: int, buffer: memoryview, reactor: Any) -> None:
        """Read the beginning of a page; in a thread where it is not in memory, and the disk has to be waited for."""
        assert self._file is not None
        try:
            if os.preadv(self._file, [buffer], page * PAGE, os.RWF_NOWAIT) == len(buffer):
                return
        except OSError:
            pass  # Not in memory, or not a file system that can tell.
        pool = reactor.getThreadPool()
        await deferToThreadPool(reactor, pool, os.preadv, self._file, [buffer], page * PAGE)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


class TextBlock(Block):
    """Messages whose texts are in one page: where each begins, and where its body does."""

    __slots__ = ("bodies", "lent", "page", "starts", "used")

    def __init__(self, page: int) -> None:
        super().__init__()
        self.page = page
        self.lent = True
        self.used = 0
        self.starts = array("I")
        self.bodies = array("I")


class Texts:
    """The column of the whole texts of messages, header and body, in a :class:`TextFile`.

    ``full`` is called with this column when the file is full, and may have others give pages back.
    """

    def __init__(self, file: TextFile, full: Callable[[Texts], None]) -> None:
        self._file = file
        self._full = full
        self.blocks: list[TextBlock] = []
        self.count = 0

    @property
    def octets(self) -> int:
        """How much memory it takes, about; the file does not count."""
        return self.count * 20

    def learn(self, uid: int, text: tuple[str, str]) -> None:
        """Take note of the text of a message's header, which ends in a line end, and of that of its body."""
        header, body = text
        if len(header) + len(body) >= PAGE:
            return
        first = header.encode("utf-8", "surrogatepass")
        octets = first + body.encode("utf-8", "surrogatepass") + END
        if len(octets) > PAGE:
            return
        block = self.blocks[-1] if self.blocks else None
        if block is None or block.used + len(octets) > PAGE:
            block = self._new_block()
        if block is None or not self._file.write(block.page, block.used, octets):
            return
        block.add(uid)
        block.starts.append(block.used)
        block.bodies.append(block.used + len(first))
        block.used += len(octets)
        self.count += 1

    def _new_block(self) -> TextBlock | None:
        page = self._file.lend()
        if page is None:
            self._full(self)
            page = self._file.lend()
        if page is None:
            return None
        self.blocks.append(TextBlock(page))
        return self.blocks[-1]

    async def find(self, needle: bytes, concerns: Concerns, pace: Pace, body_only: bool) -> Outcome:
        """Find the messages whose text holds a needle, which is not empty.

        Blocks that are given back meanwhile are not gone through.
        """
        outcome = Outcome()
        buffer = bytearray(PAGE)
        for block in tuple(self.blocks):
            if not block.lent or not concerns(block):
                continue
            count, used = len(block.uids), block.used
            await self._file.read(block.page, memoryview(buffer)[:used], pace.reactor)
            # While a thread has read, the block may have been lent to others, or grown.
            if block.lent and len(block.uids) == count:
                outcome.blocks.append(Seen.of(block))
                skip = block.bodies if body_only else ()
                outcome.found.extend(map(block.uids.__getitem__, holding(buffer, needle, block.starts, used, skip)))
            await pace.breathe()
        return outcome

    def give_back(self) -> None:
        """Give all pages back, and know nothing any more."""
        for block in self.blocks:
            block.lent = False
            self._file.take_back(block.page)
        self.blocks = []
        self.count = 0

    def __del__(self) -> None:
        self.give_back()


def _nameless(folder: str | None) -> int:
    descriptor, name = tempfile.mkstemp(prefix="cybertemp-imap-", dir=folder)
    os.unlink(name)
    return descriptor
