"""A server process under every attack that the benchmark knows: it stays small, and answers others meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from bench import hostile, machine, nasty, watching
from bench.attacks import ADDRESSES, ATTACKS, Target
from bench.client import Client
from test.postgres import create_database, drop_database
from test.server_process import ServerProcess

SECONDS = 1.0

LONGEST_STEP = 0.5
"""Seconds of processor time that the reactor's thread may use in one go. Alone it uses a tenth of that at most, but
other programs on the same core make each instruction slower. Parsing these messages there, or trying all the ways in
which a pattern can match, takes longer than that."""

LONGEST_P99 = 30.0
"""Seconds for 99 of 100 NOOPs: whoever waits is answered at all. On a machine that runs other tests beside server,
database and attacker, how long it takes says more about these; ``python -m bench --only hostile`` measures it."""

MOST_FOR_OCTETS = 48 << 20
"""Octets of memory for what is refused or answered from what is there: read-ahead and limits are far below."""

MOST_FOR_MESSAGES = 400 << 20
"""Octets of memory for messages and rows of megabytes: of each there are a few forms at a time, decoded and not."""

PLENTY = {"IMAP_IP_CONNECTIONS": "1000", "IMAP_USER_CONNECTIONS": "1000"}


class MeasuredProcess(ServerProcess):
    """The server as the benchmark runs it; its answers are not read strictly, which would take its time."""

    program = "from bench.measured import main; main()"


class HostileServerTests(SynchronousTestCase):
    """``bench/attacks.py`` against twistd over PostgreSQL."""

    timeout = 1800

    def setUp(self) -> None:
        """Start a server with the attacker's mail, and another account."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.attacker = self.account(hostile.ATTACKER, *ADDRESSES)
        self.victim = self.account(hostile.VICTIM, "box@victim.example")
        hostile.fill(self.execute)
        self.report = folder / "probe"
        self.server = MeasuredProcess(folder, self.dsn, BENCH_PROBE=str(self.report), **PLENTY)
        self.server.start()
        self.addCleanup(lambda: self.server.end(signal.SIGKILL))
        self.address = ("127.0.0.1", self.server.port)

    def execute(self, statement: str, values: Any) -> None:
        """Do to the database what other programs do."""
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
        connection.close()

    def account(self, email: str, *addresses: str) -> str:
        """Make an account and return its token."""
        user, token = str(uuid4()), uuid4().hex
        self.execute(
            "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')",
            (user, email),
        )
        self.execute(
            "INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, %s, now() + interval '1 day')",
            (user, token),
        )
        for address in addresses:
            self.execute("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", (address, user))
        return token

    def test_every_attack(self) -> None:
        """Memory and the time that others wait are bounded, and nothing unforeseen is logged."""
        with Client(self.address) as client:
            client.run(f'LOGIN "{hostile.VICTIM}" "{self.victim}"')
            client.run('SELECT "box@victim.example"')
            for name in ATTACKS:
                before = machine.memory(self.server.pid)
                watching.begin(self.server.pid, self.report)
                times = hostile.during(name, Target(self.address, hostile.ATTACKER, self.attacker, SECONDS), client)
                measured = watching.end(self.server.pid, self.report)
                more = measured["memory"] - before
                most = MOST_FOR_MESSAGES if name in nasty.MESSAGES or name.startswith("rows") else MOST_FOR_OCTETS
                self.assertLess(more, most, name)
                self.assertLess(measured["used"], LONGEST_STEP, name)
                self.assertLess(hostile.percentile(times, 99), LONGEST_P99, name)
        log = self.server.log()
        self.assertNotIn("Traceback", log)
        self.assertNotIn("reference", log)
