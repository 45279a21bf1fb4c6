"""The text of an HTML document as a person reads it, near enough for previews and searching."""

from __future__ import annotations

import html
import re

_UNSHOWN = re.compile(r"<(?:!--|(script|style|title|template)(?=[\s/>])[^<>]*>)", re.IGNORECASE | re.ASCII)
_ENDS = {
    "": re.compile("-->"),
    **{
        name: re.compile(f"</{name}[^<>]*>", re.IGNORECASE | re.ASCII)
        for name in ("script", "style", "title", "template")
    },
}
_BREAK = re.compile(
    r"</?(?:address|article|blockquote|br|div|d[dlt]|h[1-6]|hr|li|[ou]l|p|pre|section|table|t[dhr])(?=[\s/>])[^<>]*>",
    re.IGNORECASE | re.ASCII,
)
_TAG = re.compile(r"<[!?/a-zA-Z][^<>]*>")


def text_of(document: str) -> str:
    """``document`` without tags, comments and what is never shown; linear in its length.

    A comment or hidden element that is not closed hides all the rest.
    """
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", _shown(document))))


def _shown(document: str) -> str:
    """``document`` without comments and elements that are not for reading."""
    pieces = []
    at = 0
    while start := _UNSHOWN.search(document, at):
        pieces.append(document[at : start.start()])
        end = _ENDS[(start[1] or "").lower()].search(document, start.end())
        if end is None:
            return "".join(pieces)
        at = end.end()
    pieces.append(document[at:])
    return "".join(pieces)
