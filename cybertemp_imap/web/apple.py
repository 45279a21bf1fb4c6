"""Apple's configuration profile, which sets up Mail on iPhone, iPad and Mac. It is not signed, and holds no secret."""

from __future__ import annotations

import plistlib
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from twisted.web.http import BAD_REQUEST
from twisted.web.resource import Resource
from twisted.web.server import Request

from cybertemp_imap.web.http import argument
from cybertemp_imap.web.settings import ClientSettings, email_of


def profile(settings: ClientSettings, email: str | None) -> bytes:
    """Return the profile; without an address, the device asks for it.

    Identifiers depend on server and address alone, so that a profile that is installed again replaces itself.
    """
    base = f"imap://{email or ''}@{settings.host}"
    identifier = ".".join(reversed(settings.host.split(".")))
    if email:
        identifier += f".{uuid5(NAMESPACE_URL, base)}"
    common = {"PayloadVersion": 1, "PayloadOrganization": settings.name}
    mail = {
        **common,
        **_mail(settings, email),
        "PayloadType": "com.apple.mail.managed",
        "PayloadIdentifier": f"{identifier}.mail",
        "PayloadUUID": _uuid(f"{base}/mail"),
        "PayloadDisplayName": settings.name,
    }
    return plistlib.dumps(
        {
            **common,
            "PayloadType": "Configuration",
            "PayloadIdentifier": identifier,
            "PayloadUUID": _uuid(base),
            "PayloadDisplayName": settings.name,
            "PayloadDescription": f"Sets up Mail for {settings.host}. It asks for your token as the password.",
            "PayloadRemovalDisallowed": False,
            "PayloadContent": [mail],
        }
    )


def _mail(settings: ClientSettings, email: str | None) -> dict[str, Any]:
    """Return the mail account. Apple wants an outgoing server; this service has none, and nothing is sent to this."""
    choice = settings.choices[0]
    account: dict[str, Any] = {
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": settings.name,
        "IncomingMailServerHostName": settings.host,
        "IncomingMailServerPortNumber": choice.port,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": settings.host,
        "OutgoingMailServerAuthentication": "EmailAuthNone",
    }
    if email:
        account |= {"EmailAddress": email, "IncomingMailServerUsername": email}
    return account


def _uuid(name: str) -> str:
    found: UUID = uuid5(NAMESPACE_URL, name)
    return str(found).upper()


class Profile(Resource):
    """The profile for whoever asks; ``email`` may say for whom."""

    isLeaf = True

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__()
        self._settings = settings

    def render_GET(self, request: Request) -> bytes:
        """Return the profile, as a file that the device opens by itself."""
        given = argument(request, b"email")
        email = email_of(given)
        request.setHeader(b"Cache-Control", b"no-store")
        if given and email is None:
            request.setResponseCode(BAD_REQUEST)
            request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
            return b"That is not an e-mail address. Go back, and enter that of your account.\n"
        request.setHeader(b"Content-Type", b"application/x-apple-aspen-config")
        request.setHeader(b"Content-Disposition", b'attachment; filename="mail.mobileconfig"')
        return profile(self._settings, email)
