"""Sequence sets (RFC 9051 section 9, ``sequence-set``)."""

from __future__ import annotations

from dataclasses import dataclass

STAR = 0
"""Stands for ``*``, the largest number in use; no sequence number or UID is 0."""


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges of sequence numbers or UIDs, as sent: ``(first, last)`` with :data:`STAR` for ``*``.

    ``saved`` stands for ``$``, the saved result of SEARCH (RFC 5182); ``ranges`` is empty then.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False
