"""What every command needs: settings, a connection, and a way to tell the outcome to a person or a program."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import click
import psycopg2
from psycopg2.extras import register_uuid
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cybertemp_imap import config
from cybertemp_imap.config import Settings
from cybertemp_imap.embedded import running_dsn
from cybertemp_imap.errors import Refused
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import connect, describe
from cybertemp_imap.store.writing import refusals

PROGRAM = "cybertemp-imap-admin"

Made = Callable[[Callable[..., int | None]], click.Command]

WIDE = 10_000
"""Columns of an output that is no terminal: nothing is cut there."""


class Mistake(click.ClickException):
    """What the operator can mend: one sentence and status 1."""

    def show(self, file: Any = None) -> None:
        """Print it on standard error."""
        click.echo(f"{PROGRAM}: {self.format_message()}", err=True)


class Work:
    """One command at work; the connection is made when it is first needed."""

    def __init__(self, database_url: str | None, env_file: str | None, as_json: bool) -> None:
        self.as_json = as_json
        self._database_url = database_url
        self._env_file = env_file
        self._connection: Any = None

    @functools.cached_property
    def settings(self) -> Settings:
        """The server's settings; raises :class:`OperatorError` for a mistake in them."""
        environ: Mapping[str, str] = os.environ
        if self._database_url:
            # Given by hand, it stands for the database of the server, whatever runs that.
            environ = {**environ, "DATABASE_URL": self._database_url, "IMAP_EMBEDDED": "false", "IMAP_DEMO": "false"}
        return config.load({}, environ, self._env_file)

    @functools.cached_property
    def dsn(self) -> str:
        """The connection string; that of the embedded PostgreSQL where the settings ask for it."""
        settings = self.settings
        if settings.database_url is not None:
            return settings.database_url
        return running_dsn(settings.data_dir)

    @property
    def bare_dsn(self) -> str:
        """The connection string, without a look at other settings."""
        return self._database_url or config.database_url(os.environ, self._env_file)

    @property
    def connection(self) -> Any:
        """The connection to a database whose schema is what this version needs."""
        if self._connection is None:
            migrations.require_current(self.dsn)
            self._connection = connect(self.dsn)
            register_uuid(conn_or_curs=self._connection)
        return self._connection

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement in the transaction at hand, and return its rows; raises :class:`Refused` by the rules."""
        with self.connection.cursor() as cursor, refusals():
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    def commit(self) -> None:
        """Keep what was done so far."""
        self.connection.commit()

    def close(self, keep: bool) -> None:
        """End the transaction and the connection."""
        if self._connection is not None:
            try:
                (self._connection.commit if keep else self._connection.rollback)()
            finally:
                self._connection.close()

    # -- telling ------------------------------------------------------------------------------------------------------

    def tell(self, sentence: str, **facts: Any) -> None:
        """Print a sentence for a person, or facts for a program."""
        click.echo(_dumped(facts) if self.as_json else printable(sentence))

    def note(self, sentence: str) -> None:
        """Print what a person should know besides, on standard error."""
        if not self.as_json:
            click.echo(printable(sentence), err=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], nothing: str) -> None:
        """Print rows as a table, or as a list of objects; ``nothing`` is said where there are none."""
        if self.as_json:
            click.echo(_dumped([dict(zip(columns, row, strict=True)) for row in rows]))
        elif not rows:
            click.echo(nothing)
        else:
            table = Table(*columns)
            for row in rows:
                table.add_row(*(Text(printable(shown(value))) for value in row))
            terminal = sys.stdout.isatty()
            Console(file=sys.stdout, width=None if terminal else WIDE).print(table)


def printable(text: str) -> str:
    """Return text without what could control a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def shown(value: Any) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S %z")
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return str(value)


def _dumped(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else list(value)


def command(group: click.Group | None, name: str, example: str, hosted: str | None = None) -> Made:
    """Make a function a command; it gets its :class:`Work` first and returns a status or None.

    :param group: what it belongs to; None for a command that stands alone.
    :param hosted: what of the product the command writes to ("accounts", "domains", "bans"): it is refused where that
        is kept in Supabase.
    """

    def decorate(function: Callable[..., int | None]) -> click.Command:
        @functools.wraps(function)
        def run(database_url: str | None, env_file: str | None, as_json: bool, **arguments: Any) -> None:
            try:
                with _working(Work(database_url, env_file, as_json)) as work:
                    if hosted is not None:
                        refuse_hosted(work.settings, hosted)
                    status = function(work, **arguments)
            except OperatorError as error:
                raise Mistake(str(error)) from error
            click.get_current_context().exit(status or 0)

        made: Any = run
        for option in (
            click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
            click.option("--env-file", metavar="FILE", help="Read settings from FILE instead of .env."),
            click.option("--database-url", metavar="URL", help="The database, instead of DATABASE_URL."),
        ):
            made = option(made)
        finished = click.command(name, epilog=f"Example: {PROGRAM} {example}")(made)
        if group is not None:
            group.add_command(finished)
        return finished

    return decorate


@contextmanager
def _working(work: Work) -> Iterator[Work]:
    """Keep what was done unless something goes wrong, and tell that in one sentence."""
    keep = False
    try:
        yield work
        keep = True
    except Refused as refused:
        raise OperatorError(refused.refusal.text) from None
    except psycopg2.errors.InsufficientPrivilege as error:
        raise OperatorError(
            f"The role of DATABASE_URL may not do this ({first_line(error)}): grant it, or use another role."
        ) from None
    except psycopg2.OperationalError as error:
        raise OperatorError(f"The connection to {describe(work.dsn)} failed: {first_line(error)}.") from None
    except psycopg2.Error as error:
        raise OperatorError(
            f"{describe(work.dsn)} refused this, and nothing was changed: {first_line(error)}."
        ) from None
    finally:
        work.close(keep)


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, without a full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


_SWITCHES = {
    "accounts": ("use_supabase_auth", "Accounts and tokens", "USE_SUPABASE_AUTH"),
    "domains": ("use_supabase_domains", "Domains", "USE_SUPABASE_DOMAINS"),
    "bans": ("use_supabase_bans", "Bans", "USE_SUPABASE_BANS"),
}


def is_hosted(settings: Settings, part: str) -> bool:
    """Tell whether "accounts", "domains" or "bans" are kept in Supabase."""
    return bool(getattr(settings, _SWITCHES[part][0]))


def refuse_hosted(settings: Settings, part: str) -> None:
    """Raise :class:`OperatorError` where a part is kept in Supabase: what is written here would not count."""
    _, name, variable = _SWITCHES[part]
    if is_hosted(settings, part):
        raise OperatorError(
            f"{name} are kept in Supabase ({settings.supabase_url}): look there, or set {variable}=false "
            "if they are in this database."
        )
