"""Accounts, domains and bans that live in Supabase, reached over its REST interface with the service key."""
