"""``doctor``: looks at everything that can be wrong, and says what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from cybertemp_imap.admin.checks_account import check_account
from cybertemp_imap.admin.checks_database import check_database
from cybertemp_imap.admin.checks_replica import check_replica
from cybertemp_imap.admin.checks_service import check_certificate, check_ports, check_supabase
from cybertemp_imap.admin.findings import FAULT, OK, Finding, Findings, Patient
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.operator_error import OperatorError

CHECKS: tuple[Callable[[Patient], Findings], ...] = (check_ports, check_certificate, check_supabase)
"""What is checked whatever the state of the database is."""


@command(None, "doctor", "doctor --account me@example.org --token-stdin < token")
@click.option("--account", metavar="EMAIL", help="Examine this account too: its subscription, addresses and mail.")
@click.option("--token-stdin", is_flag=True, help="Read its token from standard input, and try to log in.")
@click.option("--name", metavar="HOST", help="The name by which clients connect; the certificate must be for it.")
def doctor(work: Work, account: str | None, token_stdin: bool, name: str | None) -> int:
    """Check settings, database, listener, replica, ports, certificate, Supabase, a login; status 1 with any fault."""
    token = sys.stdin.readline().strip() if token_stdin else None
    found = _examine(Patient(work, account, token or None, name))
    columns = ("check", "state", "told", "remedy")
    if work.as_json:
        work.table(columns, [(each.check, each.state, each.told, each.remedy) for each in found], "")
    else:
        for each in found:
            remedy = f"\n    what to do: {each.remedy}" if each.remedy and each.state != OK else ""
            work.tell(f"{each.state:8} {each.check}: {each.told}{remedy}")
    return 1 if any(each.state == FAULT for each in found) else 0


def _examine(patient: Patient) -> Findings:
    try:
        patient.work.settings  # noqa: B018
    except OperatorError as error:
        return [Finding("settings", FAULT, str(error))]
    found: list[Finding] = [Finding("settings", OK, "they can be read"), *check_database(patient)]
    healthy = all(each.state != FAULT or each.check not in ("database", "schema") for each in found)
    for check in CHECKS:
        found += check(patient)
    return [*found, *check_replica(patient), *check_account(patient)] if healthy else found
