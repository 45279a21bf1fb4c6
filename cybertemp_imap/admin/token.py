"""``token``: what people and programs log in with."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import click

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.finding import ACCOUNT, find_account, moment
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.demo.loader import hashed
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.addresses import canonical

LIFE = timedelta(days=365)
"""How long a token lasts, unless it is said."""

OCTETS = 24
"""Of randomness in a token."""


@click.group()
def token() -> None:
    """Tokens: each lets its holder in to one account, as far as its limits go."""


@command(token, "issue", "token issue --account me@example.org --address box@example.com --read-only", "accounts")
@ACCOUNT
@click.option("--expires", type=moment, metavar="TIME", help="When it ends: 30d or 2030-01-31 [default: 365d].")
@click.option("--address", "addresses", multiple=True, metavar="ADDRESS", help="It reaches this alone; repeatable.")
@click.option("--read-only", is_flag=True, help="It changes nothing.")
@click.option("--until", type=moment, metavar="TIME", help="A limit in time that can be taken away.")
def issue(
    work: Work,
    *,
    name: str,
    expires: datetime | None,
    addresses: Sequence[str],
    read_only: bool,
    until: datetime | None,
) -> None:
    """Make a token. It is printed this once: the database has only its hash."""
    found = find_account(work, name)
    now = datetime.now(UTC)
    ends = expires or now + LIFE
    if min(ends, until or ends) <= now:
        raise OperatorError("The token would have expired already: give a time to come.")
    reached = sorted({_address(each) for each in addresses})
    token_id, secret = uuid4(), secrets.token_urlsafe(OCTETS)
    work.query(sql.ADD_TOKEN, (token_id, found.id, hashed(secret), ends))
    if reached or read_only or until:
        work.query(sql.ADD_LIMIT, (token_id, reached or None, read_only, until))
    theirs = {row[0].lower() for row in work.query(sql.LIST_ADDRESSES, (found.id, found.id))}
    for each in sorted(set(reached) - theirs):
        work.note(f"{each} is not the account's at present, and cannot be reached until it is.")
    # What is printed must be in the database.
    work.commit()
    facts = {"id": token_id, "token": secret, "account": str(found), "expires": ends}
    work.tell(secret, **facts, addresses=reached or None, read_only=read_only, until=until)
    work.note(f"Token {token_id} of {found}, good until {ends:%Y-%m-%d}. It is not shown again.")


@command(token, "list", "token list --account me@example.org", "accounts")
@click.option("--account", "name", metavar="EMAIL", help="Of this account only.")
def list_tokens(work: Work, name: str | None) -> None:
    """List tokens by their ids; the tokens themselves are not known."""
    user = None if name is None else find_account(work, name).id
    columns = ("id", "account", "expires", "last_used", "addresses", "read_only", "until", "hashed")
    work.table(columns, work.query(sql.LIST_TOKENS, (user, user)), "There are no tokens: see `token issue --help`.")


@command(token, "revoke", "token revoke 6b2a5c1e-0000-4000-8000-000000000000", "accounts")
@click.argument("token_id", type=click.UUID)
def revoke(work: Work, token_id: UUID) -> None:
    """Delete a token, named by its id; its sessions end within IMAP_RIGHTS_INTERVAL."""
    if not work.query(sql.DELETE_TOKEN, (token_id,)):
        raise OperatorError(f"There is no token {token_id}: see `cybertemp-imap-admin token list`.")
    work.query(sql.DELETE_LIMITS, ([token_id],))
    work.tell(f"The token {token_id} is revoked.", id=token_id)


def _address(text: str) -> str:
    address = canonical(text)
    if address is None:
        raise OperatorError(f'"{text}" is not an e-mail address.')
    return address
