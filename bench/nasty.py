"""Messages, rows and arguments made to cost as much as they can."""

from __future__ import annotations

from collections.abc import Callable

_MULTIPART = b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n'
_ODD = b"\0\xff\xc3\x28\xed\xa0\x80\r\x0b\x7f\xe2\x80\xa8"
"""NUL, octets that are no UTF-8, a lone CR and other controls."""


def nested() -> bytes:
    """10,000 multiparts, each within the other."""
    return b"".join(_MULTIPART % (b"b%d" % n, b"b%d" % n) for n in range(10_000))


def nested_messages() -> bytes:
    """10,000 messages, each within the other."""
    return b"Content-Type: message/rfc822\r\n\r\n" * 10_000


def parts() -> bytes:
    """20,000 parts beside each other, twice as many as are told apart."""
    return _MULTIPART % (b"a", b"a") + b"Content-Type: text/html\r\n\r\nx\r\n--a\r\n" * 20_000


def addresses() -> bytes:
    """A field of 100,000 addresses."""
    return b"To: " + b",\r\n ".join(b'"A, %d" <a%d@b.example>' % (n, n) for n in range(100_000)) + b"\r\n\r\nx\r\n"


def parameters() -> bytes:
    """50,000 parameters in pieces (RFC 2231)."""
    return b"Content-Type: text/plain" + b"".join(b";\r\n x*%d*=%%41" % n for n in range(50_000)) + b"\r\n\r\nx\r\n"


def unclosed() -> bytes:
    """99 boundaries that begin alike and are never closed, and 100,000 lines that begin like them all."""
    names = [b"a" * 60 + b"%d" % n for n in range(99)]
    return b"".join(_MULTIPART % (name, name) for name in names) + (b"--" + b"a" * 60 + b"\r\n") * 100_000


def repeated() -> bytes:
    """One boundary for 99 levels, met 50,000 times."""
    return (_MULTIPART % (b"a", b"a")) * 99 + b"--a\r\n\r\nx\r\n" * 50_000


def odd_header() -> bytes:
    """Every field with octets that no field may have; APPEND itself forbids NUL."""
    odd = _ODD.replace(b"\0", b"")
    names: tuple[bytes, ...] = (
        b"From",
        b"To",
        b"Cc",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"In-Reply-To",
        b"Content-Type",
    )
    names += (b"Content-Disposition", b"Content-ID", b"Content-Language", b"Content-Transfer-Encoding", b"X-%b" % odd)
    return b"".join(b"%b: %b\r\n" % (name, odd * 1000) for name in names) + b"\r\n" + odd * 10_000


MESSAGES: dict[str, Callable[[], bytes]] = {
    "10,000 nested parts": nested,
    "10,000 nested messages": nested_messages,
    "20,000 parts": parts,
    "100,000 addresses": addresses,
    "50,000 parameters": parameters,
    "boundaries unclosed": unclosed,
    "boundaries repeated": repeated,
    "odd octets in header and body": odd_header,
}
"""What a sender may send; every one below 10 MB."""


def arguments() -> list[bytes]:
    """Commands with odd octets in every argument, as atom, quoted, and as a literal."""
    words = (_ODD, b'"%b"' % _ODD, b"{%d+}\r\n%b" % (len(_ODD), _ODD))
    commands = (
        *(b"SELECT %b", b"CREATE %b", b"RENAME %b x", b'LIST %b "*"', b'LIST "" %b', b"STATUS %b (MESSAGES)"),
        *(
            b"APPEND %b {1+}\r\nx",
            b"SEARCH TEXT %b",
            b"SEARCH HEADER %b x",
            b"SEARCH CHARSET %b ALL",
            b"STORE 1 FLAGS (%b)",
        ),
        *(
            b"FETCH %b FLAGS",
            b"FETCH 1 BODY[HEADER.FIELDS (%b)]",
            b"ID (%b NIL)",
            b"ENABLE %b",
            b"COPY 1 %b",
            b"%b",
            b"UID %b",
        ),
    )
    return [command % word for command in commands for word in words]


ROWS = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, flags, "timestamp")
    SELECT %(owner)s, 'INBOX', repeat(E'\\r\\nX: \\u00fc', 100000), repeat(E'a\\r.\\n\\n', 300000),
           repeat('<p>&lt;', 300000), repeat('"\\<', 100000) || E'\\r\\n',
           (SELECT array_agg(E'a\\n"' || number || '"@b') FROM generate_series(1, 100000) AS number),
           (SELECT array_agg(E'f\\r\\n"(' || number) FROM generate_series(1, 1000) AS number), now()
    FROM generate_series(1, 3)
"""
"""Rows with too much in every column, and with line ends where there should be none."""

PLAIN_ROWS = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    SELECT %(owner)s, 'INBOX', 'Letter ' || number, repeat(md5(number::text), %(repeats)s), 'a@b.example', '{}', '{}',
           now() - number * interval '1 minute'
    FROM generate_series(1, %(count)s) AS number
"""
