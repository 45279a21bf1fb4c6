-- STORE and EXPUNGE wait for other programs that write the same e-mails. One that a program has meanwhile moved to another
-- folder, or given to another address, is as one that is gone: it may be another user's now.

CREATE FUNCTION imap.lock_shown(p_mailbox bigint, p_emails uuid[]) RETURNS TABLE (id uuid, flags text[])
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT e.id, e.flags
    FROM unnest(p_emails) AS u (id)
    CROSS JOIN LATERAL (
        SELECT e.id, e.flags, e.mailbox_owner, e.mailbox FROM public.emails e WHERE e.id = u.id
        OFFSET 0 FOR UPDATE) e
    WHERE EXISTS (SELECT 1 FROM imap.feed f
                  WHERE f.owner = e.mailbox_owner AND f.folder = e.mailbox AND f.mailbox_id + 0 = p_mailbox);
END $$;
COMMENT ON FUNCTION imap.lock_shown(bigint, uuid[]) IS
    'Lock e-mails, in the order given, and return those that belong to a mailbox once that is done.';

CREATE OR REPLACE FUNCTION imap.store_flags(
    p_user uuid, p_mailbox bigint, p_uids bigint[], p_mode text, p_flags text[], p_unchanged_since bigint
) RETURNS TABLE (uid bigint, flags text[], mod_seq bigint, held_back boolean, taken bigint)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next_seq bigint;
    emails uuid[];
    chosen uuid[];
    shown uuid[];
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
    SELECT array_agg(e.id), array_agg(e.id) FILTER (
        WHERE p_unchanged_since IS NULL OR m.mod_seq <= p_unchanged_since AND m.flags = coalesce(e.flags, '{}'))
    INTO shown, chosen
    FROM imap.lock_shown(p_mailbox, emails) e
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
    FROM unnest(shown) AS u (id)
    CROSS JOIN LATERAL (
        SELECT m.uid, m.flags, m.mod_seq, m.email_id FROM imap.message m
        WHERE m.email_id = u.id AND m.mailbox_id + 0 = p_mailbox OFFSET 0) m
    ORDER BY m.uid;
END $$;

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
    SELECT array_agg(e.id) INTO targets FROM imap.lock_shown(p_mailbox, emails) e
    WHERE imap.has_flag(e.flags, '\deleted');
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
