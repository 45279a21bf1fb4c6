"""A real PostgreSQL for the tests: started when a test first needs it, removed when the process ends.

``TEST_POSTGRES_BIN`` names the folder of ``postgres`` and ``initdb`` to use; by default they are those of the
``embedded`` extra. A test asks for a database of its own, made from a template in which the schema is installed::

    class MailboxTests(TestCase):
        def setUp(self) -> None:
            self.dsn = create_database()
            self.addCleanup(drop_database, self.dsn)
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.store import migrations

_TEMPLATE = "template_imap"

#: Nothing a test stores must survive a crash of the machine.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


def test_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs that the tests are to use; None for those of the wheel."""
    configured = os.environ.get("TEST_POSTGRES_BIN")
    return Path(configured) if configured else None


class TestPostgres:
    """The one server of this process, and the databases made in it."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="imap-test-", dir="/tmp")
        # PostgreSQL may run under an account of its own, which has to pass through here.
        os.chmod(self._folder, 0o711)
        self._server = EmbeddedPostgres(Path(self._folder), test_programs(), _TEMPLATE, _SETTINGS)
        self._numbers = itertools.count(1)
        atexit.register(self._remove)
        self._server.start()
        migrations.migrate(self._server.dsn)

    def _remove(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def create(self, template: str = _TEMPLATE) -> str:
        """Make a database from ``template`` and return its connection string."""
        name = f"test_{next(self._numbers)}"
        statement = "CREATE DATABASE {} TEMPLATE {}"
        self._execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        return self._server.dsn_of(name)

    def drop(self, dsn: str) -> None:
        """Remove a database, ending the sessions that still use it."""
        name = sql.Identifier(parse_dsn(dsn)["dbname"])
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def _execute(self, statement: Any) -> None:
        connection = psycopg2.connect(self._server.dsn_of("postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


_server: TestPostgres | None = None


def server() -> TestPostgres:
    """Return the server of this process, started at the first call."""
    global _server
    if _server is None:
        _server = TestPostgres()
    return _server


def create_database() -> str:
    """Return the connection string of a new database with the current schema and no rows."""
    return server().create()


def create_empty_database() -> str:
    """Return the connection string of a new database without any table."""
    return server().create("template0")


def drop_database(dsn: str) -> None:
    """Remove a database made by :func:`create_database`; sessions that still use it are ended."""
    server().drop(dsn)
