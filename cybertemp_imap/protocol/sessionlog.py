"""One line in the log for each thing that happens in a session, in logfmt or JSON.

A line holds what the server knows by itself: the session's number, the client's address, the account that has logged
in, names of commands, counts and times. Nothing that a client sends goes in, neither arguments nor the name somebody
tried to log in with, which may be a token typed into the wrong field.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger, LogLevel

from cybertemp_imap.counts import Counts

if TYPE_CHECKING:
    from cybertemp_imap.errors import Refusal
    from cybertemp_imap.protocol.connection import Connection

_log = Logger(namespace="cybertemp_imap.sessions")

Value = str | int | float | bool

LEVELS: dict[str, Any] = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warn": LogLevel.warn,
    "error": LogLevel.error,
}

SLOW = 1.0
"""Seconds from which on a command that succeeded is of interest by itself."""

RATE = 20.0
BURST = 200.0
"""Lines a second, and at once, of one session that has logged in, and of all others together."""

# Printable ASCII without the quote, "=" and the backslash.
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+")


def logfmt(fields: dict[str, Value]) -> str:
    """Return fields as ``name=value``, quoted where they must be."""
    return " ".join(f"{name}={_shown(value)}" for name, value in fields.items())


def as_json(fields: dict[str, Value]) -> str:
    """Return fields as a JSON object."""
    return json.dumps(fields)


FORMS: dict[str, Callable[[dict[str, Value]], str]] = {"logfmt": logfmt, "json": as_json}


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


class Budget:
    """So many lines a second, and some at once; the next line tells how many were left out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = BURST
        self._since = now()
        self.dropped = 0

    def take(self) -> bool:
        """Tell whether a line may be written."""
        now = self._now()
        self._left = min(BURST, self._left + (now - self._since) * RATE)
        self._since = now
        if self._left < 1:
            self.dropped += 1
            return False
        self._left -= 1
        return True


class SessionLog:
    """Writes the lines of all sessions that are at ``level`` or above it."""

    def __init__(self, form: str, level: str, now: Callable[[], float]) -> None:
        """``form`` is one of :data:`FORMS`, ``level`` one of :data:`LEVELS`; ``now`` returns the time in seconds."""
        self._form = FORMS[form]
        # Looked up for every command, so that what is not written costs next to nothing.
        self.wanted = frozenset(name for name, each in LEVELS.items() if each >= LEVELS[level])
        self._now = now
        self._strangers = Budget(now)
        self.counts = Counts()

    def session(self, session: Connection) -> SessionNotes:
        """Return the notes of a new session."""
        return SessionNotes(self, session, self._now)

    def write(self, level: str, fields: dict[str, Value], budget: Budget | None) -> None:
        """Write a line, unless there are too many; ``budget`` is that of a session that has logged in."""
        budget = budget or self._strangers
        if not budget.take():
            return
        if budget.dropped:
            fields["dropped"], budget.dropped = budget.dropped, 0
        _log.emit(LEVELS[level], "{line}", line=self._form(fields))


class SessionNotes:
    """What is logged of one session."""

    def __init__(self, log: SessionLog, session: Connection, now: Callable[[], float]) -> None:
        self.id = secrets.token_hex(4)
        self._log = log
        self._now = now
        self._began = now()
        self._peer = session.origin.shown
        self._port = int(getattr(session.transport.getPeer(), "port", 0) or 0)
        self._user: str | None = None
        self._budget: Budget | None = None
        self._commands = 0
        self._why = "client"
        self._counts = log.counts
        self._counts.connections += 1
        self.note("connect", "debug", tls=session.encrypted)

    def note(self, event: str, level: str = "info", **more: Value) -> None:
        """Write a line, if its level is wanted."""
        if level not in self._log.wanted:
            return
        fields: dict[str, Value] = {"event": event, "session": self.id, "peer": self._peer, "port": self._port}
        if self._user is not None:
            fields["user"] = self._user
        self._log.write(level, {**fields, **more}, self._budget)

    def logged_in(self, user: str, method: str, tls: bool) -> None:
        """Note a login; ``user`` is the account's address as the server knows it."""
        self._user = user
        self._budget = Budget(self._now)
        self._counts.logins["ok"] += 1
        self.note("login", method=method, tls=tls)

    def login_failed(self, reason: Refusal, method: str) -> None:
        """Note a login that failed."""
        self.login_refused(reason)
        self.note("login-failed", reason=reason.name.lower(), method=method)

    def login_refused(self, reason: Refusal) -> None:
        """Count a login that was not let in, for another reason than what was sent."""
        self._counts.logins[reason.name.lower()] += 1

    def command(self, name: str, status: str, began: float) -> None:
        """Note a command that is over; one that succeeded in good time is a detail."""
        self._commands += 1
        took = self._now() - began
        self._counts.command(name, status, took)
        seconds = round(took, 4)
        quick = seconds < SLOW or name == "IDLE"
        # Without an answer: the client left, which the end of the session tells.
        level = "debug" if status in ("OK", "-") and quick else "info"
        self.note("command", level, command=name, status=status, seconds=seconds)

    def ending(self, why: str) -> None:
        """Remember why the server ends the session; the first reason counts."""
        if self._why == "client":
            self._why = why

    def ended(self) -> None:
        """Note the end; that of a client which never logged in is a detail."""
        level = "debug" if self._user is None else "info"
        seconds = round(self._now() - self._began, 1)
        self.note("end", level, why=self._why, seconds=seconds, commands=self._commands)
