-- A change is noted for every mailbox that may come to show the e-mail, not only for those that show it already.
--
-- While a transaction that changes or deletes an e-mail is not committed, a refresh may take the e-mail in as it was
-- before. The transaction's trigger cannot have seen the message that this makes; so it goes by imap.feed as well.

CREATE OR REPLACE FUNCTION imap.emails_updated() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT m.mailbox_id, n.id
    FROM previous o JOIN added n ON n.id = o.id JOIN imap.message m ON m.email_id = n.id
    WHERE (o.flags, o.mailbox_owner, o.mailbox, o.from_addr)
            IS DISTINCT FROM (n.flags, n.mailbox_owner, n.mailbox, n.from_addr)
      AND m.mailbox_id <> ALL (imap.acting_mailboxes())
    UNION
    SELECT f.mailbox_id, n.id
    FROM previous o JOIN added n ON n.id = o.id
    CROSS JOIN LATERAL (VALUES (o.mailbox_owner, o.mailbox), (n.mailbox_owner, n.mailbox)) AS p (owner, folder)
    JOIN imap.feed f ON f.owner = p.owner AND f.folder = p.folder
    WHERE (o.flags, o.mailbox_owner, o.mailbox, o.from_addr)
            IS DISTINCT FROM (n.flags, n.mailbox_owner, n.mailbox, n.from_addr)
      AND f.mailbox_id <> ALL (imap.acting_mailboxes());
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION imap.emails_deleted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO imap.arrival (mailbox_id, email_id)
    SELECT m.mailbox_id, o.id
    FROM previous o JOIN imap.message m ON m.email_id = o.id
    WHERE m.mailbox_id <> ALL (imap.acting_mailboxes())
    UNION
    SELECT f.mailbox_id, o.id
    FROM previous o JOIN imap.feed f ON f.owner = o.mailbox_owner AND f.folder = o.mailbox
    WHERE f.mailbox_id <> ALL (imap.acting_mailboxes());
    DELETE FROM imap.rendition r USING previous o WHERE r.email_id = o.id;
    DELETE FROM imap.source s USING previous o WHERE s.email_id = o.id;
    DELETE FROM imap.origin x USING previous o WHERE x.email_id = o.id;
    RETURN NULL;
END $$;
