"""Puts the demonstration account and its mail into an empty database, and gives out its token."""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg2.extras import execute_values, register_uuid

from cybertemp_imap.demo.account import ADDRESSES, BANS, DOMAINS, USER, demo_id
from cybertemp_imap.demo.corpus import corpus
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store.connection import connect

#: In the data folder; readable for its owner alone.
TOKEN_FILE = "demo-token"

_ANY_USER = "SELECT EXISTS (SELECT 1 FROM users)"
_DEMO_USER = "SELECT id FROM users WHERE lower(email) = %s"
_INSERT_USER = "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')"
_INSERT_INBOX = "INSERT INTO inbox (id, email_address, user_id) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_INSERT_DOMAIN = "INSERT INTO domains (id, domain, user_id, active, cloudflare_domain) VALUES (%s, %s, %s, true, %s) "
_INSERT_BAN = "INSERT INTO bans (id, scope, value, match_type, status) VALUES (%s, %s, %s, %s, %s)"
_INSERT_EMAILS = (
    'INSERT INTO emails (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, "timestamp", flags, '
    "size, created_at) VALUES %s"
)
_VALID_TOKEN = "SELECT EXISTS (SELECT 1 FROM imap_tokens WHERE user_id = %s AND token = %s AND expires_at > %s)"
_DELETE_TOKENS = "DELETE FROM imap_tokens WHERE user_id = %s"
_INSERT_TOKEN = "INSERT INTO imap_tokens (id, user_id, token, expires_at) VALUES (%s, %s, %s, %s)"

_TOKEN_LIFE = timedelta(days=3650)


def prepare(dsn: str, data_dir: Path) -> str | None:
    """Load the demonstration if there is no user yet, and return a token that works.

    The token is kept in the data folder, because the database has only its hash; when the file is lost, a new token
    replaces the old one. Returns None where other users are and the demonstration is not.

    :raises DatabaseError: the database cannot be reached.
    :raises OperatorError: the token's file cannot be read or written.
    """
    connection = connect(dsn)
    register_uuid(conn_or_curs=connection)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_ANY_USER)
            if not cursor.fetchone()[0]:
                _load(cursor)
            return _token(cursor, data_dir / TOKEN_FILE)
    except OSError as error:
        raise OperatorError(f"The demo's token cannot be kept in {error.filename}: {error.strerror}.") from error
    finally:
        connection.close()


def hashed(token: str) -> str:
    """Return what the database holds of a token that this product issued."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def _load(cursor: Any) -> None:
    user = demo_id("user")
    cursor.execute(_INSERT_USER, (user, USER))
    for address in ADDRESSES:
        cursor.execute(_INSERT_INBOX, (demo_id(address), address, user))
    for domain, own in DOMAINS:
        cursor.execute(_INSERT_DOMAIN, (demo_id(domain), domain, user if own else None, not own))
    for ban in BANS:
        cursor.execute(_INSERT_BAN, (demo_id(f"ban:{ban}"), *ban))
    rows = [
        (
            demo_id(f"email:{number}"),
            message.mailbox_owner,
            message.mailbox,
            message.subject,
            message.body,
            message.html,
            message.from_addr,
            [message.mailbox_owner],
            message.timestamp,
            list(message.flags),
            message.size,
            message.timestamp + timedelta(seconds=2),
        )
        for number, message in enumerate(corpus())
    ]
    execute_values(cursor, _INSERT_EMAILS, rows)


def _token(cursor: Any, file: Path) -> str | None:
    cursor.execute(_DEMO_USER, (USER,))
    found = cursor.fetchone()
    if found is None:
        return None
    user = found[0]
    now = datetime.now(UTC)
    kept = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
    if kept:
        cursor.execute(_VALID_TOKEN, (user, hashed(kept), now))
        if cursor.fetchone()[0]:
            return kept
    token = secrets.token_urlsafe(18)
    cursor.execute(_DELETE_TOKENS, (user,))
    cursor.execute(_INSERT_TOKEN, (demo_id(f"token:{token}"), user, hashed(token), now + _TOKEN_LIFE))
    _write_privately(file, token)
    return token


def _write_privately(file: Path, token: str) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"{token}\n")
