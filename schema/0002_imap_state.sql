-- What IMAP must remember of mail that other programs deliver: mailboxes, UIDs, mod-sequences and rendered parts.
--
-- Everything of ours is in the schema "imap". The service's tables in "public" get triggers and nothing else.
--
-- How mail becomes visible. Nothing is done for an address until a client opens it. From then on "feed" says which rows
-- of public.emails belong to which mailbox, the triggers put the ids of changed rows into "arrival", and refresh()
-- drains that under a lock on the mailbox's row: only there are UIDs and mod-sequences given out, so they ascend in the
-- order in which they can be seen, however long the delivering transaction took to commit.
--
-- Locks are always taken in the order imap.mailbox, public.emails (by id); the triggers lock nothing.

CREATE SEQUENCE imap.uid_validity AS bigint;
COMMENT ON SEQUENCE imap.uid_validity IS
    'Values for UIDVALIDITY: begins at the time of installation, so that a new installation does not repeat the old.';
SELECT setval('imap.uid_validity', extract(epoch FROM now())::bigint);

CREATE TABLE imap.mailbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL,
    owner text NOT NULL,
    folder text NOT NULL,
    special_use text,
    uid_validity bigint NOT NULL DEFAULT nextval('imap.uid_validity'),
    uid_next bigint NOT NULL DEFAULT 1,
    highest_mod_seq bigint NOT NULL DEFAULT 1,
    recent_uid bigint NOT NULL DEFAULT 1,
    ban_version bigint NOT NULL DEFAULT -1,
    settle_xid bigint,
    scanned_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, owner, folder)
);
COMMENT ON TABLE imap.mailbox IS 'Mailboxes that were opened or created over IMAP, one row for each user and name.';
COMMENT ON COLUMN imap.mailbox.id IS 'Number of the mailbox, also its MAILBOXID.';
COMMENT ON COLUMN imap.mailbox.user_id IS 'The account whose mailbox this is.';
COMMENT ON COLUMN imap.mailbox.owner IS 'Lower-case address, or account:<user id> for the account''s own folders.';
COMMENT ON COLUMN imap.mailbox.folder IS 'Folder under the owner, as in public.emails.mailbox.';
COMMENT ON COLUMN imap.mailbox.special_use IS 'Special use attribute of RFC 6154, with its backslash.';
COMMENT ON COLUMN imap.mailbox.uid_validity IS 'UIDVALIDITY: 32 bits, never 0, never used for a name twice.';
COMMENT ON COLUMN imap.mailbox.uid_next IS 'The UID that the next message will get.';
COMMENT ON COLUMN imap.mailbox.highest_mod_seq IS 'The largest mod-sequence given out (RFC 7162).';
COMMENT ON COLUMN imap.mailbox.recent_uid IS 'The first UID that no session has been told as \Recent.';
COMMENT ON COLUMN imap.mailbox.ban_version IS 'The state of the sender bans (ban_state) that the messages reflect.';
COMMENT ON COLUMN imap.mailbox.settle_xid IS
    'NULL: never scanned; -1: its feed has just grown; above 0: transactions below it may have missed the feed and are '
    'waited for; 0: every later delivery is in arrival.';
COMMENT ON COLUMN imap.mailbox.scanned_at IS 'When the mailbox was last compared with public.emails as a whole.';
COMMENT ON COLUMN imap.mailbox.created_at IS 'When the row was made.';

CREATE TABLE imap.feed (
    owner text NOT NULL,
    folder text NOT NULL,
    mailbox_id bigint NOT NULL,
    PRIMARY KEY (owner, folder, mailbox_id)
);
CREATE INDEX feed_mailbox ON imap.feed (mailbox_id);
COMMENT ON TABLE imap.feed IS 'Which rows of public.emails belong to which opened mailbox.';
COMMENT ON COLUMN imap.feed.owner IS 'public.emails.mailbox_owner, letter by letter.';
COMMENT ON COLUMN imap.feed.folder IS 'public.emails.mailbox, letter by letter.';
COMMENT ON COLUMN imap.feed.mailbox_id IS 'The mailbox that shows them.';

CREATE TABLE imap.message (
    mailbox_id bigint NOT NULL,
    uid bigint NOT NULL,
    email_id uuid NOT NULL,
    mod_seq bigint NOT NULL,
    flags text[] NOT NULL,
    internal_date timestamptz NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (mailbox_id, uid)
);
CREATE UNIQUE INDEX message_email ON imap.message (email_id, mailbox_id);
CREATE INDEX message_mod_seq ON imap.message (mailbox_id, mod_seq);
COMMENT ON TABLE imap.message IS 'The messages that a mailbox shows. One e-mail can be in an address''s mailbox and in INBOX.';
COMMENT ON COLUMN imap.message.mailbox_id IS 'The mailbox; no foreign key, whose checks would lock its row.';
COMMENT ON COLUMN imap.message.uid IS 'The message''s UID there.';
COMMENT ON COLUMN imap.message.email_id IS 'public.emails.id.';
COMMENT ON COLUMN imap.message.mod_seq IS 'Mod-sequence of the last change (RFC 7162).';
COMMENT ON COLUMN imap.message.flags IS 'public.emails.flags when they were last taken in.';
COMMENT ON COLUMN imap.message.internal_date IS 'INTERNALDATE, fixed when the UID was given.';
COMMENT ON COLUMN imap.message.saved_at IS 'SAVEDATE: when the message came into this mailbox (RFC 8514).';

CREATE TABLE imap.expunged (
    mailbox_id bigint NOT NULL,
    uid bigint NOT NULL,
    mod_seq bigint NOT NULL,
    PRIMARY KEY (mailbox_id, mod_seq, uid)
);
COMMENT ON TABLE imap.expunged IS 'UIDs that left a mailbox, for sessions and clients that knew them.';
COMMENT ON COLUMN imap.expunged.mailbox_id IS 'The mailbox.';
COMMENT ON COLUMN imap.expunged.uid IS 'The UID, which is never given again.';
COMMENT ON COLUMN imap.expunged.mod_seq IS 'Mod-sequence of the removal.';

CREATE TABLE imap.arrival (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox_id bigint NOT NULL,
    email_id uuid
);
CREATE INDEX arrival_mailbox ON imap.arrival (mailbox_id);
COMMENT ON TABLE imap.arrival IS 'What the triggers saw happen to an opened mailbox, until its next refresh.';
COMMENT ON COLUMN imap.arrival.id IS 'Number of the row; its order means nothing.';
COMMENT ON COLUMN imap.arrival.mailbox_id IS 'The mailbox.';
COMMENT ON COLUMN imap.arrival.email_id IS 'The e-mail that was added, changed or deleted; NULL: the user''s addresses changed.';

CREATE TABLE imap.rendition (
    email_id uuid PRIMARY KEY,
    version int NOT NULL,
    size bigint NOT NULL,
    envelope text NOT NULL,
    body text NOT NULL,
    body_structure text NOT NULL,
    header bytea NOT NULL
);
COMMENT ON TABLE imap.rendition IS 'What is computed once from an e-mail''s RFC 5322 form. Wire forms are kept as Latin-1 text.';
COMMENT ON COLUMN imap.rendition.email_id IS 'public.emails.id.';
COMMENT ON COLUMN imap.rendition.version IS 'Version of the renderer; another version''s row is computed anew.';
COMMENT ON COLUMN imap.rendition.size IS 'RFC822.SIZE in octets.';
COMMENT ON COLUMN imap.rendition.envelope IS 'ENVELOPE as sent to clients.';
COMMENT ON COLUMN imap.rendition.body IS 'BODY (without extension data) as sent to clients.';
COMMENT ON COLUMN imap.rendition.body_structure IS 'BODYSTRUCTURE as sent to clients.';
COMMENT ON COLUMN imap.rendition.header IS 'The header block with its empty line, octet for octet.';

CREATE TABLE imap.source (
    email_id uuid PRIMARY KEY,
    source bytea NOT NULL
);
ALTER TABLE imap.source ALTER COLUMN source SET STORAGE EXTERNAL;
COMMENT ON TABLE imap.source IS 'Messages kept octet for octet: what clients append.';
COMMENT ON COLUMN imap.source.email_id IS 'public.emails.id.';
COMMENT ON COLUMN imap.source.source IS 'The RFC 5322 message; stored uncompressed, so that parts of it can be read.';

CREATE TABLE imap.origin (
    email_id uuid PRIMARY KEY,
    id uuid NOT NULL,
    owner text NOT NULL
);
COMMENT ON TABLE imap.origin IS
    'What a message was rendered from before it was copied or moved: its octets stay the same ever after.';
COMMENT ON COLUMN imap.origin.email_id IS 'public.emails.id of the copied or moved message.';
COMMENT ON COLUMN imap.origin.id IS 'public.emails.id that its Message-ID and boundary are made of.';
COMMENT ON COLUMN imap.origin.owner IS 'public.emails.mailbox_owner that its To and Message-ID are made of.';

CREATE TABLE imap.subscription (
    user_id uuid NOT NULL,
    name text NOT NULL,
    subscribed boolean NOT NULL,
    PRIMARY KEY (user_id, name)
);
COMMENT ON TABLE imap.subscription IS 'What SUBSCRIBE and UNSUBSCRIBE said; mailboxes not named here are subscribed.';
COMMENT ON COLUMN imap.subscription.user_id IS 'The account.';
COMMENT ON COLUMN imap.subscription.name IS 'Mailbox name as clients see it, in Unicode.';
COMMENT ON COLUMN imap.subscription.subscribed IS 'Whether it is subscribed.';

CREATE TABLE imap.sender_ban (
    match_type text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (match_type, value)
);
COMMENT ON TABLE imap.sender_ban IS 'The sender bans in force, in their plain form; follows public.bans.';
COMMENT ON COLUMN imap.sender_ban.match_type IS 'exact or contains.';
COMMENT ON COLUMN imap.sender_ban.value IS 'Lower case, never empty.';

CREATE TABLE imap.ban_state (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint NOT NULL
);
COMMENT ON TABLE imap.ban_state IS 'One row: the state of sender_ban.';
COMMENT ON COLUMN imap.ban_state.single IS 'Keeps it one row.';
COMMENT ON COLUMN imap.ban_state.version IS 'Rises by one with every change of sender_ban.';
INSERT INTO imap.ban_state (version) VALUES (0);

-- Bans ----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.sync_bans() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    -- One at a time, so that whoever comes second sees the first one's bans.
    PERFORM 1 FROM imap.ban_state FOR UPDATE;
    WITH stated AS (
        SELECT lower(btrim(value)) AS value, lower(match_type) AS match_type FROM public.bans
        WHERE lower(status) = 'active' AND lower(scope) IN ('sender', 'email')
    ), wanted AS (
        SELECT DISTINCT
            CASE WHEN value LIKE 'contains:%' THEN 'contains' ELSE coalesce(match_type, 'exact') END AS match_type,
            CASE WHEN value LIKE 'contains:%' THEN btrim(substr(value, 10)) ELSE value END AS value
        FROM stated
    ), usable AS (
        SELECT match_type, value FROM wanted WHERE value <> '' AND match_type IN ('exact', 'contains')
    ), gone AS (
        DELETE FROM imap.sender_ban b
        WHERE NOT EXISTS (SELECT 1 FROM usable u WHERE u.match_type = b.match_type AND u.value = b.value)
        RETURNING 1
    ), added AS (
        INSERT INTO imap.sender_ban (match_type, value) SELECT match_type, value FROM usable
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM added) INTO changed;
    IF changed > 0 THEN
        UPDATE imap.ban_state SET version = version + 1;
    END IF;
END $$;
COMMENT ON FUNCTION imap.sync_bans() IS 'Make sender_ban follow public.bans.';

CREATE FUNCTION imap.sender_address(p_from text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT lower(coalesce(substring(p_from FROM '<([^<>]*)>[^<>]*$'), btrim(p_from)))
$$;
COMMENT ON FUNCTION imap.sender_address(text) IS 'The bare address in a sender of envelope or header form, in lower case.';

CREATE FUNCTION imap.bans_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.sync_bans();
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.bans_changed() IS 'Trigger of public.bans.';
CREATE TRIGGER imap_bans_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.bans
    FOR EACH STATEMENT EXECUTE FUNCTION imap.bans_changed();
SELECT imap.sync_bans();

-- What happens to mail ------------------------------------------------------------------------------------------------

CREATE FUNCTION imap.acting_mailboxes() RETURNS bigint[] LANGUAGE sql STABLE AS $$
    SELECT string_to_array(coalesce(current_setting('imap.acting_mailboxes', true), ''), ' ')::bigint[]
$$;
COMMENT ON FUNCTION imap.acting_mailboxes() IS
    'The mailboxes through which this transaction changes mail: they know the change, and only the others must be told.';

CREATE FUNCTION imap.emails_inserted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT f.mailbox_id, n.id
    FROM added n JOIN imap.feed f ON f.owner = n.mailbox_owner AND f.folder = n.mailbox
    WHERE f.mailbox_id <> ALL (imap.acting_mailboxes());
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.emails_inserted() IS 'Trigger of public.emails.';
CREATE TRIGGER imap_emails_inserted AFTER INSERT ON public.emails
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_inserted();

CREATE FUNCTION imap.emails_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT m.mailbox_id, n.id
    FROM previous o JOIN added n ON n.id = o.id JOIN imap.message m ON m.email_id = n.id
    WHERE (o.flags, o.mailbox_owner, o.mailbox, o.from_addr)
            IS DISTINCT FROM (n.flags, n.mailbox_owner, n.mailbox, n.from_addr)
      AND m.mailbox_id <> ALL (imap.acting_mailboxes())
    UNION
    SELECT f.mailbox_id, n.id
    FROM previous o JOIN added n ON n.id = o.id
    JOIN imap.feed f ON f.owner = n.mailbox_owner AND f.folder = n.mailbox
    WHERE (o.mailbox_owner, o.mailbox, o.from_addr) IS DISTINCT FROM (n.mailbox_owner, n.mailbox, n.from_addr)
      AND f.mailbox_id <> ALL (imap.acting_mailboxes());
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.emails_updated() IS 'Trigger of public.emails.';
CREATE TRIGGER imap_emails_updated AFTER UPDATE ON public.emails
    REFERENCING OLD TABLE AS previous NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_updated();

CREATE FUNCTION imap.emails_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT m.mailbox_id, o.id
    FROM previous o JOIN imap.message m ON m.email_id = o.id
    WHERE m.mailbox_id <> ALL (imap.acting_mailboxes());
    DELETE FROM imap.rendition r USING previous o WHERE r.email_id = o.id;
    DELETE FROM imap.source s USING previous o WHERE s.email_id = o.id;
    DELETE FROM imap.origin x USING previous o WHERE x.email_id = o.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.emails_deleted() IS 'Trigger of public.emails.';
CREATE TRIGGER imap_emails_deleted AFTER DELETE ON public.emails
    REFERENCING OLD TABLE AS previous FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_deleted();

CREATE FUNCTION imap.emails_truncated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id) SELECT m.mailbox_id, m.email_id FROM imap.message m;
    DELETE FROM imap.rendition;
    DELETE FROM imap.source;
    DELETE FROM imap.origin;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.emails_truncated() IS 'Trigger of public.emails.';
CREATE TRIGGER imap_emails_truncated AFTER TRUNCATE ON public.emails
    FOR EACH STATEMENT EXECUTE FUNCTION imap.emails_truncated();

CREATE FUNCTION imap.note_addresses(p_users uuid[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO imap.arrival (mailbox_id)
    SELECT m.id FROM imap.mailbox m
    WHERE m.user_id = ANY (p_users) AND m.owner = 'account:' || m.user_id AND m.folder = 'INBOX'
$$;
COMMENT ON FUNCTION imap.note_addresses(uuid[]) IS 'The addresses of these users changed: their INBOX must look again.';

CREATE FUNCTION imap.inbox_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_addresses((SELECT array_agg(DISTINCT user_id) FROM added WHERE user_id IS NOT NULL));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_added() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_added AFTER INSERT ON public.inbox
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_added();

CREATE FUNCTION imap.inbox_removed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_addresses((SELECT array_agg(DISTINCT user_id) FROM previous WHERE user_id IS NOT NULL));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_removed() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_removed AFTER DELETE ON public.inbox
    REFERENCING OLD TABLE AS previous FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_removed();

CREATE FUNCTION imap.inbox_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM imap.note_addresses((
        SELECT array_agg(DISTINCT u.user_id)
        FROM (SELECT user_id FROM previous UNION SELECT user_id FROM added) u WHERE u.user_id IS NOT NULL));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION imap.inbox_updated() IS 'Trigger of public.inbox.';
CREATE TRIGGER imap_inbox_updated AFTER UPDATE ON public.inbox
    REFERENCING OLD TABLE AS previous NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION imap.inbox_updated();
