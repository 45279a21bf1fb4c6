"""``account``: who may log in at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

import click

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.finding import find_account, moment
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.naming import account_key
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.subscription import may_log_in

SUSPENDED = "inactive"
"""A subscription status that lets nobody in."""

BATCH = 500
"""Messages deleted in one statement."""


@click.group()
def account() -> None:
    """Accounts: a person, or a program, that logs in with an e-mail address and a token."""


@command(account, "add", "account add me@example.org", hosted="accounts")
@click.argument("email")
def add(work: Work, email: str) -> None:
    """Make an account that may log in; it needs a token then, and addresses."""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise OperatorError(f'"{email}" is not an e-mail address.')
    work.query(sql.LOCK_USERS)
    if work.query(sql.FIND_USERS, (email.lower(), "")):
        raise OperatorError(f"There is an account {email} already.")
    user = uuid4()
    work.query(sql.ADD_USER, (user, email, "active", None))
    work.tell(f"The account {email} was made: {user}.", id=user, email=email)


@command(account, "list", "account list --json", hosted="accounts")
def list_accounts(work: Work) -> None:
    """List all accounts."""
    columns = ("id", "email", "subscription", "until", "addresses", "tokens")
    work.table(columns, work.query(sql.LIST_USERS), "There are no accounts: see `account add --help`.")


@command(account, "show", "account show me@example.org", hosted="accounts")
@click.argument("email")
def show(work: Work, email: str) -> None:
    """Show one account with its addresses and tokens."""
    found = find_account(work, email)
    addresses = [row[0] for row in work.query(sql.LIST_ADDRESSES, (found.id, found.id))]
    tokens = [row[0] for row in work.query(sql.LIST_TOKENS, (found.id, found.id))]
    allowed = may_log_in(found.status, found.until, datetime.now(UTC))
    told = [
        f"{found.email} ({found.id})",
        f"subscription: {found.status}" + (f" until {found.until:%Y-%m-%d %H:%M %z}" if found.until else ""),
        f"may log in: {'yes' if allowed else 'no'}",
        f"addresses: {', '.join(addresses) or 'none'}",
        f"tokens: {', '.join(map(str, tokens)) or 'none'}",
    ]
    work.tell(
        "\n".join(told),
        id=found.id,
        email=found.email,
        subscription=found.status,
        until=found.until,
        may_log_in=allowed,
        addresses=addresses,
        tokens=tokens,
    )


@command(account, "suspend", "account suspend me@example.org", hosted="accounts")
@click.argument("email")
def suspend(work: Work, email: str) -> None:
    """Let nobody in to an account; its mail stays. Open sessions end within IMAP_RIGHTS_INTERVAL."""
    found = find_account(work, email)
    work.query(sql.SET_SUBSCRIPTION, (SUSPENDED, found.until, found.id))
    work.tell(f"The account {found} is suspended.", id=found.id, subscription=SUSPENDED)


@command(account, "resume", "account resume me@example.org --until 2030-01-31", hosted="accounts")
@click.argument("email")
@click.option("--until", type=moment, metavar="TIME", help="When it ends; without, it does not.")
def resume(work: Work, email: str, until: datetime | None) -> None:
    """Let an account log in, again or for longer."""
    found = find_account(work, email)
    # Of these, "past_due" is the one whose end counts (rules/subscription).
    status = "active" if until is None else "past_due"
    work.query(sql.SET_SUBSCRIPTION, (status, until, found.id))
    work.tell(f"The account {found} may log in.", id=found.id, subscription=status, until=until)


@command(account, "delete", "account delete me@example.org --yes", hosted="accounts")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(work: Work, email: str, yes: bool) -> None:
    """Delete an account, its tokens and its own folders; its addresses are given back.

    Mail that came to the addresses stays in the database until it is purged; nobody else is ever shown it.
    """
    found = find_account(work, email)
    if not yes:
        click.confirm(f"Delete the account {found} with its tokens and folders?", abort=True, err=True)
    tokens = [row[0] for row in work.query(sql.DELETE_TOKENS_OF, (found.id,))]
    work.query(sql.DELETE_LIMITS, (tokens,))
    addresses = [row[0] for row in work.query(sql.GIVE_BACK_ALL, (found.id,))]
    work.query(sql.DELETE_USER, (found.id,))
    work.query(sql.FORGET_MAILBOXES, (found.id,))
    work.query(sql.DELETE_SUBSCRIPTIONS, (found.id,))
    work.commit()
    messages, gone = 0, BATCH
    while gone == BATCH:
        ((gone,),) = work.query(sql.DELETE_MAIL, (account_key(found.id), BATCH))
        work.commit()
        messages += gone
    work.tell(
        f"The account {found} is deleted, with {len(tokens)} tokens, {len(addresses)} addresses, and {messages} "
        "messages of its own folders.",
        id=found.id,
        tokens=tokens,
        addresses=addresses,
        messages=messages,
    )
