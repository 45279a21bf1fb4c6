"""Every SQL statement of the commands on accounts, tokens, domains, addresses and bans.

The tables belong to other programs too. Their triggers, where they have some of ours, tell the servers of a change.
"""

from __future__ import annotations

FIND_USERS = """
    SELECT u.id, u.email, u.subscription_status, u.subscription_end_date, u.created_at
    FROM public.users u WHERE lower(btrim(u.email)) = %s OR u.id::text = %s ORDER BY u.created_at LIMIT 2
"""

ADD_USER = """
    INSERT INTO public.users (id, email, subscription_status, subscription_end_date, created_at)
    VALUES (%s, %s, %s, %s, now())
"""

LOCK_USERS = "SELECT pg_advisory_xact_lock(hashtext('cybertemp_imap users'), 0)"

LIST_USERS = """
    SELECT u.id, u.email, u.subscription_status, u.subscription_end_date,
           (SELECT count(*) FROM public.inbox i WHERE i.user_id = u.id),
           (SELECT count(*) FROM public.imap_tokens t WHERE t.user_id = u.id)
    FROM public.users u ORDER BY lower(u.email)
"""

SET_SUBSCRIPTION = "UPDATE public.users SET subscription_status = %s, subscription_end_date = %s WHERE id = %s"

DELETE_USER = "DELETE FROM public.users WHERE id = %s"

DELETE_TOKENS_OF = "DELETE FROM public.imap_tokens WHERE user_id = %s RETURNING id"

DELETE_LIMITS = "DELETE FROM imap.token_limit WHERE token_id = ANY (%s::uuid[])"

GIVE_BACK_ALL = "DELETE FROM public.inbox WHERE user_id = %s RETURNING email_address"

# Mailboxes before e-mails, as everywhere.
FORGET_MAILBOXES = """
    SELECT count(imap.forget_mailbox(b.id)) FROM (
        SELECT id FROM imap.mailbox WHERE user_id = %s ORDER BY id FOR UPDATE) b
"""

DELETE_MAIL = """
    WITH gone AS (
        DELETE FROM public.emails e WHERE e.id IN (
            SELECT t.id FROM public.emails t WHERE t.mailbox_owner = %s ORDER BY t.id LIMIT %s FOR UPDATE)
        RETURNING 1
    ) SELECT count(*) FROM gone
"""

DELETE_SUBSCRIPTIONS = "DELETE FROM imap.subscription WHERE user_id = %s"

# -- tokens -----------------------------------------------------------------------------------------------------------

ADD_TOKEN = """
    INSERT INTO public.imap_tokens (id, user_id, token, expires_at, created_at) VALUES (%s, %s, %s, %s, now())
"""

ADD_LIMIT = "INSERT INTO imap.token_limit (token_id, addresses, read_only, expires_at) VALUES (%s, %s, %s, %s)"

LIST_TOKENS = """
    SELECT t.id, u.email, t.expires_at, t.last_used_at, l.addresses, coalesce(l.read_only, false), l.expires_at,
           t.token LIKE 'sha256:%%'
    FROM public.imap_tokens t LEFT JOIN public.users u ON u.id = t.user_id
    LEFT JOIN imap.token_limit l ON l.token_id = t.id
    WHERE %s::uuid IS NULL OR t.user_id = %s ORDER BY lower(u.email), t.created_at
"""

DELETE_TOKEN = "DELETE FROM public.imap_tokens WHERE id = %s RETURNING id"

# -- domains ----------------------------------------------------------------------------------------------------------

LIST_DOMAINS = """
    SELECT d.domain, u.email, d.user_id, coalesce(d.cloudflare_domain, false), coalesce(d.active, false)
    FROM public.domains d LEFT JOIN public.users u ON u.id = d.user_id ORDER BY d.domain
"""

FIND_DOMAIN = (
    "SELECT d.id, coalesce(d.active, false) FROM public.domains d WHERE lower(btrim(d.domain)) = %s FOR UPDATE"
)

ADD_DOMAIN = """
    INSERT INTO public.domains (id, domain, user_id, active, cloudflare_domain, created_at)
    VALUES (%s, %s, %s, true, %s, now())
"""

SET_ACTIVE = "UPDATE public.domains SET active = %s WHERE id = ANY (%s::uuid[])"

# -- addresses --------------------------------------------------------------------------------------------------------

LIST_ADDRESSES = """
    SELECT i.email_address, u.email, i.user_id, i.created_at, a.email_address IS NULL AND i.user_id IS NOT NULL
    FROM public.inbox i LEFT JOIN public.users u ON u.id = i.user_id
    LEFT JOIN imap.address a ON a.email_address = i.email_address
    WHERE %s::uuid IS NULL OR i.user_id = %s ORDER BY i.email_address
"""

HOLDER = "SELECT i.user_id FROM public.inbox i WHERE i.email_address = %s OR lower(i.email_address) = %s LIMIT 1"

# -- bans -------------------------------------------------------------------------------------------------------------

LIST_BANS = "SELECT b.id::text, b.scope, b.value, b.match_type, b.status, b.created_at FROM public.bans b ORDER BY 2, 3"

BANS_IN_FORCE = "SELECT NULL, b.scope, b.value, b.match_type, 'active', NULL FROM imap.ban b ORDER BY 2, 3"

ADD_BAN = """
    INSERT INTO public.bans (id, scope, value, match_type, status, created_at) VALUES (%s, %s, %s, %s, 'active', now())
"""

LIFT_BANS = "UPDATE public.bans SET status = 'inactive' WHERE id::text = ANY (%s) AND status = 'active'"

HIDES = "SELECT imap.hides(%s)"

# -- status and doctor ------------------------------------------------------------------------------------------------

STATUS = """
    SELECT (SELECT max(version) FROM imap.schema_version), (SELECT count(*) FROM public.users),
           (SELECT count(*) FROM public.inbox WHERE user_id IS NOT NULL),
           (SELECT greatest(c.reltuples, 0)::bigint FROM pg_class c WHERE c.oid = 'public.emails'::regclass),
           (SELECT count(DISTINCT f.mailbox_id) FROM imap.feed f), (SELECT count(*) FROM imap.arrival),
           (SELECT count(*) FROM pg_stat_activity a
            WHERE a.datname = current_database() AND starts_with(a.query, %s))
"""

MISSING_PRIVILEGES = """
    SELECT n.name, p.privilege
    FROM (VALUES ('public.emails', 'SELECT INSERT UPDATE DELETE'), ('public.inbox', 'SELECT INSERT UPDATE DELETE'),
                 ('public.domains', 'SELECT'), ('public.bans', 'SELECT'), ('public.imap_tokens', 'SELECT UPDATE'),
                 ('public.users', 'SELECT'), ('imap.mailbox', 'SELECT INSERT UPDATE DELETE'),
                 ('imap.message', 'SELECT INSERT UPDATE DELETE'), ('imap.source', 'SELECT INSERT UPDATE DELETE'),
                 ('imap.arrival', 'SELECT INSERT DELETE'), ('imap.upload', 'SELECT INSERT DELETE'),
                 ('imap.token_limit', 'SELECT')) AS n (name, privileges)
    CROSS JOIN LATERAL regexp_split_to_table(n.privileges, ' ') AS p (privilege)
    WHERE NOT has_table_privilege(n.name, p.privilege)
"""

TRIGGERS_OFF = """
    SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger t
    WHERE t.tgname LIKE 'imap\\_%%' AND t.tgenabled = 'D' ORDER BY 1
"""

LISTEN = "LISTEN cybertemp_imap_doctor"

NOTIFY = "NOTIFY cybertemp_imap_doctor"

PROCESS = "SELECT pg_backend_pid()"

# A replica that has replayed all that it has got is not behind, however long ago that was.
REPLICA = """
    SELECT pg_is_in_recovery(), current_setting('default_transaction_isolation'),
           CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) END::float
"""

CLOCK = "SELECT clock_timestamp()"

MAIL_OF = """
    WITH mail AS MATERIALIZED (
        SELECT e.from_addr FROM public.emails e JOIN public.inbox i
          ON e.mailbox_owner IN (i.email_address, lower(i.email_address)) AND i.user_id = %s
    ), hidden AS MATERIALIZED (
        SELECT imap.hidden_senders(ARRAY(
            SELECT DISTINCT m.from_addr FROM mail m WHERE m.from_addr IS NOT NULL)) AS senders
    )
    SELECT count(*), count(*) FILTER (WHERE m.from_addr = ANY (h.senders)) FROM mail m CROSS JOIN hidden h
"""
