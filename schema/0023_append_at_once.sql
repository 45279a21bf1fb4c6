-- APPEND by one statement: the octets of a small message come with it, and it says what the mailbox must be called, so that
-- who asks need not have made sure of that before.

DROP FUNCTION imap.append(
    uuid, bigint, uuid[], bigint[], timestamptz[], text[], text[], text[], text[], text[], text[]);

CREATE FUNCTION imap.keep_sources(p_ids uuid[], p_sizes bigint[], p_rests bytea[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM unnest(p_sizes, p_rests) AS p (size, rest) WHERE octet_length(p.rest) <> p.size) THEN
        INSERT INTO imap.source (email_id, source) SELECT p.id, p.rest FROM unnest(p_ids, p_rests) AS p (id, rest);
        RETURN;
    END IF;
    INSERT INTO imap.source (email_id, source)
    SELECT p.id, coalesce((SELECT string_agg(u.octets, '' ORDER BY u.piece) FROM imap.upload u WHERE u.id = p.id), '')
                 || p.rest
    FROM unnest(p_ids, p_rests) AS p (id, rest);
    DELETE FROM imap.upload u WHERE u.id = ANY (p_ids);
    IF EXISTS (
        SELECT 1 FROM unnest(p_ids, p_sizes) AS p (id, size) JOIN imap.source s ON s.email_id = p.id
        WHERE octet_length(s.source) <> p.size
    ) THEN
        RAISE EXCEPTION 'pieces of a message are missing' USING ERRCODE = 'IM003';
    END IF;
END $$;
COMMENT ON FUNCTION imap.keep_sources(uuid[], bigint[], bytea[]) IS
    'Keep the octets of messages: what of each is in imap.upload, which is emptied of it, and behind that the rest.';

CREATE FUNCTION imap.append(
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
COMMENT ON FUNCTION imap.append(
    uuid, bigint, text[], text, uuid[], bigint[], bytea[], timestamptz[], text[], text[], text[], text[], text[], text[]
) IS
    'APPEND of messages: all of them or none. The mailbox must have one of the owners and the folder given, each unless it '
    'is NULL. Octets are what is in imap.upload and behind it the rest; flags and recipients are printed arrays.';
