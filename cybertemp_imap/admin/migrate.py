"""``migrate``: install or upgrade the schema."""

from __future__ import annotations

import click

from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import describe


@command(None, "migrate", "migrate --check")
@click.option("--check", is_flag=True, help="Only say what would be done; status 2 if there is any.")
def migrate(work: Work, check: bool) -> int:
    """Install or upgrade the schema; does nothing where it is current."""
    dsn = work.bare_dsn
    if check:
        if migrations.check(dsn) is migrations.SchemaState.NEWER:
            migrations.require_current(dsn)
        files = migrations.pending(dsn)
    else:
        files = migrations.migrate(dsn)
    verb = "would apply" if check else "applied"
    told = "\n".join(f"{verb} {each}" for each in files) or f"The schema in {describe(dsn)} is current."
    work.tell(told, **{"pending" if check else "applied": [str(each) for each in files]})
    return 2 if check and files else 0
