"""The page for people in a real browser: drawn without scripts on a phone and on a desk, in light and dark."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest, TestCase

from cybertemp_imap.web import http
from cybertemp_imap.web.http import Text, site_of
from cybertemp_imap.web.page import page
from cybertemp_imap.web.public import PublicRoot
from cybertemp_imap.web.settings import ClientSettings, ServerChoice

SETTINGS = ClientSettings("imap.example.com", "Example Mail", (ServerChoice(993, False), ServerChoice(143, True)))
PHONE, DESK = 390, 1280

_MEASURE = b"""<script>
const tapped = [...document.querySelectorAll("nav a, input, button")];
document.title = [innerWidth, document.documentElement.scrollWidth, tapped.every(e => e.offsetHeight >= 40)].join(" ");
</script></body>"""


class ChromiumTests(TestCase):
    """Headless Chromium; with SCREENSHOTS in the environment, pictures are left in that folder."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Serve the page, if there is a browser."""
        program = shutil.which("chromium")
        if program is None:
            raise SkipTest("Chromium is not installed")
        self.program = program
        self.folder = Path(os.environ.get("SCREENSHOTS") or self.mktemp()).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)

    async def serve(self, root: Any) -> str:
        """Serve resources, and return where they are."""
        site: Any = root
        port: Any = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
        self.addCleanup(lambda: maybeDeferred(port.stopListening))
        self.addCleanup(site.disconnect)
        return f"http://127.0.0.1:{port.getHost().port}/"

    async def browse(self, url: str, width: int, *options: str) -> str:
        """Run the browser, and return what it prints."""
        command = [
            *(
                self.program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ),
            *(f"--user-data-dir={Path(self.mktemp()).absolute()}", f"--window-size={width},3600", *options, url),
        ]
        done: Any = await deferToThread(subprocess.run, command, capture_output=True, timeout=120, check=True)
        return str(done.stdout.decode())

    async def test_drawn(self) -> None:
        """On a phone and on a desk, in light and dark, something is drawn, on a ground that fits."""
        url = await self.serve(site_of(PublicRoot(SETTINGS), reactor))
        for width in (PHONE, DESK):
            for scheme, bright in (("light", True), ("dark", False)):
                file = self.folder / f"page-{width}-{scheme}.png"
                dark = () if bright else ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
                await self.browse(url, width, f"--screenshot={file}", *dark)
                drawn_width, colours, ground = _picture(file)
                self.assertEqual(drawn_width, width)
                self.assertGreater(colours, 20)
                self.assertEqual(sum(ground) > 3 * 128, bright, (width, scheme, ground))

    async def test_fits(self) -> None:
        """Nothing is wider than a phone, and what is tapped is high enough for a finger."""
        root = PublicRoot(SETTINGS)
        root.putChild(b"", Text(page(SETTINGS).replace(b"</body>", _MEASURE), b"text/html; charset=utf-8"))
        # Only here the page may run a script: the one that measures it.
        self.patch(http, "HEADERS", {})
        url = await self.serve(site_of(root, reactor))
        drawn = await self.browse(url, PHONE, "--dump-dom")
        seen, needed, tappable = drawn.partition("<title>")[2].partition("</title>")[0].split(" ")
        self.assertLessEqual(int(needed), int(seen))
        self.assertEqual(tappable, "true")


def _picture(file: Path) -> tuple[int, int, tuple[int, ...]]:
    """Return the width of a PNG of 8 bits a channel, the number of different rows, and the colour of its corner."""
    data = file.read_bytes()
    width, _, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert depth == 8 and kind in (2, 6)
    packed = b""
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    rows = zlib.decompress(packed)
    channels = 4 if kind == 6 else 3
    step = width * channels + 1
    different = {rows[start : start + step] for start in range(0, len(rows), step)}
    # The first pixel is itself whatever the first row's filter is.
    return width, len(different), tuple(rows[1:4])
