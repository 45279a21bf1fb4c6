"""``purge``: delete old mail, as the service does by itself with IMAP_RETENTION."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from cybertemp_imap.admin.finding import age
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.store import statements as store_sql
from cybertemp_imap.store.postgres import PURGE_BATCH


@command(None, "purge", "purge --older-than 30d --dry-run")
@click.option("--older-than", "seconds", type=age, required=True, metavar="AGE", help="As 12h, 30d or 4w.")
@click.option("--address", metavar="ADDRESS", help="Only mail of this address.")
@click.option("--dry-run", is_flag=True, help="Only say how much would be deleted.")
def purge(work: Work, seconds: float, address: str | None, dry_run: bool) -> None:
    """Delete mail that is older, and has been here for longer, for good. Open sessions see it expunged."""
    before = datetime.now(UTC) - timedelta(seconds=seconds)
    owner = None if address is None else address.strip().lower()
    if dry_run:
        ((messages, octets),) = work.query(store_sql.AGED, (before, before, owner, owner))
        told = f"{messages} messages of {octets} octets would be deleted."
        work.tell(told, before=before, would_delete=messages, octets=octets)
        return
    deleted = 0
    for statement in (store_sql.PURGE, store_sql.PURGE_UNDATED):
        after, gone = "-infinity", PURGE_BATCH
        while gone == PURGE_BATCH:
            ((gone, last),) = work.query(statement, (after, before, before, owner, owner, PURGE_BATCH))
            # Each batch is a transaction: what it locks is free again at once.
            work.commit()
            after, deleted = last or after, deleted + gone
    work.tell(f"Deleted {deleted} messages.", before=before, deleted=deleted)
