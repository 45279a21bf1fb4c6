-- Addresses that users create and give back over IMAP, and whose mail is whose when an address has had several owners.
--
-- Mail belongs to who held its address when it came, or where nobody did to who held it next: so claiming an address
-- claims the mail that awaits there. imap.holding keeps who held which address until when; it follows public.inbox,
-- which other programs change too.
--
-- Besides those of 0004, a function may raise:
--   IM006 there are folders below    IM007 the address is banned    IM008 quota of addresses

-- Who held what -------------------------------------------------------------------------------------------------------

CREATE TABLE imap.holding (
    address text NOT NULL,
    user_id uuid NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (address, until, user_id)
);
COMMENT ON TABLE imap.holding IS 'Who has held which address, and until when; follows public.inbox.';
COMMENT ON COLUMN imap.holding.address IS 'The address in lower case.';
COMMENT ON COLUMN imap.holding.user_id IS 'Who held it.';
COMMENT ON COLUMN imap.holding.since IS 'From when; those who had it when this table was made count as having had it always.';
COMMENT ON COLUMN imap.holding.until IS 'Until when; infinity while it is theirs.';
INSERT INTO imap.holding (address, user_id, since)
SELECT DISTINCT lower(i.email_address), i.user_id, '-infinity'::timestamptz FROM public.inbox i
WHERE i.user_id IS NOT NULL AND i.email_address IS NOT NULL;

CREATE TABLE imap.belonging (
    email_id uuid PRIMARY KEY,
    user_id uuid NOT NULL
);
COMMENT ON TABLE imap.belonging IS
    'Whose an e-mail is where its time does not tell: what a user has put under an address, or held with a time to come.';
COMMENT ON COLUMN imap.belonging.email_id IS 'public.emails.id.';
COMMENT ON COLUMN imap.belonging.user_id IS 'Whose it is.';

CREATE FUNCTION imap.belongs(p_user uuid, p_email uuid, p_address text, p_time timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    -- What has no time, or none that can be, is the first holder's.
    SELECT coalesce(
        (SELECT x.user_id FROM imap.belonging x WHERE x.email_id = p_email),
        (SELECT h.user_id FROM imap.holding h
         WHERE h.address = p_address AND (h.until > p_time OR p_time IS NULL OR p_time = 'infinity')
         ORDER BY h.until, h.since, h.user_id LIMIT 1),
        p_user) = p_user
$$;
COMMENT ON FUNCTION imap.belongs(uuid, uuid, text, timestamptz) IS
    'Whether an e-mail under an address (lower case), stored at a time, is this user''s.';

CREATE FUNCTION imap.is_shared(p_user uuid, p_address text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM imap.holding h WHERE h.address = p_address AND h.user_id <> p_user)
$$;
COMMENT ON FUNCTION imap.is_shared(uuid, text) IS
    'Whether anybody else has ever held an address (lower case), so that not all mail there need be this user''s.';

CREATE FUNCTION imap.has_mail(p_user uuid, p_spelling text, p_folder text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF imap.is_shared(p_user, lower(p_spelling)) THEN
        RETURN EXISTS (SELECT 1 FROM public.emails e WHERE e.mailbox_owner = p_spelling AND e.mailbox = p_folder
                       AND imap.belongs(p_user, e.id, lower(p_spelling), e.created_at));
    END IF;
    RETURN EXISTS (SELECT 1 FROM public.emails e WHERE e.mailbox_owner = p_spelling AND e.mailbox = p_folder);
END $$;
COMMENT ON FUNCTION imap.has_mail(uuid, text, text) IS 'Whether a folder, its owner spelt just so, holds mail of the user''s.';

CREATE FUNCTION imap.note_holdings(p_addresses text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- The time is read here and not at the transaction's beginning: others still saw the address as it was until now.
    WITH ended AS (
        UPDATE imap.holding h SET until = clock_timestamp()
        WHERE h.address = ANY (p_addresses) AND h.until = 'infinity'
          AND NOT EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = h.address AND i.user_id = h.user_id)
          AND NOT EXISTS (SELECT 1 FROM public.inbox i
                          WHERE i.user_id = h.user_id AND lower(i.email_address) = h.address)
        RETURNING h.address, h.user_id, h.until
    )
    -- What another clock has given a time to come was here nevertheless.
    INSERT INTO imap.belonging (email_id, user_id)
    SELECT e.id, d.user_id FROM ended d JOIN public.emails e ON e.mailbox_owner = d.address
    WHERE e.created_at >= d.until
    ON CONFLICT DO NOTHING;
    INSERT INTO imap.holding (address, user_id, since)
    SELECT DISTINCT lower(i.email_address), i.user_id, clock_timestamp()
    FROM public.inbox i WHERE i.email_address = ANY (p_addresses) AND i.user_id IS NOT NULL
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION imap.note_holdings(text[]) IS
    'Have imap.holding follow public.inbox for these addresses, given as they are spelt and in lower case.';

CREATE FUNCTION imap.inbox_given() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_holdings(array_agg(DISTINCT v.spelling))
    FROM added n, LATERAL (VALUES (n.email_address::text), (lower(n.email_address))) AS v (spelling)
    WHERE n.user_id IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_given() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_given AFTER INSERT ON public.inbox
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_given();

CREATE FUNCTION imap.inbox_taken() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_holdings(array_agg(DISTINCT lower(o.email_address)))
    FROM previous o WHERE o.user_id IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_taken() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_taken AFTER DELETE ON public.inbox
    REFERENCING OLD TABLE AS previous FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_taken();

CREATE FUNCTION imap.inbox_passed_on() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_holdings(array_agg(DISTINCT v.spelling))
    FROM (SELECT email_address::text AS spelling, user_id FROM previous
          EXCEPT SELECT email_address::text, user_id FROM added) o
    FULL JOIN (SELECT email_address::text AS spelling, user_id FROM added
               EXCEPT SELECT email_address::text, user_id FROM previous) n ON false,
         LATERAL (VALUES (o.spelling), (n.spelling), (lower(o.spelling)), (lower(n.spelling))) AS v (spelling)
    WHERE v.spelling IS NOT NULL HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_passed_on() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_passed_on AFTER UPDATE ON public.inbox
    REFERENCING OLD TABLE AS previous NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_passed_on();

CREATE FUNCTION imap.inbox_emptied() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_holdings(array_agg(h.address)) FROM imap.holding h WHERE h.until = 'infinity' HAVING count(*) > 0;
    PERFORM imap.note_addresses(array_agg(DISTINCT m.user_id)) FROM imap.mailbox m HAVING count(*) > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_emptied() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_emptied AFTER TRUNCATE ON public.inbox
    FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_emptied();

CREATE FUNCTION imap.emails_forgotten() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM imap.belonging;
    ELSE
        DELETE FROM imap.belonging x USING previous o WHERE x.email_id = o.id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.emails_forgotten() IS 'Trigger of public.emails.';
CREATE TRIGGER imap_emails_forgotten AFTER DELETE ON public.emails
    REFERENCING OLD TABLE AS previous FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_forgotten();
CREATE TRIGGER imap_emails_all_forgotten AFTER TRUNCATE ON public.emails
    FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_forgotten();

-- Which addresses are whose -------------------------------------------------------------------------------------------

CREATE VIEW imap.address AS
    SELECT i.email_address, i.user_id FROM public.inbox i
    WHERE i.user_id IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM imap.ban b
                      WHERE b.scope = 'email' AND b.match_type = 'exact' AND b.value = imap.fold(i.email_address))
      AND NOT EXISTS (SELECT 1 FROM imap.ban b
                      WHERE b.scope = 'email' AND b.match_type = 'contains'
                        AND strpos(imap.fold(i.email_address), b.value) > 0);
COMMENT ON VIEW imap.address IS 'The addresses of users that they may open: those of public.inbox that are not banned.';

CREATE OR REPLACE FUNCTION imap.owns(p_user uuid, p_owner text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_owner = 'account:' || p_user
        OR EXISTS (SELECT 1 FROM imap.address i WHERE i.email_address = p_owner AND i.user_id = p_user)
        OR EXISTS (SELECT 1 FROM imap.address i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner)
        OR p_owner LIKE 'limited:%'
           AND EXISTS (SELECT 1 FROM imap.mailbox m WHERE m.user_id = p_user AND m.owner = p_owner)
$$;

CREATE OR REPLACE FUNCTION imap.limited_addresses(p_mailbox imap.mailbox) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT i.email_address
    FROM imap.token_limit l CROSS JOIN unnest(l.addresses) AS a (address)
    JOIN imap.address i ON i.user_id = p_mailbox.user_id AND lower(i.email_address) = lower(btrim(a.address))
    WHERE l.token_id = CASE WHEN p_mailbox.owner LIKE 'limited:%' THEN substr(p_mailbox.owner, 9)::uuid END
$$;

CREATE OR REPLACE FUNCTION imap.list_mailboxes(p_user uuid) RETURNS TABLE (owner text, folder text, special_use text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM imap.ensure_account(p_user);
    RETURN QUERY
    WITH RECURSIVE address AS (
        SELECT DISTINCT lower(i.email_address) AS name, s.spelling
        FROM imap.address i, LATERAL (VALUES (i.email_address), (lower(i.email_address))) AS s (spelling)
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
    SELECT d.name, d.folder, NULL FROM delivered d
    WHERE d.folder IS NOT NULL AND d.folder <> 'INBOX' AND imap.has_mail(p_user, d.spelling, d.folder)
    UNION
    SELECT m.owner, m.folder, m.special_use FROM imap.mailbox m
    WHERE m.user_id = p_user
      AND (m.owner = 'account:' || p_user OR m.folder <> 'INBOX' AND m.owner IN (SELECT a.name FROM address a));
END $$;

CREATE OR REPLACE FUNCTION imap.find_mailbox(p_user uuid, p_owner text, p_folder text) RETURNS bigint
LANGUAGE plpgsql AS $$
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
        SELECT 1 FROM imap.spellings(p_user, p_owner) AS s (spelling) WHERE imap.has_mail(p_user, s.spelling, p_folder)
    ) THEN
        INSERT INTO imap.mailbox (user_id, owner, folder) VALUES (p_user, p_owner, p_folder) ON CONFLICT DO NOTHING;
    END IF;
    SELECT id INTO found_id FROM imap.mailbox WHERE user_id = p_user AND owner = p_owner AND folder = p_folder;
    RETURN found_id;
END $$;

CREATE OR REPLACE FUNCTION imap.set_feed(p_mailbox imap.mailbox) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    grown bigint;
BEGIN
    WITH wanted AS (
        SELECT s.spelling AS owner, p_mailbox.folder
        FROM imap.spellings(p_mailbox.user_id, p_mailbox.owner) AS s (spelling)
        UNION
        SELECT v.spelling, 'INBOX'
        FROM imap.address i, LATERAL (VALUES (i.email_address), (lower(i.email_address))) AS v (spelling)
        WHERE p_mailbox.folder = 'INBOX' AND p_mailbox.owner = 'account:' || p_mailbox.user_id
          AND i.user_id = p_mailbox.user_id
        UNION
        SELECT v.spelling, 'INBOX'
        FROM imap.limited_addresses(p_mailbox) AS i (address), LATERAL (VALUES (address), (lower(address))) AS v (spelling)
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

CREATE OR REPLACE VIEW imap.visible AS
    SELECT f.mailbox_id, e.id AS email_id, coalesce(e.flags, '{}') AS flags,
           imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
    FROM imap.feed f JOIN imap.mailbox b ON b.id = f.mailbox_id
    -- One look for each address: where nobody else has ever held it, all mail is the user's.
    CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT 1 FROM imap.holding h WHERE h.address = lower(f.owner) AND h.user_id <> b.user_id) AS shared
        OFFSET 0) AS a
    JOIN public.emails e ON e.mailbox_owner = f.owner AND e.mailbox = f.folder
    WHERE (NOT a.shared OR imap.belongs(b.user_id, e.id, lower(f.owner), e.created_at))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = imap.fold(btrim(e.from_addr)))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = imap.sender_address(e.from_addr))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'contains' AND strpos(imap.fold(e.from_addr), b.value) > 0);
COMMENT ON VIEW imap.visible IS 'What each opened mailbox must show: mail of its user''s, bans regarded.';

-- Creating and giving back --------------------------------------------------------------------------------------------

CREATE FUNCTION imap.lock_address(p_address text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('cybertemp_imap address'), hashtext(p_address))
$$;
COMMENT ON FUNCTION imap.lock_address(text) IS
    'Have an address created by one transaction at a time; taken after lock_folders and before any other lock.';

CREATE FUNCTION imap.forbids_address(p_address text, p_domains text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM imap.ban b
        WHERE b.scope = 'email' AND b.match_type = 'exact' AND b.value = p_address
    ) OR EXISTS (
        SELECT 1 FROM imap.ban b
        WHERE b.scope = 'email' AND b.match_type = 'contains' AND strpos(p_address, b.value) > 0
    ) OR EXISTS (
        SELECT 1 FROM imap.ban b
        WHERE b.scope = 'domain' AND b.match_type = 'exact' AND b.value = ANY (p_domains)
    ) OR EXISTS (
        SELECT 1 FROM imap.ban b, unnest(p_domains) AS d (name)
        WHERE b.scope = 'domain' AND b.match_type = 'contains' AND strpos(d.name, b.value) > 0
    )
$$;
COMMENT ON FUNCTION imap.forbids_address(text, text[]) IS
    'Whether a ban forbids creating an address; its domain and those above are given, in every form they have.';

CREATE FUNCTION imap.create_address(p_user uuid, p_address text, p_domains text[], p_quota bigint, p_id uuid)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    IF imap.forbids_address(p_address, p_domains) THEN
        RAISE EXCEPTION 'banned' USING ERRCODE = 'IM007';
    END IF;
    PERFORM imap.lock_folders(p_user);
    PERFORM imap.lock_address(p_address);
    IF EXISTS (SELECT 1 FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_address) THEN
        RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
    END IF;
    -- Before it is told whether somebody has it: who can create no more has no reason to ask.
    IF (SELECT count(*) FROM public.inbox i WHERE i.user_id = p_user) >= p_quota THEN
        RAISE EXCEPTION 'quota' USING ERRCODE = 'IM008';
    END IF;
    -- One that public.inbox spells otherwise is found by its holding.
    IF EXISTS (
        SELECT 1 FROM imap.holding h JOIN public.inbox i
          ON i.user_id = h.user_id AND lower(i.email_address) = h.address
        WHERE h.address = p_address AND h.until = 'infinity'
    ) THEN
        RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
    END IF;
    UPDATE public.inbox i SET user_id = p_user WHERE i.email_address = p_address AND i.user_id IS NULL;
    IF NOT FOUND THEN
        IF EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = p_address) THEN
            RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
        END IF;
        INSERT INTO public.inbox (id, email_address, user_id, created_at) VALUES (p_id, p_address, p_user, now());
    END IF;
    RETURN imap.find_mailbox(p_user, p_address, 'INBOX');
EXCEPTION WHEN unique_violation THEN
    -- Another program was faster; it knows nothing of our locks.
    RAISE EXCEPTION 'exists' USING ERRCODE = 'IM002';
END $$;
COMMENT ON FUNCTION imap.create_address(uuid, text, text[], bigint, uuid) IS
    'CREATE of an address (lower case), or claiming one that is nobody''s; returns the number of its mailbox. p_domains: '
    'see forbids_address; p_quota: how many addresses a user may have; p_id: of the new row of public.inbox.';

CREATE FUNCTION imap.delete_address(p_user uuid, p_address text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    PERFORM imap.lock_folders(p_user);
    IF p_address NOT LIKE '%@%' THEN
        RAISE EXCEPTION 'no address' USING ERRCODE = 'IM001';
    END IF;
    box := imap.lock_mailbox(p_user, imap.find_mailbox(p_user, p_address, 'INBOX'));
    IF EXISTS (SELECT 1 FROM imap.list_mailboxes(p_user) l WHERE l.owner = p_address AND l.folder <> 'INBOX') THEN
        RAISE EXCEPTION 'folders below' USING ERRCODE = 'IM006';
    END IF;
    DELETE FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_address;
    PERFORM imap.forget_mailbox(box.id);
END $$;
COMMENT ON FUNCTION imap.delete_address(uuid, text) IS
    'DELETE of an address: it is the user''s no longer. Its mail stays, and is theirs again should they create it again.';

CREATE FUNCTION imap.forget_mailbox(p_mailbox bigint) RETURNS void LANGUAGE sql AS $$
    DELETE FROM imap.message WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.expunged WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.feed WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.arrival WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.mailbox WHERE id = p_mailbox;
    SELECT imap.notify('head', ARRAY[p_mailbox]);
$$;
COMMENT ON FUNCTION imap.forget_mailbox(bigint) IS
    'Have a mailbox, whose row the caller has locked, be no more; a later one of its name has another UIDVALIDITY.';

-- Folders: only what is the user's is theirs to delete, to move and to put anywhere -------------------------------------

CREATE OR REPLACE FUNCTION imap.delete_folder(p_user uuid, p_owner text, p_folder text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    shared boolean;
BEGIN
    IF p_folder = 'INBOX' THEN
        RAISE EXCEPTION 'INBOX' USING ERRCODE = 'IM003';
    END IF;
    box := imap.lock_mailbox(p_user, imap.find_mailbox(p_user, p_owner, p_folder));
    shared := imap.is_shared(p_user, p_owner);
    PERFORM set_config('imap.acting_mailboxes', box.id::text, true);
    DELETE FROM public.emails e WHERE e.id IN (
        SELECT t.id FROM public.emails t
        WHERE t.mailbox_owner IN (SELECT s FROM imap.spellings(p_user, p_owner) AS s) AND t.mailbox = p_folder
          AND (NOT shared OR imap.belongs(p_user, t.id, p_owner, t.created_at))
        ORDER BY t.id FOR UPDATE);
    PERFORM set_config('imap.acting_mailboxes', '', true);
    PERFORM imap.forget_mailbox(box.id);
END $$;

CREATE FUNCTION imap.note_belonging(p_user uuid, p_owner text, p_emails uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO imap.belonging (email_id, user_id)
    SELECT e.id, p_user FROM public.emails e
    WHERE e.id = ANY (p_emails) AND p_owner NOT LIKE 'account:%'
      AND (e.created_at > now() OR NOT imap.belongs(p_user, e.id, p_owner, e.created_at))
    ON CONFLICT (email_id) DO UPDATE SET user_id = excluded.user_id
$$;
COMMENT ON FUNCTION imap.note_belonging(uuid, text, uuid[]) IS
    'Remember that a user has put e-mails under an address, where their time would not tell.';

CREATE OR REPLACE FUNCTION imap.add_messages(p_mailbox bigint, p_emails uuid[])
RETURNS TABLE (email_id uuid, uid bigint) LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
BEGIN
    UPDATE imap.mailbox b
    SET uid_next = b.uid_next + cardinality(p_emails), highest_mod_seq = b.highest_mod_seq + 1
    WHERE b.id = p_mailbox RETURNING * INTO box;
    PERFORM imap.note_belonging(box.user_id, box.owner, p_emails);
    RETURN QUERY
    INSERT INTO imap.message AS m (mailbox_id, uid, email_id, mod_seq, flags, internal_date)
    SELECT p_mailbox, box.uid_next - cardinality(p_emails) + u.n - 1, e.id, box.highest_mod_seq,
           coalesce(e.flags, '{}'), imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch'))
    FROM unnest(p_emails) WITH ORDINALITY AS u (id, n) JOIN public.emails e ON e.id = u.id
    ORDER BY u.n
    RETURNING m.email_id, m.uid;
END $$;

CREATE OR REPLACE FUNCTION imap.move_mailbox(p_box imap.mailbox, p_owner text, p_folder text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    box imap.mailbox;
    emails uuid[];
    shared constant boolean := imap.is_shared(p_box.user_id, p_box.owner);
BEGIN
    SELECT array_agg(t.id) INTO emails FROM (
        SELECT e.id FROM public.emails e
        WHERE e.mailbox_owner IN (SELECT s FROM imap.spellings(p_box.user_id, p_box.owner) AS s)
          AND e.mailbox = p_box.folder
          AND (NOT shared OR imap.belongs(p_box.user_id, e.id, p_box.owner, e.created_at))
        ORDER BY e.id FOR UPDATE) t;
    PERFORM imap.keep_origin(emails);
    PERFORM imap.note_belonging(p_box.user_id, p_owner, emails);
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
