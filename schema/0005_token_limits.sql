-- Tokens with less power than their account, for programs that need a part of it. Which tokens there are is told by
-- public.imap_tokens, or by another place where tokens are kept; so nothing here refers to it.

CREATE TABLE imap.token_limit (
    token_id uuid PRIMARY KEY,
    addresses text[],
    read_only boolean NOT NULL DEFAULT false,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE imap.token_limit IS
    'Tokens that may do less than their account, written by whoever makes the token; any other may do everything.';
COMMENT ON COLUMN imap.token_limit.token_id IS 'imap_tokens.id, wherever tokens are kept.';
COMMENT ON COLUMN imap.token_limit.addresses IS
    'The addresses it reaches, compared without case; NULL: everything of the account. Addresses that are not the '
    'account''s have no effect.';
COMMENT ON COLUMN imap.token_limit.read_only IS 'Whether it changes nothing.';
COMMENT ON COLUMN imap.token_limit.expires_at IS 'When it ends, should that be before imap_tokens.expires_at; or NULL.';
COMMENT ON COLUMN imap.token_limit.created_at IS 'When the row was made.';
