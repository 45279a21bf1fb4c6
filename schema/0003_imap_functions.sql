-- What the server calls: each function is one step that a client's command needs, in one round trip.
-- Every function that names a mailbox also takes the user, and does nothing when it is not that user's.

-- Values --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.clamp_time(p_time timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_time IS NOT NULL
                THEN greatest('1000-01-01 00:00+00'::timestamptz, least('9000-01-01 00:00+00'::timestamptz, p_time)) END
$$;
COMMENT ON FUNCTION imap.clamp_time(timestamptz) IS
    'The time, where it is infinite or out of what clients can print the nearest that is not.';

-- Flags ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.has_flag(p_flags text[], p_flag text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_flag = ANY (lower(p_flags::text)::text[]), false)
$$;
COMMENT ON FUNCTION imap.has_flag(text[], text) IS 'Whether a flag (given in lower case) is among the flags.';

CREATE FUNCTION imap.is_told(p_flag text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_flag ~* '^\\(answered|flagged|deleted|seen|draft)$'
        OR p_flag ~ '^[!#$&''+,./0-9:;<=>?@A-Z[^_`a-z|}~-]{1,255}$'
$$;
COMMENT ON FUNCTION imap.is_told(text) IS
    'Whether a stored flag is one that clients are told (RFC 9051 section 9, flag): others are left alone.';

CREATE FUNCTION imap.combine_flags(p_flags text[], p_mode text, p_change text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_mode
        WHEN '+' THEN p_flags || ARRAY(
            SELECT c FROM unnest(p_change) WITH ORDINALITY AS u (c, n)
            WHERE NOT imap.has_flag(p_flags, lower(c)) ORDER BY n)
        WHEN '-' THEN ARRAY(
            SELECT f FROM unnest(p_flags) WITH ORDINALITY AS u (f, n)
            WHERE NOT imap.has_flag(p_change, lower(f)) ORDER BY n)
        ELSE ARRAY(
            SELECT f FROM unnest(p_flags) WITH ORDINALITY AS u (f, n)
            WHERE imap.has_flag(p_change, lower(f)) OR NOT coalesce(imap.is_told(f), false) ORDER BY n)
         || ARRAY(
            SELECT c FROM unnest(p_change) WITH ORDINALITY AS u (c, n)
            WHERE NOT imap.has_flag(p_flags, lower(c)) ORDER BY n)
    END
$$;
COMMENT ON FUNCTION imap.combine_flags(text[], text, text[]) IS
    'Flags after STORE: + adds, - removes, empty replaces what clients are told; spellings that are there are kept.';

-- Mailboxes -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.owns(p_user uuid, p_owner text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_owner = 'account:' || p_user
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = p_owner AND i.user_id = p_user)
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner)
$$;
COMMENT ON FUNCTION imap.owns(uuid, text) IS 'Whether an owner (lower case) is the user''s account or one of their addresses.';

CREATE VIEW imap.held AS SELECT * FROM imap.mailbox b WHERE imap.owns(b.user_id, b.owner);
COMMENT ON VIEW imap.held IS 'Mailboxes that are their user''s at this moment: what is read goes through here.';

CREATE FUNCTION imap.spellings(p_user uuid, p_owner text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT p_owner
    UNION
    SELECT i.email_address FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner
$$;
COMMENT ON FUNCTION imap.spellings(uuid, text) IS
    'How an owner may be written in public.emails: in lower case, or as public.inbox has it.';

CREATE FUNCTION imap.ensure_account(p_user uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM imap.mailbox
                   WHERE user_id = p_user AND owner = 'account:' || p_user AND folder = 'INBOX') THEN
        INSERT INTO imap.mailbox (user_id, owner, folder, special_use)
        SELECT p_user, 'account:' || p_user, u.folder, u.special_use
        FROM (VALUES ('INBOX', NULL), ('Archive', '\Archive'), ('Drafts', '\Drafts'), ('Junk', '\Junk'),
                     ('Sent', '\Sent'), ('Trash', '\Trash')) AS u (folder, special_use)
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION imap.ensure_account(uuid) IS 'Make INBOX and the special-use folders of an account, once.';

CREATE FUNCTION imap.list_mailboxes(p_user uuid) RETURNS TABLE (owner text, folder text, special_use text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imap.ensure_account(p_user);
    RETURN QUERY
    WITH RECURSIVE address AS (
        SELECT DISTINCT lower(i.email_address) AS name, s.spelling
        FROM public.inbox i, LATERAL (VALUES (i.email_address), (lower(i.email_address))) AS s (spelling)
        WHERE i.user_id = p_user
    ), delivered AS (
        -- One index probe for each folder instead of a walk over every message.
        SELECT a.name, a.spelling,
               (SELECT min(e.mailbox) FROM public.emails e WHERE e.mailbox_owner = a.spelling) AS folder
        FROM address a
        UNION ALL
        SELECT d.name, d.spelling,
               (SELECT min(e.mailbox) FROM public.emails e
                WHERE e.mailbox_owner = d.spelling AND e.mailbox > d.folder)
        FROM delivered d WHERE d.folder IS NOT NULL
    )
    SELECT a.name, 'INBOX'::text, NULL::text FROM address a
    UNION
    SELECT d.name, d.folder, NULL FROM delivered d WHERE d.folder IS NOT NULL AND d.folder <> 'INBOX'
    UNION
    SELECT m.owner, m.folder, m.special_use FROM imap.mailbox m
    WHERE m.user_id = p_user
      AND (m.owner = 'account:' || p_user OR m.folder <> 'INBOX' AND m.owner IN (SELECT a.name FROM address a));
END $$;
COMMENT ON FUNCTION imap.list_mailboxes(uuid) IS 'Every mailbox of a user.';

CREATE FUNCTION imap.find_mailbox(p_user uuid, p_owner text, p_folder text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_id bigint;
BEGIN
    IF NOT imap.owns(p_user, p_owner) THEN
        RETURN NULL;
    END IF;
    SELECT id INTO found_id FROM imap.mailbox WHERE user_id = p_user AND owner = p_owner AND folder = p_folder;
    IF found_id IS NOT NULL THEN
        RETURN found_id;
    END IF;
    IF p_owner = 'account:' || p_user THEN
        PERFORM imap.ensure_account(p_user);
    ELSIF p_folder = 'INBOX' OR EXISTS (
        SELECT 1 FROM imap.spellings(p_user, p_owner) AS s (spelling), LATERAL (
            SELECT 1 FROM public.emails e WHERE e.mailbox_owner = s.spelling AND e.mailbox = p_folder LIMIT 1) AS mail
    ) THEN
        INSERT INTO imap.mailbox (user_id, owner, folder) VALUES (p_user, p_owner, p_folder) ON CONFLICT DO NOTHING;
    END IF;
    SELECT id INTO found_id FROM imap.mailbox WHERE user_id = p_user AND owner = p_owner AND folder = p_folder;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION imap.find_mailbox(uuid, text, text) IS 'The number of a mailbox the user may open, or NULL.';

-- Refresh -------------------------------------------------------------------------------------------------------------

CREATE VIEW imap.visible AS
    SELECT f.mailbox_id, e.id AS email_id, coalesce(e.flags, '{}') AS flags,
           imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
    FROM imap.feed f JOIN public.emails e ON e.mailbox_owner = f.owner AND e.mailbox = f.folder
    WHERE NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = lower(btrim(e.from_addr)))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = imap.sender_address(e.from_addr))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'contains' AND strpos(lower(e.from_addr), b.value) > 0);
COMMENT ON VIEW imap.visible IS 'What each opened mailbox must show, bans regarded.';

CREATE FUNCTION imap.set_feed(p_mailbox imap.mailbox) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    grown bigint;
BEGIN
    WITH wanted AS (
        SELECT s.spelling AS owner, p_mailbox.folder
        FROM imap.spellings(p_mailbox.user_id, p_mailbox.owner) AS s (spelling)
        UNION
        SELECT v.spelling, 'INBOX'
        FROM public.inbox i, LATERAL (VALUES (i.email_address), (lower(i.email_address))) AS v (spelling)
        WHERE p_mailbox.folder = 'INBOX' AND p_mailbox.owner = 'account:' || p_mailbox.user_id
          AND i.user_id = p_mailbox.user_id
    ), gone AS (
        DELETE FROM imap.feed f
        WHERE f.mailbox_id = p_mailbox.id
          AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.owner = f.owner AND w.folder = f.folder)
    ), added AS (
        INSERT INTO imap.feed (owner, folder, mailbox_id) SELECT w.owner, w.folder, p_mailbox.id FROM wanted w
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT count(*) INTO grown FROM added;
    RETURN grown > 0;
END $$;
COMMENT ON FUNCTION imap.set_feed(imap.mailbox) IS 'Make feed right for a mailbox; whether it has grown.';

CREATE FUNCTION imap.differing(p_mailbox bigint) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(coalesce(v.email_id, m.email_id))
    FROM (SELECT * FROM imap.visible WHERE mailbox_id = p_mailbox) v
    FULL JOIN (SELECT * FROM imap.message WHERE mailbox_id = p_mailbox) m ON m.email_id = v.email_id
    WHERE v.email_id IS NULL OR m.email_id IS NULL OR v.flags <> m.flags
$$;
COMMENT ON FUNCTION imap.differing(bigint) IS 'E-mails about which a mailbox is not up to date, found by comparing everything.';

CREATE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    next_seq bigint;
    next_uid bigint;
    touched bigint;
    changed boolean := false;
BEGIN
    SELECT highest_mod_seq + 1, uid_next INTO next_seq, next_uid FROM imap.mailbox WHERE id = p_mailbox;

    WITH gone AS (
        DELETE FROM imap.message m
        WHERE m.mailbox_id = p_mailbox AND m.email_id = ANY (p_emails)
          AND NOT EXISTS (SELECT 1 FROM imap.visible v WHERE v.mailbox_id = p_mailbox AND v.email_id = m.email_id)
        RETURNING m.uid
    )
    INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_mailbox, uid, next_seq FROM gone;
    GET DIAGNOSTICS touched = ROW_COUNT;
    changed := changed OR touched > 0;

    UPDATE imap.message m SET flags = coalesce(e.flags, '{}'), mod_seq = next_seq
    FROM public.emails e
    WHERE m.mailbox_id = p_mailbox AND m.email_id = ANY (p_emails) AND e.id = m.email_id
      AND m.flags <> coalesce(e.flags, '{}');
    GET DIAGNOSTICS touched = ROW_COUNT;
    changed := changed OR touched > 0;

    INSERT INTO imap.message (mailbox_id, uid, email_id, mod_seq, flags, internal_date)
    SELECT p_mailbox, next_uid - 1 + row_number() OVER (ORDER BY v.internal_date, v.email_id),
           v.email_id, next_seq, v.flags, v.internal_date
    FROM imap.visible v
    WHERE v.mailbox_id = p_mailbox AND v.email_id = ANY (p_emails)
      AND NOT EXISTS (SELECT 1 FROM imap.message m WHERE m.mailbox_id = p_mailbox AND m.email_id = v.email_id);
    GET DIAGNOSTICS touched = ROW_COUNT;
    changed := changed OR touched > 0;

    IF changed THEN
        UPDATE imap.mailbox SET highest_mod_seq = next_seq, uid_next = next_uid + touched WHERE id = p_mailbox;
    END IF;
END $$;
COMMENT ON FUNCTION imap.take_in(bigint, uuid[]) IS
    'Bring a mailbox, whose row the caller has locked, up to date about these e-mails.';

CREATE FUNCTION imap.rescan(p_mailbox imap.mailbox) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    settle bigint := p_mailbox.settle_xid;
    bans bigint;
BEGIN
    -- A transaction that was writing when the feed grew may not have seen it, and left nothing in arrival. Any such one
    -- has its xid by the first snapshot taken after the growth was committed; once all of those have ended, one more
    -- scan finds whatever they brought.
    IF imap.set_feed(p_mailbox) OR settle IS NULL THEN
        settle := -1;
    ELSE
        IF settle = -1 THEN
            settle := txid_snapshot_xmax(txid_current_snapshot());
        END IF;
        IF NOT EXISTS (SELECT 1 FROM txid_snapshot_xip(txid_current_snapshot()) AS x (xid) WHERE x.xid < settle) THEN
            settle := 0;
        END IF;
    END IF;
    SELECT version INTO bans FROM imap.ban_state;
    PERFORM imap.take_in(p_mailbox.id, imap.differing(p_mailbox.id));
    UPDATE imap.mailbox SET settle_xid = settle, ban_version = bans, scanned_at = now() WHERE id = p_mailbox.id;
END $$;
COMMENT ON FUNCTION imap.rescan(imap.mailbox) IS 'Bring a mailbox, whose row the caller has locked, up to date as a whole.';

CREATE FUNCTION imap.refresh(p_user uuid, p_mailbox bigint)
RETURNS TABLE (uid_validity bigint, uid_next bigint, highest_mod_seq bigint) LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    emails uuid[];
    stale boolean;
BEGIN
    SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_mailbox AND b.user_id = p_user;
    IF NOT FOUND OR NOT imap.owns(p_user, box.owner) THEN
        RETURN;
    END IF;
    stale := box.settle_xid IS DISTINCT FROM 0
          OR box.ban_version <> (SELECT version FROM imap.ban_state)
          OR box.scanned_at < now() - interval '1 hour';
    IF stale OR EXISTS (SELECT 1 FROM imap.arrival a WHERE a.mailbox_id = p_mailbox) THEN
        SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_mailbox FOR UPDATE;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        WITH drained AS (DELETE FROM imap.arrival a WHERE a.mailbox_id = p_mailbox RETURNING a.email_id)
        SELECT array_agg(DISTINCT d.email_id), stale OR coalesce(bool_or(d.email_id IS NULL), false)
        INTO emails, stale FROM drained d;
        IF stale THEN
            PERFORM imap.rescan(box);
        ELSIF emails IS NOT NULL THEN
            PERFORM imap.take_in(p_mailbox, emails);
        END IF;
        SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_mailbox;
    END IF;
    RETURN QUERY SELECT box.uid_validity, box.uid_next, box.highest_mod_seq;
END $$;
COMMENT ON FUNCTION imap.refresh(uuid, bigint) IS
    'Take in what has happened to a mailbox''s mail and return its numbers; no row when the user has it no longer.';

CREATE FUNCTION imap.claim_recent(p_user uuid, p_mailbox bigint, p_claim boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_mailbox AND b.user_id = p_user;
    IF p_claim AND box.recent_uid < box.uid_next THEN
        SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_mailbox FOR UPDATE;
        UPDATE imap.mailbox b SET recent_uid = b.uid_next WHERE b.id = p_mailbox;
    END IF;
    RETURN box.recent_uid;
END $$;
COMMENT ON FUNCTION imap.claim_recent(uuid, bigint, boolean) IS
    'The first UID that no session has been told as \Recent; with p_claim, all present ones count as told from now on.';

-- Changes by clients --------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.store_flags(
    p_user uuid, p_mailbox bigint, p_uids bigint[], p_mode text, p_flags text[], p_unchanged_since bigint
) RETURNS TABLE (uid bigint, flags text[], mod_seq bigint, held_back boolean) LANGUAGE plpgsql AS $$
DECLARE
    next_seq bigint;
    chosen uuid[];
    touched bigint;
BEGIN
    SELECT b.highest_mod_seq + 1 INTO next_seq FROM imap.mailbox b
    WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- Other programs write public.emails too: its rows are locked before they are read, in one order everywhere. Flags
    -- that another program has changed since they were taken in are a change that UNCHANGEDSINCE must not pass over.
    SELECT array_agg(t.id) INTO chosen FROM (
        SELECT e.id FROM public.emails e JOIN imap.message m ON m.email_id = e.id AND m.mailbox_id = p_mailbox
        WHERE m.uid = ANY (p_uids)
          AND (p_unchanged_since IS NULL
               OR m.mod_seq <= p_unchanged_since AND m.flags = coalesce(e.flags, '{}'))
        ORDER BY e.id FOR UPDATE OF e) t;
    PERFORM set_config('imap.acting_mailboxes', p_mailbox::text, true);
    UPDATE public.emails e SET flags = imap.combine_flags(coalesce(e.flags, '{}'), p_mode, p_flags)
    WHERE e.id = ANY (chosen)
      AND imap.combine_flags(coalesce(e.flags, '{}'), p_mode, p_flags) IS DISTINCT FROM e.flags;
    PERFORM set_config('imap.acting_mailboxes', '', true);
    UPDATE imap.message m SET flags = coalesce(e.flags, '{}'), mod_seq = next_seq
    FROM public.emails e
    WHERE m.mailbox_id = p_mailbox AND m.email_id = ANY (chosen) AND m.email_id = e.id
      AND m.flags <> coalesce(e.flags, '{}');
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched > 0 THEN
        UPDATE imap.mailbox b SET highest_mod_seq = next_seq WHERE b.id = p_mailbox;
    END IF;
    RETURN QUERY
    SELECT m.uid, m.flags, m.mod_seq, NOT coalesce(m.email_id = ANY (chosen), false)
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    WHERE m.mailbox_id = p_mailbox AND m.uid = ANY (p_uids) ORDER BY m.uid;
END $$;
COMMENT ON FUNCTION imap.store_flags(uuid, bigint, bigint[], text, text[], bigint) IS
    'STORE: the state of each message named that is there; held_back: it has changed since p_unchanged_since.';

CREATE FUNCTION imap.expunge(p_user uuid, p_mailbox bigint, p_uids bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
    next_seq bigint;
    targets uuid[];
BEGIN
    SELECT b.highest_mod_seq + 1 INTO next_seq FROM imap.mailbox b
    WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner) FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The row's lock is taken before its flags are judged: an \Deleted removed at the last moment holds.
    SELECT array_agg(t.id) INTO targets FROM (
        SELECT e.id FROM public.emails e
        WHERE e.id IN (SELECT m.email_id FROM imap.message m
                       WHERE m.mailbox_id = p_mailbox AND (p_uids IS NULL OR m.uid = ANY (p_uids)))
          AND imap.has_flag(e.flags, '\deleted')
        ORDER BY e.id FOR UPDATE) t;
    IF targets IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('imap.acting_mailboxes', p_mailbox::text, true);
    DELETE FROM public.emails e WHERE e.id = ANY (targets);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    UPDATE imap.mailbox b SET highest_mod_seq = next_seq WHERE b.id = p_mailbox;
    RETURN QUERY
    WITH gone AS (
        DELETE FROM imap.message m WHERE m.mailbox_id = p_mailbox AND m.email_id = ANY (targets) RETURNING m.uid
    ), kept AS (
        INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_mailbox, g.uid, next_seq FROM gone g
    )
    SELECT g.uid FROM gone g ORDER BY g.uid;
END $$;
COMMENT ON FUNCTION imap.expunge(uuid, bigint, bigint[]) IS
    'Delete for ever the messages with \Deleted (all, or those among p_uids); returns their UIDs.';
