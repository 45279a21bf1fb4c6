-- A refresh that finds nothing to do reads the mailbox's numbers and what awaits it in one snapshot: otherwise another
-- one could drain imap.arrival in between, and the numbers would be of before that.

CREATE OR REPLACE FUNCTION imap.refresh(p_user uuid, p_mailbox bigint)
RETURNS TABLE (uid_validity bigint, uid_next bigint, highest_mod_seq bigint) LANGUAGE plpgsql AS $$
DECLARE
    seen record;
    box imap.mailbox;
    emails uuid[];
    stale boolean;
BEGIN
    SELECT b.uid_validity, b.uid_next, b.highest_mod_seq,
           b.settle_xid IS DISTINCT FROM 0
               OR b.ban_version <> (SELECT version FROM imap.ban_state)
               OR b.scanned_at < now() - interval '1 hour' AS stale,
           EXISTS (SELECT 1 FROM imap.arrival a WHERE a.mailbox_id = p_mailbox) AS noted
    INTO seen FROM imap.mailbox b WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner);
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF NOT coalesce(seen.stale, false) AND NOT seen.noted THEN
        RETURN QUERY SELECT seen.uid_validity, seen.uid_next, seen.highest_mod_seq;
        RETURN;
    END IF;
    stale := coalesce(seen.stale, false);
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
    RETURN QUERY
    SELECT b.uid_validity, b.uid_next, b.highest_mod_seq FROM imap.mailbox b WHERE b.id = p_mailbox;
END $$;
