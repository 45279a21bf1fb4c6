"""Searches by any key against a plain evaluation, message by message."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from cybertemp_imap.protocol.search_key import (
    DateField,
    DateOrder,
    KeyAll,
    KeyAnd,
    KeyBody,
    KeyDate,
    KeyFlag,
    KeyHeader,
    KeyLarger,
    KeyNot,
    KeyOr,
    KeySequence,
    KeySmaller,
    KeyText,
    KeyUid,
    SearchKey,
)
from cybertemp_imap.protocol.sequence import SequenceSet
from cybertemp_imap.search import chunk, reading, search
from test.search_mailbox import Mail, box_of, letter

WORDS = ["alpha", "beta", "Gamma", "größe", "delta"]
FLAGS = ["\\Seen", "\\Flagged", "word"]
DAYS = [date(2024, 2, 28) + timedelta(days=number) for number in range(5)]
ORDERS: dict[DateOrder, Callable[[Any, Any], bool]] = {
    DateOrder.BEFORE: operator.lt,
    DateOrder.ON: operator.eq,
    DateOrder.SINCE: operator.ge,
}


@dataclass(frozen=True)
class Model:
    """A message as its sender meant it."""

    subject: str | None
    body: str
    flags: tuple[str, ...]
    internal: date
    sent: date | None

    @property
    def mail(self) -> Mail:
        """The message."""
        fields = []
        if self.subject is not None:
            fields.append(b"Subject: " + self.subject.encode())
        if self.sent is not None:
            fields.append(self.sent.strftime("Date: %d %b %Y 10:00 +0000").encode())
        moment = datetime(self.internal.year, self.internal.month, self.internal.day, 10, tzinfo=UTC)
        return Mail(letter(self.body.encode(), *fields), self.flags, moment)


models = st.builds(
    Model,
    subject=st.none() | st.sampled_from(WORDS) | st.builds("{} {}".format, st.sampled_from(WORDS), st.just("x")),
    body=st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join),
    flags=st.lists(st.sampled_from(FLAGS), unique=True).map(tuple),
    internal=st.sampled_from(DAYS),
    sent=st.none() | st.sampled_from(DAYS),
)
numbers = st.integers(1, 14)
sets = st.lists(st.tuples(st.integers(0, 14), numbers), min_size=1, max_size=3).map(
    lambda ranges: SequenceSet(tuple(ranges))
)
needles = st.sampled_from([*WORDS, "a", "GRÖSSE", "subject", "zz", ""]).map(str.encode)
leaves: st.SearchStrategy[SearchKey] = st.one_of(
    st.just(KeyAll()),
    st.builds(KeySequence, sets),
    st.just(KeySequence(SequenceSet((), True))),
    st.builds(KeyUid, sets),
    st.builds(KeyFlag, st.sampled_from([*FLAGS, "WORD", "none"])),
    st.builds(KeyHeader, st.sampled_from([b"Subject", b"SUBJECT", b"X-None"]), needles),
    st.builds(KeyBody, needles),
    st.builds(KeyText, needles),
    st.builds(KeyLarger, st.integers(0, 80)),
    st.builds(KeySmaller, st.integers(0, 80)),
    st.builds(
        KeyDate,
        st.sampled_from([DateField.INTERNAL, DateField.SENT]),
        st.sampled_from(DateOrder),
        st.sampled_from(DAYS),
    ),
)
keys: st.SearchStrategy[SearchKey] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda several: KeyAnd(tuple(several))),
        st.builds(KeyOr, inner, inner),
        st.builds(KeyNot, inner),
    ),
    max_leaves=12,
)


@dataclass(frozen=True)
class Plain:
    """One message of a mailbox, of which every UID is its sequence number, and what it needs to be matched."""

    number: int
    last: int
    saved: frozenset[int]
    model: Model

    def matches(self, key: SearchKey) -> bool:
        """Tell whether a key matches, by looking at everything at once."""
        match key:
            case KeyAnd(several):
                return all(self.matches(each) for each in several)
            case KeyOr(left, right):
                return self.matches(left) or self.matches(right)
            case KeyNot(inner):
                return not self.matches(inner)
            case KeySequence(numbers) | KeyUid(numbers):
                return self.number in self.saved if numbers.saved else numbers.contains(self.number, self.last)
            case KeyFlag(flag):
                return flag.lower() in {each.lower() for each in self.model.flags}
            case _:
                return self._told(key)

    def _told(self, key: SearchKey) -> bool:
        model, source = self.model, self.model.mail.source
        match key:
            case KeyHeader(field, value):
                return field.lower() == b"subject" and _holds(model.subject, value)
            case KeyBody(value):
                return _holds(model.body, value)
            case KeyText(value):
                return _holds(source.decode(), value)
            case KeyLarger(octets) | KeySmaller(octets):
                return len(source) > octets if isinstance(key, KeyLarger) else len(source) < octets
            case KeyDate(field, order, day):
                known = model.internal if field is DateField.INTERNAL else model.sent
                return known is not None and ORDERS[order](known, day)
        return isinstance(key, KeyAll)


def _holds(text: str | None, value: bytes) -> bool:
    return text is not None and value.decode().casefold() in text.casefold()


class Eager:
    """A reactor that never makes anybody wait."""

    def callLater(self, delay: float, function: Callable[..., Any], *args: Any) -> None:
        """Call at once."""
        function(*args)


class SearchModelTests(unittest.TestCase):
    """:func:`search` and the plain evaluation agree."""

    def setUp(self) -> None:
        """Make chunks and pages so small that a few messages fill several."""
        self.patch(chunk, "CHUNK", 5)
        self.patch(reading, "PAGES", {tier: 2 for tier in reading.PAGES})

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(models, max_size=12), st.lists(keys, min_size=1, max_size=3), st.frozensets(numbers))
    def test_any_key(self, known: list[Model], several: list[SearchKey], saved: frozenset[int]) -> None:
        """Whatever the key, and whatever was searched for before, those messages are found that match it one by one."""
        box = self.successResultOf(Deferred.fromCoroutine(box_of(model.mail for model in known)))
        plain = [Plain(number, len(known), saved, model) for number, model in enumerate(known, 1)]
        for key in (*several, *several):
            searching = search(box.mailbox, key, saved=saved, reactor=Eager())
            found = self.successResultOf(Deferred.fromCoroutine(searching))
            self.assertEqual(found, [each.number - 1 for each in plain if each.matches(key)])
