"""LIST: plain (RFC 3501 section 6.3.8), extended (RFC 9051 section 6.3.9, RFC 5258), with STATUS (RFC 5819)."""

from __future__ import annotations

from typing import Any

from cybertemp_imap.naming import account_key
from test.wire import MINE, MINE_TOO, THEIRS, Answer, WireTestCase

SPECIAL = {"Archive", "Drafts", "Junk", "Sent", "Trash"}
EVERYTHING = {"INBOX", MINE, MINE_TOO, f"{MINE}/Work", f"{MINE}/Work/2024", "Tree/Leaf", *SPECIAL}


def names(answer: Answer) -> set[str]:
    """Return the names listed."""
    listed = [data["name"].decode() for data in answer.data("LIST")]
    assert len(set(listed)) == len(listed)
    return set(listed)


def attributes(answer: Answer) -> dict[str, set[str]]:
    """Return the attributes listed, by name."""
    return {data["name"].decode(): {each.decode() for each in data["attributes"]} for data in answer.data("LIST")}


class ListTestCase(WireTestCase):
    """A session with addresses, folders below one of them, and an account folder whose parent is not there."""

    def setUp(self) -> None:
        """Create folders."""
        super().setUp()
        self.store.add_folder(MINE, "Work")
        self.store.add_folder(MINE, "Work/2024")
        self.store.add_folder(account_key(self.wire.user), "Tree/Leaf")
        self.client = self.wire.session()

    def subscribe_to_what_goes(self) -> None:
        """Subscribe to folders whose address is then taken away."""
        self.store.add_address(self.wire.user, "gone@example.com")
        self.store.add_folder("gone@example.com", "Old")
        self.client.ok("SUBSCRIBE gone@example.com/Old")
        self.store.remove_address("gone@example.com")


class PlainListTests(ListTestCase):
    """The plain form."""

    def test_patterns(self) -> None:
        """``*`` matches anything, ``%`` anything but the delimiter; reference and pattern are joined."""
        tops = {"INBOX", MINE, MINE_TOO, "Tree", *SPECIAL}
        for arguments, expected in (
            ('"" *', EVERYTHING | {"Tree"}),
            ('"" "*"', EVERYTHING | {"Tree"}),
            ('"" %', tops),
            ('"" %/%', {f"{MINE}/Work", "Tree/Leaf"}),
            ('"" *Work*', {f"{MINE}/Work", f"{MINE}/Work/2024"}),
            (f'"{MINE}/" %', {f"{MINE}/Work"}),
            (f"{MINE} /*", {f"{MINE}/Work", f"{MINE}/Work/2024"}),
            (f'"" {MINE}', {MINE}),
            ('"" inbox', {"INBOX"}),
            ('"" InB%', {"INBOX"}),
            ('"" box@*', {MINE, f"{MINE}/Work", f"{MINE}/Work/2024"}),
            ('"" BOX@*', set()),
            ('"" *@example.org', {MINE_TOO}),
            ('"" archive', set()),
            (f'"" {THEIRS}', set()),
            ('"" &&&', set()),
        ):
            self.assertEqual(names(self.client.ok(f"LIST {arguments}")), expected, arguments)

    def test_root(self) -> None:
        """An empty pattern asks for the delimiter and the root of the reference (RFC 9051 section 6.3.9)."""
        for reference in ('""', "INBOX", "x/y"):
            self.assertEqual(self.client.ok(f'LIST {reference} ""').data("LIST")[0]["delimiter"], b"/")

    def test_attributes(self) -> None:
        """Children and special uses are always told, names that are no mailbox as such (RFC 3348, RFC 6154)."""
        told = attributes(self.client.ok('LIST "" *'))
        self.assertEqual(told["INBOX"], {"\\HasNoChildren"})
        self.assertEqual(told[MINE], {"\\HasChildren"})
        self.assertEqual(told[f"{MINE}/Work/2024"], {"\\HasNoChildren"})
        self.assertEqual(told["Tree"], {"\\NonExistent", "\\Noselect", "\\HasChildren"})
        for name in SPECIAL:
            self.assertEqual(told[name], {"\\HasNoChildren", f"\\{name}"})

    def test_quoting(self) -> None:
        """Names are quoted always, in modified UTF-7 (RFC 3501 section 5.1.3), and INBOX comes first."""
        self.store.add_folder(account_key(self.wire.user), 'Entwürfe & "mehr"')
        answer = self.client.ok('LIST "" *')
        self.assertEqual(answer.data("LIST")[0]["name"], b"INBOX")
        self.assertIn(b'"Entw&APw-rfe &- \\"mehr\\""\r\n', answer.raw)
        self.assertEqual(names(self.client.ok('LIST "" "Entw&APw-rfe*"')), {'Entw&APw-rfe &- "mehr"'})

    def test_unsubscribed(self) -> None:
        """A plain LIST asks nothing about subscriptions (section 6.3.9); names that only those keep are left out."""
        self.client.ok(f"UNSUBSCRIBE {MINE_TOO}")
        self.subscribe_to_what_goes()
        self.assertEqual(names(self.client.ok('LIST "" *')), EVERYTHING | {"Tree"})

    def test_many_wildcards(self) -> None:
        """The time a pattern takes is linear."""
        self.store.add_folder(account_key(self.wire.user), "a" * 500)
        self.assertEqual(names(self.client.ok('LIST "" "' + "*a%" * 300 + 'b"')), set())

    def test_malformed(self) -> None:
        """LIST has two arguments at least, and known options."""
        for arguments in (
            "",
            ' ""',
            ' "" * x',
            ' (X) "" *',
            ' "" * RETURN (X)',
            ' (RECURSIVEMATCH) "" *',
            ' "" * RETURN STATUS',
            ' "" * RETURN (STATUS ())',
            ' "" * RETURN (STATUS (MODSEQ))',
            ' "" ()',
        ):
            self.assertStatus(self.client.command(f"LIST{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command('LIST "" *'), "BAD")


class ExtendedListTests(ListTestCase):
    """Selection options, return options, several patterns."""

    def test_patterns(self) -> None:
        """A name that several patterns match is listed once; an empty pattern has no meaning of its own here."""
        answer = self.client.ok(f'LIST () "" (INBOX "%" {MINE}/* Nothing)')
        self.assertEqual(names(answer), EVERYTHING - {"Tree/Leaf"} | {"Tree"})
        self.assertEqual(names(self.client.ok('LIST () "" ("" Drafts)')), {"Drafts"})

    def test_subscribed(self) -> None:
        """SUBSCRIBED lists what is subscribed, with the attribute, existing or not (section 6.3.9.4)."""
        self.client.ok(f"UNSUBSCRIBE {MINE_TOO}")
        self.subscribe_to_what_goes()
        told = attributes(self.client.ok('LIST (SUBSCRIBED) "" *'))
        self.assertEqual(set(told), EVERYTHING - {MINE_TOO} | {"gone@example.com/Old"})
        self.assertEqual(told["INBOX"], {"\\Subscribed", "\\HasNoChildren"})
        gone = told["gone@example.com/Old"]
        self.assertEqual(gone, {"\\Subscribed", "\\NonExistent", "\\Noselect", "\\HasNoChildren"})

    def test_return_subscribed(self) -> None:
        """RETURN (SUBSCRIBED) adds the attribute and selects nothing (section 6.3.9.5)."""
        self.client.ok(f"UNSUBSCRIBE {MINE_TOO}")
        told = attributes(self.client.ok('LIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)'))
        self.assertEqual(set(told), EVERYTHING | {"Tree"})
        subscribed = {name for name, each in told.items() if "\\Subscribed" in each}
        self.assertEqual(subscribed, EVERYTHING - {MINE_TOO})

    def test_special_use(self) -> None:
        """SPECIAL-USE lists mailboxes with a special use (RFC 6154 section 5.2)."""
        told = attributes(self.client.ok('LIST (SPECIAL-USE) "" *'))
        self.assertEqual(told, {name: {"\\HasNoChildren", f"\\{name}"} for name in SPECIAL})
        self.client.ok("UNSUBSCRIBE Junk")
        self.assertEqual(names(self.client.ok('LIST (SUBSCRIBED SPECIAL-USE) "" *')), SPECIAL - {"Junk"})

    def test_remote(self) -> None:
        """REMOTE asks for more than there is (section 6.3.9.1)."""
        self.assertEqual(names(self.client.ok('LIST (REMOTE) "" *')), EVERYTHING | {"Tree"})

    def test_recursive_match(self) -> None:
        """RECURSIVEMATCH lists what is above a selected name that is not listed itself (section 6.3.9.6)."""
        for each in EVERYTHING - {f"{MINE}/Work/2024"}:
            self.client.ok(f"UNSUBSCRIBE {each}")
        self.subscribe_to_what_goes()
        listed: dict[str, Any] = {
            data["name"].decode(): data for data in self.client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %').data("LIST")
        }
        self.assertEqual(set(listed), {MINE, "gone@example.com"})
        for data in listed.values():
            self.assertEqual(data["extended"], {b"CHILDINFO": (b"SUBSCRIBED",)})
            self.assertNotIn(b"\\Subscribed", data["attributes"])
        self.assertIn(b"\\NonExistent", listed["gone@example.com"]["attributes"])
        # No CHILDINFO where the selected name is listed as well.
        answer = self.client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" *')
        self.assertEqual(names(answer), {f"{MINE}/Work/2024", "gone@example.com/Old"})

    def test_status(self) -> None:
        """STATUS follows LIST for each mailbox that can be counted, and only for those (RFC 5819 section 2)."""
        self.wire.deliver(2, flags=["\\Seen"])
        self.wire.deliver(1)
        answer = self.client.ok('LIST "" * RETURN (STATUS (MESSAGES UNSEEN))')
        order = [(response.name, response.data) for response in answer.responses]
        for at, (name, data) in enumerate(order):
            if name == b"LIST" and b"\\NonExistent" not in data["attributes"]:
                self.assertEqual(order[at + 1][0], b"STATUS")
                self.assertEqual(order[at + 1][1][0], data["name"])
        counts = dict(answer.data("STATUS"))
        self.assertEqual({name.decode() for name in counts}, EVERYTHING)
        self.assertEqual(counts[MINE.encode()], {"MESSAGES": 3, "UNSEEN": 1})
        self.assertEqual(counts[b"INBOX"], {"MESSAGES": 3, "UNSEEN": 1})

    def test_case_and_spaces(self) -> None:
        """Options are without regard to case, as in what a well-known client sends."""
        self.assertEqual(names(self.client.ok('list (subscribed) "" "*" return (special-use)')), EVERYTHING)
