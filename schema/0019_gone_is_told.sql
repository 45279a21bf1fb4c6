-- A mailbox that is no more is told to every process, also to the one that did it: sessions that have it open may be
-- given what the process keeps of its messages only until then.

CREATE OR REPLACE FUNCTION imap.forget_mailbox(p_mailbox bigint) RETURNS void LANGUAGE sql AS $$
    DELETE FROM imap.message WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.expunged WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.feed WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.arrival WHERE mailbox_id = p_mailbox;
    DELETE FROM imap.mailbox WHERE id = p_mailbox;
    SELECT imap.notify('gone', ARRAY[p_mailbox]);
$$;
