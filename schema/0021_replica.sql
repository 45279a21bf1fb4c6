-- Reading from a replica: its statements come behind this one, in the same message.

CREATE FUNCTION imap.require_replayed(p_position pg_lsn) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- What is read next must have a snapshot of its own: one that was taken before this look may be older.
    IF NOT pg_is_in_recovery() OR current_setting('transaction_isolation') <> 'read committed'
       OR pg_last_wal_replay_lsn() IS NULL OR pg_last_wal_replay_lsn() < p_position THEN
        RAISE 'not replayed as far as that' USING ERRCODE = 'IM100';
    END IF;
END $$;
COMMENT ON FUNCTION imap.require_replayed(pg_lsn) IS
    'Fail, with SQLSTATE IM100, unless this is a replica that has replayed the log up to a position.';
