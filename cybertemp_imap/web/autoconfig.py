"""Thunderbird's autoconfig: ``config-v1.1.xml`` (also read by K-9, Evolution, KMail and others)."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from twisted.web.resource import Resource
from twisted.web.server import Request

from cybertemp_imap.web.documents import add, document
from cybertemp_imap.web.http import argument
from cybertemp_imap.web.settings import ClientSettings, domain_of, email_of


def config(settings: ClientSettings, email: str | None) -> bytes:
    """Return the document; without an address, clients put in the user's by themselves."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=settings.host)
    add(provider, "domain", domain_of(email) if email else settings.host)
    add(provider, "displayName", settings.name)
    add(provider, "displayShortName", settings.name)
    for choice in settings.choices:
        server = SubElement(provider, "incomingServer", type="imap")
        add(server, "hostname", settings.host)
        add(server, "port", str(choice.port))
        add(server, "socketType", "STARTTLS" if choice.starttls else "SSL")
        add(server, "authentication", "password-cleartext")
        add(server, "username", email or "%EMAILADDRESS%")
    return document(root)


class Autoconfig(Resource):
    """The document for whoever asks; ``emailaddress`` may say for whom."""

    isLeaf = True

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__()
        self._settings = settings

    def render_GET(self, request: Request) -> bytes:
        """Return the document."""
        request.setHeader(b"Content-Type", b"application/xml; charset=utf-8")
        request.setHeader(b"Cache-Control", b"no-store")
        return config(self._settings, email_of(argument(request, b"emailaddress")))
