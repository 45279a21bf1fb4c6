-- Deliveries cost less: what a refresh takes in is found by index alone, however old the planner's statistics are.

CREATE OR REPLACE FUNCTION imap.take_in(p_mailbox bigint, p_emails uuid[]) RETURNS void
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
        SELECT u.id AS email_id, m.uid, m.flags AS known, v.flags, v.internal_date
        FROM unnest(p_emails) AS u (id)
        LEFT JOIN LATERAL (
            SELECT m.uid, m.flags FROM imap.message m WHERE m.email_id = u.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0
        ) m ON true
        LEFT JOIN LATERAL (
            SELECT v.flags, v.internal_date FROM imap.visible v
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
