-- What lets a server answer commands by one statement, or by none.

-- A refresh that is told of every change need not look. While a delivery may be under way that has not seen the feed, it is
-- not told of it: only a further refresh, once that has ended, finds what it brought.
CREATE FUNCTION imap.is_settled(p_mailbox bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    -- Volatile, so that it sees what a refresh earlier in the same statement has made of it.
    RETURN (SELECT b.settle_xid IS NOT DISTINCT FROM 0 FROM imap.mailbox b WHERE b.id = p_mailbox);
END $$;
COMMENT ON FUNCTION imap.is_settled(bigint) IS
    'Whether every change of a mailbox''s mail from now on is told by a notification.';
