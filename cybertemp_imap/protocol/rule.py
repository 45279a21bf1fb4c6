"""What the server must know of a command before it is carried out, and what a command gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


class Completion(NamedTuple):
    """The tagged answer of a command that succeeded; ``code`` is a response code without its brackets."""

    text: str
    code: str | None = None


class Bad(Exception):
    """The command cannot be meant: answered with BAD and one fixed sentence."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


Run = Callable[["ImapServer", Any], Awaitable[Completion | None]]
"""Carries a command out; None means that it has answered already. Raises Refused, Bad, StoreUnavailable, Gone."""

ANY = ("unauth", "auth", "select")
AFTER_LOGIN = ("auth", "select")
SELECTED = ("select",)


@dataclass(frozen=True, slots=True)
class CommandRule:
    """A command's place in the dispatch tables.

    ``states``: where it is allowed. ``expunge``: whether EXPUNGE may be sent before its answer, which RFC 9051 section
    7.5.1 forbids for FETCH, STORE and SEARCH. ``streams``: whether its answer comes in pieces; a fault of the server
    after the first of them ends the connection, lest a part be taken for the whole.
    """

    name: str
    states: tuple[str, ...]
    run: Run
    expunge: bool = True
    streams: bool = False
