"""What the log is told of an unforeseen exception."""

from __future__ import annotations

import traceback


def trace(error: BaseException) -> str:
    """Say of what kind an exception is and where it came from, also those that led to it.

    Their texts are left out: they quote what was being worked on, which may be a token or a message.
    """
    pieces: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        pieces += [*traceback.format_tb(current.__traceback__), f"{type(current).__module__}.{type(current).__name__}"]
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if cause is not None:
            pieces.append("which came of:")
        current = cause
    return "\n".join(piece.rstrip() for piece in pieces)
