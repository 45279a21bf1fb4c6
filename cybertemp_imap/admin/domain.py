"""``domain``: on which domains addresses can be created, and by whom."""

from __future__ import annotations

from uuid import UUID, uuid4

import click

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.finding import find_account
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.addresses import a_labels


@click.group()
def domain() -> None:
    """Domains. A running server knows of a change within IMAP_DOMAIN_CACHE seconds."""


@command(domain, "add", "domain add example.com --account me@example.org", hosted="domains")
@click.argument("name")
@click.option("--account", "owner", metavar="EMAIL", help="Whose it is; they alone create addresses on it.")
@click.option("--open", "is_open", is_flag=True, help="Every account may create addresses on it.")
def add(work: Work, name: str, owner: str | None, is_open: bool) -> None:
    """Add a domain, or enable one that is disabled."""
    wanted = _name(name)
    if (owner is None) != is_open:
        raise click.UsageError("Give either --account or --open.")
    if work.query(sql.FIND_DOMAIN, (wanted,)):
        raise OperatorError(f"There is a domain {wanted} already: see `domain list` and `domain enable`.")
    user = None if owner is None else find_account(work, owner).id
    work.query(sql.ADD_DOMAIN, (uuid4(), wanted, user, is_open))
    work.tell(f"The domain {wanted} was added.", domain=wanted, user_id=user, open=is_open)


@command(domain, "list", "domain list", hosted="domains")
def list_domains(work: Work) -> None:
    """List all domains."""
    columns = ("domain", "account", "user_id", "open", "active")
    work.table(columns, work.query(sql.LIST_DOMAINS), "There are no domains: see `domain add --help`.")


@command(domain, "disable", "domain disable example.com", hosted="domains")
@click.argument("name")
def disable(work: Work, name: str) -> None:
    """Let nobody create addresses on a domain; those there are stay."""
    _set_active(work, name, False)


@command(domain, "enable", "domain enable example.com", hosted="domains")
@click.argument("name")
def enable(work: Work, name: str) -> None:
    """Undo `domain disable`."""
    _set_active(work, name, True)


def _set_active(work: Work, name: str, active: bool) -> None:
    wanted = _name(name)
    ids: list[UUID] = [row[0] for row in work.query(sql.FIND_DOMAIN, (wanted,))]
    if not ids:
        raise OperatorError(f"There is no domain {wanted}: see `cybertemp-imap-admin domain list`.")
    work.query(sql.SET_ACTIVE, (active, ids))
    work.tell(f"The domain {wanted} is {'enabled' if active else 'disabled'}.", domain=wanted, active=active)


def _name(text: str) -> str:
    name = a_labels(text.strip().rstrip("."))
    if name is None or "." not in name:
        raise OperatorError(f'"{text}" is not a domain.')
    return name
