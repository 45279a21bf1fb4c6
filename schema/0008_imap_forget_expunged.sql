-- What was expunged is not remembered for ever: mailboxes are read for years, and a client that comes back later is told
-- somewhat more than has happened instead (RFC 7162 section 3.2.5.2).

ALTER TABLE imap.mailbox ADD COLUMN forgotten_mod_seq bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN imap.mailbox.forgotten_mod_seq IS
    'What was expunged with a mod-sequence up to it is perhaps no longer in imap.expunged.';

ALTER TABLE imap.expunged ADD COLUMN expunged_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN imap.expunged.expunged_at IS 'When the UID left the mailbox, or, before this column was there, no later.';

-- A view keeps the columns its table had when it was made.
CREATE OR REPLACE VIEW imap.held AS SELECT * FROM imap.mailbox b WHERE imap.owns(b.user_id, b.owner);

CREATE FUNCTION imap.forget_expunged(p_after bigint, p_age interval, p_kept bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    box bigint;
    last_box bigint;
    oldest record;
    forgotten bigint;
BEGIN
    FOR box IN SELECT b.id FROM imap.mailbox b WHERE b.id > p_after ORDER BY b.id LIMIT 200 LOOP
        last_box := box;
        -- Everything that one step expunged is remembered or forgotten together.
        SELECT x.mod_seq INTO forgotten FROM imap.expunged x
        WHERE x.mailbox_id = box ORDER BY x.mod_seq DESC, x.uid DESC OFFSET p_kept LIMIT 1;
        SELECT x.mod_seq, x.expunged_at < now() - p_age AS is_old INTO oldest FROM imap.expunged x
        WHERE x.mailbox_id = box ORDER BY x.mod_seq LIMIT 1;
        IF oldest.is_old THEN
            SELECT greatest(forgotten, max(x.mod_seq)) INTO forgotten FROM imap.expunged x
            WHERE x.mailbox_id = box AND x.expunged_at < now() - p_age;
        END IF;
        -- A mailbox that is in use just now is left for the next time.
        IF forgotten IS NOT NULL THEN
            PERFORM 1 FROM imap.mailbox b WHERE b.id = box FOR UPDATE SKIP LOCKED;
            IF FOUND THEN
                UPDATE imap.mailbox b SET forgotten_mod_seq = forgotten WHERE b.id = box;
                DELETE FROM imap.expunged x WHERE x.mailbox_id = box AND x.mod_seq <= forgotten;
            END IF;
        END IF;
    END LOOP;
    RETURN last_box;
END $$;
COMMENT ON FUNCTION imap.forget_expunged(bigint, interval, bigint) IS
    'Forget what was expunged longer ago than p_age, and all but the last p_kept of each mailbox, in the next mailboxes '
    'after p_after; returns the last of them, or NULL when there are no more.';
