"""``cybertemp-imap-admin`` in a test: click's runner over a database of the test's own."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from psycopg2.extras import register_uuid
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.admin.cli import program
from cybertemp_imap.store.connection import connect
from test.postgres import create_database, drop_database

USER = "me@example.org"


class AdminTestCase(SynchronousTestCase):
    """Each test has a database with the schema and no rows."""

    def setUp(self) -> None:
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.environ: dict[str, str] = {}

    def run_admin(self, *arguments: str, given: str | bytes | None = None) -> Result:
        """Run one command; ``given`` is its standard input."""
        variables = ("SUPABASE_URL", "SUPABASE_SERVICE_KEY", "IMAP_BIND", "IMAP_TLS_CERT", "IMAP_TLS_KEY")
        environ: dict[str, str | None] = {**dict.fromkeys(variables, ""), "DATABASE_URL": self.dsn, **self.environ}
        return CliRunner().invoke(program, arguments, input=given, env=environ)

    def done(self, *arguments: str, given: str | bytes | None = None) -> str:
        """Run a command that must succeed, and return what it prints on standard output."""
        result = self.run_admin(*arguments, given=given)
        self.assertEqual(result.exit_code, 0, f"{arguments}: {result.output} {result.exception!r}")
        return result.stdout

    def facts(self, *arguments: str) -> Any:
        """Run a command that must succeed with --json, and return what it says."""
        return json.loads(self.done(*arguments, "--json"))

    def refused(self, *arguments: str, status: int = 1) -> str:
        """Run a command that must end in one sentence and this status; return the sentence."""
        result = self.run_admin(*arguments)
        self.assertEqual((result.exit_code, result.stdout), (status, ""), f"{result.output} {result.exception!r}")
        sentence = result.stderr.strip()
        if status == 1:
            self.assertEqual(sentence.count("\n"), 0, sentence)
            self.assertTrue(sentence.startswith("cybertemp-imap-admin: "), sentence)
        return sentence

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own."""
        connection = connect(self.dsn)
        register_uuid(conn_or_curs=connection)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def hosted(self) -> None:
        """Have everything that can be in Supabase be there."""
        self.environ |= {"SUPABASE_URL": "https://project.supabase.co", "SUPABASE_SERVICE_KEY": "k3y"}

    def prepare(self) -> None:
        """Make an account with an open domain and an address."""
        self.done("account", "add", USER)
        self.done("domain", "add", "example.com", "--open")
        self.done("address", "add", "box@example.com", "--account", USER)
