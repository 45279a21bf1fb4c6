"""The mail that is measured with: the same octets on every machine and in every run.

Text is cut from a pool of lines made once, because 250 MB of words would otherwise take longer to choose than all that
is measured with them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow

#: Stands in the text of one message in a hundred, and nowhere else.
NEEDLE = "xylophonist"
NEEDLES = ("xylophonist", "ylophonist", "xylophonis", "lophonist", "ylophonis", "xylophoni", "lophonis")
"""What finds the same messages, but is not the same search."""

SEARCHES: dict[str, tuple[str, ...]] = {
    "TEXT": NEEDLES,
    "SUBJECT": ("77", "123", "42", "905"),
    "FROM": ("sender7@site7", "sender42@site2", "sender123@site3", "sender150@site10"),
    "UNSEEN": ("",),
}
"""What is searched for, one after the other."""

BIG, FEW, SINK, NEWS = "big", "few", "sink", "news"
"""The mailbox that is measured with; one that is opened in between; one that is appended to, and one delivered to."""

BIG_COUNT, FEW_COUNT = 10_000, 100

SMALLEST, LARGEST = 2_000, 50_000

_LINES = 6_000
_SYLLABLES = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu ra re ri ro ru"
_ACCENTS = str.maketrans({"e": "é", "u": "ü", "o": "ø"})
_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Mail:
    """One message: what the receiver would have written, and its flags."""

    row: EmailRow
    flags: tuple[str, ...]

    @property
    def octets(self) -> bytes:
        """The message as every server is to serve it."""
        return render(self.row)


class Tally:
    """What searches are to find, counted while the mail passes by."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def passing(self, mails: Iterable[Mail]) -> Iterator[Mail]:
        """Yield the mail, and count it."""
        for mail in mails:
            row = mail.row
            self.found["ALL"] += 1
            self.found["UNSEEN"] += "\\Seen" not in mail.flags
            for word in SEARCHES["SUBJECT"]:
                self.found[f"SUBJECT {word}"] += word in (row.subject or "")
            for word in SEARCHES["FROM"]:
                self.found[f"FROM {word}"] += word in (row.from_addr or "")
            has_needle = NEEDLE in (row.body or "")
            for word in SEARCHES["TEXT"]:
                self.found[f"TEXT {word}"] += has_needle
            yield mail


def corpus(address: str, count: int, *, smallest: int = SMALLEST, largest: int = LARGEST) -> Iterator[Mail]:
    """Yield ``count`` messages to ``address``, of sizes spread evenly between the two, in the order of arrival."""
    draw = random.Random(f"{address} {count}")
    for number in range(count):
        yield _mail(draw, address, number, draw.randint(smallest, largest))


def _mail(draw: random.Random, address: str, number: int, size: int) -> Mail:
    accented = number % 4 == 3
    # The header and the frame of the parts take some 700 octets; HTML is the larger part of most mail.
    room = max(size - 700, 400)
    text = _cut(draw, accented, room * 2 // 5)
    html = _cut(draw, accented, room * 3 // 5)
    if number % 100 == 50:
        text.insert(len(text) // 2, f"and then the {NEEDLE} played on")
    subject = " ".join(_pool(number % 10 == 9)[draw.randrange(_LINES)].split()[: draw.randint(3, 8)])
    sender = draw.randrange(200)
    row = EmailRow(
        id=UUID(int=draw.getrandbits(128), version=4),
        owner=address,
        folder="INBOX",
        subject=f"{subject} {number}",
        body="\n".join(text),
        html="<html><body>\n" + "\n".join(f"<p>{line}</p>" for line in html) + "\n</body></html>",
        from_addr=f"Sender {sender} <sender{sender}@site{sender % 20}.example>",
        to_addrs=(address,),
        timestamp=_BEGIN + timedelta(minutes=number),
        created_at=_BEGIN + timedelta(minutes=number, seconds=2),
    )
    flags = [
        flag for flag, share in (("\\Seen", 0.7), ("\\Answered", 0.1), ("\\Flagged", 0.05)) if draw.random() < share
    ]
    return Mail(row, tuple(flags))


def _cut(draw: random.Random, accented: bool, octets: int) -> list[str]:
    """Lines from the pool, from a random one on, of at most so many octets together."""
    pool = _pool(accented)
    at = draw.randrange(_LINES)
    lines: list[str] = []
    while octets > 0:
        lines.append(pool[at % _LINES])
        octets -= len(lines[-1]) + (14 if accented else 5)
        at += 1
    return lines


@cache
def _pool(accented: bool) -> Sequence[str]:
    """Lines of made-up words, common ones more often than rare ones; with accents in some of their words."""
    draw = random.Random("pool")
    syllables = _SYLLABLES.split()
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(3_000)]
    if accented:
        words = [word.translate(_ACCENTS) if number % 12 == 0 else word for number, word in enumerate(words)]
    weights = [1 / (rank + 2) for rank in range(len(words))]
    return [" ".join(draw.choices(words, weights, k=draw.randint(6, 16))) for _ in range(_LINES)]
