"""The header fields that final delivery puts before a message (RFC 5321 section 4.4). Pure."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from typing import NamedTuple


class Transfer(NamedTuple):
    """How a message came. ``helo`` and ``host`` have been looked at; ``peer`` is an address, None for this machine."""

    protocol: str
    helo: str
    peer: str | None
    host: str
    id: str
    received_at: datetime


def transmission(lmtp: bool, extended: bool, tls: bool, utf8: bool) -> str:
    """Return the word for a protocol (RFC 3848 and RFC 6531 section 4.3)."""
    base = "LMTP" if lmtp else "SMTP"
    secure = "S" if tls else ""
    if utf8:
        return f"UTF8{base}{secure}"
    return base if not (lmtp or extended) else f"{'' if lmtp else 'E'}{base}{secure}"


def trace(transfer: Transfer, sender: str | None, recipient: str) -> bytes:
    """Return the trace lines for one recipient; without a sender that is known, no Return-Path."""
    peer = "" if transfer.peer is None else f" ([{'IPv6:' if ':' in transfer.peer else ''}{transfer.peer}])"
    origin = f"from {transfer.helo}{peer}\r\n\t" if transfer.helo else ""
    lines = [
        *([] if sender is None else [f"Return-Path: <{sender}>"]),
        f"Delivered-To: {recipient}",
        f"Received: {origin}by {transfer.host} with {transfer.protocol} id {transfer.id}",
        f"\tfor <{recipient}>; {format_datetime(transfer.received_at)}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()
