-- The version table of this product, and the service's tables where they are missing.
--
-- The service's tables (emails, inbox, domains, bans, imap_tokens, users) belong to other programs. One that exists,
-- as a table or a view, anywhere on the search path, is left exactly as it is: no column, index, default or row of it
-- is touched. One that is missing is created in the first schema of the search path.

DO $$
BEGIN
    IF to_regnamespace('imap') IS NULL THEN
        CREATE SCHEMA imap;
        COMMENT ON SCHEMA imap IS 'What the IMAP server keeps for itself: mailboxes, UIDs, cached renditions.';
    END IF;
END
$$;

CREATE TABLE imap.schema_version (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL
);
COMMENT ON TABLE imap.schema_version IS 'The numbered schema files that have been applied, one row each.';
COMMENT ON COLUMN imap.schema_version.version IS 'The number that the file name begins with.';
COMMENT ON COLUMN imap.schema_version.applied_at IS 'When the file was applied.';
COMMENT ON COLUMN imap.schema_version.name IS 'The file name without its number and ending.';

DO $$
DECLARE
    -- gen_random_uuid() is built in from PostgreSQL 13 on.
    new_id constant text := CASE
        WHEN to_regprocedure('gen_random_uuid()') IS NOT NULL THEN 'gen_random_uuid()'
        ELSE 'md5(random()::text || clock_timestamp()::text)::uuid'
    END;
BEGIN
    IF to_regclass('users') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE users (
                id uuid PRIMARY KEY DEFAULT %s,
                email text NOT NULL,
                subscription_status text DEFAULT 'inactive',
                subscription_end_date timestamptz,
                created_at timestamptz DEFAULT now()
            )
        $sql$, new_id);
        CREATE UNIQUE INDEX users_email_key ON users (lower(email));
    END IF;

    IF to_regclass('imap_tokens') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE imap_tokens (
                id uuid PRIMARY KEY DEFAULT %s,
                user_id uuid NOT NULL,
                token text NOT NULL UNIQUE,
                expires_at timestamptz NOT NULL,
                last_used_at timestamptz,
                created_at timestamptz DEFAULT now()
            )
        $sql$, new_id);
        CREATE INDEX imap_tokens_user_id_idx ON imap_tokens (user_id);
    END IF;

    IF to_regclass('domains') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE domains (
                id uuid PRIMARY KEY DEFAULT %s,
                domain text NOT NULL,
                user_id uuid,
                active boolean DEFAULT true,
                cloudflare_domain boolean DEFAULT false,
                created_at timestamptz DEFAULT now()
            )
        $sql$, new_id);
        CREATE INDEX domains_user_id_idx ON domains (user_id);
        CREATE INDEX domains_domain_idx ON domains (domain);
    END IF;

    IF to_regclass('inbox') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE inbox (
                id uuid PRIMARY KEY DEFAULT %s,
                email_address text NOT NULL UNIQUE,
                user_id uuid,
                created_at timestamptz DEFAULT now()
            )
        $sql$, new_id);
        CREATE INDEX inbox_user_id_idx ON inbox (user_id);
    END IF;

    IF to_regclass('bans') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE bans (
                id uuid PRIMARY KEY DEFAULT %s,
                scope text NOT NULL,
                value text NOT NULL,
                match_type text DEFAULT 'exact',
                status text DEFAULT 'active',
                created_at timestamptz DEFAULT now()
            )
        $sql$, new_id);
        CREATE INDEX bans_scope_status_idx ON bans (scope, status);
    END IF;

    IF to_regclass('emails') IS NULL THEN
        EXECUTE format($sql$
            CREATE TABLE emails (
                id uuid PRIMARY KEY DEFAULT %s,
                mailbox_owner text NOT NULL,
                mailbox text DEFAULT 'INBOX',
                subject text,
                body text,
                html text,
                from_addr text,
                to_addrs text[],
                "timestamp" timestamptz,
                flags text[],
                size bigint,
                created_at timestamptz DEFAULT now(),
                encrypted boolean,
                key_version integer
            )
        $sql$, new_id);
        CREATE INDEX emails_mailbox_owner_mailbox_idx ON emails (mailbox_owner, mailbox);
        CREATE INDEX emails_timestamp_idx ON emails ("timestamp");
    END IF;
END
$$;
