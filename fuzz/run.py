"""Fuzzes one target: ``python -m fuzz.run NAME [options and folders of libFuzzer]``."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import atheris


def main() -> None:
    """Run libFuzzer; it ends the process."""
    name = sys.argv.pop(1)
    # What libFuzzer calls to begin anew after an input that ended the process.
    sys.argv[0] = os.environ.get("FUZZ_PROGRAM", sys.argv[0])
    with atheris.instrument_imports(include=["cybertemp_imap"]):
        target = import_module(f"fuzz.{name}")
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
