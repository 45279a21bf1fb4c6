"""The text of a message made from its row is that of the message."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.mime.text import body_text, header_text

RAW = "From: a@b.example\nSubject: raw\nMIME-Version: 1.0\nContent-Type: text/html\n\n<p>A whole message.\n"

ALPHABET = st.sampled_from("ab \t\r\n\ufeffé=<>&;-.\u0301ß\U0001f600\ud800\x00")
texts = st.none() | st.just("") | st.just(RAW) | st.text(ALPHABET, max_size=40) | st.text(max_size=40)
htmls = texts | st.text(ALPHABET, max_size=20).map("<p>{}</p>&amp;<br>".format)


class LetterTests(SynchronousTestCase):
    """:class:`Letter` and the message that the renderer makes."""

    @given(texts, htmls, st.booleans(), st.none() | st.binary(max_size=60))
    @example("\ufeff\ufefftext", "\ufeff<p>", False, None)
    @example("x " * 600, "<p>" + "=" * 200, False, None)
    @example("é" * 2_000 + " \n", " ", False, None)
    @example(" ", "<script>x</script>shown", False, None)
    @example("\r\n.\r\n", None, False, None)
    @example(RAW, None, False, None)
    @example("a", "b", True, None)
    def test_same_text(self, body: str | None, html: str | None, encrypted: bool, source: bytes | None) -> None:
        """Whatever is in the row, header and body have the text that the rendered message has."""
        moment = datetime(2024, 3, 1, tzinfo=UTC)
        row = EmailRow(
            UUID(int=7),
            "me@example.com",
            "INBOX",
            "Süß",
            body,
            html,
            "A <a@b.example>",
            (),
            moment,
            moment,
            encrypted,
            source,
        )
        message = render(row)
        root = parse(message)
        header = message[: root.header_end]
        for letter in (Letter(row), Letter(row, header)):
            self.assertEqual(letter.header_text, header_text(header))
            self.assertEqual(letter.body_text, body_text(message, root))
