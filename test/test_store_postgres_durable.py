"""What PostgreSQL must have on disk before anyone goes on, and what it need not."""

from __future__ import annotations

from cybertemp_imap.store.values import FlagMode
from test.store_contract import StoreContract, letter
from test.test_store_postgres import PostgresFixture

_NOTE = """
    CREATE TABLE noted (name text, durable text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO noted VALUES (tg_table_name, current_setting('synchronous_commit'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER noted AFTER INSERT OR UPDATE ON imap.rendition FOR EACH STATEMENT EXECUTE FUNCTION note();
    CREATE TRIGGER noted AFTER INSERT OR UPDATE ON imap.message FOR EACH STATEMENT EXECUTE FUNCTION note();
"""


class DurableTests(StoreContract):
    """Which commits wait for the disk."""

    fixture_type = PostgresFixture

    async def test_commits(self) -> None:
        """UIDs and flags are on disk before they are told; what can be computed again is not waited for."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        fixture.execute((_NOTE, ()))
        await self.deliver(letter())
        mailbox = await self.open()
        await self.refresh(mailbox)
        await self.store.metadata(mailbox, [1])
        await self.store.store_flags(mailbox, [1], FlagMode.ADD, ["\\Seen"], None)
        noted = {tuple(row) for row in fixture.execute(("SELECT name, durable FROM noted", ()))}
        self.assertEqual(noted, {("message", "on"), ("rendition", "off")})
