"""What everybody may ask over HTTP: the settings of mail clients, as files for programs and as a page for people."""

from __future__ import annotations

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from cybertemp_imap.web.apple import Profile
from cybertemp_imap.web.autoconfig import Autoconfig
from cybertemp_imap.web.autodiscover import Autodiscover
from cybertemp_imap.web.http import Text
from cybertemp_imap.web.page import page, style
from cybertemp_imap.web.settings import ClientSettings

_CONFIG = b"config-v1.1.xml"


class PublicRoot(Resource):
    """``/`` is the page; the other paths are those that clients look for."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__()
        autoconfig = Autoconfig(settings)
        self.putChild(b"", Text(page(settings), b"text/html; charset=utf-8"))
        self.putChild(b"style.css", Text(style(), b"text/css; charset=utf-8"))
        self.putChild(b"mail.mobileconfig", Profile(settings))
        self.putChild(b"mail", _folder(_CONFIG, autoconfig))
        self.putChild(b".well-known", _folder(b"autoconfig", _folder(b"mail", _folder(_CONFIG, autoconfig))))
        self._autodiscover = _folder(b"autodiscover.xml", Autodiscover(settings))

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Return what is below a path; Outlook writes its own with capitals or without."""
        if path.lower() == b"autodiscover":
            request.postpath = [each.lower() for each in request.postpath or ()]
            return self._autodiscover
        found: IResource = super().getChild(path, request)
        return found


def _folder(name: bytes, child: Resource) -> Resource:
    folder = Resource()
    folder.putChild(name, child)
    return folder
