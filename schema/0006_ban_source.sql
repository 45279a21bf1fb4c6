-- Where the bans come from. They are public.bans, unless a server that reads them elsewhere puts them in its place. All of
-- them are kept in their plain form, whatever their scope; what hides mail (imap.sender_ban) is made of them.
--
-- Letters are compared without case as far as they are ASCII, whatever the database's locale is: so SQL and Python agree,
-- and so do two servers.

CREATE FUNCTION imap.fold(p_text text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT lower(p_text COLLATE "C")
$$;
COMMENT ON FUNCTION imap.fold(text) IS 'The text with its ASCII letters, and no others, in lower case.';

CREATE OR REPLACE FUNCTION imap.sender_address(p_from text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT imap.fold(coalesce(substring(p_from FROM '<([^<>]*)>[^<>]*$'), btrim(p_from)))
$$;

CREATE TABLE imap.ban (
    scope text NOT NULL,
    match_type text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (scope, match_type, value)
);
COMMENT ON TABLE imap.ban IS 'The bans in force, in their plain form; follows public.bans, or what is kept elsewhere.';
COMMENT ON COLUMN imap.ban.scope IS 'email, domain or sender.';
COMMENT ON COLUMN imap.ban.match_type IS 'exact or contains.';
COMMENT ON COLUMN imap.ban.value IS 'Folded, of 1 to 1000 octets.';
COMMENT ON TABLE imap.sender_ban IS 'Of imap.ban what hides mail: scope sender, and for the sake of old data email.';

ALTER TABLE imap.ban_state ADD COLUMN source text NOT NULL DEFAULT 'table' CHECK (source IN ('table', 'elsewhere'));
COMMENT ON TABLE imap.ban_state IS 'One row: the state of the bans.';
COMMENT ON COLUMN imap.ban_state.version IS 'Rises by one with every change of bans of scope email or sender.';
COMMENT ON COLUMN imap.ban_state.source IS 'table: public.bans counts; elsewhere: what a server was last told counts.';

CREATE FUNCTION imap.take_bans(p_scopes text[], p_values text[], p_match_types text[], p_statuses text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
BEGIN
    WITH stated AS (
        SELECT imap.fold(s.scope) AS scope, imap.fold(btrim(s.value)) AS value, imap.fold(s.match_type) AS match_type
        FROM unnest(p_scopes, p_values, p_match_types, p_statuses) AS s (scope, value, match_type, status)
        WHERE imap.fold(s.status) = 'active' AND imap.fold(s.scope) IN ('email', 'domain', 'sender')
    ), wanted AS (
        SELECT DISTINCT s.scope,
            CASE WHEN value LIKE 'contains:%' THEN 'contains' ELSE coalesce(match_type, 'exact') END AS match_type,
            CASE WHEN value LIKE 'contains:%' THEN btrim(substr(value, 10)) ELSE value END AS value
        FROM stated s
    ), usable AS (
        SELECT w.scope, w.match_type, w.value FROM wanted w
        WHERE octet_length(w.value) BETWEEN 1 AND 1000 AND w.match_type IN ('exact', 'contains')
    ), gone AS (
        DELETE FROM imap.ban b
        WHERE NOT EXISTS (SELECT 1 FROM usable u
                          WHERE u.scope = b.scope AND u.match_type = b.match_type AND u.value = b.value)
        RETURNING b.scope
    ), added AS (
        INSERT INTO imap.ban (scope, match_type, value) SELECT u.scope, u.match_type, u.value FROM usable u
        ON CONFLICT DO NOTHING
        RETURNING scope
    )
    SELECT count(*) INTO changed
    FROM (SELECT g.scope FROM gone g UNION ALL SELECT a.scope FROM added a) c WHERE c.scope <> 'domain';
    IF changed > 0 THEN
        DELETE FROM imap.sender_ban s
        WHERE NOT EXISTS (SELECT 1 FROM imap.ban b WHERE b.scope IN ('sender', 'email')
                          AND b.match_type = s.match_type AND b.value = s.value);
        INSERT INTO imap.sender_ban (match_type, value)
        SELECT b.match_type, b.value FROM imap.ban b WHERE b.scope IN ('sender', 'email')
        ON CONFLICT DO NOTHING;
        UPDATE imap.ban_state SET version = version + 1;
    END IF;
END $$;
COMMENT ON FUNCTION imap.take_bans(text[], text[], text[], text[]) IS
    'Have these bans, given as columns, in force and no others; the caller has locked ban_state.';

CREATE OR REPLACE FUNCTION imap.sync_bans() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    source text;
BEGIN
    -- One at a time, so that whoever comes second sees the first one's bans.
    SELECT s.source INTO source FROM imap.ban_state s FOR UPDATE;
    IF source = 'table' THEN
        PERFORM imap.take_bans(array_agg(b.scope::text), array_agg(b.value::text), array_agg(b.match_type::text),
                               array_agg(b.status::text))
        FROM public.bans b;
    END IF;
END $$;
COMMENT ON FUNCTION imap.sync_bans() IS 'Make the bans in force follow public.bans, unless they are kept elsewhere.';

CREATE FUNCTION imap.replace_bans(p_scopes text[], p_values text[], p_match_types text[], p_statuses text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM imap.ban_state FOR UPDATE;
    UPDATE imap.ban_state SET source = 'elsewhere' WHERE source <> 'elsewhere';
    PERFORM imap.take_bans(p_scopes, p_values, p_match_types, p_statuses);
END $$;
COMMENT ON FUNCTION imap.replace_bans(text[], text[], text[], text[]) IS
    'Have bans that are kept elsewhere, given as columns, in force instead of public.bans.';

CREATE FUNCTION imap.follow_bans() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM imap.ban_state s WHERE s.source = 'table';
    IF NOT FOUND THEN
        UPDATE imap.ban_state SET source = 'table';
        PERFORM imap.sync_bans();
    END IF;
END $$;
COMMENT ON FUNCTION imap.follow_bans() IS 'Have public.bans count again.';

-- The notification is sent where a version has changed, not where a server has said once more where it reads bans.
DROP TRIGGER ban_state_noted ON imap.ban_state;
CREATE TRIGGER ban_state_noted AFTER UPDATE OF version ON imap.ban_state
    FOR EACH STATEMENT EXECUTE FUNCTION imap.note_bans();

CREATE OR REPLACE VIEW imap.visible AS
    SELECT f.mailbox_id, e.id AS email_id, coalesce(e.flags, '{}') AS flags,
           imap.clamp_time(coalesce(e.timestamp, e.created_at, 'epoch')) AS internal_date
    FROM imap.feed f JOIN public.emails e ON e.mailbox_owner = f.owner AND e.mailbox = f.folder
    WHERE NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = imap.fold(btrim(e.from_addr)))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'exact' AND b.value = imap.sender_address(e.from_addr))
      AND NOT EXISTS (SELECT 1 FROM imap.sender_ban b
                      WHERE b.match_type = 'contains' AND strpos(imap.fold(e.from_addr), b.value) > 0);

CREATE OR REPLACE FUNCTION imap.hides(p_from text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM imap.sender_ban b
        WHERE b.match_type = 'exact' AND b.value IN (imap.fold(btrim(p_from)), imap.sender_address(p_from))
    ) OR EXISTS (
        SELECT 1 FROM imap.sender_ban b WHERE b.match_type = 'contains' AND strpos(imap.fold(p_from), b.value) > 0
    )
$$;

SELECT imap.sync_bans();
