"""``status``: what can be seen of a running service, from its ports and in the database."""

from __future__ import annotations

from typing import Any

from cybertemp_imap.admin import statements as sql
from cybertemp_imap.admin.probing import greeting, is_imap, ports, readiness
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.store.connection import LISTENS, describe


@command(None, "status", "status --json")
def status(work: Work) -> int:
    """Show whether the service answers, and what is in its database; status 1 where a port does not answer."""
    answers = {str(port): _answer(port) for port in ports(work.settings) if not port.proxied}
    ((version, users, addresses, mail, opened, waiting, listeners),) = work.query(sql.STATUS, (LISTENS,))
    ready = readiness(work.settings)
    facts: dict[str, Any] = {
        "ports": answers,
        "ready": ready,
        "database": describe(work.dsn),
        "schema": version,
        "listening_processes": listeners,
        "accounts": users,
        "addresses": addresses,
        "messages_about": mail,
        "opened_mailboxes": opened,
        "changes_waiting": waiting,
    }
    lines = [f"port {name}: {answer}" for name, answer in answers.items()]
    rest = {name: value for name, value in facts.items() if name != "ports" and value is not None}
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in rest.items()]
    work.tell("\n".join(lines), **facts)
    return 0 if all(is_imap(answer) for answer in answers.values()) and not (ready or "ok").startswith("not") else 1


def _answer(port: Any) -> str:
    try:
        return greeting(port) or "closed at once"
    except OSError as error:
        return f"no answer ({error.strerror or error})"
