"""The PostgreSQL below our server, and the mail in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from psycopg2.extras import execute_values, register_uuid

from bench.corpus import Mail
from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.store import migrations

USER = "bench@example.com"

#: As an operator would set it up for a machine of this kind: everything that a crash must not lose is kept.
SETTINGS = {
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "work_mem": "16MB",
}

BATCH = 500
INSERT = (
    "INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, "
    '"timestamp", flags, size, created_at) VALUES %s'
)


class Database:
    """A PostgreSQL of its own below ``folder``, with one user in it."""

    def __init__(self, folder: Path, programs: Path | None) -> None:
        self._server = EmbeddedPostgres(folder / "database", programs, "bench", SETTINGS)
        self.token = secrets.token_urlsafe(18)
        self._user = uuid4()
        self._deliveries: Any = None

    @property
    def dsn(self) -> str:
        """Its connection string; only while it runs."""
        return self._server.dsn

    def start(self) -> None:
        """Start it, install the schema and add the user."""
        self._server.start()
        register_uuid()
        migrations.migrate(self.dsn)
        self._add_user(self._user, USER, self.token)

    def add_account(self, email: str, addresses: Iterable[str]) -> str:
        """Add an account with its addresses, and return its token."""
        user, token = uuid4(), secrets.token_urlsafe(18)
        self._add_user(user, email, token)
        for address in addresses:
            self.add_address(address, user)
        return token

    def _add_user(self, user: UUID, email: str, token: str) -> None:
        self.execute(
            "INSERT INTO public.users (id, email, subscription_status) VALUES (%s, %s, 'active')", (user, email)
        )
        self.execute(
            "INSERT INTO public.imap_tokens (user_id, token, expires_at) VALUES (%s, %s, %s)",
            (user, token, datetime.now(UTC) + timedelta(days=1)),
        )

    def add_address(self, address: str, user: UUID | None = None) -> None:
        """Give an address to a user, or to the one of the bench."""
        self.execute("INSERT INTO public.inbox (email_address, user_id) VALUES (%s, %s)", (address, user or self._user))

    def stop(self) -> None:
        """Stop it."""
        if self._deliveries is not None:
            self._deliveries.close()
            self._deliveries = None
        self._server.stop()

    def process(self) -> int:
        """Return the process number of the server, whose children serve connections."""
        ((folder,),) = self.execute("SHOW data_directory")
        return int(Path(folder, "postmaster.pid").read_text().split()[0])

    def version(self) -> str:
        """Return the version of PostgreSQL."""
        ((version,),) = self.execute("SHOW server_version")
        return str(version)

    def fill(self, address: str, mails: Iterable[Mail]) -> None:
        """Deliver mail as the receiver does: rows in batches, nothing known of IMAP."""
        self.add_address(address)
        rest = iter(mails)
        while batch := list(islice(rest, BATCH)):
            connection = psycopg2.connect(self.dsn)
            with connection, connection.cursor() as cursor:
                execute_values(cursor, INSERT, [row_values(mail) for mail in batch], page_size=50)
            connection.close()

    def deliver(self, address: str, mail: Mail) -> float:
        """Deliver one message under a new id, on a connection that is kept; return the moment before COMMIT."""
        if self._deliveries is None:
            self._deliveries = psycopg2.connect(self.dsn)
        with self._deliveries.cursor() as cursor:
            execute_values(cursor, INSERT, [(uuid4(), address, *row_values(mail)[2:])])
        moment = monotonic()
        self._deliveries.commit()
        return moment

    def settle(self) -> None:
        """Do now what PostgreSQL would otherwise do in the midst of what is measured."""
        self.execute("VACUUM ANALYZE")
        self.execute("CHECKPOINT")

    def forget(self) -> None:
        """Make the database one that IMAP has never seen, with all the mail in it."""
        self.execute("DROP SCHEMA imap CASCADE")
        migrations.migrate(self.dsn)
        self.settle()

    def execute(self, statement: str, values: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement by itself, and return its rows."""
        connection = psycopg2.connect(self.dsn)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()


def row_values(mail: Mail) -> tuple[Any, ...]:
    """Return a row of ``emails``, in the order of :data:`INSERT`."""
    row = mail.row
    size = len((row.body or "").encode()) + len((row.html or "").encode())
    return (
        row.id,
        row.owner,
        row.folder,
        row.subject,
        row.body,
        row.html,
        row.from_addr,
        list(row.to_addrs),
        row.timestamp,
        list(mail.flags),
        size,
        row.created_at,
    )
