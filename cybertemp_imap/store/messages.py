"""Reading messages from PostgreSQL: rows rendered once, what is computed from them kept.

Every method reads in pages that are bounded in octets as well as in rows, and lets the reactor run between messages; a
message too big for that is worked on in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits
from cybertemp_imap.mime.render import render, render_parsed
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.pace import Pace
from cybertemp_imap.rendition import Rendition, make_rendition, rendition_version
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Row
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.replica import Replica
from cybertemp_imap.store.values import MailboxRef, Metadata

T = TypeVar("T")

PAGE_OCTETS = 1 << 21
"""How much message text is read at a time while renditions are computed."""

PAGE_ROWS = 200
"""How many messages are rendered between two statements."""

BIG = 1 << 17
"""Octets of a row above which it is rendered in a thread: about what takes a slice of the reactor's time."""

ADDRESS_OCTETS = 50
"""What an address in a row counts as."""


class MessageReader:
    """The part of the PostgreSQL store that reads messages."""

    def __init__(
        self, pool: Pool, reactor: Any, replica: Replica | None = None, mime_limits: MimeLimits = ALL_PARTS
    ) -> None:
        self.pool = pool
        self.replica = replica
        self.mime_limits = mime_limits
        self._version = rendition_version(mime_limits)
        self.reads = {"primary": 0, "replica": 0}
        """How many statements have read of messages, and where."""
        self.looks = {"primary": 0, "replica": 0}
        """How many that sessions which change nothing have read of mailboxes, and where."""
        self._reactor = reactor
        self._rows_statement = sql.ROWS

    async def look_at_columns(self) -> None:
        """Learn which of the newer columns ``public.emails`` has."""
        ((has_encrypted,),) = await self.pool.query(sql.HAS_ENCRYPTED, repeatable=True)
        self._rows_statement = sql.ROWS_WITH_ENCRYPTED if has_encrypted else sql.ROWS

    async def metadata(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[Metadata]:
        """Return cached metadata, computing what is missing; see the interface."""
        found = await self._cached(sql.METADATA, mailbox, uids)
        missing = [row[0] for row in found if row[3] is None]
        made = await self._render_missing(mailbox, missing)
        return [
            Metadata(
                uid,
                email_id,
                internal_date.encode(),
                size,
                envelope.encode("latin-1"),
                body.encode("latin-1"),
                structure.encode("latin-1"),
            )
            if size is not None
            else Metadata(uid, email_id, internal_date.encode(), *_columns(made[uid]))
            for uid, email_id, internal_date, size, envelope, body, structure in found
            if size is not None or uid in made
        ]

    async def headers(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return cached header blocks, computing what is missing; see the interface."""
        found = await self._cached(sql.HEADERS, mailbox, uids)
        made = await self._render_missing(mailbox, [uid for uid, header in found if header is None])
        return [
            (uid, bytes(header) if header is not None else made[uid].header)
            for uid, header in found
            if header is not None or uid in made
        ]

    async def sources(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return whole messages; see the interface."""
        result = []
        pace = Pace(self._reactor)
        for row in await self._rows(mailbox, uids):
            result.append((row[0], await self._work(render, row)))
            await pace.breathe()
        return result

    async def letters(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, Letter]]:
        """Return messages that are not rendered yet, with their headers where they are known; see the interface."""
        headers = {uid: header for uid, header in await self._cached(sql.HEADERS, mailbox, uids) if header is not None}
        letters = []
        pace = Pace(self._reactor)
        for row in await self._rows(mailbox, uids):
            kept = headers.get(row[0])
            header = None if kept is None else bytes(kept)
            letters.append((row[0], Letter(email_row(row), header, self.mime_limits)))
            await pace.breathe()
        return letters

    async def weights(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return about how big messages are; see the interface."""
        rows = await self._listed(sql.WEIGHTS, mailbox, uids)
        return [(uid, octets) for uid, octets in rows]

    async def holds(self, mailbox: MailboxRef) -> bool:
        """Tell whether the mailbox is its user's at this moment; see the interface."""
        return bool(await self.pool.query(sql.HOLDS, (mailbox.user_id, mailbox.id), repeatable=True))

    async def saved_dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime, datetime]]:
        """Return internal and saved dates; see the interface."""
        rows = await self._listed(sql.SAVED_DATES, mailbox, uids)
        return [(uid, internal, saved) for uid, internal, saved in rows]

    async def object_ids(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, UUID]]:
        """Return what identifies e-mails; see the interface."""
        rows = await self._listed(sql.OBJECT_IDS, mailbox, uids)
        return [(uid, UUID(str(identity))) for uid, identity in rows]

    # -- rendering ----------------------------------------------------------------------------------------------------

    async def _cached(self, statement: str, mailbox: MailboxRef, uids: Sequence[int]) -> list[Row]:
        if not uids:
            return []
        # Most pages have no gaps: a range is walked through in the index, where a list of UIDs is looked up one by one.
        first, last = uids[0], uids[-1]
        listed = None if last - first + 1 == len(uids) else array(uids)
        parameters = (self._version, mailbox.user_id, mailbox.id, first, last, listed, listed)
        # What is cached may be younger than what a replica must have: it is not computed again for that.
        return await self._read(
            statement,
            mailbox,
            parameters,
            lambda rows: len(rows) == len(uids) and all(row[-1] is not None for row in rows),
        )

    async def _rows(self, mailbox: MailboxRef, uids: Sequence[int]) -> list[Row]:
        return await self._listed(self._rows_statement, mailbox, uids)

    async def _listed(self, statement: str, mailbox: MailboxRef, uids: Sequence[int]) -> list[Row]:
        """Read of some messages, one row for each that is there."""
        if not uids:
            return []
        # A list of UIDs alone has PostgreSQL walk through the whole mailbox while it takes it for a small one, which it
        # does until it has analysed the table: the bounds make one index the best whatever it thinks.
        parameters = (mailbox.user_id, mailbox.id, min(uids), max(uids), array(uids))
        return await self._read(statement, mailbox, parameters, lambda rows: len(rows) == len(uids))

    async def _read(
        self,
        statement: str,
        mailbox: MailboxRef,
        parameters: Sequence[object],
        complete: Callable[[Sequence[Row]], bool],
    ) -> list[Row]:
        """Read from the replica where that can be; that something is not there, the primary alone can say."""
        if self.replica is not None:
            rows = await self.replica.read(mailbox, statement, parameters)
            if rows is not None and complete(rows):
                self.reads["replica"] += 1
                return rows
        self.reads["primary"] += 1
        return await self.pool.query(statement, parameters, repeatable=True)

    async def _render_missing(self, mailbox: MailboxRef, uids: Sequence[int]) -> dict[int, Rendition]:
        """Compute and keep the renditions of these messages; those expunged meanwhile are left out."""
        made: dict[int, Rendition] = {}
        if not uids:
            return made
        pace = Pace(self._reactor)
        for page in pages(await self.weights(mailbox, uids)):
            rows = await self._rows(mailbox, page)
            fresh: list[tuple[Any, Rendition]] = []
            for row in rows:
                rendition = await self._work(self._rendition_of, row)
                made[row[0]] = rendition
                fresh.append((row[1], rendition))
                await pace.breathe()
            await self._keep(mailbox, fresh)
        return made

    def _rendition_of(self, row: EmailRow) -> Rendition:
        return make_rendition(*render_parsed(row, self.mime_limits))

    async def _keep(self, mailbox: MailboxRef, fresh: Sequence[tuple[Any, Rendition]]) -> None:
        if not fresh:
            return
        new = [rendition for _, rendition in fresh]
        await self.pool.query(
            sql.KEEP_RENDITIONS,
            (
                self._version,
                [email_id for email_id, _ in fresh],
                [r.size for r in new],
                [r.envelope.decode("latin-1") for r in new],
                [r.body.decode("latin-1") for r in new],
                [r.body_structure.decode("latin-1") for r in new],
                [r.header for r in new],
                mailbox.user_id,
                mailbox.id,
            ),
            repeatable=True,
        )

    async def _work(self, function: Callable[[EmailRow], T], row: Row) -> T:
        """Call a pure function on a row from the ROWS statements, in a thread when the row is big."""
        if weight(row) < BIG:
            return function(email_row(row))
        pool = self._reactor.getThreadPool()
        result: T = await deferToThreadPool(self._reactor, pool, lambda: function(email_row(row)))
        return result


def _columns(rendition: Rendition) -> tuple[int, bytes, bytes, bytes]:
    return rendition.size, rendition.envelope, rendition.body, rendition.body_structure


def email_row(row: Row) -> EmailRow:
    """Make the renderer's row of one from the ROWS statements: id and owner are those it was first rendered from."""
    (
        _,
        _,
        email_id,
        owner,
        folder,
        subject,
        body,
        html,
        from_addr,
        to_addrs,
        timestamp,
        created_at,
        source,
        encrypted,
    ) = row
    return EmailRow(
        id=email_id,
        owner=owner,
        folder=folder,
        subject=subject,
        body=body,
        html=html,
        from_addr=from_addr,
        to_addrs=tuple(address for address in to_addrs or () if address is not None),
        timestamp=timestamp,
        created_at=created_at,
        encrypted=encrypted,
        source=None if source is None else bytes(source),
    )


def weight(row: Row) -> int:
    """Return about how many octets a row from the ROWS statements holds."""
    _, _, _, _, _, subject, body, html, from_addr, to_addrs, _, _, source, _ = row
    octets = sum(len(column) for column in (subject, body, html, from_addr, source) if column is not None)
    return octets + ADDRESS_OCTETS * len(to_addrs or ())


def pages(weights: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Cut (uid, octets) rows into pages of UIDs, each bounded in rows and in octets, with at least one message."""
    page: list[int] = []
    total = 0
    for uid, octets in weights:
        if page and (len(page) >= PAGE_ROWS or total + octets > PAGE_OCTETS):
            yield page
            page, total = [], 0
        page.append(uid)
        total += octets
    if page:
        yield page


def array(uids: Sequence[int]) -> str:
    """Print UIDs as a PostgreSQL array; far quicker than having psycopg2 adapt each of them."""
    return "{" + ",".join(map(str, uids)) + "}"
