-- What a refresh, STORE and EXPUNGE read is found by one way only, however old a plan is.
--
-- A plan is kept by a connection, and may be of a time when tables were empty: then any index serves as well as another,
-- and reading all of one costs nothing. Kept until mail has come by thousands, it reads all of that for each message. So
-- OFFSET 0 has each e-mail looked up by itself, by its id; and an index that begins with the mailbox, of which all would
-- be read, cannot serve a sum.

-- In this language plans are kept, and made anew in each statement in SQL. The cost has it called once a mailbox, and not
-- for each message of it.
CREATE OR REPLACE FUNCTION imap.owns(p_user uuid, p_owner text) RETURNS boolean LANGUAGE plpgsql STABLE COST 1000 AS $$
BEGIN
    RETURN p_owner = 'account:' || p_user
        OR EXISTS (SELECT 1 FROM imap.address i WHERE i.email_address = p_owner AND i.user_id = p_user)
        OR EXISTS (SELECT 1 FROM imap.address i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner)
        OR p_owner LIKE 'limited:%'
           AND EXISTS (SELECT 1 FROM imap.mailbox m WHERE m.user_id = p_user AND m.owner = p_owner);
END $$;

CREATE OR REPLACE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[], p_hidden text[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    next_uid bigint;
    holder uuid;
    changed boolean;
    grown bigint;
BEGIN
    SELECT b.highest_mod_seq + 1, b.uid_next, b.user_id INTO next_seq, next_uid, holder
    FROM imap.mailbox b WHERE b.id = p_mailbox;
    WITH state AS MATERIALIZED (
        SELECT u.id AS email_id, m.uid, m.flags AS known, v.internal_date, v.flags
        FROM unnest(p_emails) AS u (id)
        LEFT JOIN LATERAL (
            SELECT m.uid, m.flags FROM imap.message m WHERE m.email_id = u.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0
        ) m ON true
        LEFT JOIN LATERAL (
            -- What imap.fed says of one e-mail, without what is hidden.
            SELECT coalesce(e.flags, '{}') AS flags,
                   imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
            FROM (
                SELECT e.id, e.flags, e.timestamp, e.created_at, e.mailbox_owner, e.mailbox, e.from_addr
                FROM public.emails e WHERE e.id = u.id OFFSET 0
            ) e
            WHERE EXISTS (SELECT 1 FROM imap.feed f
                          WHERE f.owner = e.mailbox_owner AND f.folder = e.mailbox AND f.mailbox_id + 0 = p_mailbox)
              AND (NOT EXISTS (SELECT 1 FROM imap.holding h
                               WHERE h.address = lower(e.mailbox_owner) AND h.user_id <> holder)
                   OR imap.belongs(holder, e.id, lower(e.mailbox_owner), e.created_at))
              AND (p_hidden = '{}' OR (e.from_addr IN (SELECT unnest(p_hidden))) IS NOT TRUE)
        ) v ON true
    ), gone AS (
        DELETE FROM imap.message m USING state s
        WHERE m.mailbox_id + 0 = p_mailbox AND m.email_id = s.email_id AND s.uid IS NOT NULL AND s.flags IS NULL
        RETURNING m.uid
    ), kept AS (
        INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_mailbox, g.uid, next_seq FROM gone g
        RETURNING 1
    ), flagged AS (
        UPDATE imap.message m SET flags = s.flags, mod_seq = next_seq FROM state s
        WHERE m.mailbox_id + 0 = p_mailbox AND m.email_id = s.email_id AND s.flags <> s.known
        RETURNING 1
    ), added AS (
        INSERT INTO imap.message (mailbox_id, uid, email_id, mod_seq, flags, internal_date)
        SELECT p_mailbox, next_uid - 1 + row_number() OVER (ORDER BY s.internal_date, s.email_id),
               s.email_id, next_seq, s.flags, s.internal_date
        FROM state s WHERE s.uid IS NULL AND s.flags IS NOT NULL
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM added),
           EXISTS (SELECT 1 FROM added) OR EXISTS (SELECT 1 FROM kept) OR EXISTS (SELECT 1 FROM flagged)
    INTO grown, changed;
    IF changed THEN
        UPDATE imap.mailbox SET highest_mod_seq = next_seq, uid_next = next_uid + grown WHERE id = p_mailbox;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    hidden text[] := '{}';
BEGIN
    IF EXISTS (SELECT 1 FROM imap.sender_ban) THEN
        hidden := imap.hidden_senders(ARRAY(
            SELECT DISTINCT e.from_addr FROM unnest(p_emails) AS u (id)
            CROSS JOIN LATERAL (SELECT e.from_addr FROM public.emails e WHERE e.id = u.id OFFSET 0) e
            WHERE e.from_addr IS NOT NULL));
    END IF;
    PERFORM imap.take_in(p_mailbox, p_emails, hidden);
END $$;

-- Changes by clients --------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.emails_of(p_mailbox bigint, p_uids bigint[]) RETURNS uuid[]
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
BEGIN
    RETURN ARRAY(
        SELECT m.email_id FROM unnest(p_uids) AS u (uid)
        -- In the order of the primary key, which no other index has.
        CROSS JOIN LATERAL (
            SELECT m.uid, m.email_id FROM imap.message m WHERE m.mailbox_id = p_mailbox AND m.uid >= u.uid
            ORDER BY m.uid LIMIT 1) m
        WHERE m.uid = u.uid ORDER BY m.email_id);
END $$;
COMMENT ON FUNCTION imap.emails_of(bigint, bigint[]) IS 'The e-mails that have these UIDs in a mailbox, ascending.';

DROP FUNCTION imap.store_flags(uuid, bigint, bigint[], text, text[], bigint);
CREATE FUNCTION imap.store_flags(
    p_user uuid, p_mailbox bigint, p_uids bigint[], p_mode text, p_flags text[], p_unchanged_since bigint
) RETURNS TABLE (uid bigint, flags text[], mod_seq bigint, held_back boolean, taken bigint)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    emails uuid[];
    chosen uuid[];
    touched bigint;
BEGIN
    SELECT b.highest_mod_seq + 1 INTO next_seq FROM imap.mailbox b
    WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    emails := imap.emails_of(p_mailbox, p_uids);
    -- Other programs write public.emails too: its rows are locked before they are read, in one order everywhere. Flags
    -- that another program has changed since they were taken in are a change that UNCHANGEDSINCE must not pass over.
    SELECT array_agg(e.id) FILTER (
        WHERE p_unchanged_since IS NULL OR m.mod_seq <= p_unchanged_since AND m.flags = coalesce(e.flags, '{}'))
    INTO chosen
    FROM unnest(emails) AS u (id)
    CROSS JOIN LATERAL (SELECT e.id, e.flags FROM public.emails e WHERE e.id = u.id OFFSET 0 FOR UPDATE) e
    JOIN LATERAL (
        SELECT m.mod_seq, m.flags FROM imap.message m WHERE m.email_id = e.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0
    ) m ON true;
    PERFORM set_config('imap.acting_mailboxes', p_mailbox::text, true);
    UPDATE public.emails e SET flags = imap.combine_flags(coalesce(e.flags, '{}'), p_mode, p_flags)
    WHERE e.id = ANY (chosen)
      AND imap.combine_flags(coalesce(e.flags, '{}'), p_mode, p_flags) IS DISTINCT FROM e.flags;
    PERFORM set_config('imap.acting_mailboxes', '', true);
    WITH n AS MATERIALIZED (
        SELECT e.id, e.flags FROM unnest(chosen) AS c (id)
        CROSS JOIN LATERAL (
            SELECT e.id, coalesce(e.flags, '{}') AS flags FROM public.emails e WHERE e.id = c.id OFFSET 0) e
    )
    UPDATE imap.message m SET flags = n.flags, mod_seq = next_seq FROM n
    WHERE m.mailbox_id + 0 = p_mailbox AND m.email_id = n.id AND m.flags <> n.flags;
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched > 0 THEN
        UPDATE imap.mailbox b SET highest_mod_seq = next_seq WHERE b.id = p_mailbox;
    END IF;
    RETURN QUERY
    SELECT m.uid, m.flags, m.mod_seq, NOT coalesce(m.email_id = ANY (chosen), false),
           CASE WHEN touched > 0 THEN next_seq END
    FROM unnest(emails) AS u (id)
    CROSS JOIN LATERAL (SELECT e.id FROM public.emails e WHERE e.id = u.id OFFSET 0) e
    CROSS JOIN LATERAL (
        SELECT m.uid, m.flags, m.mod_seq, m.email_id FROM imap.message m
        WHERE m.email_id = e.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0) m
    ORDER BY m.uid;
END $$;
COMMENT ON FUNCTION imap.store_flags(uuid, bigint, bigint[], text, text[], bigint) IS
    'STORE: the state of each message named that is there; held_back: it has changed since p_unchanged_since. taken: the '
    'mod-sequence that the change took, or NULL when nothing has changed.';

CREATE OR REPLACE FUNCTION imap.expunge(p_user uuid, p_mailbox bigint, p_uids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    emails uuid[];
    targets uuid[];
BEGIN
    SELECT b.highest_mod_seq + 1 INTO next_seq FROM imap.mailbox b
    WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF p_uids IS NULL THEN
        emails := ARRAY(SELECT m.email_id FROM imap.message m WHERE m.mailbox_id = p_mailbox ORDER BY m.email_id);
    ELSE
        emails := imap.emails_of(p_mailbox, p_uids);
    END IF;
    -- The row's lock is taken before its flags are judged: an \Deleted removed at the last moment holds.
    SELECT array_agg(e.id) INTO targets
    FROM unnest(emails) AS u (id)
    CROSS JOIN LATERAL (
        SELECT e.id FROM public.emails e WHERE e.id = u.id AND imap.has_flag(e.flags, '\deleted')
        OFFSET 0 FOR UPDATE) e;
    IF targets IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('imap.acting_mailboxes', p_mailbox::text, true);
    DELETE FROM public.emails e WHERE e.id = ANY (targets);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    UPDATE imap.mailbox b SET highest_mod_seq = next_seq WHERE b.id = p_mailbox;
    RETURN QUERY
    WITH gone AS (
        DELETE FROM imap.message m WHERE m.mailbox_id + 0 = p_mailbox AND m.email_id = ANY (targets) RETURNING m.uid
    ), kept AS (
        INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_mailbox, g.uid, next_seq FROM gone g
    )
    SELECT g.uid FROM gone g ORDER BY g.uid;
END $$;

CREATE OR REPLACE FUNCTION imap.choose(p_mailbox bigint, p_uids bigint[]) RETURNS TABLE (uid bigint, email_id uuid)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    emails constant uuid[] := imap.emails_of(p_mailbox, p_uids);
    hidden text[] := '{}';
BEGIN
    IF EXISTS (SELECT 1 FROM imap.sender_ban) THEN
        hidden := imap.hidden_senders(ARRAY(
            SELECT DISTINCT e.from_addr FROM unnest(emails) AS u (id)
            CROSS JOIN LATERAL (SELECT e.from_addr FROM public.emails e WHERE e.id = u.id OFFSET 0) e
            WHERE e.from_addr IS NOT NULL));
    END IF;
    -- The rows are locked before anything is done with them, in one order everywhere; one that another program has
    -- deleted, moved away or banned at the last moment is not there.
    RETURN QUERY
    SELECT m.uid, e.id
    FROM unnest(emails) AS u (id)
    CROSS JOIN LATERAL (
        SELECT e.id, e.mailbox_owner, e.mailbox, e.from_addr FROM public.emails e WHERE e.id = u.id
        OFFSET 0 FOR UPDATE) e
    CROSS JOIN LATERAL (
        SELECT m.uid FROM imap.message m WHERE m.email_id = e.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0) m
    WHERE EXISTS (SELECT 1 FROM imap.feed f
                  WHERE f.owner = e.mailbox_owner AND f.folder = e.mailbox AND f.mailbox_id + 0 = p_mailbox)
      AND (e.from_addr = ANY (hidden)) IS NOT TRUE;
END $$;

ALTER FUNCTION imap.emails_updated() SET enable_seqscan = off;
ALTER FUNCTION imap.emails_deleted() SET enable_seqscan = off;
