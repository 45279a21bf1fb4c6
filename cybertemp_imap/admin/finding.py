"""Finding what an operator names: accounts, mailboxes, and points in time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click

from cybertemp_imap import config_values
from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.work import Work, is_hosted
from cybertemp_imap.operator_error import OperatorError


@dataclass(frozen=True, slots=True)
class Account:
    """An account: ``email`` is empty where accounts are kept in Supabase."""

    id: UUID
    email: str = ""
    status: str | None = None
    until: datetime | None = None
    created_at: datetime | None = None

    def __str__(self) -> str:
        return self.email or str(self.id)


def find_account(work: Work, name: str) -> Account:
    """Return the account of an e-mail address or id; raises :class:`OperatorError` where there is none.

    Where accounts are kept in Supabase, only an id can be given: mail and addresses are here, e-mail addresses are not.
    """
    if is_hosted(work.settings, "accounts"):
        try:
            return Account(UUID(name))
        except ValueError:
            raise OperatorError(
                "Accounts are kept in Supabase: name the account by its id, as Supabase shows it."
            ) from None
    rows = work.query(sql.FIND_USERS, (name.strip().lower(), name.strip().lower()))
    if not rows:
        raise OperatorError(f'There is no account "{name}": see `cybertemp-imap-admin account list`.')
    if len(rows) > 1:
        raise OperatorError(f'There are several accounts "{name}": name one by its id.')
    return Account(*rows[0])


def moment(value: str) -> datetime:
    """Return a time to come: so long from now, as ``30d``, or a date, which is midnight UTC where it has no time."""
    now = datetime.now(UTC)
    try:
        if re.fullmatch(r"\d+[a-z]", value):
            return now + timedelta(seconds=config_values.age(value))
        found = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f'"{value}" is no time: write 30d, 12h, 2030-01-31 or 2030-01-31T12:00+00:00.'
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def age(value: str) -> float:
    """Return the seconds of a time such as ``30d``."""
    try:
        return config_values.age(value)
    except ValueError as error:
        raise click.BadParameter(f'"{value}" {error}.') from None


ACCOUNT = click.option("--account", "name", required=True, metavar="EMAIL", help="The account: its e-mail or its id.")
"""Names the account that a command is about."""
