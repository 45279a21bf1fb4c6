"""Where a client comes from."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.origin import is_local, network_of, shown


class OriginTests(SynchronousTestCase):
    """Addresses in every form."""

    def test_local(self) -> None:
        """Loopback addresses, however they are written, and sockets without addresses."""
        for host in ("127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", None):
            self.assertTrue(is_local(host), host)
        for host in ("203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "0.0.0.0", "", "127.0.0.1.example", "127."):
            self.assertFalse(is_local(host), host)

    def test_network(self) -> None:
        """An IPv4 address is one client, and so is an IPv6 /64."""
        for host, network in (
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            (None, "local"),
            ("nonsense\r\n", "unknown"),
        ):
            self.assertEqual(network_of(host), network)

    def test_shown(self) -> None:
        """What is logged is an address in its shortest form, and never what somebody made up."""
        for host, text in (("2001:db8:0:0:0:0:0:9", "2001:db8::9"), ("x\r\ny", "unknown"), (None, "local")):
            self.assertEqual(shown(host), text)
