"""What is computed of a message once and kept, so that a mailbox opened again is served without touching bodies."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from cybertemp_imap.mime.envelope import envelope
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits, Part, parse
from cybertemp_imap.mime.render import RENDERER_VERSION
from cybertemp_imap.mime.structure import body_structure

_FORM_VERSION = 1

RENDITION_VERSION: int = RENDERER_VERSION * 1000 + _FORM_VERSION
"""Changes when a message's octets or the form kept here may differ from what was kept before."""


def rendition_version(limits: MimeLimits = ALL_PARTS) -> int:
    """The version of what is computed under these limits; with others than usual a negative number of 32 bits.

    That two of them have the same number is as likely as 1 in 2,000 million.
    """
    if limits == ALL_PARTS:
        return RENDITION_VERSION
    return ~(zlib.crc32(b"%d %d %d" % (RENDITION_VERSION, limits.levels, limits.parts)) >> 1)


@dataclass(frozen=True, slots=True)
class Rendition:
    """``size`` in octets; ``header`` with its empty line; the others in their wire form (RFC 9051 section 7.5.2)."""

    size: int
    header: bytes
    envelope: bytes
    body: bytes
    body_structure: bytes


def make_rendition(message: bytes, root: Part | None = None, limits: MimeLimits = ALL_PARTS) -> Rendition:
    """The rendition of a message; ``root``: its parts, where they are known.

    Pure, never raises, linear time: fit for a thread when the message is big.
    """
    root = root or parse(message, limits)
    header = message[: root.header_end]
    body, extended = body_structure(root, message)
    return Rendition(len(message), header, envelope(header), body, extended)
