"""AUTHENTICATE: the mechanisms' answers, alone and over a connection."""

from __future__ import annotations

import base64

from cybertemp_imap.sasl import LoginCredentials, PlainCredentials
from fuzz.octets import Octets
from fuzz.session import Faults
from test.wire import TOKEN, USER, Wire

WORDS = [
    b"\r\n",
    b"=",
    b"*",
    b"a AUTHENTICATE PLAIN ",
    b"AUTHENTICATE LOGIN\r\n",
    base64.b64encode(f"\0{USER}\0{TOKEN}".encode()),
    base64.b64encode(USER.encode()),
    base64.b64encode(TOKEN.encode()),
    f"\0{USER}\0{TOKEN}".encode(),
]
_RIGHT = (USER.encode(), TOKEN.encode())


def check(data: bytes) -> None:
    """Raise unless only the right answer logs in, and whatever comes is answered in whole responses."""
    octets = Octets(data)
    if octets.number(2):
        _credentials(octets.rest())
    else:
        _connection(octets.number(3), octets.pumped())


def _credentials(answers: bytes) -> None:
    plain = PlainCredentials()
    plain.setResponse(answers)
    parts = answers.split(b"\0")
    good = len(parts) == 3 and parts[0] in (b"", parts[1])
    assert plain.malformed or (good and (plain.username, plain.password) == (parts[1], parts[2]))
    login = LoginCredentials()
    for answer in answers.split(b"\n"):
        login.setResponse(answer)
    assert login.malformed or (login.username and b"\0" not in login.username + login.password)
    assert not login.malformed or (login.username, login.password) == (b"", b"")


def _connection(opening: int, sent: bytes) -> None:
    with Faults():
        wire = Wire()
        client = wire.connect()
        client.send((b"a AUTHENTICATE PLAIN\r\n", b"a AUTHENTICATE LOGIN\r\n", b"")[opening])
        client.send(sent)
        for _ in range(4):
            wire.later(2)
        logged_in = client.server.account is not None
        wire.close()
        wire.check()
    assert not logged_in or _knows_secret(sent), f"{sent!r} logs in"


def _knows_secret(sent: bytes) -> bool:
    """Whether the token is in what was sent, as itself or in base64, whose beginning may be anywhere."""
    if _RIGHT[1] in sent:
        return True
    for line in sent.replace(b"\r", b"\n").replace(b" ", b"\n").split(b"\n"):
        try:
            if _RIGHT[1] in base64.b64decode(line):
                return True
        except ValueError:
            continue
    return False
