-- Many bans cost little: whose mail is hidden is found for all senders of a mailbox at once, and not for each message by
-- each ban.

CREATE VIEW imap.fed AS
    SELECT f.mailbox_id, e.id AS email_id, e.from_addr, coalesce(e.flags, '{}') AS flags,
           imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
    FROM imap.feed f JOIN imap.mailbox b ON b.id = f.mailbox_id
    -- One look for each address: where nobody else has ever held it, all mail is the user's.
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT 1 FROM imap.holding h WHERE h.address = lower(f.owner) AND h.user_id <> b.user_id) AS shared
        OFFSET 0) AS a
    JOIN public.emails e ON e.mailbox_owner = f.owner AND e.mailbox = f.folder
    WHERE NOT a.shared OR imap.belongs(b.user_id, e.id, lower(f.owner), e.created_at);
COMMENT ON VIEW imap.fed IS 'The mail of each opened mailbox''s user, hidden mail among it.';

CREATE FUNCTION imap.hidden_senders(p_senders text[]) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    all_senders text;
    found_values text[];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM imap.sender_ban) THEN
        RETURN '{}';
    END IF;
    -- To look for a value in all senders at once costs no more than in a few of them. Hardly any value is found, and only
    -- for those that are is each sender looked at.
    all_senders := imap.fold(array_to_string(p_senders, E'\n'));
    found_values := ARRAY(
        SELECT b.value FROM imap.sender_ban b
        WHERE b.match_type = 'contains' AND strpos(all_senders, b.value) > 0);
    RETURN ARRAY(
        SELECT c.sender FROM (
            -- The whole, and what is behind the last opening bracket, which is all that sender_address can come to.
            SELECT s.sender, b.value FROM unnest(p_senders) AS s (sender)
            CROSS JOIN LATERAL (VALUES
                (imap.fold(btrim(s.sender))),
                (imap.fold(split_part(reverse(split_part(reverse(s.sender), '<', 1)), '>', 1)))) AS k (value)
            JOIN imap.sender_ban b ON b.match_type = 'exact' AND b.value = k.value
            OFFSET 0) AS c
        WHERE c.value IN (imap.fold(btrim(c.sender)), imap.sender_address(c.sender))
        UNION
        SELECT s.sender FROM unnest(found_values) AS v (value) JOIN unnest(p_senders) AS s (sender)
          ON strpos(imap.fold(s.sender), v.value) > 0);
END $$;
COMMENT ON FUNCTION imap.hidden_senders(text[]) IS 'Those among some senders, each given once, whose mail is hidden.';

CREATE OR REPLACE FUNCTION imap.hides(p_from text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(p_from = ANY (imap.hidden_senders(ARRAY[p_from])), false)
$$;

CREATE OR REPLACE VIEW imap.visible AS
    SELECT v.mailbox_id, v.email_id, v.flags, v.internal_date FROM imap.fed v
    WHERE NOT imap.hides(v.from_addr);

DROP FUNCTION imap.differing(bigint);
CREATE FUNCTION imap.differing(p_mailbox bigint, p_hidden text[]) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(coalesce(v.email_id, m.email_id))
    FROM (SELECT f.email_id, f.flags FROM imap.fed f
          WHERE f.mailbox_id = p_mailbox
            AND (f.from_addr IN (SELECT unnest(p_hidden))) IS NOT TRUE) v
    FULL JOIN (SELECT * FROM imap.message WHERE mailbox_id = p_mailbox) m ON m.email_id = v.email_id
    WHERE v.email_id IS NULL OR m.email_id IS NULL OR v.flags <> m.flags
$$;
COMMENT ON FUNCTION imap.differing(bigint, text[]) IS
    'E-mails about which a mailbox is not up to date, found by comparing everything; the hidden among its senders are '
    'given.';

CREATE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[], p_hidden text[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    next_uid bigint;
    changed boolean;
    grown bigint;
BEGIN
    SELECT highest_mod_seq + 1, uid_next INTO next_seq, next_uid FROM imap.mailbox WHERE id = p_mailbox;
    -- A plan is kept, and may be of a time when tables were empty and reading them whole cost nothing. So there is but
    -- one way to each row: OFFSET 0 has every e-mail looked up by itself, and an index that begins with the mailbox,
    -- of which all would be read, cannot serve a sum.
    WITH state AS MATERIALIZED (
        SELECT u.id AS email_id, m.uid, m.flags AS known, v.internal_date,
               CASE WHEN (v.from_addr IN (SELECT unnest(p_hidden))) IS NOT TRUE THEN v.flags END AS flags
        FROM unnest(p_emails) AS u (id)
        LEFT JOIN LATERAL (
            SELECT m.uid, m.flags FROM imap.message m WHERE m.email_id = u.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0
        ) m ON true
        LEFT JOIN LATERAL (
            SELECT v.flags, v.internal_date, v.from_addr FROM imap.fed v
            WHERE v.email_id = u.id AND v.mailbox_id + 0 = p_mailbox OFFSET 0
        ) v ON true
    ), gone AS (
        DELETE FROM imap.message m USING state s
        WHERE m.mailbox_id = p_mailbox AND m.uid = s.uid AND s.flags IS NULL
        RETURNING m.uid
    ), kept AS (
        INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_mailbox, g.uid, next_seq FROM gone g
        RETURNING 1
    ), flagged AS (
        UPDATE imap.message m SET flags = s.flags, mod_seq = next_seq FROM state s
        WHERE m.mailbox_id = p_mailbox AND m.uid = s.uid AND s.flags <> s.known
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

COMMENT ON FUNCTION imap.take_in(bigint, uuid[], text[]) IS
    'Bring a mailbox, whose row the caller has locked, up to date about these e-mails; the hidden among their senders are '
    'given.';

CREATE OR REPLACE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[]) RETURNS void
LANGUAGE sql SET enable_seqscan = off AS $$
    SELECT imap.take_in(p_mailbox, p_emails, imap.hidden_senders(ARRAY(
        SELECT DISTINCT e.from_addr FROM public.emails e
        WHERE e.id = ANY (p_emails) AND e.from_addr IS NOT NULL AND EXISTS (SELECT 1 FROM imap.sender_ban))))
$$;

CREATE OR REPLACE FUNCTION imap.rescan(p_mailbox imap.mailbox) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    settle bigint := p_mailbox.settle_xid;
    bans bigint;
    hidden text[];
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
    hidden := imap.hidden_senders(ARRAY(
        SELECT DISTINCT e.from_addr FROM imap.feed f
        JOIN public.emails e ON e.mailbox_owner = f.owner AND e.mailbox = f.folder
        WHERE f.mailbox_id = p_mailbox.id AND e.from_addr IS NOT NULL AND EXISTS (SELECT 1 FROM imap.sender_ban)));
    PERFORM imap.take_in(p_mailbox.id, imap.differing(p_mailbox.id, hidden), hidden);
    UPDATE imap.mailbox SET settle_xid = settle, ban_version = bans, scanned_at = now() WHERE id = p_mailbox.id;
END $$;

CREATE OR REPLACE FUNCTION imap.choose(p_mailbox bigint, p_uids bigint[]) RETURNS TABLE (uid bigint, email_id uuid)
LANGUAGE plpgsql AS $$
DECLARE
    hidden constant text[] := imap.hidden_senders(ARRAY(
        SELECT DISTINCT e.from_addr FROM imap.message m JOIN public.emails e ON e.id = m.email_id
        WHERE m.mailbox_id = p_mailbox AND m.uid = ANY (p_uids) AND e.from_addr IS NOT NULL
          AND EXISTS (SELECT 1 FROM imap.sender_ban)));
BEGIN
    -- The rows are locked before anything is done with them, in one order everywhere; one that another program has
    -- deleted, moved away or banned at the last moment is not there.
    RETURN QUERY
    SELECT m.uid, e.id
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    JOIN imap.feed f ON f.mailbox_id = m.mailbox_id AND f.owner = e.mailbox_owner AND f.folder = e.mailbox
    WHERE m.mailbox_id = p_mailbox AND m.uid = ANY (p_uids) AND (e.from_addr = ANY (hidden)) IS NOT TRUE
    ORDER BY e.id FOR UPDATE OF e;
END $$;
