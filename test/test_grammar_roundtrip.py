"""Any command object, printed in any way the grammar allows, is read back equal."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol import command as c
from cybertemp_imap.protocol import search_key as sk
from cybertemp_imap.protocol.grammar.listing import RETURN_OPTIONS, SELECTION_OPTIONS
from cybertemp_imap.protocol.grammar.mailbox import STATUS_ITEMS
from cybertemp_imap.protocol.grammar.parse import parse_command
from cybertemp_imap.protocol.reader import AFTER_LOGIN, CommandReader, CommandReady, ContinuationWanted
from cybertemp_imap.protocol.sequence import SequenceSet
from test.printing import Printer

ATOM = "abcXYZ019.-_$/@+=~!#&':;<>?[^`|,"
atoms = st.text(ATOM, min_size=1, max_size=8)
keywords = atoms
flags = st.builds(lambda name, system: "\\" + name if system else name, atoms, st.booleans())
flag_lists = st.lists(flags, max_size=4).map(tuple)
octets = st.one_of(
    atoms.map(str.encode),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\0", b"\r\n")),
    st.sampled_from([b"", b"NIL", b"{3}", b'"', b"\\", b"a b", b"INBOX", "Entwürfe".encode()]),
)
nz = st.integers(1, 2**32 - 1)
number63 = st.integers(0, 2**63 - 1)
ends = st.one_of(st.just(0), nz)
plain_sets = st.builds(SequenceSet, st.lists(st.tuples(nz, nz), min_size=1, max_size=4).map(tuple))
star_sets = st.builds(SequenceSet, st.lists(st.tuples(ends, ends), min_size=1, max_size=4).map(tuple))
sets = st.one_of(star_sets, st.just(SequenceSet((), True)))
status_items = st.lists(st.sampled_from(sorted(STATUS_ITEMS.values())), min_size=1, unique=True).map(tuple)
zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones).map(
    lambda moment: moment.replace(microsecond=0)
)

selections = st.frozensets(st.sampled_from(sorted(SELECTION_OPTIONS.values()))).filter(
    lambda options: "RECURSIVEMATCH" not in options or bool(options - {"RECURSIVEMATCH", "REMOTE"})
)


@st.composite
def lists(draw: st.DrawFn) -> c.List:
    selection = draw(selections)
    returns = draw(st.frozensets(st.sampled_from(sorted(RETURN_OPTIONS.values()))))
    status = draw(st.one_of(st.none(), status_items))
    patterns = tuple(draw(st.lists(st.one_of(octets, st.just(b"a%*]")), min_size=1, max_size=3)))
    extended = bool(selection or returns or status or len(patterns) > 1) or draw(st.booleans())
    return c.List(draw(octets), patterns, selection, returns, status, extended)


@st.composite
def messages(draw: st.DrawFn) -> c.AppendMessage:
    utf8 = draw(st.booleans())
    data = draw(st.binary(max_size=20))
    moment = draw(st.one_of(st.none(), moments))
    return c.AppendMessage(draw(flag_lists), moment, len(data), data, utf8 or draw(st.booleans()), utf8)


parts = st.lists(nz, max_size=3).map(tuple)
partials = st.one_of(st.none(), st.tuples(number63, st.integers(1, 2**63 - 1)))


@st.composite
def sections(draw: st.DrawFn) -> c.BodySection:
    part, name = draw(parts), draw(st.sampled_from(["BODY", "BINARY", "BINARY.SIZE"]))
    if name == "BINARY.SIZE":
        return c.BodySection(part, name=name)
    partial, peek = draw(partials), draw(st.booleans())
    if name == "BINARY":
        return c.BodySection(part, partial=partial, peek=peek, name=name)
    section = draw(st.sampled_from([one for one in c.Section if part or one is not c.Section.MIME]))
    fields: tuple[bytes, ...] = ()
    if section in (c.Section.HEADER_FIELDS, c.Section.HEADER_FIELDS_NOT):
        fields = tuple(draw(st.lists(octets, min_size=1, max_size=3)))
    return c.BodySection(part, section, fields, partial, peek)


@st.composite
def fetches(draw: st.DrawFn) -> c.Fetch:
    items = tuple(draw(st.lists(st.one_of(st.sampled_from(c.Attribute), sections()), min_size=1, unique=True)))
    uid, changed_since = draw(st.booleans()), draw(st.one_of(st.none(), number63))
    return c.Fetch(draw(sets), items, uid, changed_since, changed_since is not None and uid and draw(st.booleans()))


system_flags = st.sampled_from(["\\Answered", "\\Deleted", "\\Draft", "\\Flagged", "\\Seen"])
object_ids = st.text("aZ0_-", min_size=1, max_size=20).map(str.encode)
leaves: st.SearchStrategy[sk.SearchKey] = st.one_of(
    st.just(sk.KeyAll()),
    st.just(sk.KeyRecent()),
    st.just(sk.KeySaveDateSupported()),
    st.builds(sk.KeySequence, sets),
    st.builds(sk.KeyUid, sets),
    st.builds(sk.KeyFlag, st.one_of(system_flags, keywords)),
    st.builds(sk.KeyHeader, st.one_of(octets, st.sampled_from([b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"])), octets),
    st.builds(sk.KeyBody, octets),
    st.builds(sk.KeyText, octets),
    st.builds(sk.KeyLarger, number63),
    st.builds(sk.KeySmaller, number63),
    st.builds(sk.KeyDate, st.sampled_from(sk.DateField), st.sampled_from(sk.DateOrder), st.dates(date(1, 1, 1))),
    st.builds(sk.KeyAge, nz, st.booleans()),
    st.builds(sk.KeyModSeq, number63),
    st.builds(sk.KeyEmailId, object_ids),
    st.builds(sk.KeyThreadId, object_ids),
)


def _nested(keys: st.SearchStrategy[sk.SearchKey]) -> st.SearchStrategy[sk.SearchKey]:
    return st.one_of(
        st.builds(sk.KeyAnd, st.lists(keys, min_size=2, max_size=4).map(tuple)),
        st.builds(sk.KeyOr, keys, keys),
        st.builds(sk.KeyNot, keys),
    )


search_keys = st.recursive(leaves, _nested, max_leaves=12)
returns = st.one_of(st.none(), st.frozensets(st.sampled_from(["MIN", "MAX", "ALL", "COUNT", "SAVE"]), min_size=1))
qresync = st.builds(
    c.QresyncParameter,
    nz,
    number63,
    st.one_of(st.none(), plain_sets),
    st.one_of(st.none(), st.tuples(plain_sets, plain_sets)),
)
bare = st.sampled_from(
    [
        c.Capability(),
        c.Noop(),
        c.Logout(),
        c.StartTls(),
        c.Namespace(),
        c.Idle(),
        c.Check(),
        c.Close(),
        c.Unselect(),
        c.Expunge(),
    ]
)
commands: st.SearchStrategy[c.Command] = st.one_of(
    bare,
    st.builds(
        c.Id,
        st.one_of(st.none(), st.lists(st.tuples(octets, st.one_of(st.none(), octets)), max_size=3).map(tuple)),
    ),
    st.builds(c.Login, octets, octets),
    st.builds(c.Authenticate, st.sampled_from(["PLAIN", "SCRAM-SHA-256"]), st.one_of(st.none(), st.binary())),
    st.builds(c.Enable, st.lists(atoms.map(str.upper), min_size=1, max_size=3).map(tuple)),
    st.builds(c.Select, octets, st.booleans(), st.booleans(), st.one_of(st.none(), qresync)),
    st.builds(c.Create, octets, st.lists(atoms.map(lambda name: "\\" + name), max_size=2).map(tuple)),
    st.builds(c.Delete, octets),
    st.builds(c.Rename, octets, octets),
    st.builds(c.Subscribe, octets),
    st.builds(c.Unsubscribe, octets),
    lists(),
    st.builds(c.Lsub, octets, octets),
    st.builds(c.Status, octets, status_items),
    st.builds(c.Append, octets, st.lists(messages(), min_size=1, max_size=3).map(tuple)),
    st.builds(c.Expunge, star_sets),
    st.builds(c.Copy, sets, octets, st.booleans()),
    st.builds(c.Move, sets, octets, st.booleans()),
    st.builds(
        c.Store,
        sets,
        st.sampled_from(c.StoreMode),
        flag_lists,
        st.booleans(),
        st.booleans(),
        st.one_of(st.none(), number63),
    ),
    fetches(),
    st.builds(
        c.Search, search_keys, st.booleans(), returns, st.one_of(st.none(), st.sampled_from(["UTF-8", "US-ASCII"]))
    ),
)


class RoundTripTests(unittest.SynchronousTestCase):
    """Printing, then reading and parsing."""

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(commands, st.randoms(use_true_random=False), st.sampled_from([b"a", b"A0001", b"]x.1", b"1"]))
    def test_printed_and_parsed(self, command: c.Command, random: object, tag: bytes) -> None:
        """What is printed is one command to the reader and the same object to the grammar."""
        choose = random.randrange  # type: ignore[attr-defined]
        wire = Printer(choose).command(tag, command)
        reader = CommandReader(AFTER_LOGIN)
        reader.feed(wire + b"\r\n")
        events = []
        while (event := reader.next_event()) is not None:
            if not isinstance(event, ContinuationWanted):
                events.append(event)
        self.assertEqual(events, [CommandReady(wire)])
        self.assertEqual(parse_command(wire), (tag, command))
