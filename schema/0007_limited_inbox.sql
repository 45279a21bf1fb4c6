-- The INBOX of a token that is limited to some addresses: a mailbox of its own, with UIDs of its own, fed by these
-- addresses alone. Its owner key is "limited:" and the token's id, which is no name that a client could give. It exists
-- from when it is first opened until nobody can need it any more, since every mailbox with a feed costs deliveries a row.

CREATE INDEX mailbox_limited ON imap.mailbox (owner) WHERE owner LIKE 'limited:%';

CREATE OR REPLACE FUNCTION imap.owns(p_user uuid, p_owner text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_owner = 'account:' || p_user
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = p_owner AND i.user_id = p_user)
        OR EXISTS (SELECT 1 FROM public.inbox i WHERE i.user_id = p_user AND lower(i.email_address) = p_owner)
        OR p_owner LIKE 'limited:%'
           AND EXISTS (SELECT 1 FROM imap.mailbox m WHERE m.user_id = p_user AND m.owner = p_owner)
$$;
COMMENT ON FUNCTION imap.owns(uuid, text) IS
    'Whether an owner (lower case) is the user''s account, one of their addresses, or the INBOX of one of their tokens.';

CREATE FUNCTION imap.limited_addresses(p_mailbox imap.mailbox) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT i.email_address
    FROM imap.token_limit l CROSS JOIN unnest(l.addresses) AS a (address)
    JOIN public.inbox i ON i.user_id = p_mailbox.user_id AND lower(i.email_address) = lower(btrim(a.address))
    WHERE l.token_id = CASE WHEN p_mailbox.owner LIKE 'limited:%' THEN substr(p_mailbox.owner, 9)::uuid END
$$;
COMMENT ON FUNCTION imap.limited_addresses(imap.mailbox) IS
    'The addresses, as public.inbox spells them, that feed the INBOX of a limited token; none for any other mailbox.';

CREATE OR REPLACE FUNCTION imap.set_feed(p_mailbox imap.mailbox) RETURNS boolean LANGUAGE plpgsql AS $$
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

CREATE OR REPLACE FUNCTION imap.note_addresses(p_users uuid[]) RETURNS void LANGUAGE sql AS $$
    -- Mailboxes of an address that a user has lost must look as well, and find that they are gone.
    INSERT INTO imap.arrival (mailbox_id)
    SELECT m.id FROM imap.mailbox m
    WHERE m.user_id = ANY (p_users)
      AND (m.owner = 'account:' || m.user_id AND m.folder = 'INBOX'
           OR m.owner LIKE 'limited:%'
           OR NOT imap.owns(m.user_id, m.owner) AND EXISTS (SELECT 1 FROM imap.feed f WHERE f.mailbox_id = m.id));
    -- Nothing more is put into arrival for what may never be opened again. What was put there just now makes a mailbox
    -- that comes back look at everything. Nobody is waited for: the triggers must not be part of a deadlock.
    DELETE FROM imap.feed f WHERE (f.owner, f.folder, f.mailbox_id) IN (
        SELECT l.owner, l.folder, l.mailbox_id FROM imap.feed l JOIN imap.mailbox m ON m.id = l.mailbox_id
        WHERE m.user_id = ANY (p_users) AND NOT imap.owns(m.user_id, lower(l.owner))
        FOR UPDATE OF l SKIP LOCKED)
$$;

CREATE FUNCTION imap.limited_inbox(p_user uuid, p_token uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    key constant text := 'limited:' || p_token;
    found_id bigint;
BEGIN
    SELECT id INTO found_id FROM imap.mailbox WHERE user_id = p_user AND owner = key AND folder = 'INBOX';
    IF found_id IS NULL THEN
        INSERT INTO imap.mailbox (user_id, owner, folder) VALUES (p_user, key, 'INBOX') ON CONFLICT DO NOTHING;
        SELECT id INTO found_id FROM imap.mailbox WHERE user_id = p_user AND owner = key AND folder = 'INBOX';
    END IF;
    RETURN found_id;
END $$;
COMMENT ON FUNCTION imap.limited_inbox(uuid, uuid) IS 'The number of the INBOX of a user''s limited token.';

CREATE FUNCTION imap.drop_limited(p_owners text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    boxes bigint[];
BEGIN
    SELECT array_agg(t.id) INTO boxes FROM (
        SELECT b.id FROM imap.mailbox b
        WHERE b.owner = ANY (p_owners) AND b.owner LIKE 'limited:%' ORDER BY b.id FOR UPDATE) t;
    DELETE FROM imap.feed WHERE mailbox_id = ANY (boxes);
    DELETE FROM imap.arrival WHERE mailbox_id = ANY (boxes);
    DELETE FROM imap.message WHERE mailbox_id = ANY (boxes);
    DELETE FROM imap.expunged WHERE mailbox_id = ANY (boxes);
    DELETE FROM imap.mailbox WHERE id = ANY (boxes);
    PERFORM imap.notify('head', boxes);
    RETURN coalesce(cardinality(boxes), 0);
END $$;
COMMENT ON FUNCTION imap.drop_limited(text[]) IS
    'Forget the INBOX of limited tokens, given by their owner keys; the mail is where it was. Returns how many there were.';

CREATE FUNCTION imap.tidy_limited() RETURNS bigint LANGUAGE sql AS $$
    -- A mailbox in use is scanned every hour.
    SELECT imap.drop_limited(ARRAY(
        SELECT b.owner FROM imap.mailbox b
        LEFT JOIN imap.token_limit l ON l.token_id = substr(b.owner, 9)::uuid
        WHERE b.owner LIKE 'limited:%'
          AND (l.token_id IS NULL OR l.addresses IS NULL OR l.expires_at < now()
               OR greatest(b.created_at, b.scanned_at) < now() - interval '30 days')))
$$;
COMMENT ON FUNCTION imap.tidy_limited() IS
    'Forget the INBOX of tokens that are limited no more, have expired by their limit, or were not used for 30 days.';

CREATE FUNCTION imap.limits_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM imap.drop_limited(ARRAY['limited:' || OLD.token_id]);
    ELSE
        INSERT INTO imap.arrival (mailbox_id)
        SELECT m.id FROM imap.mailbox m WHERE m.owner = 'limited:' || NEW.token_id AND m.owner LIKE 'limited:%';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.limits_changed() IS 'Trigger of imap.token_limit: what the token''s INBOX shows follows at once.';
CREATE TRIGGER token_limit_changed AFTER INSERT OR UPDATE OR DELETE ON imap.token_limit
    FOR EACH ROW EXECUTE FUNCTION imap.limits_changed();
