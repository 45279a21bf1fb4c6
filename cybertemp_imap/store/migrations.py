"""The database schema: which numbered files there are, which are applied, and applying the rest.

The files are ``schema/NNNN_name.sql``. Each is applied in one transaction, under an advisory lock that any number of
installers share, and is then on record in ``imap.schema_version``. Every version's transaction looks again at what is
applied, so that two installers at once do the work once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errors

from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store.connection import connect, describe

#: Held while a version is applied ("imap" in ASCII, so that others can tell whose it is in ``pg_locks``).
ADVISORY_LOCK = 0x696D6170

_VERSION_TABLE = "SELECT to_regclass('imap.schema_version') IS NOT NULL"
_APPLIED = "SELECT version FROM imap.schema_version ORDER BY version"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_RECORD = "INSERT INTO imap.schema_version (version, name) VALUES (%s, %s)"

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class SchemaError(OperatorError):
    """The schema is not what this version needs, or cannot be made so; the text is one sentence."""


class SchemaState(Enum):
    """How the database's schema compares with the files of this version."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered schema file."""

    version: int
    name: str
    sql: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.version:04d} {self.name}"


def schema_files() -> Traversable | Path:
    """Return the folder of the schema files: in an installed package its own, in a source tree the top level's."""
    packaged = resources.files("cybertemp_imap") / "schema"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "schema"


def migrations() -> list[Migration]:
    """Return all schema files in order of their numbers."""
    found = []
    for file in schema_files().iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    return sorted(found, key=lambda migration: migration.version)


def check(dsn: str) -> SchemaState:
    """Compare the database's schema with the files of this version.

    :raises DatabaseError: the database cannot be reached.
    :raises SchemaError: its version table cannot be read.
    """
    return compare(_applied_in(dsn))


def compare(applied: Collection[int]) -> SchemaState:
    """Compare the numbers of files that were applied with those of this version."""
    known = {migration.version for migration in migrations()}
    if not applied:
        return SchemaState.MISSING
    if max(applied) > max(known):
        return SchemaState.NEWER
    return SchemaState.CURRENT if known.issubset(applied) else SchemaState.OLDER


def pending(dsn: str) -> list[Migration]:
    """Return the files that :func:`migrate` would apply; it raises what :func:`check` raises."""
    applied = _applied_in(dsn)
    return [migration for migration in migrations() if migration.version not in applied]


def require_current(dsn: str) -> None:
    """Do nothing if the schema is what this version needs.

    :raises SchemaError: it is missing, older or newer; the sentence says what to do.
    """
    state = check(dsn)
    where = describe(dsn)
    if state is SchemaState.MISSING:
        raise SchemaError(f"The schema is missing in {where}: run `cybertemp-imap-admin migrate`.")
    if state is SchemaState.OLDER:
        raise SchemaError(
            f"The schema in {where} is older than this version needs: run `cybertemp-imap-admin migrate`."
        )
    if state is SchemaState.NEWER:
        raise SchemaError(_newer(where))


def migrate(dsn: str) -> list[Migration]:
    """Apply what is missing, and return what was applied: nothing where the schema is current.

    :raises DatabaseError: the database cannot be reached.
    :raises SchemaError: the schema is newer than this version, or the role lacks a privilege, or a file fails.
    """
    known = migrations()
    newest = known[-1].version
    done: list[Migration] = []
    with _session(dsn) as connection:
        for migration in known:
            with connection, connection.cursor() as cursor:
                cursor.execute(_LOCK, (ADVISORY_LOCK,))
                applied = _applied(cursor)
                if applied and max(applied) > newest:
                    raise SchemaError(_newer(describe(dsn)))
                if migration.version in applied:
                    continue
                _apply(cursor, migration, dsn)
                done.append(migration)
    return done


def _apply(cursor: Any, migration: Migration, dsn: str) -> None:
    try:
        cursor.execute(migration.sql)
        cursor.execute(_RECORD, (migration.version, migration.name))
    except errors.InsufficientPrivilege:
        raise
    except psycopg2.Error as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise SchemaError(
            f"Schema file {migration} cannot be applied to {describe(dsn)}, nothing of it was kept: {reason}."
        ) from error


def _newer(where: str) -> str:
    return f"The schema in {where} is newer than this version of cybertemp-imap: upgrade cybertemp-imap."


def _applied_in(dsn: str) -> set[int]:
    with _session(dsn) as connection, connection.cursor() as cursor:
        return _applied(cursor)


def _applied(cursor: Any) -> set[int]:
    cursor.execute(_VERSION_TABLE)
    if not cursor.fetchone()[0]:
        return set()
    cursor.execute(_APPLIED)
    return {version for (version,) in cursor.fetchall()}


@contextmanager
def _session(dsn: str) -> Iterator[Any]:
    """Yield a connection that is closed at the end; a missing privilege becomes a sentence."""
    connection = connect(dsn)
    try:
        yield connection
    except errors.InsufficientPrivilege as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise SchemaError(
            f"The role of DATABASE_URL lacks a privilege in {describe(dsn)} ({reason}): "
            "grant it, or run `cybertemp-imap-admin migrate` as the owner of the database."
        ) from error
    finally:
        connection.close()
