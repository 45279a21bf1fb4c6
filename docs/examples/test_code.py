"""A test with pytest of a program that waits for a one-time code: ``pytest test_code.py``."""

from collections.abc import Iterator
from threading import Timer

import pytest
from wait_for_code import wait_for_code

from cybertemp_imap.testing import ServerThread, serving


@pytest.fixture
def imap() -> Iterator[ServerThread]:
    """A mail server for one test."""
    with serving() as server:
        yield server


def test_code_that_comes_later(imap: ServerThread) -> None:
    """The program waits until the message has come."""
    Timer(0.5, imap.deliver, [imap.address, "Your code", "Your code is 271828."]).start()
    assert wait_for_code(imap.host, imap.port, imap.user, imap.token, ssl=False) == "271828"
