-- Deliveries and looks cost less: what the receiver pays for IMAP is mostly what refreshing takes of the same machine.

-- One index serves what is looked up, and there is less to be written for each e-mail that comes.
ALTER TABLE imap.arrival DROP CONSTRAINT arrival_pkey;
DROP INDEX imap.arrival_mailbox;
ALTER TABLE imap.arrival ADD PRIMARY KEY (mailbox_id, id);

CREATE OR REPLACE FUNCTION imap.note_arrival() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    -- As imap.notify does, without an array in between.
    PERFORM pg_notify('cybertemp_imap', 'arrival ' || string_agg(n.mailbox_id::text, ' '))
    FROM (SELECT DISTINCT mailbox_id FROM noted) n GROUP BY n.mailbox_id / 350;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION imap.note_head() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_notify('cybertemp_imap', 'head ' || NEW.id);
    RETURN NULL;
END $$;

-- What is drained leaves dead rows, which only a plain scan of the index learns to pass over. And a plan for the few
-- e-mails of one look is worth less than making it: without this, one was made anew each time.
ALTER FUNCTION imap.refresh(uuid, bigint) SET enable_seqscan = off;
ALTER FUNCTION imap.refresh(uuid, bigint) SET enable_bitmapscan = off;
ALTER FUNCTION imap.refresh(uuid, bigint) SET plan_cache_mode = force_generic_plan;

-- A comparison as a whole is another matter, and may be of any size.
ALTER FUNCTION imap.rescan(imap.mailbox) SET enable_seqscan = on;
ALTER FUNCTION imap.rescan(imap.mailbox) SET enable_bitmapscan = on;
ALTER FUNCTION imap.rescan(imap.mailbox) SET plan_cache_mode = auto;
