"""An object in a process of its own.

What 200 clients in threads of one process do would hold it up otherwise, for as long as they have the interpreter.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

_PATIENCE = 10.0


class Aside:
    """Makes the object there; :meth:`run` calls functions on it, one at a time."""

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
        self._process.start()
        there.close()
        try:
            self._result()
        except BaseException:
            self.close()
            raise

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function there, with the object first; return what it returns, raise what it raises."""
        self._here.send((function, arguments))
        return self._result()

    def _result(self) -> Any:
        failure, result = self._here.recv()
        if failure is not None:
            raise failure
        return result

    def close(self) -> None:
        """End the process."""
        self._here.close()
        self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()


def _serve(there: Connection, make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    made: list[Any] = []
    function = make
    with suppress(EOFError):
        while True:
            try:
                result = function(*made, *arguments)
            except Exception as failure:
                there.send((failure, None))
            else:
                there.send((None, result if made else None))
                made = made or [result]
            function, arguments = there.recv()
