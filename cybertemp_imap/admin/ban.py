"""``ban``: whose mail is hidden, and which addresses nobody may have."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import click

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.work import Work, command, is_hosted
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.bans import CONTAINS, EXACT, Ban, SenderBans, rule_of

_COLUMNS = ("id", "scope", "value", "match", "status", "created")


@click.group()
def ban() -> None:
    """Bans. They are in force at once, in open sessions too."""


@command(ban, "add", "ban add sender @spam.example --contains", hosted="bans")
@click.argument("scope", type=click.Choice(("sender", "email", "domain")))
@click.argument("value")
@click.option("--contains", is_flag=True, help="Whatever contains the value; without, the whole must be equal.")
def add(work: Work, scope: str, value: str, contains: bool) -> None:
    """Ban a sender, an address (email) or a domain.

    "sender" hides mail; "email" hides mail from an address and makes the address itself vanish; "domain" forbids new
    addresses on it and below.
    """
    match_type = CONTAINS if contains else EXACT
    rule = rule_of(Ban(scope, value, match_type))
    if rule is None:
        raise OperatorError("This ban would match nothing: give a value that is neither empty nor longer than 1,000.")
    if any(rule_of(Ban(*row[1:5])) == rule for row in work.query(sql.LIST_BANS)):
        raise OperatorError(f'There is such a ban already: {rule.scope} {rule.match_type} "{rule.value}".')
    made = uuid4()
    work.query(sql.ADD_BAN, (made, rule.scope, rule.value, rule.match_type))
    work.tell(f'Banned: {rule.scope} {rule.match_type} "{rule.value}".', id=made, scope=scope, value=rule.value)


@command(ban, "list", "ban list --json")
def list_bans(work: Work) -> None:
    """List all bans; where they are kept in Supabase, those that this database was last told of."""
    work.table(_COLUMNS, _rows(work), "There are no bans.")


@command(ban, "lift", "ban lift @spam.example", hosted="bans")
@click.argument("value")
@click.option("--scope", type=click.Choice(("sender", "email", "domain")), help="Only bans of this scope.")
def lift(work: Work, value: str, scope: str | None) -> None:
    """Lift bans, named by id or value; hidden mail comes back as new."""
    wanted = value.strip(" ").lower()
    ids = []
    for row in work.query(sql.LIST_BANS):
        rule = rule_of(Ban(*row[1:5]))
        if rule and wanted in (row[0], rule.value) and scope in (None, rule.scope):
            ids.append(row[0])
    if not ids:
        raise OperatorError(f'There is no active ban "{value}": see `cybertemp-imap-admin ban list`.')
    work.query(sql.LIFT_BANS, (ids,))
    work.tell(f"Bans lifted: {len(ids)}.", lifted=ids)


@command(ban, "test", "ban test 'News <news@spam.example>'")
@click.argument("sender")
def test(work: Work, sender: str) -> int:
    """Say which ban hides mail of a sender; status 1 where one does."""
    found = [row for row in _rows(work) if SenderBans.of([Ban(*row[1:5])]).hides(sender)]
    ((hidden,),) = work.query(sql.HIDES, (sender,))
    if work.as_json:
        work.tell("", hidden=hidden, bans=[dict(zip(_COLUMNS, row, strict=True)) for row in found])
    elif not hidden:
        work.tell("No ban hides mail of this sender.")
    else:
        lines = [
            f'hidden by: {row[1]} {row[3] or EXACT} "{row[2]}"' + (f" ({row[0]})" if row[0] else "") for row in found
        ]
        work.tell("\n".join(lines) or "Hidden, by bans that are kept elsewhere.")
    return 1 if hidden else 0


def _rows(work: Work) -> list[Any]:
    return work.query(sql.BANS_IN_FORCE if is_hosted(work.settings, "bans") else sql.LIST_BANS)
