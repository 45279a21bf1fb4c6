"""Reading mail from files: mbox, Maildir and single messages, one message at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime, parsedate_tz
from pathlib import Path
from typing import BinaryIO

from cybertemp_imap.operator_error import OperatorError

MBOX, MAILDIR, EML = "mbox", "maildir", "eml"

# Only a line with a time and a year begins a message: people begin lines with "From", too.
_SEPARATOR = re.compile(rb"From .*\b\d{1,2}:\d\d(?::\d\d)?\b.*\b\d{4}\b")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"^(?:X-)?Status:[ \t]*([A-Z]+)", re.MULTILINE | re.IGNORECASE)
_DATE = re.compile(rb"^Date:[ \t]*([^\r\n]*)", re.MULTILINE | re.IGNORECASE)

# The letters of Status and X-Status, and those behind ":2," in the name of a file of a Maildir.
_MBOX_FLAGS = {"R": "\\Seen", "A": "\\Answered", "F": "\\Flagged", "D": "\\Deleted", "T": "\\Draft"}
_MAILDIR_FLAGS = {
    "S": "\\Seen",
    "R": "\\Answered",
    "F": "\\Flagged",
    "T": "\\Deleted",
    "D": "\\Draft",
    "P": "$Forwarded",
}


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message as it is in its file; ``read`` is how many octets of the file were read for it.

    ``octets`` is None for one that is bigger than it may be.
    """

    octets: bytes | None
    flags: tuple[str, ...]
    date: datetime
    read: int


class Source:
    """A file or folder of mail."""

    def __init__(self, path: Path, form: str | None, limit: int) -> None:
        """Take the largest size of a message in octets; raises :class:`OperatorError` for what holds no mail."""
        self.path = path
        self._limit = limit
        try:
            self.form = form or _form_of(path)
            self._files = self._list()
            self.size = sum(file.stat().st_size for file in self._files)
        except OSError as error:
            raise _unreadable(path, error) from None

    def messages(self) -> Iterator[FoundMessage]:
        """Yield all messages, always in the same order; raises :class:`OperatorError`."""
        for file in self._files:
            try:
                with file.open("rb") as stream:
                    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
                    yield from (
                        self._mbox(stream, written) if self.form == MBOX else [self._single(file, stream, written)]
                    )
            except FileNotFoundError:
                # A mail program has renamed it meanwhile; the next import finds it.
                continue
            except OSError as error:
                raise _unreadable(file, error) from None

    def _list(self) -> list[Path]:
        if self.form == MAILDIR:
            return sorted(
                (file for part in ("cur", "new") for file in (self.path / part).iterdir() if file.name[:1] != "."),
                key=lambda file: file.name,
            )
        if self.path.is_dir():
            return sorted(file for file in self.path.rglob("*.eml") if file.is_file())
        return [self.path]

    def _single(self, file: Path, stream: BinaryIO, written: datetime) -> FoundMessage:
        octets = stream.read(self._limit + 1)
        letters = file.name.rpartition(":2,")[2] if ":2," in file.name else ""
        flags = tuple(_MAILDIR_FLAGS[letter] for letter in letters if letter in _MAILDIR_FLAGS)
        kept = octets if len(octets) <= self._limit else None
        # A Maildir's files have the time of delivery; other files may have been copied since.
        date = written if self.form == MAILDIR else _date_of(octets) or written
        return FoundMessage(kept, flags, date, file.stat().st_size)

    def _mbox(self, stream: BinaryIO, written: datetime) -> Iterator[FoundMessage]:
        separator = stream.readline()
        lines: list[bytes] = []
        read, size, after_blank = len(separator), 0, True
        for line in stream:
            if after_blank and line.startswith(b"From ") and _SEPARATOR.match(line):
                yield self._from_mbox(separator, lines, size, read, written)
                separator, lines, read, size, after_blank = line, [], 0, 0, False
            else:
                size += len(line)
                after_blank = line in (b"\n", b"\r\n")
                if size <= self._limit + 2:
                    lines.append(line)
            read += len(line)
        if separator:
            yield self._from_mbox(separator, lines, size, read, written)

    def _from_mbox(self, separator: bytes, lines: list[bytes], size: int, read: int, written: datetime) -> FoundMessage:
        if lines and lines[-1] in (b"\n", b"\r\n"):
            # It belongs to the separator, unless it is the one that ends a header without a body.
            ends_header = b"\n" not in lines[:-1] and b"\r\n" not in lines[:-1]
            size -= 0 if ends_header else len(lines.pop())
        octets = b"".join(lines)
        if b">From " in octets:
            octets = _QUOTED.sub(rb"\1", octets)
        header = _header_of(octets)
        letters = "".join(found.decode("ascii").upper() for found in _STATUS.findall(header))
        flags = tuple(flag for letter, flag in _MBOX_FLAGS.items() if letter in letters)
        date = _separator_date(separator) or _date_of(octets) or written
        return FoundMessage(octets if size <= self._limit else None, flags, date, read)


def mbox_form(octets: bytes, sender: str, date: datetime) -> bytes:
    """Return a message as it stands in an mbox: its octets, with lines that begin with "From " quoted (mboxrd)."""
    quoted = re.sub(rb"^(>*From )", rb">\1", octets, flags=re.MULTILINE)
    found = re.search(r"[!-;=?-~]+@[!-;=?-~]+", sender)
    envelope = found[0] if found else "MAILER-DAEMON"
    end = b"\n" if quoted.endswith(b"\n") else b"\r\n\n"
    return f"From {envelope} {date.astimezone(UTC):%a %b %d %H:%M:%S %Y}\n".encode() + quoted + end


def _form_of(path: Path) -> str:
    if (path / "cur").is_dir() and (path / "new").is_dir():
        return MAILDIR
    if path.is_dir():
        return EML
    with path.open("rb") as stream:
        return MBOX if stream.read(5) == b"From " else EML


def _header_of(octets: bytes) -> bytes:
    end = _EMPTY_LINE.search(octets)
    return octets if end is None else octets[: end.start() + 1]


def _date_of(octets: bytes) -> datetime | None:
    found = _DATE.search(_header_of(octets))
    if found is None:
        return None
    try:
        date = parsedate_to_datetime(found[1].decode("ascii", "replace"))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _separator_date(line: bytes) -> datetime | None:
    _, _, rest = line.decode("latin-1").strip()[5:].lstrip().partition(" ")
    try:
        parsed = parsedate_tz(rest)
        return datetime(*parsed[:6], tzinfo=UTC) if parsed and 1 <= parsed[0] <= 9998 else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(f"{path} cannot be read: {error.strerror}.")
