"""NAMESPACE (RFC 9051 section 6.3.10, RFC 2342)."""

from __future__ import annotations

from test.wire import WireTestCase


class NamespaceTests(WireTestCase):
    """The one namespace."""

    def test_one(self) -> None:
        """There is one personal namespace without a prefix, and no others."""
        client = self.wire.session()
        self.assertEqual(client.ok("NAMESPACE").data("NAMESPACE"), [(((b"", b"/"),), None, None)])
        self.assertEqual(client.select().ok("NAMESPACE").raw[:35], b'* NAMESPACE (("" "/")) NIL NIL\r\nt4 ')
        self.assertStatus(client.command("NAMESPACE x"), "BAD")
        self.assertStatus(self.wire.connect().command("NAMESPACE"), "BAD")
