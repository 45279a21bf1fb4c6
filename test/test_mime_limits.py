"""The limits of a message's structure: in pure functions, at both stores, and as a client sees them."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.config import Settings, load
from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.parse import MimeLimits, Part, parse
from cybertemp_imap.mime.render import render_parsed
from cybertemp_imap.rendition import RENDITION_VERSION, make_rendition, rendition_version
from cybertemp_imap.service import build_store
from cybertemp_imap.store.postgres import PostgresStore
from test import store_contract
from test.test_mime_parse import multipart, walk
from test.test_store_postgres import PostgresFixture
from test.wire import MINE, WireTestCase, letter

DSN = "postgresql://mail@localhost/mail"
FEW = MimeLimits(levels=10, parts=100)
DEEP = b"".join(multipart(b"--b%d\r\n" % n, boundary=b"b%d" % n) for n in range(10)) + b"\r\nthe innermost text\r\n"
"""11 levels, a part each."""
WIDE = multipart(b"--a\r\n\r\nx\r\n" * 100)
"""101 parts."""


def depth(part: Part) -> int:
    """Return the levels of a tree."""
    return 1 + max((depth(child) for child in part.children), default=0)


class PureTests(SynchronousTestCase):
    """Functions over octets."""

    def test_parse(self) -> None:
        """A message at its limit is read whole, and one beyond ends in one opaque part that holds the rest."""
        self.assertEqual(depth(parse(DEEP)), 11)
        self.assertEqual(depth(parse(DEEP, MimeLimits(levels=11))), 11)
        self.assertEqual(len(list(walk(parse(WIDE)))), 101)
        for message, allowed in ((DEEP, 10), (WIDE, 100)):
            parts = list(walk(parse(message, FEW)))
            self.assertEqual(len(parts), allowed)
            last = parts[-1]
            self.assertEqual((last.type, last.subtype, last.body_end), (b"application", b"octet-stream", len(message)))

    def test_everything_that_reads(self) -> None:
        """What is rendered, kept and searched looks no further."""
        row = letter(source=DEEP)
        self.assertEqual(depth(render_parsed(row, FEW)[1]), 10)
        self.assertIn("the innermost text", Letter(row).body_text)
        self.assertNotIn("the innermost text", Letter(row, limits=FEW).body_text)
        self.assertIn(b'"octet-stream"', make_rendition(DEEP, limits=FEW).body_structure)
        self.assertNotIn(b'"octet-stream"', make_rendition(DEEP).body_structure)

    def test_versions(self) -> None:
        """What was kept under other limits is never taken for one's own; PostgreSQL's integer holds every version."""
        self.assertEqual(rendition_version(MimeLimits()), RENDITION_VERSION)
        limits = [MimeLimits(levels, parts) for levels in range(10, 101, 10) for parts in range(100, 10_000, 300)]
        versions = {rendition_version(each) for each in limits}
        self.assertEqual(len(versions), len(limits))
        self.assertTrue(all(-(1 << 31) <= version < 0 for version in versions))


class SettingTests(SynchronousTestCase):
    """``IMAP_MIME_LEVELS`` and ``IMAP_MIME_PARTS``."""

    def test_store(self) -> None:
        """They become those of the store."""
        given = {"DATABASE_URL": DSN, "IMAP_MIME_LEVELS": "10", "IMAP_MIME_PARTS": "100"}
        store = build_store(load({}, given), DSN, reactor)
        self.assertEqual(store.mime_limits, FEW)
        self.assertEqual(build_store(Settings(database_url=DSN), DSN, reactor).mime_limits, MimeLimits())


class WireTests(WireTestCase):
    """What a client is told."""

    def test_structure_and_sections(self) -> None:
        """Structure, sections and search end at the same part, whose octets are all there."""
        self.store.mime_limits = FEW
        self.wire.deliver(source=DEEP)
        self.wire.deliver(source=WIDE)
        client = self.wire.session(MINE)
        client.ok("UID FETCH 1:2 (BODYSTRUCTURE)")
        found = client.ok("FETCH 1:2 (BODY BODY.PEEK[1.1.1.1.1.1.1.1.1] BODY.PEEK[1.1.1.1.1.1.1.1.1.1])").fetched()
        innermost = DEEP[DEEP.index(b"--b9") :]
        self.assertEqual(found[1][b"BODY[1.1.1.1.1.1.1.1.1]"], innermost)
        self.assertIsNone(found[1][b"BODY[1.1.1.1.1.1.1.1.1.1]"])
        self.assertEqual(len(found[2][b"BODY"].children), 99)
        self.assertEqual(client.ok("SEARCH BODY innermost").data("SEARCH"), [()])


class KeptTests(store_contract.StoreContract):
    """What PostgreSQL keeps."""

    fixture_type = PostgresFixture

    async def test_other_limits(self) -> None:
        """A server with other limits computes anew what one of the same database has kept, and the other way round."""
        assert isinstance(self.fixture, PostgresFixture)
        await self.deliver(letter(source=DEEP))
        mailbox = await self.open()
        other = PostgresStore(self.fixture.dsn, pool_size=1, mime_limits=FEW)
        await other.start()
        try:
            for _ in range(2):
                for store, limits in ((self.store, MimeLimits()), (other, FEW)):
                    (found,) = await store.metadata(mailbox, [1])
                    self.assertEqual(found.body_structure, make_rendition(DEEP, limits=limits).body_structure)
        finally:
            await other.stop()
