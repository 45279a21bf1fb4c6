"""The reference is whole: what is made of the code says all that there is, and nothing that is not."""

from __future__ import annotations

import dataclasses
import re

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.config import Settings
from cybertemp_imap.protocol import capability
from test.documentation import TOP, generated, pages
from test.postgres import create_database, drop_database
from test.test_migrations import query

RELATIONS = """
SELECT c.oid::regclass::text, obj_description(c.oid, 'pg_class') FROM pg_class c
WHERE c.relnamespace = 'imap'::regnamespace AND c.relkind IN ('r', 'v', 'p') ORDER BY 1
"""
COLUMNS = """
SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a
WHERE a.attrelid = '{}'::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND col_description(a.attrelid, a.attnum) IS NOT NULL
"""


class ReferenceTests(SynchronousTestCase):
    """Each part against what it is made of."""

    def test_tables(self) -> None:
        """The tables and views, their columns and comments are those of a database with the current schema."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        found = {table.name: table for table in generated().tables()}
        self.assertEqual({name: table.comment for name, table in found.items()}, dict(query(dsn, RELATIONS)))
        for name, table in found.items():
            self.assertEqual(table.columns, dict(query(dsn, COLUMNS.format(name))), name)

    def test_settings(self) -> None:
        """Every setting is there, with a meaning, and the form of what is refused otherwise."""
        settings = generated().settings()
        self.assertEqual(len(settings), len(dataclasses.fields(Settings)))
        forms = {setting.variables[0]: setting.form for setting in settings}
        self.assertEqual(forms["IMAP_POOL_SIZE"], "a whole number from 1 to 1000")
        self.assertEqual(forms["IMAP_LOG_FORMAT"], "logfmt or json")
        self.assertTrue(all(setting.meaning for setting in settings))

    def test_commands(self) -> None:
        """The help of both programs is there, and that of every command."""
        found = dict(generated().commands())
        self.assertIn("--listen", found["twistd cybertemp-imap"])
        self.assertIn("--check", found["cybertemp-imap-admin migrate"])

    def test_capabilities(self) -> None:
        """Every capability is there, and each of its test modules exists."""
        found = {each.name.encode(): each for each in generated().capabilities()}
        self.assertLessEqual({*capability.ALWAYS, *capability.AFTER_LOGIN}, set(found))
        for each in found.values():
            for module in each.tests:
                self.assertTrue((TOP / "test" / f"{module}.py").is_file(), module)


class NamesTests(SynchronousTestCase):
    """What pages name is there."""

    def test_test_modules(self) -> None:
        """Every test module that a page names exists."""
        for page in pages():
            for module in re.findall(r"\btest_[a-z0-9_]+\b", page.read_text(encoding="utf-8")):
                places = [TOP / folder / f"{module}.py" for folder in ("test", "docs/examples")]
                self.assertTrue(any(place.is_file() for place in places), f"{page.name}: {module}")

    def test_pages(self) -> None:
        """Every page of ``docs/`` that a page or a source file names exists."""
        for page in pages():
            for name in re.findall(r"``(docs/[\w/.-]+)``", page.read_text(encoding="utf-8")):
                self.assertTrue((TOP / name).exists(), f"{page.name}: {name}")
