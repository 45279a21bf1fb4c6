"""The page for people: the settings, and what to do with them in the common clients."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from twisted.web.iweb import IRequest
from twisted.web.template import Element, Tag, XMLString, flattenString, renderer

from cybertemp_imap.web.settings import ClientSettings

_TEMPLATE = "page.xml"
_STYLE = "style.css"


class SetupPage(Element):
    """The page; whatever comes from settings is escaped by the template."""

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(XMLString(_text(_TEMPLATE)))
        self._settings = settings

    @renderer
    def name(self, request: IRequest, tag: Tag) -> Tag:
        """The service's name."""
        return tag(self._settings.name)

    @renderer
    def host(self, request: IRequest, tag: Tag) -> Tag:
        """The server's name."""
        return tag(self._settings.host)

    @renderer
    def choices(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Each port with its security, the best one first."""
        for number, choice in enumerate(self._settings.choices):
            note = " (if the other is blocked)" if number else ""
            yield tag.clone().fillSlots(port=str(choice.port), security=choice.security, note=note)


def page(settings: ClientSettings) -> bytes:
    """Return the page, in UTF-8."""
    made: list[bytes] = []
    flattenString(None, SetupPage(settings)).addCallback(made.append)
    # Nothing in it has to be waited for.
    return b"<!DOCTYPE html>\n" + made[0] + b"\n"


def style() -> bytes:
    """Return the page's style sheet."""
    return _text(_STYLE).encode()


def _text(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
