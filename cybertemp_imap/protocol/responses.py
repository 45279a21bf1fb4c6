"""Responses that more than one command sends, as octets without the leading ``* `` and the line end where not said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.naming import DELIMITER
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.sequence import compact_ranges, runs
from cybertemp_imap.rules.flags import SYSTEM_FLAGS
from cybertemp_imap.view import Report, View

RECENT = b"\\Recent"

RANGES_A_LINE = 350
"""Ranges of UIDs in a line, so that it stays below 8,000 octets (RFC 7162 section 4)."""


def status(word: str, text: str, code: str | None = None) -> bytes:
    """Print ``OK [CODE] text`` (RFC 9051 section 7.1); nothing in it comes from a client."""
    return f"{word} [{code}] {text}".encode() if code else f"{word} {text}".encode()


def flag_list(flags: FlagSet, recent: bool = False) -> bytes:
    """Print ``(\\Seen $Junk)``, with ``\\Recent`` where the session is to see it."""
    if not recent:
        return b"(" + flags.wire + b")"
    return b"(" + flags.wire + b" " + RECENT + b")" if flags.wire else b"(" + RECENT + b")"


def flags_lines(keywords: Iterable[str], read_only: bool) -> list[bytes]:
    """Print which flags a mailbox has, and which can be changed (RFC 9051 sections 7.1 and 7.3.5)."""
    flags = " ".join((*SYSTEM_FLAGS, *sorted(keywords))).encode()
    if read_only:
        permanent = b"OK [PERMANENTFLAGS ()] Nothing can be changed."
    else:
        permanent = b"OK [PERMANENTFLAGS (" + flags + b" \\*)] New keywords can be created."
    return [b"FLAGS (" + flags + b")", permanent]


def vanished(uids: Sequence[tuple[int, int]], *, earlier: bool = False) -> bytes:
    """Print VANISHED (RFC 7162 section 3.2.10) for ranges of UIDs: whole lines, each of a length clients can take."""
    word = b"* VANISHED (EARLIER) " if earlier else b"* VANISHED "
    pages = (uids[start : start + RANGES_A_LINE] for start in range(0, len(uids), RANGES_A_LINE))
    return b"".join(word + compact_ranges(page) + b"\r\n" for page in pages)


def report(news: Report, view: View, with_mod_seq: bool, with_vanished: bool) -> bytes:
    """Print what a session must be told: whole lines, in one piece."""
    if news.empty:
        return b""
    if with_vanished:
        lines = [vanished(runs(uid for _, uid in reversed(news.expunged)))]
    else:
        lines = [b"* %d EXPUNGE\r\n" % seq for seq, _ in news.expunged]
    if news.exists is not None:
        lines.append(b"* %d EXISTS\r\n" % news.exists)
    if news.recent is not None:
        lines.append(b"* %d RECENT\r\n" % news.recent)
    for item in news.flags:
        flags = flag_list(item.flags, item.uid in view.recent)
        mod_seq = b" MODSEQ (%d)" % item.mod_seq if with_mod_seq else b""
        lines.append(b"* %d FETCH (UID %d FLAGS %b%b)\r\n" % (item.seq, item.uid, flags, mod_seq))
    return b"".join(lines)


def mailbox_line(
    word: bytes, attributes: Iterable[str], name: str, utf8: bool, extended: Iterable[bytes] = ()
) -> bytes:
    """Print a LIST or LSUB response (RFC 9051 section 7.3.1)."""
    listed = " ".join(attributes).encode()
    more = b" ".join(extended)
    line = b'%b (%b) "%b" %b' % (word, listed, DELIMITER.encode(), strings.mailbox(name, utf8))
    return line + b" (" + more + b")" if more else line
