"""What a check of ``doctor`` finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cybertemp_imap.admin.work import Work

OK, FAULT, WARNING, SKIPPED = "ok", "fault", "warning", "skipped"


@dataclass(frozen=True, slots=True)
class Patient:
    """What is to be examined: the account, its token, and the name by which clients know the server, where given."""

    work: Work
    account: str | None = None
    token: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """``state`` is OK, FAULT, WARNING or SKIPPED; ``remedy`` says what to do, where that is not in ``told``."""

    check: str
    state: str
    told: str
    remedy: str = ""


Findings = Sequence[Finding]
