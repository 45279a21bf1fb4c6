"""Checks of ``doctor``: whether the server can hear of new mail, also where a pooler is in between."""

from __future__ import annotations

import select
from typing import Any

import psycopg2

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.findings import FAULT, OK, Finding, Patient
from cybertemp_imap.admin.work import first_line
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store.connection import connect

ROUND_TRIP_SECONDS = 5.0

LOOKS = 20
"""How often it is looked at which process answers: a pooler may hand its connections out in turn."""

LISTEN_URL = "IMAP_LISTEN_DATABASE_URL"

_POOLED = f"set {LISTEN_URL} to a connection string that leads to PostgreSQL itself, or to a pooler in session mode"


def check_notifications(patient: Patient) -> Finding:
    """Look for a pooler in transaction mode, and hear a notification of our own, as the server hears of new mail."""
    dsn, listening = patient.work.dsn, patient.work.settings.listen_database_url
    try:
        pooled = pools_transactions(dsn)
        if pooled if listening is None else pools_transactions(listening):
            told = f"{_variable(listening)} leads to a pooler in transaction mode, so new mail is told late"
            return Finding("notifications", FAULT, told, _POOLED)
        heard = _heard(listening or dsn, dsn)
    except OperatorError as error:
        return Finding("notifications", FAULT, str(error).replace("DATABASE_URL", _variable(listening)))
    except psycopg2.Error as error:
        return Finding("notifications", FAULT, first_line(error), _POOLED)
    if heard:
        past = ", past the pooler of DATABASE_URL" if pooled else ""
        return Finding("notifications", OK, f"LISTEN and NOTIFY work{past}")
    if listening is None:
        return Finding("notifications", FAULT, "LISTEN hears nothing, so new mail is told late", _POOLED)
    told = f"what is notified in the database of DATABASE_URL is not heard by {LISTEN_URL}"
    return Finding("notifications", FAULT, told, f"have {LISTEN_URL} lead to the same database, on the primary")


def _variable(listening: str | None) -> str:
    return "DATABASE_URL" if listening is None else LISTEN_URL


def pools_transactions(dsn: str) -> bool:
    """Tell whether transactions of one connection are run by several processes of PostgreSQL, or of two by one.

    :raises DatabaseError: it cannot be connected to.
    """
    first, second = connect(dsn), connect(dsn)
    try:
        first.autocommit = second.autocommit = True
        mine = _process(first)
        return any(_process(second) == mine or _process(first) != mine for _ in range(LOOKS))
    finally:
        first.close()
        second.close()


def _process(connection: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.PROCESS)
        return int(cursor.fetchone()[0])


def _heard(listening: str, notifying: str) -> bool:
    listener, notifier = connect(listening), connect(notifying)
    try:
        listener.autocommit = notifier.autocommit = True
        with listener.cursor() as cursor:
            cursor.execute(sql.LISTEN)
        with notifier.cursor() as cursor:
            cursor.execute(sql.NOTIFY)
        if not listener.notifies:
            select.select([listener], [], [], ROUND_TRIP_SECONDS)
            listener.poll()
        return bool(listener.notifies)
    finally:
        listener.close()
        notifier.close()
