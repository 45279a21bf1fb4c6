"""Which addresses can be created."""

from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.naming import INBOX, key_of
from cybertemp_imap.rules.addresses import a_labels, canonical

GOOD = {
    "a@b.co": "a@b.co",
    "Me.And-You+tag_1@Sub.Example.COM": "me.and-you+tag_1@sub.example.com",
    "!#$&'+=?^_{|}~-@example.com": "!#$&'+=?^_{|}~-@example.com",
    "x@b\xfccher.example": "x@xn--bcher-kva.example",
    "x@XN--BCHER-KVA.example": "x@xn--bcher-kva.example",
    f"{'a' * 64}@example.com": f"{'a' * 64}@example.com",
    f"a@{'b' * 63}.com": f"a@{'b' * 63}.com",
}

BAD = (
    *("", "@", "x", "x@", "@example.com", "x@localhost", "x@ok.com@victim.com", "x@@ok.com", "x@ok.com@"),
    *("a b@ok.com", " x@ok.com", "x@ok.com ", "x@o k.com", "x\t@ok.com", "x@ok.com\r\n", "x\0@ok.com", "x\x7f@ok.com"),
    *("x/y@ok.com", "*@ok.com", "x%y@ok.com", 'x"y@ok.com', "x\\y@ok.com", "x`y@ok.com", '"x"@ok.com', '"a b"@ok.com'),
    *("\xe9@ok.com", "\u212a@ok.com", "x\u200b@ok.com", "x\ud800@ok.com", "x@\ud800.com"),
    *(".x@ok.com", "x.@ok.com", "x..y@ok.com", "x@.ok.com", "x@ok.com.", "x@ok..com", "x@-ok.com", "x@ok-.com"),
    *("x@[127.0.0.1]", "x@o_k.com", "x@*.com", "x@ok/com", "x@ok.com/", "x,y@ok.com", "x;y@ok.com", "x:y@ok.com"),
    *("<x@ok.com>", "x(y)@ok.com", "x[@ok.com", "x]@ok.com"),
    *(
        f"{'a' * 65}@ok.com",
        f"a@{'b' * 64}.com",
        f"{'a' * 60}@{'b.' * 96}com",
        "a@" + "\xfc" * 70 + ".com",
        "\xfc" * 10_000,
    ),
)


class AddressTests(SynchronousTestCase):
    """Syntax."""

    def test_good(self) -> None:
        """What is an address comes in one form, whose form is itself."""
        for address, form in GOOD.items():
            self.assertEqual(canonical(address), form)
            self.assertEqual(canonical(form), form)

    def test_bad(self) -> None:
        """Nothing else is one."""
        for address in BAD:
            self.assertIsNone(canonical(address), repr(address))

    def test_length(self) -> None:
        """An address has 254 octets at most."""
        domain = "b." * 93 + "com"
        self.assertIsNotNone(canonical(f"{'a' * (253 - len(domain))}@{domain}"))
        self.assertIsNone(canonical(f"{'a' * (254 - len(domain))}@{domain}"))

    @given(st.text() | st.builds("{}@{}".format, st.text(), st.text()))
    def test_any_text(self, text: str) -> None:
        """Nothing raises, and whatever is an address is a mailbox name, ASCII and lower-case."""
        form = canonical(text)
        if form is not None:
            self.assertTrue(form.isascii() and form == form.lower() and len(form) <= 254)
            self.assertEqual(key_of(uuid4(), form), (form, INBOX))

    def test_a_labels(self) -> None:
        """A domain may have one label; what cannot be a domain is none."""
        for domain, form in (("COM", "com"), ("\xfc.Example", "xn--tda.example"), ("", None), ("a..b", None)):
            self.assertEqual(a_labels(domain), form)
