"""Every SQL statement of the PostgreSQL store. Each is bound to a user; the functions are in ``schema/``."""

from __future__ import annotations

from cybertemp_imap.store import connection

# -- accounts ---------------------------------------------------------------------------------------------------------

FIND_LOGIN = """
    SELECT t.id, t.user_id, u.email, imap.clamp_time(t.expires_at), u.subscription_status,
           imap.clamp_time(u.subscription_end_date),
           l.token_id IS NOT NULL, l.addresses, l.read_only, imap.clamp_time(l.expires_at)
    FROM public.imap_tokens t JOIN public.users u ON u.id = t.user_id
    LEFT JOIN imap.token_limit l ON l.token_id = t.id
    WHERE t.token = ANY (%s)
"""

FIND_LOGINS = """
    SELECT t.id, t.user_id, u.email, imap.clamp_time(t.expires_at), u.subscription_status,
           imap.clamp_time(u.subscription_end_date),
           l.token_id IS NOT NULL, l.addresses, l.read_only, imap.clamp_time(l.expires_at)
    FROM public.imap_tokens t JOIN public.users u ON u.id = t.user_id
    LEFT JOIN imap.token_limit l ON l.token_id = t.id
    WHERE t.id = ANY (%s::uuid[])
"""

FIND_LIMITS = """
    SELECT l.token_id, l.addresses, l.read_only, imap.clamp_time(l.expires_at)
    FROM imap.token_limit l WHERE l.token_id = ANY (%s::uuid[])
"""

TOUCH_TOKEN = """
    UPDATE public.imap_tokens SET last_used_at = now()
    WHERE id = %s AND (last_used_at IS NULL OR last_used_at NOT BETWEEN now() - interval '1 minute' AND now())
    RETURNING 1
"""

SCHEMA_VERSIONS = "SELECT version FROM imap.schema_version"

# -- domains and bans -------------------------------------------------------------------------------------------------

READ_DOMAINS = """
    SELECT d.domain::text, d.user_id, coalesce(d.active, false), coalesce(d.cloudflare_domain, false)
    FROM public.domains d WHERE d.domain IS NOT NULL
"""

REPLACE_BANS = "SELECT imap.replace_bans(%s::text[], %s::text[], %s::text[], %s::text[])"

BANS_ARE_ELSEWHERE = "SELECT source = 'elsewhere' FROM imap.ban_state"

FOLLOW_BANS = "SELECT imap.follow_bans()"

IS_BANNED = "SELECT imap.forbids_address(%s, %s)"

# -- mailboxes --------------------------------------------------------------------------------------------------------

LIST_MAILBOXES = "SELECT owner, folder, special_use FROM imap.list_mailboxes(%s)"

SUBSCRIPTIONS = "SELECT name, subscribed FROM imap.subscription WHERE user_id = %s"

SET_SUBSCRIBED = """
    INSERT INTO imap.subscription (user_id, name, subscribed) VALUES (%s, %s, %s)
    ON CONFLICT (user_id, name) DO UPDATE SET subscribed = excluded.subscribed
    RETURNING 1
"""

FIND_MAILBOX = "SELECT imap.find_mailbox(%s, %s, %s)"

LIMITED_INBOX = "SELECT imap.limited_inbox(%s, %s)"

REFRESH = "SELECT uid_validity, uid_next, highest_mod_seq, imap.is_settled(%s, %s) FROM imap.refresh(%s, %s)"

# OFFSET 0: whose the mailbox is, is looked at once, and not for each message. Here and in EXPUNGED_SINCE a mailbox
# without changes has a row without a UID, and one that is not the user's has none.
CHANGES = """
    SELECT m.uid, m.flags::text, m.mod_seq
    FROM (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s OFFSET 0) b
    LEFT JOIN imap.message m ON m.mailbox_id = b.id AND m.mod_seq > %s AND m.uid > %s
    ORDER BY m.uid LIMIT %s
"""

STATES = "SELECT uid, flags, mod_seq FROM imap.states(%s, %s, %s, %s)"

EXPUNGED_SINCE = """
    SELECT x.uid, b.forgotten_mod_seq > %s
    FROM imap.held b LEFT JOIN imap.expunged x ON x.mailbox_id = b.id AND x.mod_seq > %s
    WHERE b.user_id = %s AND b.id = %s
    ORDER BY x.uid
"""

CLAIM_RECENT = "SELECT imap.claim_recent(%s, %s, %s)"

# -- the same for who only reads --------------------------------------------------------------------------------------
#
# No row: nobody knows without a change of what is kept, or it is not the user's. Nothing is written by any of these: of
# an account that has its INBOX, imap.list_mailboxes makes nothing.

LISTED_MAILBOXES = """
    SELECT l.owner, l.folder, l.special_use
    FROM imap.mailbox b CROSS JOIN LATERAL imap.list_mailboxes(b.user_id) l
    WHERE b.user_id = %s AND b.owner = 'account:' || b.user_id AND b.folder = 'INBOX'
"""

KNOWN_MAILBOX = "SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.owner = %s AND b.folder = %s"

# What REFRESH tells of a mailbox in which it would change nothing.
UNCHANGED = """
    SELECT b.uid_validity, b.uid_next, b.highest_mod_seq, true
    FROM imap.held b
    WHERE b.user_id = %s AND b.id = %s AND b.settle_xid = 0 AND b.scanned_at >= now() - interval '1 hour'
      AND b.ban_version = (SELECT s.version FROM imap.ban_state s)
      AND NOT EXISTS (SELECT 1 FROM imap.arrival a WHERE a.mailbox_id = b.id)
"""

RECENT = "SELECT b.recent_uid FROM imap.held b WHERE b.user_id = %s AND b.id = %s"

# -- counting ---------------------------------------------------------------------------------------------------------

# By lists of flags first: a mailbox has few different ones, and looking for a flag costs far more than comparing lists.
COUNTS = """
    SELECT coalesce(sum(f.messages), 0)::bigint,
           coalesce(sum(f.messages) FILTER (WHERE NOT imap.has_flag(f.flags, '\\seen')), 0)::bigint,
           coalesce(sum(f.messages) FILTER (WHERE imap.has_flag(f.flags, '\\deleted')), 0)::bigint,
           coalesce(sum(f.recent), 0)::bigint
    FROM (SELECT m.flags, count(*) AS messages, count(*) FILTER (WHERE m.uid >= b.recent_uid) AS recent
          FROM imap.held b JOIN imap.message m ON m.mailbox_id = b.id
          WHERE b.user_id = %s AND b.id = %s GROUP BY m.flags) f
"""

UNRENDERED = """
    SELECT m.uid
    FROM imap.message m
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s) AND m.uid > %s
      AND NOT EXISTS (SELECT 1 FROM imap.rendition r WHERE r.email_id = m.email_id AND r.version = %s)
    ORDER BY m.uid LIMIT %s
"""

TOTAL_SIZE = """
    SELECT coalesce(sum(r.size), 0)::bigint
    FROM imap.message m JOIN imap.rendition r ON r.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
"""

# -- messages ---------------------------------------------------------------------------------------------------------
#
# Whose the mailbox is, is looked at once, in a subquery of its own: as one side of a join it may be for each message.

METADATA = """
    SELECT m.uid, m.email_id::text,
           to_char(m.internal_date AT TIME ZONE 'UTC', 'DD-Mon-YYYY HH24:MI:SS "+0000"'),
           r.size, r.envelope, r.body, r.body_structure
    FROM imap.message m LEFT JOIN imap.rendition r ON r.email_id = m.email_id AND r.version = %s
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND (%s::bigint[] IS NULL OR m.uid = ANY (%s::bigint[]))
    ORDER BY m.uid
"""

HEADERS = """
    SELECT m.uid, r.header
    FROM imap.message m LEFT JOIN imap.rendition r ON r.email_id = m.email_id AND r.version = %s
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND (%s::bigint[] IS NULL OR m.uid = ANY (%s::bigint[]))
    ORDER BY m.uid
"""

WEIGHTS = """
    SELECT m.uid, coalesce(octet_length(s.source), 0) + coalesce(octet_length(e.body), 0)
                  + coalesce(octet_length(e.html), 0)
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    LEFT JOIN imap.source s ON s.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND m.uid = ANY (%s::bigint[])
    ORDER BY m.uid
"""

ROWS = """
    SELECT m.uid, e.id, coalesce(o.id, e.id), coalesce(o.owner, e.mailbox_owner), e.mailbox, e.subject,
           e.body, e.html, e.from_addr, e.to_addrs,
           imap.clamp_time(e.timestamp), imap.clamp_time(e.created_at), s.source, false
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    LEFT JOIN imap.source s ON s.email_id = m.email_id LEFT JOIN imap.origin o ON o.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND m.uid = ANY (%s::bigint[])
    ORDER BY m.uid
"""

ROWS_WITH_ENCRYPTED = """
    SELECT m.uid, e.id, coalesce(o.id, e.id), coalesce(o.owner, e.mailbox_owner), e.mailbox, e.subject,
           e.body, e.html, e.from_addr, e.to_addrs,
           imap.clamp_time(e.timestamp), imap.clamp_time(e.created_at), s.source, coalesce(e.encrypted, false)
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    LEFT JOIN imap.source s ON s.email_id = m.email_id LEFT JOIN imap.origin o ON o.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND m.uid = ANY (%s::bigint[])
    ORDER BY m.uid
"""

HAS_ENCRYPTED = """
    SELECT count(*) > 0 FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = 'emails' AND column_name = 'encrypted'
"""

# What a crash loses of it is computed again, so nobody waits for the disk.
KEEP_RENDITIONS = """
    INSERT INTO imap.rendition (email_id, version, size, envelope, body, body_structure, header)
    SELECT u.email_id, %s, u.size, u.envelope, u.body, u.body_structure, u.header
    FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bytea[])
         AS u (email_id, size, envelope, body, body_structure, header)
    CROSS JOIN (SELECT b.id, set_config('synchronous_commit', 'off', true)
                FROM imap.held b WHERE b.user_id = %s AND b.id = %s OFFSET 0) b
    CROSS JOIN LATERAL (
        SELECT 1 FROM imap.message m WHERE m.email_id = u.email_id AND m.mailbox_id + 0 = b.id OFFSET 0) m
    ORDER BY u.email_id
    ON CONFLICT (email_id) DO UPDATE SET
        version = excluded.version, size = excluded.size, envelope = excluded.envelope, body = excluded.body,
        body_structure = excluded.body_structure, header = excluded.header
    RETURNING 1
"""

SAVED_DATES = """
    SELECT m.uid, m.internal_date, m.saved_at
    FROM imap.message m
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND m.uid = ANY (%s::bigint[])
    ORDER BY m.uid
"""

OBJECT_IDS = """
    SELECT m.uid, coalesce(o.id, m.email_id)
    FROM imap.message m LEFT JOIN imap.origin o ON o.email_id = m.email_id
    WHERE m.mailbox_id = (SELECT b.id FROM imap.held b WHERE b.user_id = %s AND b.id = %s)
      AND m.uid BETWEEN %s AND %s AND m.uid = ANY (%s::bigint[])
    ORDER BY m.uid
"""

STORE_FLAGS = """
    SELECT uid, flags::text, mod_seq, held_back, taken, uid_validity, uid_next
    FROM imap.store_flags_and_tell(%s, %s, %s::bigint[], %s, %s::text[], %s)
"""

EXPUNGE = "SELECT uid FROM imap.expunge(%s, %s, %s::bigint[]) AS u (uid)"

HEAD = "SELECT uid_validity, uid_next, highest_mod_seq FROM imap.held WHERE user_id = %s AND id = %s"

HOLDS = "SELECT 1 FROM imap.held WHERE user_id = %s AND id = %s"

# -- changes to mailboxes ---------------------------------------------------------------------------------------------

CREATE_ADDRESS = "SELECT imap.create_address(%s, %s, %s::text[], %s, %s)"

DELETE_ADDRESS = "SELECT imap.delete_address(%s, %s)"

CREATE_FOLDER = "SELECT imap.create_folder(%s, %s, %s, %s, %s)"

DELETE_FOLDER = "SELECT imap.delete_folder(%s, %s, %s)"

RENAME_FOLDER = "SELECT imap.rename_folder(%s, %s, %s, %s, %s)"

RENAME_INBOX = "SELECT imap.rename_inbox(%s, %s, %s, %s, %s)"

UPLOAD = "INSERT INTO imap.upload (id, piece, octets) VALUES (%s, %s, %s) RETURNING 1"

DISCARD = "WITH gone AS (DELETE FROM imap.upload WHERE id = ANY (%s::uuid[]) RETURNING 1) SELECT count(*) FROM gone"

TIDY = """
    WITH gone AS (DELETE FROM imap.upload WHERE created_at < now() - interval '1 day' RETURNING 1)
    SELECT count(*) FROM gone
"""

TIDY_LIMITED = "SELECT imap.tidy_limited()"

TIDY_ARRIVALS = "SELECT imap.tidy_arrivals(%s, make_interval(days => %s))"

FORGET_EXPUNGED = "SELECT imap.forget_expunged(%s, make_interval(days => %s), %s)"

APPEND = """
    SELECT uid FROM imap.append(%s, %s, %s::text[], %s, %s::uuid[], %s::bigint[], %s::bytea[], %s::timestamptz[],
                                %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
"""

COPY = "SELECT uid, new_uid FROM imap.copy(%s, %s, %s::bigint[], %s, %s::uuid[])"

MOVE = "SELECT uid, new_uid FROM imap.move(%s, %s, %s::bigint[], %s)"

# The same answer as that of TAKES_CHANGES.
LISTEN = connection.LISTENS + "LISTEN cybertemp_imap; SHOW transaction_read_only"

# That it is answered tells that all notifications from before have come.
TAKES_CHANGES = connection.LISTENS + "SHOW transaction_read_only"

# -- replicas ---------------------------------------------------------------------------------------------------------

# Of the database, whatever server it is on: a copy of all files has the same.
SYSTEM = """
    SELECT c.system_identifier || '/' || d.oid
    FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()
"""

WRITTEN = "SELECT pg_current_wal_insert_lsn()::text"

# Comes before what is read.
REPLAYED = "SELECT imap.require_replayed(%s::pg_lsn); "

# -- mail from elsewhere ----------------------------------------------------------------------------------------------

RECEIVE = """
    SELECT imap.receive(%s, %s, %s, %s, %s, %s, %s, %s, %s::text[], %s,
                        %s::uuid[], %s::uuid[], %s::text[], %s::bytea[])::text
"""

# -- retention --------------------------------------------------------------------------------------------------------

# Mail is old by its date, and by how long it has been here: what somebody puts here, however old, stays its time. Rows
# that others have locked are left for the next time, so nobody is waited for and there is no deadlock.
PURGE = """
    WITH old AS (
        SELECT e.id, e.timestamp FROM public.emails e
        WHERE e.timestamp >= %s::timestamptz AND e.timestamp < %s AND (e.created_at IS NULL OR e.created_at < %s)
          AND (%s::text IS NULL OR lower(e.mailbox_owner) = %s)
        ORDER BY e.timestamp LIMIT %s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM public.emails e USING old o WHERE e.id = o.id RETURNING o.timestamp
    )
    SELECT count(*), max(g.timestamp)::text FROM gone g
"""

PURGE_UNDATED = """
    WITH old AS (
        SELECT e.id, e.created_at FROM public.emails e
        WHERE e.timestamp IS NULL AND e.created_at >= %s::timestamptz AND e.created_at < %s AND e.created_at < %s
          AND (%s::text IS NULL OR lower(e.mailbox_owner) = %s)
        ORDER BY e.created_at LIMIT %s FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM public.emails e USING old o WHERE e.id = o.id RETURNING o.created_at
    )
    SELECT count(*), max(g.created_at)::text FROM gone g
"""

AGED = """
    SELECT count(*), coalesce(sum(e.size), 0)::bigint FROM public.emails e
    WHERE coalesce(e.timestamp, e.created_at) < %s AND (e.created_at IS NULL OR e.created_at < %s)
      AND (%s::text IS NULL OR lower(e.mailbox_owner) = %s)
"""
