-- APPEND looks whether a sender is banned when it has the mailbox: a ban may come while it waits for that. And a message that
-- another program's trigger keeps out is not taken for one that was added.

CREATE OR REPLACE FUNCTION imap.append(
    p_user uuid, p_mailbox bigint, p_owners text[], p_folder text, p_ids uuid[], p_sizes bigint[], p_rests bytea[],
    p_dates timestamptz[], p_flags text[], p_subjects text[], p_bodies text[], p_htmls text[], p_froms text[],
    p_recipients text[]
) RETURNS TABLE (uid bigint) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    box imap.mailbox;
    acting text;
    added bigint;
BEGIN
    box := imap.lock_mailbox(p_user, p_mailbox);
    IF box.folder <> p_folder OR box.owner <> ALL (p_owners) THEN
        RAISE EXCEPTION 'renamed' USING ERRCODE = 'IM001';
    END IF;
    -- What came before has the lower UIDs.
    PERFORM imap.refresh(p_user, p_mailbox);
    -- Not before: a ban that is in force since is one that the refresh knows of, and the mailbox would not be compared again.
    IF EXISTS (SELECT 1 FROM imap.sender_ban)
       AND EXISTS (SELECT 1 FROM unnest(p_froms) AS f (sender) WHERE imap.hides(f.sender)) THEN
        RAISE EXCEPTION 'hidden sender' USING ERRCODE = 'IM005';
    END IF;
    PERFORM imap.keep_sources(p_ids, p_sizes, p_rests);
    UPDATE imap.mailbox b
    SET uid_next = b.uid_next + cardinality(p_ids), highest_mod_seq = b.highest_mod_seq + 1
    WHERE b.id = p_mailbox RETURNING * INTO box;
    acting := set_config('imap.acting_mailboxes', p_mailbox::text, true);
    -- A trigger of another program's may have changed what is inserted: the mailbox shows it as it is.
    RETURN QUERY
    WITH added AS (
        INSERT INTO public.emails AS e (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, timestamp,
                                        flags, size, created_at)
        SELECT p.id, box.owner, box.folder, p.subject, p.body, p.html, p.sender, p.recipients::text[], p.date,
               p.flags::text[], p.size, now()
        FROM unnest(p_ids, p_sizes, p_dates, p_flags, p_subjects, p_bodies, p_htmls, p_froms, p_recipients)
             AS p (id, size, date, flags, subject, body, html, sender, recipients)
        RETURNING e.id, e.flags, e.timestamp, e.created_at
    ), numbered AS (
        INSERT INTO imap.message AS m (mailbox_id, uid, email_id, mod_seq, flags, internal_date)
        SELECT p_mailbox, box.uid_next - cardinality(p_ids) + u.n - 1, a.id, box.highest_mod_seq,
               coalesce(a.flags, '{}'), imap.clamp_time(coalesce(a.timestamp, a.created_at, 'epoch'))
        FROM unnest(p_ids) WITH ORDINALITY AS u (id, n) JOIN added a ON a.id = u.id
        RETURNING m.uid
    )
    SELECT n.uid FROM numbered n ORDER BY n.uid;
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added <> cardinality(p_ids) THEN
        RAISE EXCEPTION 'a trigger of public.emails has kept a message out';
    END IF;
    acting := set_config('imap.acting_mailboxes', '', true);
    -- Where nobody else has ever held the address, whose they are needs no looking up.
    IF EXISTS (SELECT 1 FROM imap.holding h WHERE h.address = box.owner AND h.user_id <> p_user) THEN
        PERFORM imap.note_belonging(p_user, box.owner, p_ids);
    END IF;
END $$;
