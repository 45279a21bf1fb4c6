"""Blocking connections to PostgreSQL, for what happens outside of a session: migrations, the demo, the tests.

Whatever keeps PostgreSQL from being reached is told in one sentence, which never holds a password.
"""

from __future__ import annotations

import re
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from cybertemp_imap.operator_error import OperatorError

#: Seconds to wait for a server that does not answer, unless the connection string says otherwise.
CONNECT_TIMEOUT = 10

#: Begins what the connection that listens asks for, so that pg_stat_activity shows who listens.
LISTENS = "/* cybertemp_imap listens */ "

#: The oldest server version supported, as ``server_version`` counts.
OLDEST_SERVER = 120000

_REMEDIES: tuple[tuple[str, str], ...] = (
    (r'database "[^"]*" does not exist', "create it, or correct the name in DATABASE_URL"),
    (r'role "[^"]*" does not exist', "create the role, or correct the user in DATABASE_URL"),
    (r"password authentication failed|no password supplied", "correct the user and password in DATABASE_URL"),
    (r"no pg_hba.conf entry|[Pp]eer authentication failed", "allow this connection in the server's pg_hba.conf"),
    (r"Connection refused|No such file or directory", "start PostgreSQL, or correct host and port in DATABASE_URL"),
    (r"could not translate host name", "correct the host in DATABASE_URL"),
    (r"timeout expired|timed out", "check host and port in DATABASE_URL, and the firewall in between"),
    (r"too many clients|remaining connection slots", "raise max_connections, or lower IMAP_POOL_SIZE"),
    (r"starting up|shutting down|recovery mode", "try again when PostgreSQL has started"),
    (r"SSL|certificate", "correct the ssl settings in DATABASE_URL"),
)


#: How a connection is found to be lost whose other end is gone without a word: within a minute, in seconds and (for
#: ``tcp_user_timeout``) milliseconds. They mean nothing for a local socket.
_WATCH = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}


class DatabaseError(OperatorError):
    """PostgreSQL cannot be reached or used; the text is one sentence for the operator."""


class DatabaseAway(DatabaseError):
    """PostgreSQL cannot be reached at the moment, by nobody's mistake as far as can be told; it is worth waiting."""


#: What libpq, or a server that starts or stops, says then. Anything else is for the operator to mend.
_AWAY = re.compile(
    r"Connection refused|No such file or directory|starting up|shutting down|recovery mode"
    r"|too many (clients|connections)|remaining connection slots"
    r"|timeout expired|timed out|server closed the connection|Connection reset|Broken pipe"
    r"|No route to host|Network is (unreachable|down)|Host is (unreachable|down)|not yet accepting connections"
    # PgBouncer's words for a PostgreSQL that is away, and for itself.
    r"|server login has been failing|cannot connect to server|query_wait_timeout|no more connections allowed"
    r"|Temporary failure in name resolution|session is (read-only|not read-only)|server is (not )?in hot standby"
)


def watched(dsn: str) -> str:
    """Return a connection string that has dead connections noticed, as far as it does not say itself how."""
    try:
        parts = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        return dsn
    return str(make_dsn(dsn, **{name: value for name, value in _WATCH.items() if name not in parts}))


def describe(dsn: str) -> str:
    """Return where a connection string leads, without its password: ``database "d" at host:port``."""
    try:
        parts = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        return "the database"
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    where = host if host.startswith("/") or "port" not in parts else f"{host}:{parts['port']}"
    name = parts.get("dbname") or parts.get("user")
    return f'database "{name}" at {where}' if name else f"the database at {where}"


def explain(dsn: str, error: BaseException) -> str:
    """Return one sentence on why ``dsn`` could not be connected to, and what to do about it."""
    reasons = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = reasons[0] if reasons else type(error).__name__
    if len(reasons) > 1 and re.search(r"failed:?$", reason):
        reason = f"{reason} {reasons[1]}"
    password = _password(dsn)
    if password:
        reason = reason.replace(password, "…")
    reason = re.sub(r"^connection to server .*? failed: *", "", reason)
    reason = re.sub(r"^(FATAL|ERROR): *", "", reason).rstrip(".")
    remedy = next((text for pattern, text in _REMEDIES if re.search(pattern, str(error))), "check DATABASE_URL")
    return f"cannot connect to {describe(dsn)}: {reason}; {remedy}."


def _password(dsn: str) -> str | None:
    try:
        found: str | None = parse_dsn(dsn).get("password")
    except psycopg2.ProgrammingError:
        return None
    return found


def connect(dsn: str) -> Any:
    """Return a psycopg2 connection.

    :raises DatabaseError: it cannot be had, or the server is older than PostgreSQL 12.
    :raises DatabaseAway: it cannot be had at the moment.
    """
    try:
        options = {} if "connect_timeout" in parse_dsn(dsn) else {"connect_timeout": CONNECT_TIMEOUT}
        connection = psycopg2.connect(make_dsn(dsn, **options))
    except psycopg2.ProgrammingError:
        raise DatabaseError("DATABASE_URL is not a PostgreSQL connection string.") from None
    except psycopg2.OperationalError as error:
        kind = DatabaseAway if _AWAY.search(str(error)) else DatabaseError
        raise kind(explain(dsn, error)) from error
    if connection.server_version < OLDEST_SERVER:
        connection.close()
        raise DatabaseError(f"{describe(dsn)} is older than PostgreSQL 12: upgrade the server.")
    return connection
