"""Checks of ``doctor``: the database and what the server needs of it."""

from __future__ import annotations

from datetime import UTC, datetime

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.checks_notifications import check_notifications
from cybertemp_imap.admin.findings import FAULT, OK, WARNING, Finding, Findings, Patient
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import connect, describe

CLOCK_SECONDS = 5.0
"""By how much the clocks of database and server may differ."""


def check_database(patient: Patient) -> Findings:
    """Connect, compare the schema, and look at what depends on both."""
    dsn = patient.work.dsn
    try:
        connect(dsn).close()
    except OperatorError as error:
        return [Finding("database", FAULT, str(error))]
    reached = Finding("database", OK, f"{describe(dsn)} answers")
    try:
        migrations.require_current(dsn)
    except OperatorError as error:
        return [reached, Finding("schema", FAULT, str(error))]
    return [
        reached,
        Finding("schema", OK, "it is current"),
        _privileges(patient),
        _triggers(patient),
        check_notifications(patient),
        _clock(patient),
    ]


def _privileges(patient: Patient) -> Finding:
    missing = [f"{right} on {table}" for table, right in patient.work.query(sql.MISSING_PRIVILEGES)]
    if not missing:
        return Finding("privileges", OK, "the role may do what the server does")
    remedy = "grant it to the role of DATABASE_URL, or use the role that ran `cybertemp-imap-admin migrate`"
    return Finding("privileges", FAULT, f"the role of DATABASE_URL lacks {', '.join(missing[:5])}", remedy)


def _triggers(patient: Patient) -> Finding:
    off = [f"{name} of {table}" for name, table in patient.work.query(sql.TRIGGERS_OFF)]
    if not off:
        return Finding("triggers", OK, "all are there and on")
    remedy = "switch them on with ALTER TABLE … ENABLE TRIGGER …: they may have been left off by a restore"
    return Finding("triggers", FAULT, f"off, so new mail is seen late: {', '.join(off)}", remedy)


def _clock(patient: Patient) -> Finding:
    before = datetime.now(UTC)
    ((there,),) = patient.work.query(sql.CLOCK)
    here = before + (datetime.now(UTC) - before) / 2
    apart = abs((there - here).total_seconds())
    if apart <= CLOCK_SECONDS:
        return Finding("clock", OK, f"database and this machine differ by {apart:.1f} s")
    told = f"the clocks of the database and of this machine are {apart:.0f} s apart"
    return Finding("clock", WARNING, told, "have both follow NTP: tokens end, and mail is dated, by them")
