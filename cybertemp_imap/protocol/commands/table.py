"""All commands: the rule of each, and which typed command object belongs to which."""

from __future__ import annotations

from cybertemp_imap.protocol import command as c
from cybertemp_imap.protocol.command import Command
from cybertemp_imap.protocol.commands import (
    append,
    authenticate,
    capability,
    close,
    copy,
    enable,
    expunge,
    fetch,
    folders,
    identify,
    idle,
    listing,
    login,
    logout,
    namespace,
    noop,
    search,
    select,
    starttls,
    status,
    store,
    subscribe,
)
from cybertemp_imap.protocol.rule import AFTER_LOGIN, ANY, SELECTED, CommandRule

NAMES: dict[type[Command], str] = {
    c.Capability: "CAPABILITY",
    c.Noop: "NOOP",
    c.Logout: "LOGOUT",
    c.Id: "ID",
    c.StartTls: "STARTTLS",
    c.Login: "LOGIN",
    c.Authenticate: "AUTHENTICATE",
    c.Enable: "ENABLE",
    c.Select: "SELECT",
    c.Create: "CREATE",
    c.Delete: "DELETE",
    c.Rename: "RENAME",
    c.Subscribe: "SUBSCRIBE",
    c.Unsubscribe: "UNSUBSCRIBE",
    c.List: "LIST",
    c.Lsub: "LSUB",
    c.Namespace: "NAMESPACE",
    c.Status: "STATUS",
    c.Append: "APPEND",
    c.Idle: "IDLE",
    c.Check: "CHECK",
    c.Close: "CLOSE",
    c.Unselect: "UNSELECT",
    c.Expunge: "EXPUNGE",
    c.Copy: "COPY",
    c.Move: "MOVE",
    c.Fetch: "FETCH",
    c.Store: "STORE",
    c.Search: "SEARCH",
}
"""Names in the dispatch tables; UID forms and EXAMINE are those of their command."""

APPEND_RULE = CommandRule("APPEND", AFTER_LOGIN, append.run)

RULES = (
    CommandRule("CAPABILITY", ANY, capability.run),
    CommandRule("NOOP", ANY, noop.run),
    CommandRule("LOGOUT", ANY, logout.run),
    CommandRule("ID", ANY, identify.run),
    CommandRule("LOGIN", ("unauth",), login.run),
    CommandRule("AUTHENTICATE", ("unauth",), authenticate.run),
    CommandRule("STARTTLS", ("unauth",), starttls.run),
    CommandRule("ENABLE", AFTER_LOGIN, enable.run),
    CommandRule("NAMESPACE", AFTER_LOGIN, namespace.run),
    CommandRule("LIST", AFTER_LOGIN, listing.run_list, streams=True),
    CommandRule("LSUB", AFTER_LOGIN, listing.run_lsub),
    CommandRule("SUBSCRIBE", AFTER_LOGIN, subscribe.run_subscribe),
    CommandRule("UNSUBSCRIBE", AFTER_LOGIN, subscribe.run_unsubscribe),
    CommandRule("STATUS", AFTER_LOGIN, status.run),
    CommandRule("CREATE", AFTER_LOGIN, folders.run_create),
    CommandRule("DELETE", AFTER_LOGIN, folders.run_delete),
    CommandRule("RENAME", AFTER_LOGIN, folders.run_rename),
    APPEND_RULE,
    CommandRule("IDLE", AFTER_LOGIN, idle.run),
    CommandRule("COPY", SELECTED, copy.run_copy),
    CommandRule("MOVE", SELECTED, copy.run_move),
    CommandRule("SELECT", AFTER_LOGIN, select.run),
    CommandRule("CHECK", SELECTED, noop.run),
    CommandRule("CLOSE", SELECTED, close.run_close),
    CommandRule("UNSELECT", SELECTED, close.run_unselect),
    CommandRule("EXPUNGE", SELECTED, expunge.run),
    CommandRule("FETCH", SELECTED, fetch.run, expunge=False, streams=True),
    CommandRule("STORE", SELECTED, store.run, expunge=False),
    CommandRule("SEARCH", SELECTED, search.run, expunge=False),
)


def name_of(command: Command) -> str:
    """Return a command's name in the dispatch tables."""
    return NAMES.get(type(command), type(command).__name__.upper())
