"""Installing and upgrading the schema, in empty databases and in those of a running service."""

from __future__ import annotations

import contextlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import admin
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import DatabaseError, connect
from cybertemp_imap.store.migrations import Migration, SchemaError, SchemaState
from test.postgres import create_database, create_empty_database, drop_database

_TABLES = {"bans", "domains", "emails", "imap_tokens", "inbox", "users"}

# The tables as another program made them, before the newer columns of "emails".
_OLD_TABLES = """
CREATE TABLE emails (
    id uuid PRIMARY KEY, mailbox_owner text, mailbox text DEFAULT 'INBOX', subject text, body text, html text,
    from_addr text, to_addrs text[], timestamp timestamptz, flags text[], size bigint, created_at timestamptz
);
CREATE INDEX ON emails (mailbox_owner, mailbox);
CREATE INDEX ON emails (timestamp);
CREATE TABLE inbox (id uuid, email_address text UNIQUE, user_id uuid, created_at timestamptz);
CREATE TABLE domains (
    id uuid, domain text, user_id uuid, active boolean, cloudflare_domain boolean, created_at timestamptz
);
CREATE TABLE bans (id uuid, scope text, value text, match_type text, status text, created_at timestamptz);
CREATE TABLE imap_tokens (
    id uuid, user_id uuid, token text UNIQUE, expires_at timestamptz, last_used_at timestamptz, created_at timestamptz
);
CREATE TABLE users (
    id uuid, email text, subscription_status text, subscription_end_date timestamptz, created_at timestamptz
);
INSERT INTO users VALUES (md5('u')::uuid, 'A@example.com', 'active', NULL, now());
INSERT INTO inbox VALUES (md5('i')::uuid, 'a@example.com', md5('u')::uuid, now()),
    (md5('j')::uuid, 'b@example.com', NULL, now());
INSERT INTO bans VALUES (md5('b')::uuid, 'sender', 'x@example.org', 'exact', 'active', now());
INSERT INTO domains VALUES (md5('d')::uuid, 'example.com', md5('u')::uuid, true, false, now());
INSERT INTO imap_tokens VALUES (md5('t')::uuid, md5('u')::uuid, 'token', now(), NULL, now());
INSERT INTO emails SELECT md5(n::text)::uuid, 'a@example.com', 'INBOX', 'Subject ' || n, repeat('text ', n), NULL,
    'x@example.net', '{a@example.com}', now(), CASE n % 3 WHEN 0 THEN '{"\\\\Seen"}'::text[] END, 5 * n, now()
    FROM generate_series(1, 50) AS n;
"""

_NEWER_COLUMNS = "ALTER TABLE emails ADD encrypted boolean, ADD key_version integer"

_COLUMNS = """
SELECT table_name, column_name, data_type, column_default, is_nullable
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
_CONTENT = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t"


def query(dsn: str, statement: str) -> list[Any]:
    """Run one statement in a transaction of its own, and return its rows."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


class MigrationTestCase(SynchronousTestCase):
    """Each test has an empty database."""

    def setUp(self) -> None:
        self.dsn = create_empty_database()
        self.addCleanup(drop_database, self.dsn)

    def service_tables(self) -> list[Any]:
        """Return everything there is to see of the tables in ``public``: shape, indexes and rows."""
        content = [query(self.dsn, _CONTENT.format(table)) for table in sorted(_TABLES)]
        return [query(self.dsn, _COLUMNS), query(self.dsn, _INDEXES), content]


class InstallTests(MigrationTestCase):
    """What installing leaves behind."""

    def test_files_are_numbered(self) -> None:
        """The schema files are numbered from 1 on without a gap."""
        versions = [migration.version for migration in migrations.migrations()]
        self.assertEqual(versions, list(range(1, len(versions) + 1)))

    def test_empty_database(self) -> None:
        """The service's tables are created, everything else is in the schema "imap"."""
        self.assertIs(migrations.check(self.dsn), SchemaState.MISSING)
        done = migrations.migrate(self.dsn)
        self.assertEqual(done, migrations.migrations())
        self.assertIs(migrations.check(self.dsn), SchemaState.CURRENT)
        made = query(self.dsn, "SELECT table_schema, table_name FROM information_schema.tables")
        self.assertEqual({name for schema, name in made if schema == "public"}, _TABLES)
        self.assertIn(("imap", "schema_version"), made)
        columns = {(table, column): kind for table, column, kind, *_ in query(self.dsn, _COLUMNS)}
        self.assertEqual(columns["emails", "id"], "uuid")
        self.assertEqual(columns["emails", "encrypted"], "boolean")
        self.assertEqual(columns["emails", "flags"], "ARRAY")
        self.assertIn(("emails", "key_version"), columns)

    def test_idempotent(self) -> None:
        """A second run does nothing."""
        migrations.migrate(self.dsn)
        self.assertEqual(migrations.migrate(self.dsn), [])
        self.assertEqual(migrations.pending(self.dsn), [])

    def test_two_at_once(self) -> None:
        """Two installers at the same time do the work once, and neither fails."""
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(migrations.migrate, [self.dsn] * 4))
        self.assertEqual(sorted(m.version for one in done for m in one), [m.version for m in migrations.migrations()])

    def test_everything_has_a_comment(self) -> None:
        """Every table and column of ours says what it is."""
        migrations.migrate(self.dsn)
        bare = query(
            self.dsn,
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'imap'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped "
            "AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)",
        )
        self.assertEqual(bare, [])


class ExistingTablesTests(MigrationTestCase):
    """A database in which the service already runs."""

    def test_old_tables_untouched(self) -> None:
        """Tables without the newer columns keep their columns, indexes and rows."""
        query(self.dsn, _OLD_TABLES)
        before = self.service_tables()
        migrations.migrate(self.dsn)
        self.assertEqual(self.service_tables(), before)

    def test_newer_tables_untouched(self) -> None:
        """So do those with them."""
        query(self.dsn, _OLD_TABLES)
        query(self.dsn, _NEWER_COLUMNS)
        before = self.service_tables()
        migrations.migrate(self.dsn)
        self.assertEqual(self.service_tables(), before)

    def test_some_tables_missing(self) -> None:
        """Only what is missing is created."""
        query(self.dsn, _OLD_TABLES)
        query(self.dsn, "DROP TABLE bans")
        migrations.migrate(self.dsn)
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM emails"), [(50,)])
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM bans"), [(0,)])

    def test_rows_can_still_be_written(self) -> None:
        """The receiver's batch insert and the website's changes work as before."""
        query(self.dsn, _OLD_TABLES)
        migrations.migrate(self.dsn)
        query(
            self.dsn,
            "INSERT INTO emails (id, mailbox_owner, mailbox) SELECT md5('n' || n)::uuid, 'b@example.com', 'INBOX' "
            "FROM generate_series(1, 500) AS n",
        )
        query(self.dsn, "UPDATE emails SET flags = '{}' WHERE mailbox_owner = 'b@example.com'")
        query(self.dsn, "DELETE FROM emails WHERE mailbox_owner = 'b@example.com'")
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM emails"), [(50,)])


class StateTests(MigrationTestCase):
    """Schemas that are not the current one are told apart, and never changed by a server."""

    def refusal(self) -> str:
        """Return the sentence with which a server refuses the database."""
        return str(self.assertRaises(SchemaError, migrations.require_current, self.dsn))

    def test_missing(self) -> None:
        """An empty database says which command to run."""
        self.assertIn("is missing", self.refusal())
        self.assertIn("run `cybertemp-imap-admin migrate`", self.refusal())

    def test_older_then_upgraded(self) -> None:
        """A database at the first version is older, and can be upgraded."""
        with mock.patch.object(migrations, "migrations", return_value=migrations.migrations()[:1]):
            migrations.migrate(self.dsn)
        query(self.dsn, "INSERT INTO users (email) VALUES ('kept@example.com')")
        self.assertIs(migrations.check(self.dsn), SchemaState.OLDER)
        self.assertIn("older", self.refusal())
        self.assertEqual(migrations.migrate(self.dsn), migrations.migrations()[1:])
        self.assertEqual(query(self.dsn, "SELECT email FROM users"), [("kept@example.com",)])

    def test_newer(self) -> None:
        """A database of a later version is refused by server and installer alike."""
        migrations.migrate(self.dsn)
        query(self.dsn, "INSERT INTO imap.schema_version (version, name) VALUES (9000, 'future')")
        self.assertIs(migrations.check(self.dsn), SchemaState.NEWER)
        self.assertIn("upgrade cybertemp-imap", self.refusal())
        self.assertRaises(SchemaError, migrations.migrate, self.dsn)

    def test_failing_file(self) -> None:
        """A file that fails leaves nothing of itself; those before it stay."""
        broken = [
            *migrations.migrations(),
            Migration(9001, "broken", "CREATE TABLE imap.half (a int); SELECT 1/0;"),
        ]
        with mock.patch.object(migrations, "migrations", return_value=broken):
            error = self.assertRaises(SchemaError, migrations.migrate, self.dsn)
        self.assertIn("9001 broken cannot be applied", str(error))
        self.assertIn("division by zero", str(error))
        self.assertEqual(query(self.dsn, "SELECT to_regclass('imap.half')"), [(None,)])
        self.assertIs(migrations.check(self.dsn), SchemaState.CURRENT)

    def test_missing_privilege(self) -> None:
        """A role that may not create schemas is told so in one sentence."""
        name = parse_dsn(self.dsn)["dbname"]
        query(self.dsn, f"CREATE ROLE weak_{name} NOLOGIN")
        self.addCleanup(query, make_dsn(self.dsn, dbname="postgres"), f"DROP ROLE weak_{name}")
        weak = make_dsn(self.dsn, options=f"-c role=weak_{name}")
        error = self.assertRaises(SchemaError, migrations.migrate, weak)
        self.assertIn("lacks a privilege", str(error))
        self.assertNotIn("\n", str(error))


class ConnectionTests(MigrationTestCase):
    """What keeps PostgreSQL from being reached is one sentence without a password."""

    def refusal(self, dsn: str) -> str:
        """Return the sentence for a connection string that does not work."""
        sentence = str(self.assertRaises(DatabaseError, connect, dsn))
        self.assertNotIn("\n", sentence)
        return sentence

    def test_no_such_database(self) -> None:
        """The sentence says to create it."""
        sentence = self.refusal(make_dsn(self.dsn, dbname="nowhere", password="s3cret"))
        self.assertIn('database "nowhere" does not exist; create it', sentence)
        self.assertNotIn("s3cret", sentence)

    def test_refused(self) -> None:
        """The sentence says to start PostgreSQL."""
        sentence = self.refusal("postgresql://u:s3cret@127.0.0.1:9/d")
        self.assertIn("Connection refused", sentence)
        self.assertIn("start PostgreSQL", sentence)
        self.assertNotIn("s3cret", sentence)

    def test_not_a_connection_string(self) -> None:
        """Nothing of it is repeated."""
        self.assertEqual(self.refusal("s3cret"), "DATABASE_URL is not a PostgreSQL connection string.")


class AdminTests(MigrationTestCase):
    """The command ``cybertemp-imap-admin migrate``."""

    def run_admin(self, *arguments: str) -> tuple[int, str, str]:
        """Run it on the test's database; return status, output and errors."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, {"DATABASE_URL": self.dsn}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            return admin.main(["migrate", *arguments]), out.getvalue(), err.getvalue()

    def test_check_then_migrate(self) -> None:
        """--check says what migrate then does, and changes nothing."""
        status, out, _ = self.run_admin("--check")
        self.assertEqual((status, out.splitlines()[0]), (2, "would apply 0001 service_tables"))
        self.assertIs(migrations.check(self.dsn), SchemaState.MISSING)
        status, out, _ = self.run_admin()
        self.assertEqual((status, out.splitlines()[0]), (0, "applied 0001 service_tables"))
        for arguments in ((), ("--check",)):
            status, out, _ = self.run_admin(*arguments)
            self.assertEqual(status, 0)
            self.assertIn("is current", out)

    def test_mistake(self) -> None:
        """A mistake is one line on standard error, and a status that is not zero."""
        status, out, err = self.run_admin("--database-url", "host=127.0.0.1 port=9 dbname=d")
        self.assertEqual((status, out, err.count("\n")), (1, "", 1))
        self.assertTrue(err.startswith('cybertemp-imap-admin: cannot connect to database "d" at 127.0.0.1:9'))

    def test_newer(self) -> None:
        """Checking a newer schema fails."""
        migrations.migrate(self.dsn)
        query(self.dsn, "INSERT INTO imap.schema_version (version, name) VALUES (9000, 'future')")
        status, _, err = self.run_admin("--check")
        self.assertEqual(status, 1)
        self.assertIn("newer", err)


class TemplateTests(SynchronousTestCase):
    """The fixture of the other tests."""

    def test_databases_are_independent(self) -> None:
        """Two databases share no rows, and both have the current schema."""
        first, second = create_database(), create_database()
        self.addCleanup(drop_database, first)
        self.addCleanup(drop_database, second)
        query(first, "INSERT INTO users (email) VALUES ('a@example.com')")
        self.assertEqual(query(second, "SELECT count(*) FROM users"), [(0,)])
        migrations.require_current(second)
