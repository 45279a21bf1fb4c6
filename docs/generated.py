"""The parts of the reference that are made of the code: settings, commands, tables, capabilities.

Each is a directive without arguments. What they print is made by pure functions, which the tests read too.
"""

from __future__ import annotations

import configparser
import dataclasses
import importlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parents[1]

#: Test modules that go through the whole of a capability, besides test_capability_honesty, which uses each of them.
TESTS = {
    "IMAP4rev1": "test_client_imaplib test_state_machine",
    "IMAP4rev2": "test_cmd_rev2",
    "LITERAL+": "test_reader",
    "SASL-IR": "test_cmd_authenticate",
    "ID": "test_cmd_id",
    "ENABLE": "test_cmd_enable",
    "AUTH=PLAIN": "test_sasl test_cmd_authenticate",
    "AUTH=LOGIN": "test_sasl test_cmd_authenticate",
    "LOGINDISABLED": "test_cmd_starttls test_tls",
    "STARTTLS": "test_cmd_starttls test_client_tls",
    "NAMESPACE": "test_cmd_namespace",
    "CHILDREN": "test_cmd_list",
    "UNSELECT": "test_cmd_close",
    "SPECIAL-USE": "test_cmd_list",
    "LIST-EXTENDED": "test_cmd_list",
    "LIST-STATUS": "test_cmd_list",
    "ESEARCH": "test_cmd_search",
    "SEARCHRES": "test_cmd_search",
    "WITHIN": "test_search",
    "IDLE": "test_cmd_idle test_client_live",
    "UIDPLUS": "test_cmd_expunge test_cmd_copy test_cmd_append",
    "MOVE": "test_cmd_move",
    "MULTIAPPEND": "test_cmd_multiappend",
    "CREATE-SPECIAL-USE": "test_cmd_create",
    "BINARY": "test_cmd_binary",
    "STATUS=SIZE": "test_cmd_status",
    "OBJECTID": "test_cmd_objectid",
    "SAVEDATE": "test_cmd_savedate",
    "UTF8=ACCEPT": "test_cmd_utf8",
    "APPENDLIMIT": "test_cmd_append",
    "CONDSTORE": "test_cmd_condstore test_cmd_condstore_store",
    "QRESYNC": "test_cmd_qresync test_cmd_qresync_offline",
}


class Setting(NamedTuple):
    """A row of the settings' reference."""

    variables: list[str]
    option: str
    form: str
    default: str
    meaning: str


def settings() -> list[Setting]:
    """Return every setting of ``config.py``; default and meaning are those of the README's table."""
    from cybertemp_imap.config import Settings

    known = _readme_settings()
    rows = []
    for field in dataclasses.fields(Settings):
        variables = field.metadata["variables"]
        default, meaning = known[variables[0]]
        option = f"--{field.metadata['option']}" if field.metadata["option"] else ""
        rows.append(Setting(variables, option, _form(field.metadata["parse"]), default, meaning))
    return rows


def _form(parse: Any) -> str:
    """Return what a setting takes, as far as its form refuses anything."""
    try:
        parse("\x01")
    except ValueError as error:
        return re.sub(r"^is not ", "", str(error))
    except Exception:
        return ""
    return ""


def _readme_settings() -> dict[str, tuple[str, str]]:
    text = (TOP / "README.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^   \* - ``(\w+)``\n     - (.*(?:\n       .*)*)\n     - (.*(?:\n       .*)*)", text, re.M)
    return {name: (_joined(default), _joined(meaning)) for name, default, meaning in rows}


def _joined(text: str) -> str:
    return " ".join(text.split())


def settings_text() -> Iterator[str]:
    """Write the reference of settings."""
    for setting in settings():
        yield " or ".join(f"``{name}``" for name in setting.variables)
        yield f"    {setting.meaning}"
        yield ""
        parts = [f"Default: {setting.default}."]
        if setting.form:
            parts.append(f"Form: {setting.form}.")
        if setting.option and setting.option not in setting.meaning:
            parts.append(f"Option: ``{setting.option}``.")
        yield f"    {' '.join(parts)}"
        yield ""


class Commented(NamedTuple):
    """A table or view of the schema, with the comments that its files give it."""

    name: str
    kind: str
    comment: str
    columns: dict[str, str]


_COMMENT = re.compile(r"COMMENT ON (TABLE|VIEW|COLUMN) (imap\.\w+)(?:\.(\w+))?\s+IS\s+((?:'(?:[^']|'')*'\s*)+);")


def tables() -> list[Commented]:
    """Return the tables and views of the schema ``imap``, by name."""
    found: dict[str, Commented] = {}
    columns: dict[str, dict[str, str]] = {}
    for path in sorted((TOP / "schema").glob("*.sql")):
        for kind, name, column, literal in _COMMENT.findall(path.read_text(encoding="utf-8")):
            comment = "".join(re.findall(r"'((?:[^']|'')*)'", literal)).replace("''", "'")
            if kind == "COLUMN":
                columns.setdefault(name, {})[column] = comment
            else:
                found[name] = Commented(name, kind.lower(), comment, columns.setdefault(name, {}))
    return [found[name] for name in sorted(found)]


def tables_text() -> Iterator[str]:
    """Write the reference of tables."""
    for table in tables():
        yield f".. rubric:: {table.name}{' (view)' if table.kind == 'view' else ''}"
        yield ""
        yield _plain(table.comment)
        yield ""
        for column, comment in table.columns.items():
            yield f"``{column}``"
            yield f"    {_plain(comment)}"
        yield ""


def _plain(text: str) -> str:
    """Return text in which nothing is markup."""
    return re.sub(r"([\\*`|_<>])", r"\\\1", text)


def commands() -> Iterator[tuple[str, str]]:
    """Return what ``--help`` says, of ``twistd cybertemp-imap`` and every command of the administrator's program."""
    from cybertemp_imap.tap import Options

    os.environ["COLUMNS"] = "100"
    options = Options()
    text = str(options.getUsage(100)) if hasattr(options, "getUsage") else str(options)
    yield "twistd cybertemp-imap", re.sub(r"^Usage: .*", "Usage: twistd [options] cybertemp-imap [options]", text)
    parser = configparser.ConfigParser()
    parser.read(TOP / "setup.cfg", encoding="utf-8")
    name, target = (part.strip() for part in parser["options.entry_points"]["console_scripts"].split("="))
    module, _, function = target.partition(":")
    main = getattr(importlib.import_module(module), function)
    yield from _click_commands(sys.modules[main.__module__].program, name, None)


def _click_commands(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    with command.make_context(name.rpartition(" ")[2], [], parent, resilient_parsing=True) as context:
        yield name, context.get_help()
        for each, inner in sorted(getattr(command, "commands", {}).items()):
            yield from _click_commands(inner, f"{name} {each}", context)


def commands_text() -> Iterator[str]:
    """Write the reference of commands."""
    for name, text in commands():
        yield f".. rubric:: {name}"
        yield ""
        yield ".. code-block:: none"
        yield ""
        yield from (f"    {line}".rstrip() for line in text.strip().splitlines())
        yield ""


class Capability(NamedTuple):
    """What is announced, the RFC it is from, and the test modules that go through it."""

    name: str
    source: str
    tests: list[str]


def capabilities() -> list[Capability]:
    """Return every capability that ``test_capability_honesty`` uses, which are all that are announced."""
    text = (TOP / "test" / "test_capability_honesty.py").read_text(encoding="utf-8")
    sources = dict(re.findall(r'^def (_\w+)\(client: Client\) -> None:\n    """(.*?)[:."]', text, re.M))
    uses = re.findall(r'^    b"([^"]+)": (_\w+),$', text, re.M)
    return [_capability(name.partition("=2")[0], sources[function]) for name, function in uses]


def _capability(name: str, source: str) -> Capability:
    found = source if source.startswith("RFC") else "older than the RFCs on SASL"
    return Capability(name, found, ["test_capability_honesty", *TESTS[name].split()])


def capabilities_text() -> Iterator[str]:
    """Write the table of capabilities."""
    yield from (".. list-table::", "   :header-rows: 1", "", "   * - Capability", "     - Source", "     - Tests")
    for capability in capabilities():
        yield f"   * - ``{capability.name}``"
        yield f"     - {capability.source}"
        yield f"     - {', '.join(f'``{name}``' for name in capability.tests)}"


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx of the directives."""
    from sphinx.util.docutils import SphinxDirective

    def directive(write: Any) -> type:
        class Generated(SphinxDirective):
            """Puts in the text of one part."""

            def run(self) -> list[Any]:
                return self.parse_text_to_nodes("\n".join(write()))

        return Generated

    for write in (settings_text, tables_text, commands_text, capabilities_text):
        app.add_directive(f"generated-{write.__name__.removesuffix('_text')}", directive(write))
    return {"parallel_read_safe": True}
