-- RENAME of INBOX in one transaction: there is never a new folder without the messages that it was made for.

CREATE FUNCTION imap.rename_inbox(p_user uuid, p_inbox bigint, p_owner text, p_folder text, p_quota bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    made := imap.create_folder(p_user, p_owner, p_folder, NULL, p_quota);
    PERFORM imap.lock_two(p_user, p_inbox, made);
    PERFORM imap.move(p_user, p_inbox, ARRAY(SELECT m.uid FROM imap.message m WHERE m.mailbox_id = p_inbox), made);
    RETURN made;
END $$;
COMMENT ON FUNCTION imap.rename_inbox(uuid, bigint, text, text, bigint) IS
    'RENAME of INBOX (RFC 9051 section 6.3.6): a new folder with all its messages; returns the folder''s number.';
