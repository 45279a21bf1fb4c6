"""Checks of ``doctor``: one account, its token, its addresses and its mail."""

from __future__ import annotations

import imaplib
from datetime import UTC, datetime

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.finding import Account, find_account
from cybertemp_imap.admin.findings import FAULT, OK, SKIPPED, WARNING, Finding, Findings, Patient
from cybertemp_imap.admin.probing import TIMEOUT, ports
from cybertemp_imap.admin.work import is_hosted
from cybertemp_imap.demo.loader import hashed
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.domains import may_create
from cybertemp_imap.rules.rights import Objection, objection
from cybertemp_imap.store import statements as store_sql
from cybertemp_imap.store.logins import login_record
from cybertemp_imap.store.values import DomainRow, LoginRecord

_ISSUE = "make one with `cybertemp-imap-admin token issue`"


def check_account(patient: Patient) -> Findings:
    """Look at everything that stands between an account and its mail."""
    if patient.account is None:
        return [Finding("account", SKIPPED, "name one with --account to have it examined")]
    try:
        account = find_account(patient.work, patient.account)
    except OperatorError as error:
        return [Finding("account", FAULT, str(error))]
    found = [] if is_hosted(patient.work.settings, "accounts") else [_right(patient, account)]
    return [*found, *_mailboxes(patient, account), *_login(patient, account)]


def _right(patient: Patient, account: Account) -> Finding:
    """Judge the token, or without one the subscription, by the rules of login."""
    record = LoginRecord(account.id, account.id, account.email, None, account.status, account.until)
    if patient.token is not None:
        rows = patient.work.query(store_sql.FIND_LOGIN, ([patient.token, hashed(patient.token)],))
        if not rows or rows[0][1] != account.id:
            told = "not accepted: " + ("it is another account's" if rows else "it is unknown, or was revoked")
            return Finding("token", FAULT, told, _ISSUE)
        record = login_record(rows[0])
    against = objection(record, datetime.now(UTC))
    if against is Objection.EXPIRED:
        return Finding("token", FAULT, "not accepted: it has expired", _ISSUE)
    if against is Objection.LAPSED:
        told = f"the subscription is {account.status}, so nobody can log in"
        return Finding("subscription", FAULT, told, f"`cybertemp-imap-admin account resume {account}`")
    return Finding("token" if patient.token else "subscription", OK, "lets its holder in")


def _mailboxes(patient: Patient, account: Account) -> Findings:
    work = patient.work
    rows = work.query(sql.LIST_ADDRESSES, (account.id, account.id))
    if not rows:
        remedy = f"`cybertemp-imap-admin address add name@domain --account {account}`"
        return [Finding("mailboxes", FAULT, "the account has no addresses, so no mail can come", remedy)]
    banned = "it is banned, so it is as if it were not there"
    remedy = "`cybertemp-imap-admin ban list`"
    found = [Finding(f"address {row[0]}", FAULT, banned, remedy) for row in rows if row[4]]
    if not is_hosted(work.settings, "domains"):
        domains = [DomainRow(*row) for row in work.query(store_sql.READ_DOMAINS)]
        for address in sorted(row[0] for row in rows):
            if may_create(address, account.id, domains) is not None:
                told = (
                    "its domain is not found, not active, or not open to the account; what comes is shown all the same"
                )
                found.append(Finding(f"address {address}", WARNING, told, "`cybertemp-imap-admin domain list`"))
    return [*found, _mail(patient, account)]


def _mail(patient: Patient, account: Account) -> Finding:
    ((messages, hidden),) = patient.work.query(sql.MAIL_OF, (account.id,))
    if messages == 0:
        remedy = "see that MX records lead to the receiver, and that it writes to the table emails of this database"
        return Finding("mail", WARNING, "no mail has come for the account's addresses", remedy)
    if hidden == messages:
        remedy = "`cybertemp-imap-admin ban test SENDER` says which ban hides it"
        return Finding("mail", FAULT, f"all of {messages} messages are hidden by bans of their senders", remedy)
    return Finding("mail", OK, f"{messages} messages, {hidden} of them hidden by bans")


def _login(patient: Patient, account: Account) -> Findings:
    """Log in at the server as a mail client does."""
    port = next((each for each in ports(patient.work.settings) if not each.proxied), None)
    if patient.token is None or not account.email or port is None:
        return [Finding("login", SKIPPED, "give --account by its e-mail, and --token-stdin, to have a login tried")]
    kind = imaplib.IMAP4_SSL if port.tls else imaplib.IMAP4
    try:
        client = kind(port.reachable, port.port, timeout=TIMEOUT * 4)
    except (OSError, imaplib.IMAP4.error) as error:
        return [Finding("login", FAULT, f"no connection to {port}: {error}", "see the finding on its port")]
    try:
        client.login(account.email, patient.token)
        _, listed = client.list()
        return [Finding("login", OK, f"worked, and showed {len(listed)} mailboxes")]
    except (imaplib.IMAP4.error, OSError) as error:
        told = str(error).removeprefix("b'").rstrip("'").replace(patient.token, "…")
        return [Finding("login", FAULT, f"the server refused it: {told}", "see the findings on token and subscription")]
    finally:
        client.shutdown()
