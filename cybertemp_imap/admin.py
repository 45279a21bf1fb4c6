"""``cybertemp-imap-admin``: what an operator does to the database by hand."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cybertemp_imap import config
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return the status to leave with. A mistake is one sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        dsn = options.database_url or config.database_url(os.environ, options.env_file)
        return _check(dsn) if options.check else _migrate(dsn)
    except OperatorError as error:
        print(f"cybertemp-imap-admin: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cybertemp-imap-admin", description="Looks after the database of cybertemp-imap."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    migrate = commands.add_parser("migrate", help="install or upgrade the schema; does nothing where it is current")
    migrate.add_argument("--check", action="store_true", help="only say what would be done; status 2 if there is any")
    migrate.add_argument("--database-url", metavar="URL", help="the database [default: DATABASE_URL]")
    migrate.add_argument("--env-file", metavar="FILE", help="file to read DATABASE_URL from [default: .env]")
    return parser


def _check(dsn: str) -> int:
    if migrations.check(dsn) is migrations.SchemaState.NEWER:
        migrations.require_current(dsn)
    waiting = migrations.pending(dsn)
    for migration in waiting:
        print(f"would apply {migration}")
    if not waiting:
        print(f"The schema in {describe(dsn)} is current.")
    return 2 if waiting else 0


def _migrate(dsn: str) -> int:
    done = migrations.migrate(dsn)
    for migration in done:
        print(f"applied {migration}")
    if not done:
        print(f"The schema in {describe(dsn)} is current.")
    return 0
