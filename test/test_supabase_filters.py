"""Filters: what goes over the wire, and that no value changes what is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg2.extras import execute_values
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.supabase import filters
from cybertemp_imap.supabase.filters import Filter
from test.postgrest_grammar import parse_query
from test.supabase_case import SupabaseTestCase

_ID = UUID(int=5)

HOSTILE = [
    "",
    " ",
    "plain",
    "PLAIN",
    "a,b",
    "a)b",
    "(a",
    '"',
    '"a"',
    'a"),id.neq.("b',
    "\\",
    "\\\\",
    'a\\"',
    "a\\",
    "%",
    "a%b",
    "_",
    "a_b",
    "*",
    "a*b",
    "**",
    "\\*",
    "a.b",
    "eq.a",
    "not.eq.a",
    "in.(a)",
    "(a,b)",
    "null",
    "a&select=id",
    "a&or=(id.not.is.null)",
    "a=b",
    "a#b",
    "a?b",
    "a+b",
    "a b",
    "a%20b",
    "%00",
    "%2C",
    "a\nb",
    "a\r\nX: y",
    "\t",
    "é",
    "É",
    "ß",
    "漢字",
    "🙂",
    "\u202e",
    "\ufffe",
    "a;b",
    "a:b",
    "{a}",
    "a|b",
    "^a$",
    "a/../b",
    "'; DROP TABLE bans; --",
    "$1",
    "x" * 900,
]


class WireTests(SynchronousTestCase):
    """What a query looks like."""

    def test_table(self) -> None:
        """Filters are written as PostgREST's documentation has them."""
        for condition, expected in [
            (filters.eq("token", "a"), "token=eq.a"),
            (filters.eq("token", 'a,"b"'), 'token=eq.a,"b"'),
            (filters.eq("id", _ID), f"id=eq.{_ID}"),
            (filters.gt("id", 7), "id=gt.7"),
            (filters.ilike("value", "50%_\\"), "value=ilike.50\\%\\_\\\\"),
            (filters.ilike("value", "a*b"), "value=imatch.^a\\*b$"),
            (filters.is_in("token", ["a,b", 'c"', "\\"]), 'token=in.("a,b","c\\"","\\\\")'),
            (
                filters.any_of(filters.eq("a", "x,y"), filters.all_of(filters.eq("b", ")"), filters.is_in("c", ["d"]))),
                'or=(a.eq."x,y",and(b.eq.")",c.in.("d")))',
            ),
        ]:
            self.assertEqual(unquote(filters.query([condition])), expected)

    def test_everything_encoded(self) -> None:
        """Nothing but unreserved characters is left in a value."""
        text = filters.query([filters.eq("token", "&=#?+ ;/:é\n%\"'(),*")])
        self.assertRegex(text, r"\Atoken=[A-Za-z0-9_.~%-]*\Z")

    def test_paging(self) -> None:
        """Columns, order, limit and offset."""
        text = filters.query([], select=("id", "value"), order="id", limit=10, offset=20)
        self.assertEqual(text, "select=id%2Cvalue&order=id.asc&limit=10&offset=20")

    def test_refused(self) -> None:
        """What no PostgreSQL text can hold, empty lists and names that are no column are refused."""
        for make in (
            lambda: filters.eq("token", "a\0b"),
            lambda: filters.eq("token", "\ud800"),
            lambda: filters.is_in("token", []),
            lambda: filters.is_in("token", [""]),
            lambda: filters.eq("token=eq.a&x", "b"),
        ):
            self.assertRaises(ValueError, make)


# What is the same without case differs between Python and PostgreSQL beyond a few scripts.
_caseless = st.characters(codec="utf-8", exclude_characters="\0").filter(lambda one: one.lower() == one.upper())
_text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.sampled_from("aA,.()\"'\\%_*&=#+-; \n:eqinot$^é"), max_size=8),
    st.text(alphabet=_caseless, max_size=8),
)

_SQL_OF_VALUES = "CREATE TABLE probe (id serial PRIMARY KEY, value text UNIQUE)"


class HostileValueTests(SupabaseTestCase):
    """A table of hostile values: a filter finds the row that has the value, and no other."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Fill the table."""
        await super().setUp()
        self.project.execute(_SQL_OF_VALUES)
        with self.project.tables._database.cursor() as cursor:
            execute_values(cursor, "INSERT INTO probe (value) VALUES %s", [(value,) for value in HOSTILE])

    async def found(self, *conditions: Filter) -> list[str | None]:
        """Ask over the wire."""
        return await self.supabase.rows("probe", ("value",), conditions, lambda row: row.text("value"))

    async def test_each(self) -> None:
        """Every filter, with every one of the values."""
        for value in HOSTILE:
            self.assertEqual(await self.found(filters.eq("value", value)), [value])
            self.assertEqual(await self.found(filters.any_of(filters.eq("value", value))), [value])
            if value:
                self.assertEqual(await self.found(filters.is_in("value", [value])), [value])
                both = filters.all_of(filters.is_in("value", [value, "a,b"]), filters.eq("value", value))
                self.assertEqual(await self.found(both), [value])
            same = {other for other in HOSTILE if other.lower() == value.lower()}
            self.assertEqual(set(await self.found(filters.ilike("value", value))), same, value)
            self.assertEqual(set(await self.found(filters.any_of(filters.ilike("value", value)))), same, value)

    async def test_list(self) -> None:
        """A list of all values finds them all."""
        found = await self.found(filters.is_in("value", [value for value in HOSTILE if value]))
        self.assertEqual(sorted(map(str, found)), sorted(HOSTILE[1:]))

    async def test_update(self) -> None:
        """An update changes the row that has the value, and no other."""
        for number, value in enumerate(HOSTILE):
            await self.supabase.update("probe", [filters.eq("value", value)], {"value": f"new {number}"})
        rows = self.project.execute("SELECT value FROM probe ORDER BY id")
        self.assertEqual([value for (value,) in rows], [f"new {number}" for number in range(len(HOSTILE))])


class HostileGrammarTests(SupabaseTestCase):
    """The same with generated values, read by PostgREST's grammar and asked of PostgreSQL itself."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Make the table."""
        await super().setUp()
        self.project.execute(_SQL_OF_VALUES)

    def found(self, condition: Filter) -> set[str]:
        """Ask without the network."""
        query = parse_query(filters.query([condition]).encode())
        with self.project.tables._database.cursor() as cursor:
            statement = f"SELECT value FROM probe WHERE {query.where.as_string(cursor)}"
            cursor.execute(statement)
            return {value for (value,) in cursor.fetchall()}

    def test_generated(self) -> None:
        """Whatever the values are, each filter finds exactly those rows that have the value."""

        @settings(max_examples=300, deadline=None)
        @given(st.lists(_text, min_size=1, max_size=6, unique=True), _text)
        @example(["a", "a*b", "axb"], "a*b")
        @example(["ab", "a\\"], 'a\\","b')
        def check(values: list[str], other: str) -> None:
            self.project.execute("TRUNCATE probe")
            with self.project.tables._database.cursor() as cursor:
                execute_values(cursor, "INSERT INTO probe (value) VALUES %s", [(value,) for value in values])
            for value in {*values, other}:
                self._check(values, value)

        check()

    def _check(self, values: Sequence[str], value: str) -> None:
        expected = {value} & set(values)
        forms: list[Callable[[], Filter]] = [
            lambda: filters.eq("value", value),
            lambda: filters.any_of(filters.eq("value", value), filters.eq("id", -1)),
            lambda: filters.all_of(filters.eq("value", value), filters.any_of(filters.gt("id", -1))),
        ]
        if value:
            forms.append(lambda: filters.is_in("value", [value]))
            forms.append(lambda: filters.any_of(filters.is_in("value", [value, "no such value"])))
        for form in forms:
            self.assertEqual(self.found(form()), expected, filters.query([form()]))
        for found in (
            self.found(filters.ilike("value", value)),
            self.found(filters.any_of(filters.ilike("value", value))),
        ):
            self.assertLessEqual(expected, found)
            self.assertEqual({other.lower() for other in found} - {value.lower()}, set(), (value, found))
