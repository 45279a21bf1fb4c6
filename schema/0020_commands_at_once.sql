-- What lets a server answer commands by one statement, or by none.

-- A refresh that is told of every change need not look. While a delivery may be under way that has not seen the feed, it is
-- not told of it: only a further refresh, once that has ended, finds what it brought.
CREATE FUNCTION imap.is_settled(p_user uuid, p_mailbox bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    -- Volatile, so that it sees what a refresh earlier in the same statement has made of it.
    RETURN (SELECT b.settle_xid IS NOT DISTINCT FROM 0 FROM imap.mailbox b
            WHERE b.user_id = p_user AND b.id = p_mailbox);
END $$;
COMMENT ON FUNCTION imap.is_settled(uuid, bigint) IS
    'Whether every change of the mail of a mailbox of the user''s from now on is told by a notification.';

CREATE FUNCTION imap.store_flags_and_tell(
    p_user uuid, p_mailbox bigint, p_uids bigint[], p_mode text, p_flags text[], p_unchanged_since bigint
) RETURNS TABLE (uid bigint, flags text[], mod_seq bigint, held_back boolean, taken bigint, uid_validity bigint,
                 uid_next bigint)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT s.uid, s.flags, s.mod_seq, s.held_back, s.taken, NULL::bigint, NULL::bigint
    FROM imap.store_flags(p_user, p_mailbox, p_uids, p_mode, p_flags, p_unchanged_since) s;
    RETURN QUERY
    SELECT NULL::bigint, NULL::text[], b.highest_mod_seq, NULL::boolean, NULL::bigint, b.uid_validity, b.uid_next
    FROM imap.mailbox b WHERE b.id = p_mailbox AND b.user_id = p_user AND imap.owns(p_user, b.owner);
END $$;
COMMENT ON FUNCTION imap.store_flags_and_tell(uuid, bigint, bigint[], text, text[], bigint) IS
    'STORE as by store_flags, and last a row of the mailbox with its highest_mod_seq as mod_seq; no row at all when the '
    'user has the mailbox no longer.';

-- A plan for a few messages is worth less than making it, and there is but one way to each row: kept plans make STORE six
-- times as quick.
ALTER FUNCTION imap.owns(uuid, text) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.emails_of(bigint, bigint[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.lock_shown(bigint, uuid[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.store_flags(uuid, bigint, bigint[], text, text[], bigint) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.expunge(uuid, bigint, bigint[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.emails_updated() SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.lock_mailbox(uuid, bigint) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.add_messages(bigint, uuid[]) SET plan_cache_mode = force_generic_plan;
ALTER FUNCTION imap.append(
    uuid, bigint, uuid[], bigint[], timestamptz[], text[], text[], text[], text[], text[], text[]
) SET plan_cache_mode = force_generic_plan;
