"""The table of where statements go names each that there is."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.store import statements
from test.statement_routes import Route, routes

STATEMENTS = {name: value for name, value in vars(statements).items() if name.isupper()}

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|LISTEN|FOR UPDATE)\b")
_CALLED = re.compile(r"imap\.(\w+)\(")

HARMLESS = {"clamp_time", "has_flag", "list_mailboxes", "states"}
"""What a replica may be asked to run: these only read, list_mailboxes where an account was seen before."""


class RouteTests(SynchronousTestCase):
    """The constants of the module, whatever they are."""

    def test_each(self) -> None:
        """Each statement is in the table, and nothing else."""
        self.assertEqual(sorted(routes()), sorted(STATEMENTS))

    def test_nothing_written(self) -> None:
        """What may go to a replica has no word that changes something, and calls nothing that does."""
        for name, route in routes().items():
            if "replica" in route and name != "REPLAYED":
                self.assertNotRegex(STATEMENTS[name], _WRITES, name)
                self.assertLessEqual(set(_CALLED.findall(STATEMENTS[name])), HARMLESS, name)

    def test_only_more(self) -> None:
        """What goes there for all sessions goes there for those that change nothing."""
        self.assertNotIn(Route("primary", "replica"), routes().values())
