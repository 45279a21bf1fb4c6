"""Mailboxes of any size, made by one statement: small messages with HTML, all alike but for their numbers.

One of a thousand has the word that is searched for.
"""

from __future__ import annotations

from bench.corpus import NEEDLE
from bench.database import Database

_BULK = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, flags, "timestamp",
                               size)
    SELECT %(owner)s, 'INBOX', 'Letter number ' || n,
           repeat('Some words in a line of text: ' || md5(n::text) || E'.\\n', %(lines)s)
           || CASE WHEN n %% 1000 = 1 THEN %(needle)s ELSE '' END,
           '<p>' || repeat(md5(n::text) || E' in HTML.<br>\\n', %(lines)s) || '</p>',
           'Sender <sender' || n %% 200 || '@site.example>', ARRAY[%(owner)s], '{}',
           timestamptz '2026-01-01' + n * interval '1 minute', 100 * %(lines)s
    FROM generate_series(1, %(count)s) AS n
"""


def bulk(database: Database, address: str, count: int, repeats: int = 1) -> None:
    """Give the user of the bench an address with so many messages, of so many lines of 64 octets, half of them HTML."""
    database.add_address(address)
    database.execute(_BULK, {"owner": address, "count": count, "needle": NEEDLE, "lines": max(repeats // 2, 1)})
    database.settle()
