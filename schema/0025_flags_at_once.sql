-- STORE combines flags in a language whose plans are kept: in SQL this was planned twice for each message, which took half
-- of the time of a STORE.

CREATE OR REPLACE FUNCTION imap.combine_flags(p_flags text[], p_mode text, p_change text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    known constant text[] := lower(p_flags::text)::text[];
    named constant text[] := lower(p_change::text)::text[];
BEGIN
    IF p_mode = '-' THEN
        RETURN ARRAY(
            SELECT f FROM unnest(p_flags) WITH ORDINALITY AS u (f, n)
            WHERE (lower(f) = ANY (named)) IS NOT TRUE ORDER BY n);
    END IF;
    RETURN CASE WHEN p_mode = '+' THEN p_flags ELSE ARRAY(
        SELECT f FROM unnest(p_flags) WITH ORDINALITY AS u (f, n)
        WHERE lower(f) = ANY (named) OR imap.is_told(f) IS NOT TRUE ORDER BY n)
    END || ARRAY(
        SELECT c FROM unnest(p_change) WITH ORDINALITY AS u (c, n)
        WHERE (lower(c) = ANY (known)) IS NOT TRUE ORDER BY n);
END $$;
