"""Telling raw messages in ``body`` from text that looks like a header."""

from __future__ import annotations

from twisted.trial import unittest

from cybertemp_imap.mime.whole import is_whole_message
from test.test_mime_render import RAW


class WholeMessageTests(unittest.SynchronousTestCase):
    """The rule at the top of the module."""

    def test_what_is_whole(self) -> None:
        """Raw messages are told from text that looks like a header."""
        for body in (
            RAW,
            "From: a@b\nTo: c@d\nSubject: x\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nx",
            "From: a@b\nMIME-Version: 1.0\nContent-Type: text/plain\n\nx",
            "Return-Path: <a@b>\nMessage-ID: <x@y>\n\n",
            "Content-Type: multipart/mixed;\n\tboundary=x\nFrom: a@b\n\n--x--",
            "DKIM-Signature: v=1\nReceived: by x\nSubject: é\n\n",
        ):
            self.assertTrue(is_whole_message(body, False), body)
        for body in (
            "",
            "Hello: world\n\nbye",
            "Subject: x\n\nnote",
            "From: Bob\nSent: Monday\nTo: Ann\nSubject: Re: x\n\nforwarded",
            "From: Bob\nDate: Monday at noon\nTo: Ann\nSubject: Re: x\n\nforwarded",
            "From: a@b\nMessage-ID: <x@y>\nno header line\n\nx",
            "From: a@b\nMessage-ID: <x@y>\nno empty line",
            "\nFrom: a@b\nMessage-ID: <x@y>\n\nx",
            "Received: yesterday\nStatus: shipped\n\nYour parcel",
            "Received: from the shop\nStatus: shipped\n\nYour parcel",
            "To: Ann\nContent-Type: text/plain\n\nx",
            "Message-ID: <x>\nContent-Type: text/plain\n\nx",
        ):
            self.assertFalse(is_whole_message(body, False), body)

    def test_whole_with_html(self) -> None:
        """A row with HTML was taken apart; its body is whole only if its MIME structure is there."""
        head = "From: a@b\nMessage-ID: <x@y>\nMIME-Version: 1.0\n"
        self.assertTrue(is_whole_message(head + "Content-Type: multipart/mixed; boundary=x\n\n--x\n\ny\n--x--", True))
        self.assertTrue(is_whole_message(head + "Content-Type: text/html\n\n<p>", True))
        self.assertFalse(is_whole_message(head + "Content-Type: multipart/mixed; boundary=x\n\nabuse report", True))
        self.assertFalse(is_whole_message(head + "\nabuse report", True))
