"""Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).

Parameters keep the form in which IMAP shows them (RFC 2231 section 6): continuations are joined, but a value with
charset and percent-encoding stays so under its name with ``*``, because there the client decodes it.
"""

from __future__ import annotations

import re
from itertools import islice
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cybertemp_imap.mime.charset import decode

Parameters = tuple[tuple[bytes, bytes], ...]

MAX_PARAMETERS = 100
"""Pieces of parameters that are looked at in one value; the rest is passed over."""

MAX_VALUE = 16 * 1024
"""Octets of one parameter's value that are kept."""

_PARAMETER = re.compile(rb';\s*+([^\s=;"]{1,100}+)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?+|([^;]*+))', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT = re.compile(rb"\([^()]*+\)")
_SECTION = re.compile(rb"([^*]+)\*(?:(\d{1,3})(\*?))?")


def split_value(value: bytes) -> tuple[bytes, Parameters]:
    """The part of an unfolded value before its parameters (lower case, without comments), and the parameters.

    Names are lower case. At most :data:`MAX_PARAMETERS` pieces count.
    """
    main, _, _ = value.partition(b";")
    found = [_cleaned(match) for match in islice(_PARAMETER.finditer(value, len(main)), MAX_PARAMETERS)]
    if b"(" in main:
        main = _COMMENT.sub(b" ", main)
    main = main.strip().lower()
    if not any(b"*" in name for name, _ in found):
        return main, tuple(found)
    return main, _joined(found)


def parameter(params: Parameters, name: bytes) -> bytes | None:
    """The value of ``name``, decoded to UTF-8 where it is an extended value (RFC 2231 section 4)."""
    for key, value in params:
        if key == name:
            return value
        if key == name + b"*":
            charset, _, rest = value.partition(b"'")
            return decode(unquote_to_bytes(rest.partition(b"'")[2] or value), charset).encode("utf-8", "replace")
    return None


def _cleaned(match: re.Match[bytes]) -> tuple[bytes, bytes]:
    """Name and value of one parameter, unquoted."""
    name, quoted, plain = match[1].lower(), match[2], match[3]
    if quoted is not None:
        return name, (_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)[:MAX_VALUE]
    plain = plain.strip()[:MAX_VALUE]
    if plain.endswith(b")") and name not in (b"name", b"filename"):
        # RFC 2045 section 5.1: charset=us-ascii (Plain text)
        plain = _COMMENT.sub(b"", plain).strip()
    return name, plain


def _joined(found: list[tuple[bytes, bytes]]) -> Parameters:
    """Parameters with the continuations of RFC 2231 section 3 put together, at the place of their first piece."""
    order: dict[bytes, bytes | None] = {}
    sections: dict[bytes, dict[int, tuple[bool, bytes]]] = {}
    for name, value in found:
        match = _SECTION.fullmatch(name)
        if match is None or match[2] is None:
            order.setdefault(name, value)
        else:
            order.setdefault(match[1] + b"*0", None)
            sections.setdefault(match[1], {}).setdefault(int(match[2]), (bool(match[3]), value))
    return tuple(
        (name, value) if value is not None else _assembled(name[:-2], sections[name[:-2]])
        for name, value in order.items()
    )


def _assembled(name: bytes, pieces: dict[int, tuple[bool, bytes]]) -> tuple[bytes, bytes]:
    """One parameter from its numbered pieces; pieces without percent-encoding are encoded when others are."""
    ordered = [pieces[number] for number in sorted(pieces)]
    if not any(extended for extended, _ in ordered):
        return name, b"".join(value for _, value in ordered)
    values = [value if extended else quote_from_bytes(value, safe="").encode() for extended, value in ordered]
    if not ordered[0][0]:
        values.insert(0, b"''")
    return name + b"*", b"".join(values)
