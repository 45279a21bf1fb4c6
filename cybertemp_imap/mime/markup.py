"""The text of an HTML document as a person reads it, near enough for previews and searching."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"<(?:(!--)|[!?][^<>]*>|(/?)([a-zA-Z][^\s/<>]{0,40})[^<>]*>)")
_HIDDEN = {name: re.compile(f"</{name}[^<>]*>", re.IGNORECASE) for name in ("script", "style", "title", "template")}
_BREAKING = re.compile(
    r"address|article|blockquote|br|div|d[dlt]|h[1-6]|hr|li|[ou]l|p|pre|section|table|t[dhr]", re.IGNORECASE
)


def text_of(document: str) -> str:
    """``document`` without tags, comments and what is never shown; linear in its length.

    A comment or hidden element that is not closed hides all the rest.
    """
    pieces: list[str] = []
    at = 0
    while match := _TAG.search(document, at):
        pieces.append(document[at : match.start()])
        at = match.end()
        name = match[3] or ""
        if match[1]:
            found = document.find("-->", at)
            at = len(document) if found < 0 else found + 3
        elif not match[2] and name.lower() in _HIDDEN:
            end = _HIDDEN[name.lower()].search(document, at)
            at = end.end() if end else len(document)
        elif _BREAKING.fullmatch(name):
            pieces.append("\n")
    pieces.append(document[at:])
    return html.unescape("".join(pieces))
