-- What is noted for mailboxes that nobody looks at is cleared away.
--
-- A mailbox that was not compared as a whole for an hour is so at its next refresh: until then, nothing that is in
-- arrival for it is needed. And one that was not looked at for long costs deliveries nothing any more: without a feed it
-- is as before it was first opened, but for its UIDs.

CREATE FUNCTION imap.tidy_arrivals(p_limit bigint, p_idle interval) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    boxes bigint[];
    forgotten bigint[];
BEGIN
    -- A mailbox that is in use just now is left for the next time. Its row's lock keeps refreshes away: one that comes
    -- after this finds scanned_at as old as it is here.
    SELECT array_agg(t.id), array_agg(t.id) FILTER (WHERE t.scanned_at < now() - p_idle) INTO boxes, forgotten FROM (
        SELECT b.id, b.scanned_at FROM imap.mailbox b
        WHERE b.scanned_at < now() - interval '1 hour'
          AND (EXISTS (SELECT 1 FROM imap.arrival a WHERE a.mailbox_id = b.id)
               OR b.scanned_at < now() - p_idle AND EXISTS (SELECT 1 FROM imap.feed f WHERE f.mailbox_id = b.id))
        ORDER BY b.id LIMIT p_limit FOR UPDATE SKIP LOCKED) t;
    UPDATE imap.mailbox b SET settle_xid = NULL WHERE b.id = ANY (forgotten);
    DELETE FROM imap.feed f WHERE f.mailbox_id = ANY (forgotten);
    DELETE FROM imap.arrival a WHERE a.mailbox_id = ANY (boxes);
    RETURN coalesce(cardinality(boxes), 0);
END $$;
COMMENT ON FUNCTION imap.tidy_arrivals(bigint, interval) IS
    'Clear away what is noted for at most p_limit mailboxes that were not looked at for an hour, and the feed of those not '
    'looked at for p_idle; returns how many there were.';
