"""The domains of a Supabase project."""

from __future__ import annotations

from collections.abc import Sequence

from cybertemp_imap.store.values import DomainRow
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.rows import Row

_COLUMNS = ("domain", "user_id", "active", "cloudflare_domain")


async def read_domains(client: SupabaseClient) -> Sequence[DomainRow]:
    """Return all rows of ``domains``; those without a name are left out."""
    return [row for row in await client.all_rows("domains", _COLUMNS, (), _read) if row is not None]


def _read(row: Row) -> DomainRow | None:
    name = row.text("domain")
    if name is None:
        return None
    owner = row.optional_uuid("user_id")
    return DomainRow(name, owner, row.boolean("active") or False, row.boolean("cloudflare_domain") or False)
