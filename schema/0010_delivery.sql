-- Deliveries cost less: what a refresh takes in is found by index alone, however old the planner's statistics are.

CREATE OR REPLACE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    next_uid bigint;
    changed boolean;
    grown bigint;
    banning boolean := EXISTS (SELECT 1 FROM imap.sender_ban);
BEGIN
    SELECT highest_mod_seq + 1, uid_next INTO next_seq, next_uid FROM imap.mailbox WHERE id = p_mailbox;
    -- A plan is kept, and may be of a time when tables were empty and reading them whole cost nothing. So there is but
    -- one way to each row: OFFSET 0 has every e-mail looked up by itself, and an index that begins with the mailbox,
    -- of which all would be read, cannot serve a sum.
    WITH state AS MATERIALIZED (
        SELECT u.id AS email_id, m.uid, m.flags AS known, v.flags, v.internal_date
        FROM unnest(p_emails) AS u (id)
        LEFT JOIN LATERAL (
            SELECT m.uid, m.flags FROM imap.message m WHERE m.email_id = u.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0
        ) m ON true
        LEFT JOIN LATERAL (
            -- What imap.visible says of one e-mail.
            SELECT coalesce(e.flags, '{}') AS flags,
                   imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
            FROM (
                SELECT e.flags, e.timestamp, e.created_at, e.mailbox_owner, e.mailbox, e.from_addr
                FROM public.emails e WHERE e.id = u.id OFFSET 0
            ) e
            WHERE EXISTS (SELECT 1 FROM imap.feed f
                          WHERE f.owner = e.mailbox_owner AND f.folder = e.mailbox AND f.mailbox_id + 0 = p_mailbox)
              AND NOT (banning AND imap.hides(e.from_addr))
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

-- Functions that every step calls. Their plans are kept by the session in this language, and made anew in each statement
-- in SQL, which took several times as long as the functions themselves.

CREATE OR REPLACE FUNCTION imap.owns(p_user uuid, p_owner text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN p_owner = 'account:' || p_user
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = p_owner AND i.user_id = p_user)
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner)
        OR p_owner LIKE 'limited:%'
           AND EXISTS (SELECT 1 FROM imap.mailbox m WHERE m.user_id = p_user AND m.owner = p_owner);
END $$;

CREATE OR REPLACE FUNCTION imap.notify(p_word text, p_mailboxes bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('cybertemp_imap', p_word || ' ' || string_agg(u.mailbox_id::text, ' '))
    FROM (SELECT DISTINCT unnest(p_mailboxes) AS mailbox_id) u
    -- A payload holds less than 8,000 octets; which mailboxes share one does not matter.
    GROUP BY u.mailbox_id / 350;
END $$;

CREATE OR REPLACE FUNCTION imap.emails_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    acting constant bigint[] := imap.acting_mailboxes();
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT f.mailbox_id, n.id
    FROM added n JOIN imap.feed f ON f.owner = n.mailbox_owner AND f.folder = n.mailbox
    WHERE f.mailbox_id <> ALL (acting);
    RETURN NULL;
END $$;
