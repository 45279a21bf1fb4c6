-- A mailbox that a server opens for the first time is read a page at a time, by ascending UID, each page from the one index
-- that has the messages in this order. Left to itself PostgreSQL sorted all that was still to come for each page: of a
-- mailbox that has just been filled it does not know yet how many messages there are.

CREATE FUNCTION imap.states(p_user uuid, p_mailbox bigint, p_after bigint, p_limit integer)
RETURNS TABLE (uid bigint, flags text, mod_seq bigint)
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    SELECT m.uid, m.flags::text, m.mod_seq
    FROM (SELECT b.id FROM imap.held b WHERE b.user_id = p_user AND b.id = p_mailbox OFFSET 0) b
    LEFT JOIN LATERAL (
        SELECT m.uid, m.flags, m.mod_seq FROM imap.message m
        WHERE m.mailbox_id = b.id AND m.uid > p_after ORDER BY m.uid LIMIT p_limit) m ON true
$$;
COMMENT ON FUNCTION imap.states(uuid, bigint, bigint, integer) IS
    'A page of the messages of a mailbox after a UID, in their order; one row of NULL where there are none.';
