"""Checks of ``doctor``: the replica that messages may be read from."""

from __future__ import annotations

import psycopg2

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.findings import OK, WARNING, Finding, Findings, Patient
from cybertemp_imap.admin.work import first_line
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store.connection import connect, describe
from cybertemp_imap.store.statements import SYSTEM

VARIABLE = "IMAP_REPLICA_URL"

ISOLATION = "read committed"
"""What transactions there must be: in others, what is read may be older than the look at how far the replica is."""

BEHIND_SECONDS = 10.0
"""A replica that is further behind is hardly ever read from."""


def check_replica(patient: Patient) -> Findings:
    """Look at whether it is one of this database, and how far behind; none of it keeps the server from serving."""
    dsn = patient.work.settings.replica_url
    if dsn is None:
        return []
    try:
        connection = connect(dsn)
    except OperatorError as error:
        return [Finding("replica", WARNING, str(error).replace("DATABASE_URL", VARIABLE))]
    try:
        # A replica refuses all else where the default is serializable.
        connection.set_session(isolation_level=ISOLATION)
        with connection, connection.cursor() as cursor:
            cursor.execute(SYSTEM)
            (system,) = cursor.fetchone()
            cursor.execute(sql.REPLICA)
            state = cursor.fetchone()
    except psycopg2.Error as error:
        return [Finding("replica", WARNING, first_line(error), "the server reads from the primary until it answers")]
    finally:
        connection.close()
    if [(system,)] != patient.work.query(SYSTEM):
        told = f"{describe(dsn)} is not a copy of the database of DATABASE_URL"
        return [Finding("replica", WARNING, told, f"have {VARIABLE} lead to a standby of it, and the same database")]
    return [_state(describe(dsn), *state)]


def _state(where: str, in_recovery: bool, isolation: str, behind: float) -> Finding:
    if not in_recovery:
        told = f"{where} is a primary, so nothing is read from it"
        return Finding("replica", WARNING, told, f"have {VARIABLE} lead to a standby, or remove it")
    if isolation != ISOLATION:
        told = f"default_transaction_isolation is {isolation} on {where}, so nothing is read from it"
        remedy = f"set it to {ISOLATION} where it is set: there, or for the role or the database on the primary"
        return Finding("replica", WARNING, told, remedy)
    if behind > BEHIND_SECONDS:
        told = f"{where} is {behind:.0f} s behind the primary, so little is read from it"
        return Finding("replica", WARNING, told, "look at its load, and at pg_stat_replication on the primary")
    return Finding("replica", OK, f"{where} follows")
