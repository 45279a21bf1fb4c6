"""``address``: which account gets the mail of which address."""

from __future__ import annotations

from uuid import uuid4

import click

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.finding import ACCOUNT, find_account
from cybertemp_imap.admin.work import Work, command, is_hosted
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.addresses import canonical, domain_forms
from cybertemp_imap.rules.domains import may_create
from cybertemp_imap.store import statements as store_sql
from cybertemp_imap.store.values import DomainRow


@click.group()
def address() -> None:
    """Addresses of accounts. Servers and open sessions know of a change at once."""


@command(address, "add", "address add box@example.com --account me@example.org")
@click.argument("text", metavar="ADDRESS")
@ACCOUNT
@click.option("--any-domain", is_flag=True, help="Do not ask whether the account may use the domain.")
def add(work: Work, text: str, name: str, any_domain: bool) -> None:
    """Give an account an address, by the rules by which it creates one itself."""
    wanted = canonical(text)
    if wanted is None:
        raise Refused(Refusal.BAD_ADDRESS)
    found = find_account(work, name)
    if not any_domain:
        if is_hosted(work.settings, "domains"):
            raise OperatorError("Domains are kept in Supabase: see there whether it is open, then give --any-domain.")
        rows = [DomainRow(*row) for row in work.query(store_sql.READ_DOMAINS)]
        refusal = may_create(wanted, found.id, rows)
        if refusal is not None:
            domain = wanted.rpartition("@")[2]
            why = "is not active" if refusal is Refusal.DOMAIN_INACTIVE else f"is not open to {found}"
            raise OperatorError(f"The domain {domain} {why}: see `domain list`, or give --any-domain.")
    quota = work.settings.address_quota
    work.query(store_sql.CREATE_ADDRESS, (found.id, wanted, domain_forms(wanted), quota, uuid4()))
    work.tell(f"{wanted} is an address of {found}.", address=wanted, user_id=found.id)


@command(address, "list", "address list --account me@example.org")
@click.option("--account", "name", metavar="EMAIL", help="Of this account only.")
def list_addresses(work: Work, name: str | None) -> None:
    """List addresses; those without an account were made by mail that came for them."""
    user = None if name is None else find_account(work, name).id
    columns = ("address", "account", "user_id", "created", "banned")
    work.table(
        columns, work.query(sql.LIST_ADDRESSES, (user, user)), "There are no addresses: see `address add --help`."
    )


@command(address, "release", "address release box@example.com")
@click.argument("text", metavar="ADDRESS")
def release(work: Work, text: str) -> None:
    """Give an address back. Its mail stays, and is its account's again should that create it again."""
    wanted = text.strip().lower()
    rows = work.query(sql.HOLDER, (text.strip(), wanted))
    if not rows or rows[0][0] is None:
        raise OperatorError(f"{wanted} is nobody's address: see `cybertemp-imap-admin address list`.")
    try:
        work.query(store_sql.DELETE_ADDRESS, (rows[0][0], wanted))
    except Refused as refused:
        if refused.refusal is Refusal.NO_SUCH_MAILBOX:
            raise OperatorError(f"{wanted} is banned: lift the ban before giving it back.") from None
        raise
    work.tell(f"{wanted} is nobody's address any more.", address=wanted, user_id=rows[0][0])
