"""The project of the tests answers and refuses as a real one does."""

from __future__ import annotations

import json
from typing import Any

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.web.client import Agent, HTTPConnectionPool

from test.postgrest import KEY
from test.supabase_case import SupabaseTestCase

_KEYS = {"apikey": KEY, "Authorization": f"Bearer {KEY}"}
_NOBODY = "00000000-0000-0000-0000-000000000000"


class ProjectTests(SupabaseTestCase):
    """Five bans, asked for without the package's client."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Insert them."""
        await super().setUp()
        for number, value in enumerate(("a", "b", "c,d", 'e"', None)):
            insert = "INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', %s, %s, %s)"
            self.project.execute(insert, value or "null", f"m{number}", None if value is None else "active")

    async def ask(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> tuple[int, Any, str | None]:
        """Send a request; return status, JSON, and Content-Range."""
        pool = HTTPConnectionPool(reactor, persistent=False)
        given: Any = {**_KEYS, **(headers or {})}
        response = await HTTPClient(Agent(reactor, pool=pool)).request(
            method, f"{self.project.url}{path}", headers={k: v for k, v in given.items() if v}, data=body
        )
        content = await response.content()
        span = response.headers.getRawHeaders("Content-Range", [None])[0]
        return response.code, json.loads(content) if content else None, span

    async def values(self, query: str) -> list[str]:
        """Return the values that a query finds."""
        status, rows, _ = await self.ask(f"/rest/v1/bans?order=value&{query}")
        self.assertEqual(status, 200, rows)
        return [row["value"] for row in rows]

    async def test_operators(self) -> None:
        """Each operator of horizontal filtering, alone, negated and in logical operators."""
        every = ["a", "b", "c,d", 'e"', "null"]
        for query, expected in [
            ("value=eq.a", ["a"]),
            ("value=neq.a", every[1:]),
            ("value=gt.b", every[2:]),
            ("value=gte.b", every[1:]),
            ("value=lt.b", ["a"]),
            ("value=lte.b", every[:2]),
            ("value=like.*,d", ["c,d"]),
            ("value=ilike.C*", ["c,d"]),
            ("value=imatch.^A$", ["a"]),
            ("status=is.null", ["null"]),
            ("status=not.is.null", every[:4]),
            ("status=is.not_null", every[:4]),
            ("value=in.(a,b)", ["a", "b"]),
            ("value=in.(%22c,d%22,%22e%5C%22%22)", ["c,d", 'e"']),
            ("value=in.()", []),
            ("value=not.in.(a,b)", every[2:]),
            ("value=eq.%22a%22", []),
            ("or=(value.eq.a,and(value.gt.b,value.lt.d))", ["a", "c,d"]),
            ("or=(value.eq.%22c,d%22,value.eq.b)", ["b", "c,d"]),
            ("not.or=(value.eq.a,value.eq.b)", every[2:]),
            ("and=(value.not.eq.a,status.is.null)", ["null"]),
            ("value=eq.a&value=eq.b", []),
            ("limit=2&offset=1", ["b", "c,d"]),
        ]:
            self.assertEqual(await self.values(query), expected, query)

    async def test_refused(self) -> None:
        """What PostgREST refuses is refused with its status and code."""
        for query, status, code in [
            ("bans?nothing=eq.a", 400, "42703"),
            ("bans?select=nothing", 400, "42703"),
            ("bans?order=nothing", 400, "42703"),
            ("bans?id=eq.a", 400, "22P02"),
            ("bans?value=eq.a%00b", 400, "22021"),
            ("bans?value=like2.a", 400, "PGRST100"),
            ("bans?value=a", 400, "PGRST100"),
            ("bans?value=in.a", 400, "PGRST100"),
            ("bans?value=in.(a", 400, "PGRST100"),
            ("bans?value=is.maybe", 400, "PGRST100"),
            ("bans?or=(value.eq.a", 400, "PGRST100"),
            ("bans?or=(value.eq.a))", 400, "PGRST100"),
            ("bans?order=value.up", 400, "PGRST100"),
            ("bans?limit=-1", 416, "PGRST103"),
            ("nothing", 404, "PGRST205"),
        ]:
            found, body, _ = await self.ask(f"/rest/v1/{query}")
            self.assertEqual((found, body["code"]), (status, code), (query, body))
            self.assertEqual(set(body), {"code", "message", "details", "hint"})

    async def test_ranges(self) -> None:
        """Ranges by header and by query, with and without a count; the page limit holds whatever is asked."""
        counted = {"Prefer": "count=exact"}
        for path, headers, status, span in [
            ("", {}, 200, "0-4/*"),
            ("", counted, 200, "0-4/5"),
            ("?limit=2", counted, 206, "0-1/5"),
            ("", {**counted, "Range": "1-2"}, 206, "1-2/5"),
            ("", {"Range": "3-"}, 200, "3-4/*"),
            ("?value=eq.x", counted, 200, "*/0"),
        ]:
            found, _, content_range = await self.ask(f"/rest/v1/bans{path}", headers)
            self.assertEqual((found, content_range), (status, span), path)
        found, body, _ = await self.ask("/rest/v1/bans?offset=9", counted)
        self.assertEqual((found, body["code"]), (416, "PGRST103"))
        self.project.execute("INSERT INTO bans (scope, value) SELECT 'x', n || '' FROM generate_series(1, 1200) n")
        found, rows, _ = await self.ask("/rest/v1/bans?limit=5000")
        self.assertEqual((found, len(rows)), (200, 1000))

    async def test_writing(self) -> None:
        """Inserting and updating, with what is asked back; what is no JSON object is refused."""
        path, row = "/rest/v1/bans?value=eq.a", b'{"status": "inactive"}'
        self.assertEqual((await self.ask(path, {"Prefer": "return=minimal"}, "PATCH", row))[:2], (204, None))
        status, rows, _ = await self.ask(path, {"Prefer": "return=representation"}, "PATCH", row)
        self.assertEqual((status, [each["status"] for each in rows]), (200, ["inactive"]))
        self.assertEqual((await self.ask("/rest/v1/bans", {}, "POST", b'{"scope": "s", "value": "new"}'))[0], 201)
        self.assertEqual(await self.values("value=eq.new"), ["new"])
        for body, code in ((b"{", "PGRST102"), (b"[]", "PGRST102"), (b'{"nothing": 1}', "42703")):
            status, error, _ = await self.ask(path, {}, "PATCH", body)
            self.assertEqual((status, error["code"]), (400, code))
        self.assertEqual((await self.ask(path, {}, "PUT", row))[1]["code"], "PGRST117")

    async def test_keys_and_forms(self) -> None:
        """Nothing is answered without the right key in both headers; a form that cannot be given is 406."""
        for headers in ({"apikey": ""}, {"apikey": "x"}, {"Authorization": "Bearer x"}):
            for path in ("/rest/v1/bans", f"/auth/v1/admin/users/{_NOBODY}"):
                self.assertEqual((await self.ask(path, headers))[0], 401)
        for accept, code in (("text/html", "PGRST107"), ("application/vnd.pgrst.object+json", "PGRST116")):
            status, body, _ = await self.ask("/rest/v1/bans", {"Accept": accept})
            self.assertEqual((status, body["code"]), (406, code))
        status, body, _ = await self.ask(f"/auth/v1/admin/users/{_NOBODY}")
        self.assertEqual((status, body["error_code"]), (404, "user_not_found"))
        self.assertEqual((await self.ask("/nothing"))[0], 404)
