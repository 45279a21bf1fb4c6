"""The forms of settings: each function makes a value of what somebody wrote, or raises :class:`ValueError`.

The text of the error goes on after the value: ``is not true or false``.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import idna
from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

MOST_WORKERS = 128
"""Processes that a server may have."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: an IP address and a port, 0 for any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """The address as a Twisted endpoint string."""
        escaped = self.host.replace(":", "\\:")
        return f"tcp:{self.port}:interface={escaped}"


def connection_string(value: str) -> str:
    """Return a PostgreSQL connection string that can be parsed."""
    try:
        parse_dsn(value)
    except ProgrammingError:
        raise ValueError("is not a PostgreSQL connection string") from None
    return value


def boolean(value: str) -> bool:
    """Return what yes, on, 1 and the like mean."""
    meaning = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if value.lower() not in meaning:
        raise ValueError("is not true or false")
    return meaning[value.lower()]


def address(value: str) -> Address:
    """Return an address and a port."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+)):(\d{1,5})", value)
    try:
        if match is None or int(match[3]) > 65535:
            raise ValueError
        host = "127.0.0.1" if match[2] == "localhost" else match[1] or match[2]
        return Address(str(ipaddress.ip_address(host)), int(match[3]))
    except ValueError:
        raise ValueError("is not address:port") from None


def endpoints(value: str) -> tuple[str, ...]:
    """Return endpoint strings, separated by spaces."""
    return tuple(value.split())


def loopback_endpoint(value: str) -> str:
    """Return where to listen for what only this machine may ask, unless an interface is named.

    Forms are a port, address:port, or an endpoint string.
    """
    return _http_endpoint(value, "127.0.0.1")


def public_endpoint(value: str) -> str:
    """Return where to listen for what everybody may ask: a port, address:port, or an endpoint string."""
    return _http_endpoint(value, "")


def _http_endpoint(value: str, interface: str) -> str:
    if re.fullmatch(r"[0-9]{1,5}", value):
        if int(value) > 65535:
            raise ValueError("is not a port")
        value = f"tcp:{value}"
    elif not re.match(r"[a-z][a-z0-9]*:(?![0-9]+$)|(?:tcp|ssl):", value):
        return address(value).endpoint
    if interface and "interface=" not in value and value.startswith(("tcp:", "ssl:")):
        value += f":interface={interface}"
    return value


def host_name(value: str) -> str:
    """Return a name that clients can connect to, in lower case and ASCII."""
    try:
        name = idna.encode(value.lower().rstrip("."), uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError("is not a host name") from None
    if not re.fullmatch(
        r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", name
    ):
        raise ValueError("is not a host name")
    return name


def title(value: str) -> str:
    """Return a short text for people."""
    if len(value) > 60 or not value.isprintable():
        raise ValueError("is not a name of at most 60 printable characters")
    return value


def path(value: str) -> Path:
    """Return a path that does not depend on the current folder."""
    return Path(value).expanduser().absolute()


def plaintext(value: str) -> bool:
    """Return whether secrets may be sent in the clear."""
    if value.lower() not in ("auto", "yes"):
        raise ValueError("is not auto or yes")
    return value.lower() == "yes"


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return the form of whole numbers."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise ValueError(f"is not a whole number from {least} to {most}")
        return int(value)

    return parse


def workers(value: str) -> int | None:
    """Return a number of processes, None for as many as the machine suggests."""
    if value == "auto":
        return None
    try:
        return whole(1, MOST_WORKERS)(value)
    except ValueError:
        raise ValueError(f"is not auto or a whole number from 1 to {MOST_WORKERS}") from None


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Return the form of times."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"is not a number of seconds from {least:g} to {most:g}")
        return number

    return parse


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def age(value: str) -> float:
    """Return the seconds of a time such as ``30d``: a whole number of seconds, minutes, hours, days or weeks."""
    match = re.fullmatch(r"([0-9]{1,9})([smhdw])", value)
    if match is None or not 1 <= int(match[1]) * _UNITS[match[2]] <= 100 * 365 * _UNITS["d"]:
        raise ValueError("is not a time such as 90m, 12h, 30d or 4w")
    return float(int(match[1]) * _UNITS[match[2]])


def one_of(*words: str) -> Callable[[str], str]:
    """Return the form of a choice, in whatever case it is written."""

    def parse(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"is not {', '.join(words[:-1])} or {words[-1]}")
        return value.lower()

    return parse
