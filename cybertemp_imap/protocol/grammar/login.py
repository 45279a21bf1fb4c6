"""LOGIN, AUTHENTICATE, ID and ENABLE."""

from __future__ import annotations

import binascii
import re

from cybertemp_imap.protocol.command import Authenticate, Enable, Id, Login
from cybertemp_imap.protocol.tokens import SyntaxFault, Tokens

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_INITIAL = re.compile(rb"[A-Za-z0-9+/=]++")


def decode_base64(text: bytes) -> bytes:
    """Decode ``base64`` as the ABNF has it, without white space; raises SyntaxFault on anything else.

    Serves the lines a client sends while AUTHENTICATE runs, too (RFC 9051 section 6.2.2).
    """
    if _BASE64.fullmatch(text) is None:
        raise SyntaxFault("Malformed base64")
    return binascii.a2b_base64(text)


def login(tokens: Tokens) -> Login:
    """``LOGIN SP userid SP password``, both astrings."""
    tokens.space()
    user = tokens.astring()
    tokens.space()
    return Login(user, tokens.astring())


def authenticate(tokens: Tokens) -> Authenticate:
    """``AUTHENTICATE SP auth-type [SP (base64 / "=")]`` (RFC 4959)."""
    tokens.space()
    mechanism = tokens.atom().decode("ascii").upper()
    if tokens.at_end():
        return Authenticate(mechanism, None)
    tokens.space()
    text = tokens.match(_INITIAL, "Malformed base64")
    return Authenticate(mechanism, b"" if text == b"=" else decode_base64(text))


def identify(tokens: Tokens) -> Id:
    """``ID SP ("(" [string SP nstring *(SP string SP nstring)] ")" / nil)`` (RFC 2971)."""
    tokens.space()
    if tokens.peek() == b"(":
        return Id(tuple(tokens.listed(_parameter, empty=True)))
    if tokens.name() != b"NIL":
        tokens.fail("A parameter list or NIL is expected")
    return Id(None)


def _parameter(tokens: Tokens) -> tuple[bytes, bytes | None]:
    field = tokens.string()
    tokens.space()
    return field, tokens.nstring()


def enable(tokens: Tokens) -> Enable:
    """``ENABLE 1*(SP capability)`` (RFC 5161)."""
    tokens.space()
    names = [tokens.atom()]
    while not tokens.at_end():
        tokens.space()
        names.append(tokens.atom())
    return Enable(tuple(name.decode("ascii").upper() for name in names))
