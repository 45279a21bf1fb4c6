"""Everything that can happen to an account's mailboxes, as a state machine over real sockets and a real PostgreSQL.

Sessions at two servers follow their mailboxes by nothing but what they are sent, while clients and other programs do to
them all there is: the mail receiver, whose transactions are committed late and in any order, programs that
write flags, delete and move rows, bans that come and go, addresses that are given, taken, given back and created again,
folders that are renamed and deleted. Whenever a session has polled, it must know exactly what the service's tables say;
and those that know mod-sequences ask what has changed since earlier points: exactly that.

Some sessions are plain, others have enabled CONDSTORE, QRESYNC or IMAP4rev2; the token of one is limited to an address,
that of another is for reading only. The rules are in :mod:`test.mailboxes_programs` and :mod:`test.mailboxes_clients`,
what must hold is in :mod:`test.mailboxes_model`.

``STATE_MACHINE_EXAMPLES`` runs more and other examples than the usual ones, which are the same each time.
"""

from __future__ import annotations

import os
import traceback

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from test.clients.case import in_thread
from test.mailboxes_clients import Clients
from test.mailboxes_model import noted
from test.two_servers import TwoServersTestCase

EXAMPLES = 12
STEPS = 40


class Mailboxes(Clients):
    """All rules, and the end."""

    @noted
    def teardown(self) -> None:
        """Let everything come to its end: all is known by all, and the server's own tables hold together."""
        try:
            for writer in list(self.open_writers):
                self.end_batch(writer, True)
            if self.banning is not None:
                self.ban_or_lift(0, False)
            for session in self.sessions:
                self.check(session)
            for number in (0, 6):
                for place in range(6):
                    self.status(number, place)
            self.tables.check()
        finally:
            self.leave()


class StateMachineTests(TwoServersTestCase):
    """The machine, run as a test."""

    @in_thread
    def test_machine(self) -> None:
        """Whatever happens, each session that has polled knows what is true, and all numbers keep their promises."""
        failures: list[str] = []
        try:
            self.run_machine(failures, os.environ.get("STATE_MACHINE_EXAMPLES"))
        except Exception:
            self.fail(failures[0] if failures else traceback.format_exc())

    def run_machine(self, failures: list[str], more: str | None) -> None:
        """Run the machine, ``more`` often and otherwise than usual."""

        def machine() -> Mailboxes:
            return Mailboxes(self.account("here", "there"), failures)

        run_state_machine_as_test(
            machine,  # type: ignore[arg-type]
            settings=settings(
                max_examples=int(more or EXAMPLES),
                derandomize=more is None,
                database=None,
                # Shrinking would take much longer than reading the steps of what failed.
                phases=[Phase.generate],
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
