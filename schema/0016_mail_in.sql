-- Mail that this server takes itself, by SMTP, LMTP or from a pipe: a row of public.emails for each recipient, with the
-- octets as they came behind that recipient's trace lines, in one transaction. It is seen like any receiver's mail.

CREATE FUNCTION imap.receive(
    p_upload uuid, p_pieces int, p_rest bytea, p_size bigint,
    p_subject text, p_body text, p_html text, p_from text, p_to text[], p_time timestamptz,
    p_ids uuid[], p_inboxes uuid[], p_addresses text[], p_traces bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    octets bytea := p_rest;
BEGIN
    -- Asked for again after a connection was lost, and done already.
    IF EXISTS (SELECT 1 FROM imap.source s WHERE s.email_id = p_ids[1]) THEN
        RETURN;
    END IF;
    IF p_pieces > 0 THEN
        SELECT string_agg(u.octets, '' ORDER BY u.piece) || p_rest INTO octets FROM imap.upload u WHERE u.id = p_upload;
    END IF;
    IF octet_length(octets) IS DISTINCT FROM p_size THEN
        RAISE EXCEPTION 'pieces of a message are missing' USING ERRCODE = 'IM003';
    END IF;
    INSERT INTO imap.source (email_id, source)
    SELECT d.id, d.trace || octets FROM unnest(p_ids, p_traces) AS d (id, trace);
    -- Always in this order, so that two messages to the same new addresses wait for each other one way round. An
    -- address that public.inbox spells otherwise is found by its holding.
    INSERT INTO public.inbox (id, email_address, user_id, created_at)
    SELECT d.inbox, d.address, NULL, now() FROM unnest(p_inboxes, p_addresses) AS d (inbox, address)
    WHERE NOT EXISTS (SELECT 1 FROM public.inbox i WHERE i.email_address = d.address)
      AND NOT EXISTS (SELECT 1 FROM imap.holding h WHERE h.address = d.address AND h.until = 'infinity')
    ORDER BY d.address
    ON CONFLICT DO NOTHING;
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, timestamp, flags,
                               size, created_at)
    SELECT d.id, d.address, 'INBOX', p_subject, p_body, p_html, p_from, p_to, p_time, '{}',
           p_size + octet_length(d.trace), now()
    FROM unnest(p_ids, p_addresses, p_traces) AS d (id, address, trace);
END $$;
COMMENT ON FUNCTION imap.receive(
    uuid, int, bytea, bigint, text, text, text, text, text[], timestamptz, uuid[], uuid[], text[], bytea[]) IS
    'Deliver a message to addresses (lower case): octets are p_pieces pieces of imap.upload, which stay there, and '
    'p_rest, p_size together. p_ids: of the rows of public.emails; p_inboxes: of rows of public.inbox that may be made, '
    'with no owner; p_traces: what goes before the octets; all by recipient.';
