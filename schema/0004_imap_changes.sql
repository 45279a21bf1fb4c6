-- What clients do to mailboxes: folders created, deleted and renamed; messages appended, copied and moved. And how open
-- sessions, wherever their process runs, get to know of any change at once.
--
-- A function that refuses raises one of these, and has then changed nothing:
--   IM001 no such mailbox    IM002 there is one already    IM003 cannot be done    IM004 quota    IM005 not permitted

-- Tables --------------------------------------------------------------------------------------------------------------

CREATE UNLOGGED TABLE imap.upload (
    id uuid NOT NULL,
    piece int NOT NULL,
    octets bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, piece)
);
ALTER TABLE imap.upload ALTER COLUMN octets SET STORAGE EXTERNAL;
COMMENT ON TABLE imap.upload IS 'Messages on their way in by APPEND, in pieces; worthless once their connection is gone.';
COMMENT ON COLUMN imap.upload.id IS 'One message of one APPEND.';
COMMENT ON COLUMN imap.upload.piece IS 'Number of the piece, from 0.';
COMMENT ON COLUMN imap.upload.octets IS 'The piece.';
COMMENT ON COLUMN imap.upload.created_at IS 'When it came; old ones are cleared away.';

-- Notification --------------------------------------------------------------------------------------------------------

-- A notification is a hint: who has one of these mailboxes open looks, and finds the truth in imap.message and
-- imap.arrival. It is "bans", or a word and numbers of mailboxes: "arrival" where something awaits their refresh, "head"
-- where somebody has changed them through IMAP, of which that one's process knows. It is sent for opened mailboxes only,
-- since notifying makes commits wait in line.

CREATE FUNCTION imap.notify(p_word text, p_mailboxes bigint[]) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('cybertemp_imap', p_word || ' ' || string_agg(u.mailbox_id::text, ' '))
    FROM (SELECT DISTINCT unnest(p_mailboxes) AS mailbox_id) u
    -- A payload holds less than 8,000 octets; which mailboxes share one does not matter.
    GROUP BY u.mailbox_id / 350
$$;
COMMENT ON FUNCTION imap.notify(text, bigint[]) IS 'Tell every process that something happened to these mailboxes.';

CREATE FUNCTION imap.note_arrival() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.notify('arrival', (SELECT array_agg(DISTINCT mailbox_id) FROM noted));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.note_arrival() IS 'Trigger of imap.arrival: whatever is put there is told.';
CREATE TRIGGER arrival_noted AFTER INSERT ON imap.arrival
    REFERENCING NEW TABLE AS noted FOR EACH STATEMENT EXECUTE FUNCTION imap.note_arrival();

CREATE FUNCTION imap.note_bans() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('cybertemp_imap', 'bans');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.note_bans() IS 'Trigger of imap.ban_state.';
CREATE TRIGGER ban_state_noted AFTER UPDATE ON imap.ban_state
    FOR EACH STATEMENT EXECUTE FUNCTION imap.note_bans();

CREATE FUNCTION imap.note_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.notify('head', ARRAY[NEW.id]);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.note_head() IS 'Trigger of imap.mailbox: a change of its messages is told to other processes.';
CREATE TRIGGER mailbox_noted AFTER UPDATE OF highest_mod_seq ON imap.mailbox
    FOR EACH ROW EXECUTE FUNCTION imap.note_head();

CREATE OR REPLACE FUNCTION imap.note_addresses(p_users uuid[]) RETURNS void LANGUAGE sql AS $$
    -- Mailboxes of an address that a user has lost must look as well, and find that they are gone.
    INSERT INTO imap.arrival (mailbox_id)
    SELECT m.id FROM imap.mailbox m
    WHERE m.user_id = ANY (p_users)
      AND (m.owner = 'account:' || m.user_id AND m.folder = 'INBOX'
           OR NOT imap.owns(m.user_id, m.owner) AND EXISTS (SELECT 1 FROM imap.feed f WHERE f.mailbox_id = m.id));
    -- Nothing more is put into arrival for what may never be opened again. What was put there just now makes a mailbox
    -- that comes back look at everything. Nobody is waited for: the triggers must not be part of a deadlock.
    DELETE FROM imap.feed f WHERE (f.owner, f.folder, f.mailbox_id) IN (
        SELECT l.owner, l.folder, l.mailbox_id FROM imap.feed l JOIN imap.mailbox m ON m.id = l.mailbox_id
        WHERE m.user_id = ANY (p_users) AND NOT imap.owns(m.user_id, lower(l.owner))
        FOR UPDATE OF l SKIP LOCKED)
$$;

-- Which mailboxes a transaction acts on -------------------------------------------------------------------------------

CREATE FUNCTION imap.lock_mailbox(p_user uuid, p_mailbox bigint) RETURNS imap.mailbox LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    SELECT * INTO box FROM imap.mailbox b
    WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner) FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such mailbox' USING ERRCODE = 'IM001';
    END IF;
    RETURN box;
END $$;
COMMENT ON FUNCTION imap.lock_mailbox(uuid, bigint) IS 'Lock and return a mailbox of the user''s, or raise IM001.';

CREATE FUNCTION imap.lock_folders(p_user uuid) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('cybertemp_imap folders'), hashtext(p_user::text))
$$;
COMMENT ON FUNCTION imap.lock_folders(uuid) IS
    'Have this user''s folders created and renamed by one transaction at a time; taken before any other lock.';

CREATE FUNCTION imap.refuse_name(p_owner text, p_folder text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- A name is the folder, behind an address and a delimiter where it is below an address.
    IF octet_length(CASE WHEN p_owner LIKE 'account:%' THEN p_folder ELSE p_owner || '/' || p_folder END) > 1000 THEN
        RAISE EXCEPTION 'the name is too long' USING ERRCODE = 'IM003';
    END IF;
END $$;
COMMENT ON FUNCTION imap.refuse_name(text, text) IS 'Raise IM003 for a name too long for any client to be shown.';

-- Folders -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.create_folder(
    p_user uuid, p_owner text, p_folder text, p_special_use text, p_quota bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    IF NOT imap.owns(p_user, p_owner) THEN
        RAISE EXCEPTION 'no such address' USING ERRCODE = 'IM005';
    END IF;
    PERFORM imap.lock_folders(p_user);
    PERFORM imap.ensure_account(p_user);
    PERFORM imap.refuse_name(p_owner, p_folder);
    IF imap.find_mailbox(p_user, p_owner, p_folder) IS NOT NULL THEN
        RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
    END IF;
    IF p_special_use IS NOT NULL AND EXISTS (
        SELECT 1 FROM imap.mailbox WHERE user_id = p_user AND special_use = p_special_use
    ) THEN
        RAISE EXCEPTION 'special use is taken' USING ERRCODE = 'IM003';
    END IF;
    IF (SELECT count(*) FROM imap.mailbox WHERE user_id = p_user AND folder <> 'INBOX') >= p_quota THEN
        RAISE EXCEPTION 'quota' USING ERRCODE = 'IM004';
    END IF;
    INSERT INTO imap.mailbox (user_id, owner, folder, special_use) VALUES (p_user, p_owner, p_folder, p_special_use)
    ON CONFLICT DO NOTHING RETURNING id INTO made;
    IF made IS NULL THEN
        RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
    END IF;
    RETURN made;
END $$;
COMMENT ON FUNCTION imap.create_folder(uuid, text, text, text, bigint) IS
    'CREATE of a folder; returns its number. p_quota: how many folders a user may have.';

CREATE FUNCTION imap.delete_folder(p_user uuid, p_owner text, p_folder text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    IF p_folder = 'INBOX' THEN
        RAISE EXCEPTION 'INBOX' USING ERRCODE = 'IM003';
    END IF;
    box := imap.lock_mailbox(p_user, imap.find_mailbox(p_user, p_owner, p_folder));
    PERFORM set_config('imap.acting_mailboxes', box.id::text, true);
    DELETE FROM public.emails e WHERE e.id IN (
        SELECT t.id FROM public.emails t
        WHERE t.mailbox_owner IN (SELECT s FROM imap.spellings(p_user, p_owner) AS s) AND t.mailbox = p_folder
        ORDER BY t.id FOR UPDATE);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    DELETE FROM imap.message WHERE mailbox_id = box.id;
    DELETE FROM imap.expunged WHERE mailbox_id = box.id;
    DELETE FROM imap.feed WHERE mailbox_id = box.id;
    DELETE FROM imap.arrival WHERE mailbox_id = box.id;
    DELETE FROM imap.mailbox WHERE id = box.id;
    PERFORM imap.notify('head', ARRAY[box.id]);
END $$;
COMMENT ON FUNCTION imap.delete_folder(uuid, text, text) IS 'DELETE of a folder with its messages.';

CREATE FUNCTION imap.keep_origin(p_emails uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO imap.origin (email_id, id, owner)
    SELECT e.id, e.id, e.mailbox_owner FROM public.emails e WHERE e.id = ANY (p_emails)
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION imap.keep_origin(uuid[]) IS 'Remember what messages are rendered from, before they are moved.';

CREATE FUNCTION imap.is_within(p_folder text, p_above text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p_folder = p_above OR starts_with(p_folder, p_above || '/')
$$;
COMMENT ON FUNCTION imap.is_within(text, text) IS 'Whether a folder is another one or below it.';

CREATE FUNCTION imap.move_mailbox(p_box imap.mailbox, p_owner text, p_folder text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    emails uuid[];
BEGIN
    SELECT array_agg(t.id) INTO emails FROM (
        SELECT e.id FROM public.emails e
        WHERE e.mailbox_owner IN (SELECT s FROM imap.spellings(p_box.user_id, p_box.owner) AS s)
          AND e.mailbox = p_box.folder
        ORDER BY e.id FOR UPDATE) t;
    PERFORM imap.keep_origin(emails);
    PERFORM set_config('imap.acting_mailboxes', p_box.id::text, true);
    UPDATE public.emails e SET mailbox_owner = p_owner, mailbox = p_folder WHERE e.id = ANY (emails);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    UPDATE imap.mailbox b SET owner = p_owner, folder = p_folder WHERE b.id = p_box.id RETURNING * INTO box;
    IF box.settle_xid IS NOT NULL THEN
        -- The feed has changed: mail that another transaction is delivering is looked for again.
        PERFORM imap.set_feed(box);
        UPDATE imap.mailbox b SET settle_xid = -1 WHERE b.id = box.id;
    END IF;
    PERFORM imap.notify('head', ARRAY[box.id]);
END $$;
COMMENT ON FUNCTION imap.move_mailbox(imap.mailbox, text, text) IS
    'Give a mailbox, whose row the caller has locked, another name that is free; its messages come along.';

CREATE FUNCTION imap.rename_folder(
    p_user uuid, p_owner text, p_folder text, p_new_owner text, p_new_folder text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    boxes bigint[];
    box imap.mailbox;
    target text;
BEGIN
    IF p_folder = 'INBOX' OR p_new_folder = 'INBOX' THEN
        RAISE EXCEPTION 'INBOX' USING ERRCODE = 'IM003';
    END IF;
    IF NOT imap.owns(p_user, p_new_owner) THEN
        RAISE EXCEPTION 'no such address' USING ERRCODE = 'IM005';
    END IF;
    PERFORM imap.lock_folders(p_user);
    IF imap.owns(p_user, p_owner) THEN
        -- Folders that exist by their mail alone get a row of their own, so that they are renamed with the others.
        PERFORM imap.find_mailbox(p_user, l.owner, l.folder) FROM imap.list_mailboxes(p_user) l
        WHERE l.owner = p_owner AND imap.is_within(l.folder, p_folder);
        SELECT array_agg(t.id) INTO boxes FROM (
            SELECT b.id FROM imap.mailbox b
            WHERE b.user_id = p_user AND b.owner = p_owner AND imap.is_within(b.folder, p_folder)
            ORDER BY b.id FOR UPDATE) t;
    END IF;
    IF boxes IS NULL THEN
        RAISE EXCEPTION 'no such mailbox' USING ERRCODE = 'IM001';
    END IF;
    IF p_new_owner = p_owner AND p_new_folder <> p_folder AND imap.is_within(p_new_folder, p_folder) THEN
        RAISE EXCEPTION 'below itself' USING ERRCODE = 'IM003';
    END IF;
    IF imap.find_mailbox(p_user, p_new_owner, p_new_folder) IS NOT NULL THEN
        RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
    END IF;
    -- The shortest first: where a/a becomes a, its place must be free before a/a/a takes it.
    FOR box IN SELECT * FROM imap.mailbox b WHERE b.id = ANY (boxes) ORDER BY length(b.folder), b.id LOOP
        target := p_new_folder || substr(box.folder, length(p_folder) + 1);
        PERFORM imap.refuse_name(p_new_owner, target);
        IF imap.find_mailbox(p_user, p_new_owner, target) IS NOT NULL THEN
            RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
        END IF;
        PERFORM imap.move_mailbox(box, p_new_owner, target);
    END LOOP;
END $$;
COMMENT ON FUNCTION imap.rename_folder(uuid, text, text, text, text) IS
    'RENAME of a folder and all below it, which keep their UIDs and UIDVALIDITY (RFC 9051 section 6.3.6).';

-- Messages ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.hides(p_from text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM imap.sender_ban b
        WHERE b.match_type = 'exact' AND b.value IN (lower(btrim(p_from)), imap.sender_address(p_from))
    ) OR EXISTS (
        SELECT 1 FROM imap.sender_ban b WHERE b.match_type = 'contains' AND strpos(lower(p_from), b.value) > 0
    )
$$;
COMMENT ON FUNCTION imap.hides(text) IS 'Whether mail of this sender is hidden.';

CREATE FUNCTION imap.add_messages(p_mailbox bigint, p_emails uuid[]) RETURNS TABLE (email_id uuid, uid bigint)
LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    UPDATE imap.mailbox b
    SET uid_next = b.uid_next + cardinality(p_emails), highest_mod_seq = b.highest_mod_seq + 1
    WHERE b.id = p_mailbox RETURNING * INTO box;
    RETURN QUERY
    INSERT INTO imap.message AS m (mailbox_id, uid, email_id, mod_seq, flags, internal_date)
    SELECT p_mailbox, box.uid_next - cardinality(p_emails) + u.n - 1, e.id, box.highest_mod_seq,
           coalesce(e.flags, '{}'), imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch'))
    FROM unnest(p_emails) WITH ORDINALITY AS u (id, n) JOIN public.emails e ON e.id = u.id
    ORDER BY u.n
    RETURNING m.email_id, m.uid;
END $$;
COMMENT ON FUNCTION imap.add_messages(bigint, uuid[]) IS
    'Give UIDs, in this order, to e-mails in a mailbox, whose row the caller has locked.';

CREATE FUNCTION imap.append(
    p_user uuid, p_mailbox bigint, p_ids uuid[], p_sizes bigint[], p_dates timestamptz[], p_flags text[],
    p_subjects text[], p_bodies text[], p_htmls text[], p_froms text[], p_recipients text[]
) RETURNS TABLE (uid bigint) LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(p_froms) AS f (sender) WHERE imap.hides(f.sender)) THEN
        RAISE EXCEPTION 'hidden sender' USING ERRCODE = 'IM005';
    END IF;
    box := imap.lock_mailbox(p_user, p_mailbox);
    -- What came before has the lower UIDs.
    PERFORM imap.refresh(p_user, p_mailbox);
    INSERT INTO imap.source (email_id, source)
    SELECT p.id, coalesce((SELECT string_agg(u.octets, '' ORDER BY u.piece) FROM imap.upload u WHERE u.id = p.id), '')
    FROM unnest(p_ids) AS p (id);
    DELETE FROM imap.upload u WHERE u.id = ANY (p_ids);
    -- What connections left behind that were gone before they could say so.
    DELETE FROM imap.upload u WHERE u.created_at < now() - interval '1 day';
    IF EXISTS (
        SELECT 1 FROM unnest(p_ids, p_sizes) AS p (id, size) JOIN imap.source s ON s.email_id = p.id
        WHERE octet_length(s.source) <> p.size
    ) THEN
        RAISE EXCEPTION 'pieces of a message are missing' USING ERRCODE = 'IM003';
    END IF;
    PERFORM set_config('imap.acting_mailboxes', p_mailbox::text, true);
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, timestamp, flags,
                               size, created_at)
    SELECT p.id, box.owner, box.folder, p.subject, p.body, p.html, p.sender, p.recipients::text[], p.date,
           p.flags::text[], p.size, now()
    FROM unnest(p_ids, p_sizes, p_dates, p_flags, p_subjects, p_bodies, p_htmls, p_froms, p_recipients)
         AS p (id, size, date, flags, subject, body, html, sender, recipients);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    RETURN QUERY SELECT a.uid FROM imap.add_messages(p_mailbox, p_ids) a ORDER BY a.uid;
END $$;
COMMENT ON FUNCTION imap.append(
    uuid, bigint, uuid[], bigint[], timestamptz[], text[], text[], text[], text[], text[], text[]) IS
    'APPEND of messages whose octets are in imap.upload; all of them or none. Flags and recipients are printed arrays.';

CREATE FUNCTION imap.lock_two(p_user uuid, p_source bigint, p_target bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imap.lock_mailbox(p_user, least(p_source, p_target));
    PERFORM imap.lock_mailbox(p_user, greatest(p_source, p_target));
    PERFORM imap.refresh(p_user, p_source);
    PERFORM imap.refresh(p_user, p_target);
END $$;
COMMENT ON FUNCTION imap.lock_two(uuid, bigint, bigint) IS
    'Lock two mailboxes of the user''s, in one order everywhere, and bring them up to date.';

CREATE FUNCTION imap.copy_rows(p_from uuid[], p_to uuid[], p_owner text, p_folder text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    originals text;
BEGIN
    -- public.emails may have columns that we do not know: whatever can be the same in two rows, is copied.
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('e.%I', a.attname), ', ' ORDER BY a.attnum)
    INTO columns, originals
    FROM pg_attribute a
    WHERE a.attrelid = 'public.emails'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND a.attidentity = '' AND a.attname NOT IN ('id', 'mailbox_owner', 'mailbox')
      AND NOT EXISTS (SELECT 1 FROM pg_index i
                      WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum);
    EXECUTE format(
        'INSERT INTO public.emails (id, mailbox_owner, mailbox, %s) '
        'SELECT p.copy, $3, $4, %s FROM unnest($1, $2) AS p (id, copy) JOIN public.emails e ON e.id = p.id',
        columns, originals)
    USING p_from, p_to, p_owner, p_folder;
    INSERT INTO imap.source (email_id, source)
    SELECT p.copy, s.source FROM unnest(p_from, p_to) AS p (id, copy) JOIN imap.source s ON s.email_id = p.id;
    INSERT INTO imap.origin (email_id, id, owner)
    SELECT p.copy, coalesce(o.id, e.id), coalesce(o.owner, e.mailbox_owner)
    FROM unnest(p_from, p_to) AS p (id, copy) JOIN public.emails e ON e.id = p.id
    LEFT JOIN imap.origin o ON o.email_id = e.id;
    INSERT INTO imap.rendition (email_id, version, size, envelope, body, body_structure, header)
    SELECT p.copy, r.version, r.size, r.envelope, r.body, r.body_structure, r.header
    FROM unnest(p_from, p_to) AS p (id, copy) JOIN imap.rendition r ON r.email_id = p.id;
END $$;
COMMENT ON FUNCTION imap.copy_rows(uuid[], uuid[], text, text) IS 'Copy e-mails, with all that is kept of them.';

CREATE FUNCTION imap.choose(p_mailbox bigint, p_uids bigint[]) RETURNS TABLE (uid bigint, email_id uuid)
LANGUAGE plpgsql AS $$
BEGIN
    -- The rows are locked before anything is done with them, in one order everywhere; one that another program has
    -- deleted, moved away or banned at the last moment is not there.
    RETURN QUERY
    SELECT m.uid, e.id
    FROM imap.message m JOIN public.emails e ON e.id = m.email_id
    JOIN imap.feed f ON f.mailbox_id = m.mailbox_id AND f.owner = e.mailbox_owner AND f.folder = e.mailbox
    WHERE m.mailbox_id = p_mailbox AND m.uid = ANY (p_uids) AND NOT imap.hides(e.from_addr)
    ORDER BY e.id FOR UPDATE OF e;
END $$;
COMMENT ON FUNCTION imap.choose(bigint, bigint[]) IS 'Lock and return those messages of a mailbox that are there.';

CREATE FUNCTION imap.copy(p_user uuid, p_source bigint, p_uids bigint[], p_target bigint, p_copies uuid[])
RETURNS TABLE (uid bigint, new_uid bigint) LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    originals uuid[];
    copies uuid[];
BEGIN
    PERFORM imap.lock_two(p_user, p_source, p_target);
    SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_target;
    SELECT array_agg(c.email_id ORDER BY c.uid), (p_copies)[1:count(*)::int] INTO originals, copies
    FROM imap.choose(p_source, p_uids) c;
    IF originals IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('imap.acting_mailboxes', p_target::text, true);
    PERFORM imap.copy_rows(originals, copies, box.owner, box.folder);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    RETURN QUERY
    SELECT m.uid, a.uid
    FROM imap.add_messages(p_target, copies) a JOIN unnest(originals, copies) AS p (id, copy) ON p.copy = a.email_id
    JOIN imap.message m ON m.mailbox_id = p_source AND m.email_id = p.id
    ORDER BY m.uid;
END $$;
COMMENT ON FUNCTION imap.copy(uuid, bigint, bigint[], bigint, uuid[]) IS
    'COPY: new rows, whose ids are given, in a mailbox; returns the old and the new UIDs. All of them or none.';

CREATE FUNCTION imap.move(p_user uuid, p_source bigint, p_uids bigint[], p_target bigint)
RETURNS TABLE (uid bigint, new_uid bigint) LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    emails uuid[];
    next_seq bigint;
BEGIN
    PERFORM imap.lock_two(p_user, p_source, p_target);
    SELECT * INTO box FROM imap.mailbox b WHERE b.id = p_target;
    SELECT array_agg(c.email_id ORDER BY c.uid) INTO emails FROM imap.choose(p_source, p_uids) c;
    IF emails IS NULL THEN
        RETURN;
    END IF;
    -- A message that stays visible where it is moved from, as between INBOX and its address, cannot be moved.
    IF EXISTS (
        SELECT 1 FROM imap.feed f
        WHERE f.mailbox_id = p_source AND f.owner = box.owner AND f.folder = box.folder
    ) OR EXISTS (
        SELECT 1 FROM imap.message m WHERE m.mailbox_id = p_target AND m.email_id = ANY (emails)
    ) THEN
        RAISE EXCEPTION 'the message is there already' USING ERRCODE = 'IM003';
    END IF;
    PERFORM imap.keep_origin(emails);
    PERFORM set_config('imap.acting_mailboxes', p_source || ' ' || p_target, true);
    UPDATE public.emails e SET mailbox_owner = box.owner, mailbox = box.folder WHERE e.id = ANY (emails);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    UPDATE imap.mailbox b SET highest_mod_seq = b.highest_mod_seq + 1 WHERE b.id = p_source
    RETURNING b.highest_mod_seq INTO next_seq;
    RETURN QUERY
    WITH gone AS (
        DELETE FROM imap.message m WHERE m.mailbox_id = p_source AND m.email_id = ANY (emails)
        RETURNING m.uid, m.email_id
    ), kept AS (
        INSERT INTO imap.expunged (mailbox_id, uid, mod_seq) SELECT p_source, g.uid, next_seq FROM gone g
    )
    SELECT g.uid, a.uid FROM imap.add_messages(p_target, emails) a JOIN gone g ON g.email_id = a.email_id
    ORDER BY g.uid;
END $$;
COMMENT ON FUNCTION imap.move(uuid, bigint, bigint[], bigint) IS
    'MOVE: the same rows in another mailbox; returns the old and the new UIDs. All of them or none.';
