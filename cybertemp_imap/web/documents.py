"""Writing XML: text is escaped by the library."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring


def add(parent: Element, name: str, text: str) -> None:
    """Add an element with a text."""
    SubElement(parent, name).text = text


def document(root: Element) -> bytes:
    """Return a document in UTF-8."""
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written
