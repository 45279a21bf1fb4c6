"""How Sphinx builds these pages: ``make docs``, with every warning an error."""

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "docs"), str(TOP)]

from cybertemp_imap import __version__  # noqa: E402 - the tree that the pages stand in, not what is installed.

project = "cybertemp-imap"
author = "The cybertemp-imap authors"
copyright = author
release = version = __version__

extensions = ["generated", "myst_parser"]
highlight_language = "none"
html_theme = "alabaster"
html_theme_options = {"description": "Temporary and private mailboxes over IMAP", "page_width": "70em"}
html_show_copyright = False
nitpicky = True
