"""Every SQL statement of the commands on mail: import, export and purge."""

from __future__ import annotations

KNOWN = "SELECT e.id FROM public.emails e WHERE e.id = ANY (%s::uuid[])"

HIDDEN = "SELECT imap.hidden_senders(%s::text[])"

WEIGHTS = """
    SELECT m.uid, coalesce(octet_length(s.source), 0) + coalesce(octet_length(e.body), 0)
                  + coalesce(octet_length(e.html), 0)
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    LEFT JOIN imap.source s ON s.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s) AND m.uid > %s
    ORDER BY m.uid LIMIT %s
"""
