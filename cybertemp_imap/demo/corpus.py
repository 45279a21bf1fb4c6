"""The demonstration's mail: some 200 rows of ``emails``, the same in every installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

from cybertemp_imap.demo.account import ADDRESSES
from cybertemp_imap.demo.raw import ATTACHMENTS, malformed
from cybertemp_imap.demo.texts import FOREIGN, SENDERS, SUBJECTS, html_page, paragraphs

_BEGINNING = datetime(2025, 10, 6, 8, 30, tzinfo=UTC)
_INBOX, _SHOP, _CODES = ADDRESSES


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One row of ``emails``, its fields named alike; ``kind`` says what it is an example of."""

    kind: str
    mailbox_owner: str
    subject: str | None
    body: str | None
    html: str | None
    from_addr: str
    timestamp: datetime
    mailbox: str = "INBOX"
    flags: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size a receiver would note: of what it stores, in octets."""
        return len((self.body or "").encode()) + len((self.html or "").encode())


@dataclass(frozen=True, slots=True)
class _Draft:
    """A message before it is given an address, a time and flags."""

    kind: str
    subject: str | None
    body: str | None
    html: str | None = None
    sender: str = "no-reply@service.example"
    owner: str | None = None
    mailbox: str = "INBOX"


def corpus() -> list[DemoMessage]:
    """Return all messages in the order of their arrival."""
    random = Random(2025)
    drafts = [
        *_plain(random),
        *_html_only(random),
        *_alternative(random),
        *_foreign(),
        *_codes(random),
        *_long(random),
        *_banned(random),
        *_in_folders(random),
        *_odd(),
    ]
    places = list(range(len(drafts) + len(ATTACHMENTS) * 5))
    random.shuffle(places)
    messages = [_arrive(random, draft, places.pop()) for draft in drafts]
    messages += _raw(random, places)
    return sorted(messages, key=lambda message: message.timestamp)


def _time(random: Random, place: int) -> datetime:
    return _BEGINNING + timedelta(hours=21 * place, minutes=random.randrange(600), seconds=random.randrange(60))


def _flags(random: Random) -> tuple[str, ...]:
    sets: tuple[tuple[str, ...], ...] = (
        (),
        ("\\Seen",),
        ("\\Seen", "\\Answered"),
        ("\\Seen", "\\Flagged"),
        ("\\Flagged", "$Important"),
    )
    return random.choices(sets, weights=(60, 25, 6, 6, 3))[0]


def _arrive(random: Random, draft: _Draft, place: int) -> DemoMessage:
    return DemoMessage(
        kind=draft.kind,
        mailbox_owner=draft.owner or random.choice((_INBOX, _INBOX, _SHOP)),
        subject=draft.subject,
        body=draft.body,
        html=draft.html,
        from_addr=draft.sender,
        timestamp=_time(random, place),
        mailbox=draft.mailbox,
        flags=_flags(random),
    )


def _plain(random: Random) -> Iterator[_Draft]:
    for number in range(50):
        subject = random.choice(SUBJECTS)
        yield _Draft("plain", subject, paragraphs(random, 1 + number % 6), sender=random.choice(SENDERS))


def _html_only(random: Random) -> Iterator[_Draft]:
    for _ in range(20):
        subject = random.choice(SUBJECTS)
        yield _Draft("html", subject, "", html_page(subject, paragraphs(random, 3)), random.choice(SENDERS))


def _alternative(random: Random) -> Iterator[_Draft]:
    for _ in range(30):
        subject = random.choice(SUBJECTS)
        text = paragraphs(random, random.randint(1, 4))
        yield _Draft("alternative", subject, text, html_page(subject, text), random.choice(SENDERS))


def _foreign() -> Iterator[_Draft]:
    for subject, sender, text in FOREIGN:
        yield _Draft("non-ascii", subject, f"{text}\n", None, sender)
        yield _Draft("non-ascii", f"Re: {subject}", f"{text}\n\n{text}\n", html_page(subject, text), sender)


def _codes(random: Random) -> Iterator[_Draft]:
    for _ in range(20):
        code = f"{random.randrange(10**6):06d}"
        text = f"Your verification code is {code}.\n\nIt is valid for ten minutes. Do not give it to anyone.\n"
        yield _Draft("code", f"{code} is your code", text, html_page("Your code", text), owner=_CODES)


def _long(random: Random) -> Iterator[_Draft]:
    for number in range(4):
        text = paragraphs(random, 1000 + 200 * number)
        yield _Draft("long", f"The whole archive, volume {number + 1}", text, sender=random.choice(SENDERS))
    yield _Draft("long", "One line of 220,000 characters", "x" * 220_000, sender="grace@work.example")


def _banned(random: Random) -> Iterator[_Draft]:
    """Mail that the account's bans hide, and, last, what a ban that is not active leaves alone."""
    senders = ("offers@bulk.example", "Offers <OFFERS@bulk.example>", "win@lottery.example", "luck@casino.example")
    for number in range(12):
        subject = f"You have won {random.randrange(1, 99)} million"
        yield _Draft("banned", subject, paragraphs(random, 1), sender=senders[number % len(senders)])
    for number in range(3):
        yield _Draft("news", f"The week, number {number + 1}", paragraphs(random, 2), sender="news@weekly.example")


def _in_folders(random: Random) -> Iterator[_Draft]:
    for number in range(8):
        yield _Draft("folder", f"Receipt {number + 1}", paragraphs(random, 1), owner=_SHOP, mailbox="Receipts")
    for number in range(4):
        subject = f"Plan, part {number + 1}"
        yield _Draft("folder", subject, paragraphs(random, 2), owner=_INBOX, mailbox="Work/2025")
    yield _Draft(
        "folder", "Grüße", "In a folder with a name beyond ASCII.\n", owner=_INBOX, mailbox="Entwürfe & Übriges"
    )


def _odd() -> Iterator[_Draft]:
    yield _Draft("odd", None, "A message whose subject is missing.\n")
    yield _Draft("odd", "", "")
    yield _Draft("odd", "Two\r\nX-Injected: lines\nin a subject", "The subject has line breaks.\n")
    yield _Draft("odd", "Long " * 400, "The subject has 2,000 characters.\n")
    yield _Draft("odd", "No usable sender", ".\n..\nFrom here\n\t\n", sender="undisclosed")
    yield _Draft("odd", "Controls", "A bell \x07, a form feed \x0c, lone CR \r here.\n", sender="<>")


def _raw(random: Random, places: list[int]) -> Iterator[DemoMessage]:
    builders = [*ATTACHMENTS * 5]
    builders[-1] = ("A broken message", malformed)
    for number, (subject, build) in enumerate(builders):
        time = _time(random, places[number])
        owner = random.choice((_INBOX, _SHOP))
        sender = random.choice(SENDERS)
        text = build(sender, owner, format_datetime(time), subject)
        if number % 2:
            text = text.replace("\n", "\r\n")
        kind = "malformed" if build is malformed else "attachment"
        yield DemoMessage(kind, owner, subject, text, None, sender, time, flags=_flags(random))
