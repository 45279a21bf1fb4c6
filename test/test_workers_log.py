"""What a worker logs: as twistd does, in whole lines, to where twistd does; or to the process that started it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cybertemp_imap.workers import log
from cybertemp_imap.workers.log import AsTwistd, WorkerLog


class PlaceTests(SynchronousTestCase):
    """Where workers can write a log themselves."""

    def test_place(self) -> None:
        """To the standard output of a twistd that logs there, and to nothing else that it can log to."""
        there: dict[str, Any] = {"nodaemon": True, "logfile": None, "syslog": False, "logger": None}
        with mock.patch.object(sys, "__stdout__", mock.Mock(fileno=lambda: 7)):
            self.assertEqual([log.place(there), log.place({**there, "logfile": "-"})], [7, 7])
            for other in ({"nodaemon": False}, {"logfile": "a.log"}, {"syslog": True}, {"logger": print}):
                self.assertIsNone(log.place({**there, **other}), other)
            self.assertIsNone(log.place(None))
        for output in (None, io.StringIO()):
            with mock.patch.object(sys, "__stdout__", output):
                self.assertIsNone(log.place(there))


class WorkerLogTests(SynchronousTestCase):
    """The observer in a worker, over a pipe."""

    def setUp(self) -> None:
        self.read, self.written = os.pipe()
        os.set_blocking(self.read, False)
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.addCleanup(self.close)

    def close(self) -> None:
        """Close what is open."""
        for file in (self.read, self.written):
            with contextlib.suppress(OSError):
                os.close(file)

    def observer(self, form: log.Form) -> WorkerLog:
        """Return an observer that writes to the pipe."""
        return WorkerLog(self.written, form, lambda seconds, work: self.later.append((seconds, work)))

    def logger(self, observer: ILogObserver) -> Logger:
        """Return a logger with this observer alone."""
        return Logger(namespace="some.place", observer=observer)

    def came(self) -> bytes:
        """Return what has been written since."""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.read, 1 << 20)
        return b""

    def test_interface(self) -> None:
        """It is an observer of Twisted's."""
        verifyObject(ILogObserver, self.observer(log.for_parent))

    def test_as_twistd(self) -> None:
        """Lines are those that twistd writes of the same events, but for the worker's name; also of several lines."""
        twistd = io.StringIO()
        same = textFileLogObserver(twistd)
        observer = self.observer(AsTwistd("worker 2"))
        events: list[LogEvent] = []
        logger = self.logger(events.append)  # type: ignore[arg-type]
        logger.info("Tell {what}", what="a thing")
        logger.warn("Two\nlines")
        logger.info("Not ASCII: é")
        logger.info("")
        Logger(namespace="-", observer=events.append).emit(  # type: ignore[arg-type]
            LogLevel.info, "By {it}", it=1, log_system="a system"
        )
        with contextlib.suppress(ZeroDivisionError):
            1 / 0  # noqa: B018
        try:
            raise ValueError("a fault")
        except ValueError:
            logger.failure("Failed")
        for event in events:
            observer(event)
            system = event.get("log_system") or event["log_namespace"]
            same({**event, "log_system": f"worker 2 {system}#{event['log_level'].name}"})
        self.assertEqual(self.came().decode(), twistd.getvalue())

    def test_time(self) -> None:
        """Each line has the time of its own event."""
        form = AsTwistd("worker 1")
        lines = [form({"log_time": time}, "x") for time in (0.0, 0.9, 100.0, 0.0)]
        self.assertEqual(lines[0], lines[1])
        self.assertEqual(lines[0], lines[3])
        self.assertNotEqual(lines[0], lines[2])

    def test_for_parent(self) -> None:
        """The process that started it gets level, system and text."""
        self.logger(self.observer(log.for_parent)).error("Two\nlines")
        self.assertEqual(json.loads(self.came()), ["error", "some.place", "Two\nlines"])

    def test_moment(self) -> None:
        """Lines of a moment are written together; an error at once, behind what was before it."""
        logger = self.logger(self.observer(AsTwistd("worker 1")))
        logger.info("one")
        logger.info("two")
        self.assertEqual(self.came(), b"")
        ((seconds, flush),) = self.later
        self.assertEqual(seconds, log.MOMENT)
        flush()
        self.assertEqual(self.came().count(b"\n"), 2)
        logger.info("three")
        logger.error("four")
        self.assertEqual([line[-5:].strip() for line in self.came().splitlines()], [b"three", b"four"])
        self.later[-1][1]()
        self.assertEqual(self.came(), b"")

    def test_whole_lines(self) -> None:
        """However much waits, only whole lines are written at once, and no more than no other process gets between."""
        observer = self.observer(AsTwistd("worker 1"))
        logger = self.logger(observer)
        for number in range(100):
            logger.info("{number} " + "x" * 300, number=number)
        logger.info("\n".join(["y" * 1000] * 20))
        logger.info("z" * 3 * select.PIPE_BUF)
        written: list[bytes] = []

        def taken(file: int, octets: bytes) -> int:
            written.append(octets)
            return len(octets)

        with mock.patch.object(os, "write", taken):
            observer.flush()
        *rest, last = written
        self.assertEqual([each for each in rest if len(each) > select.PIPE_BUF or not each.endswith(b"\n")], [])
        self.assertEqual(last[-10:], b"zzzzzzzzz\n")
        self.assertEqual(b"".join(written).count(b"\n"), 121)
        self.assertLess(len(written), 20)

    def test_full(self) -> None:
        """What does not fit into a file that is not waited for is written when it does."""
        os.set_blocking(self.written, False)
        observer = self.observer(AsTwistd("worker 1"))
        logger = self.logger(observer)
        for _ in range(300):
            logger.info("x" * 1000)
        came: list[bytes] = []
        with mock.patch.object(select, "select", lambda *_: came.append(self.came())) as waits:
            observer.flush()
        came.append(self.came())
        self.assertIsNotNone(waits)
        self.assertGreater(len(came), 2)
        self.assertEqual(b"".join(came).count(b"\n"), 300)

    def test_nobody(self) -> None:
        """Where nobody reads it, a log holds up nothing."""
        os.close(self.read)
        self.logger(self.observer(AsTwistd("worker 1"))).error("a fault")
