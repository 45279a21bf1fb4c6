"""A disk that can be full: a file system in memory, mounted for a test, whose size is changed while it is in use."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PLENTY = 512 << 20
"""Octets; memory is used only for what is written."""


class NotPermitted(Exception):
    """This process may not mount file systems; the text says why."""


class SmallDisk:
    """A tmpfs at a folder that is there and empty; with :data:`PLENTY` of room at first."""

    def __init__(self, folder: Path) -> None:
        """Mount it; raises :class:`NotPermitted`."""
        self.folder = folder
        if os.geteuid() != 0:
            raise NotPermitted("only root mounts file systems")
        done = self._mount("-t", "tmpfs", "-o", f"size={PLENTY},mode=711", "tmpfs")
        if done.returncode != 0:
            raise NotPermitted(done.stderr.decode("utf-8", "replace").strip())

    def fill(self, room: int = 0) -> None:
        """Leave so many octets of room."""
        disk = os.statvfs(self.folder)
        self._resize((disk.f_blocks - disk.f_bfree) * disk.f_frsize + room)

    def free(self) -> None:
        """Give it plenty of room again."""
        self._resize(PLENTY)

    def remove(self) -> None:
        """Unmount it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _resize(self, octets: int) -> None:
        done = self._mount("-o", f"remount,size={octets}")
        assert done.returncode == 0, done.stderr

    def _mount(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["mount", *arguments, str(self.folder)], check=False, stdin=subprocess.DEVNULL, capture_output=True
        )
