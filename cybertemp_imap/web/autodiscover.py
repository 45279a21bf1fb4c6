"""Outlook's autodiscover: a question in XML by POST, and an answer in XML ([MS-OXDSCLI], "POX").

The question comes from anybody. It is read by expat, without document types, so that it cannot define entities.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement
from xml.parsers import expat

from twisted.web.resource import Resource
from twisted.web.server import Request

from cybertemp_imap.web.documents import add, document
from cybertemp_imap.web.settings import ClientSettings, email_of

_OUTER = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_INNER = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


class _Unwanted(Exception):
    """The question has what no client of good faith sends."""


def asked_for(body: bytes) -> str | None:
    """Return the e-mail address that a question is about; None where it is none, or not of a known form."""
    found: list[str] = []
    inside: list[bool] = []

    def begin(name: str, attributes: object) -> None:
        inside.append(name.rpartition(":")[2] == "EMailAddress")

    def end(name: str) -> None:
        inside.pop()

    def text(data: str) -> None:
        if inside and inside[-1]:
            found.append(data)

    def refuse(*arguments: object) -> None:
        raise _Unwanted

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, _Unwanted, ValueError, LookupError):
        return None
    return email_of("".join(found))


def answer(settings: ClientSettings, email: str) -> bytes:
    """Return the settings for an address."""
    root = Element("Autodiscover", xmlns=_OUTER)
    account = SubElement(SubElement(root, "Response", xmlns=_INNER), "Account")
    add(account, "AccountType", "email")
    add(account, "Action", "settings")
    for choice in settings.choices:
        protocol = SubElement(account, "Protocol")
        for name, value in (
            ("Type", "IMAP"),
            ("Server", settings.host),
            ("Port", str(choice.port)),
            ("DomainRequired", "off"),
            ("LoginName", email),
            ("SPA", "off"),
            ("SSL", "on"),
            ("Encryption", "TLS" if choice.starttls else "SSL"),
            ("AuthRequired", "on"),
        ):
            add(protocol, name, value)
    return document(root)


def invalid(now: datetime) -> bytes:
    """Return what a question is answered that is not understood."""
    root = Element("Autodiscover", xmlns=_OUTER)
    response = SubElement(root, "Response", xmlns=_INNER)
    error = SubElement(response, "Error", Time=now.strftime("%H:%M:%S"), Id="0")
    add(error, "ErrorCode", "600")
    add(error, "Message", "Invalid Request")
    SubElement(error, "DebugData")
    return document(root)


class Autodiscover(Resource):
    """Answers questions that are posted."""

    isLeaf = True

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__()
        self._settings = settings

    def render_POST(self, request: Request) -> bytes:
        """Return the settings, or that the question was not understood."""
        request.setHeader(b"Content-Type", b"application/xml; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-store")
        email = asked_for(request.content.read() if request.content is not None else b"")
        return invalid(datetime.now(UTC)) if email is None else answer(self._settings, email)
