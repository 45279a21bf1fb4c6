"""CREATE and DELETE of addresses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from cybertemp_imap.account import Account
from cybertemp_imap.addresses import Addresses
from cybertemp_imap.auth import Identity
from cybertemp_imap.errors import StoreUnavailable
from test.store_contract_addresses import arriving
from test.wire import MINE, MINE_TOO, NOBODYS, THEIR_TOKEN, THEIR_USER, THEIRS, Client, WireTestCase

NEW = "new@mine.example"

NO_ADDRESSES = (
    *("@", "x@", "@mine.example", "x@ok.com@mine.example", "x@mine.example@ok.com", "x@@mine.example", "x@localhost"),
    *('"a b@mine.example"', '" x@mine.example"', '"x@mine.example "', '"x@mine. example"', '"x@mine.example."'),
    *('"\\"x\\"@mine.example"', '"x\\\\y@mine.example"', '"`@mine.example"', '"x%y@mine.example"', '"*@mine.example"'),
    *("&AOk-@mine.example", ".x@mine.example", "x..y@mine.example", f"{'x' * 65}@mine.example"),
    *(f"{'x' * 60}@{'y.' * 100}mine.example", "x@-.mine.example", "x@[127.0.0.1]"),
)


class AddressTests(WireTestCase):
    """Two users; one owns ``mine.example``, ``shared.example`` is for all."""

    def setUp(self) -> None:
        """Add domains, and log in."""
        super().setUp()
        self.store.add_domain("mine.example", self.wire.user)
        self.store.add_domain("theirs.example", self.wire.other_user)
        self.store.add_domain("Shared.Example", None, cloudflare=True)
        self.store.add_domain("off.example", self.wire.user, active=False)
        self.client = self.wire.session()

    def names(self, client: Client | None = None) -> set[str]:
        """Return the names of all mailboxes."""
        return {data["name"].decode() for data in (client or self.client).ok('LIST "" *').data("LIST")}

    def refused(self, command: str, code: str) -> bytes:
        """Check that a command is refused with a code; return the sentence."""
        answer = self.client.command(command)
        self.assertStatus(answer, "NO", code)
        return answer.tagged.raw.split(b"] ", 1)[1]

    def test_created(self) -> None:
        """An address is there for every session, takes mail, and INBOX shows it; no other user sees it."""
        other, inbox = self.wire.session(), self.wire.session("INBOX")
        for name in (NEW, "x@Shared.EXAMPLE", "x@deep.down.mine.example", "x@sub.shared.example/"):
            self.client.ok(f"CREATE {name}")
            self.assertIn(name.lower().rstrip("/"), self.names(other))
        self.store.deliver(arriving(NEW))
        self.assertEqual(self.client.ok(f"SELECT {NEW.upper()}").numbers("EXISTS"), [1])
        self.assertEqual(inbox.ok("NOOP").numbers("EXISTS"), [1])
        self.assertNotIn(NEW, self.names(self.wire.connect().login(THEIR_USER, THEIR_TOKEN)))

    def test_claimed(self) -> None:
        """One that the receiver made is claimed with its mail, which an idling INBOX is told of at once."""
        self.store.add_address(None, NEW)
        self.store.deliver(arriving(NEW))
        idling = self.wire.session("INBOX")
        idling.take()
        idling.send(b"i IDLE\r\n")
        self.client.ok(f"CREATE {NEW}")
        self.assertIn(b"* 1 EXISTS", idling.take())
        self.assertEqual(self.client.ok(f"STATUS {NEW} (MESSAGES)").data("STATUS")[0][1]["MESSAGES"], 1)

    def test_no_address(self) -> None:
        """What is no address is CANNOT, and nothing is made of it."""
        before = self.names()
        for name in NO_ADDRESSES:
            self.refused(f"CREATE {name}", "CANNOT")
        self.assertEqual((self.names(), NEW in self.store.addresses), (before, False))

    def test_domains(self) -> None:
        """A domain that nobody has and another's are told alike; one's own that is inactive is told to be."""
        sentences = {
            self.refused(f"CREATE {name}", "NOPERM")
            for name in ("x@theirs.example", "x@a.theirs.example", "x@nobodys.example", "x@example", THEIRS, NOBODYS)
            if "." in name.partition("@")[2]
        }
        self.assertEqual(len(sentences), 1, sentences)
        self.assertIn(b"not active", self.refused("CREATE x@off.example", "NOPERM"))
        self.store.add_domain("a.mine.example", self.wire.other_user)
        self.refused("CREATE x@a.mine.example", "NOPERM")
        self.client.ok("CREATE x@b.mine.example")

    def test_taken(self) -> None:
        """An address that another has is told as one's own: that it exists, and no more."""
        self.store.add_address(self.wire.other_user, "taken@shared.example")
        self.client.ok("CREATE own@shared.example")
        sentences = {self.refused(f"CREATE {name}@shared.example", "ALREADYEXISTS") for name in ("taken", "own", "OWN")}
        self.assertEqual(len(sentences), 1)
        self.assertStatus(self.client.command("SELECT taken@shared.example"), "NO", "NONEXISTENT")

    def test_banned(self) -> None:
        """A banned address and one of a banned domain are NOPERM, whether somebody has it or nobody."""
        self.store.add_address(self.wire.other_user, "taken@shared.example")
        self.store.ban("email", "contains:taken")
        self.store.ban("email", "free@shared.example")
        self.store.ban("domain", "bad.mine.example")
        names = ("taken@shared.example", "FREE@shared.example", "x@bad.mine.example", "x@very.bad.mine.example")
        self.assertEqual(len({self.refused(f"CREATE {name}", "NOPERM") for name in names}), 1)
        self.client.ok("CREATE x@good.mine.example")

    def test_quota(self) -> None:
        """Above the quota nothing is told of what others have."""
        self.store.address_quota = 3
        self.store.add_address(self.wire.other_user, "taken@shared.example")
        self.client.ok(f"CREATE {NEW}")
        sentences = {self.refused(f"CREATE {name}@shared.example", "OVERQUOTA") for name in ("taken", "free")}
        self.assertEqual(len(sentences), 1)
        self.client.ok(f"DELETE {MINE}")
        self.client.ok("CREATE free@shared.example")

    def test_special_use(self) -> None:
        """An address has no special use."""
        self.refused(f"CREATE {NEW} (USE (\\Archive))", "USEATTR")
        self.refused(f"CREATE {MINE} (USE (\\Archive))", "ALREADYEXISTS")

    def test_folders(self) -> None:
        """Folders can be created below one, not by it, and RENAME makes no address."""
        self.refused("CREATE later@mine.example/Work", "NOPERM")
        self.client.ok(f"CREATE {NEW}")
        self.client.ok(f"CREATE {NEW}/Work")
        for command in ("RENAME Sent later@mine.example", "RENAME INBOX later@mine.example"):
            self.assertEqual(self.client.command(command).status, "NO")
        self.assertNotIn("later@mine.example", self.names())

    def test_international_domain(self) -> None:
        """A domain is kept in A-labels, and can be written either way."""
        self.store.add_domain("xn--bcher-kva.example", self.wire.user)
        self.client.ok("CREATE x@b&APw-cher.example")
        self.assertIn("x@xn--bcher-kva.example", self.names())
        for name in ("x@b&APw-cher.example", "x@XN--BCHER-KVA.example"):
            self.client.ok(f"SELECT {name}")
            self.refused(f"CREATE {name}", "ALREADYEXISTS")
        self.client.ok("DELETE x@b&APw-cher.example")
        self.assertNotIn("x@xn--bcher-kva.example", self.names())

    def test_deleted(self) -> None:
        """It is gone for every session: from lists, and its mail from INBOX; who has it open is closed."""
        self.client.ok(f"CREATE {NEW}")
        self.store.deliver(arriving(NEW))
        inbox, inside = self.wire.session("INBOX"), self.wire.session(NEW)
        inside.take()
        self.client.ok(f"DELETE {NEW.upper()}")
        self.assertEqual(inbox.ok("NOOP").numbers("EXPUNGE"), [1])
        inside.send(b"a NOOP\r\n")
        self.assertEqual(inside.take(), b"* BYE The selected mailbox is gone.\r\n")
        self.assertNotIn(NEW, self.names())
        self.refused(f"DELETE {NEW}", "NONEXISTENT")
        self.assertEqual(len(self.store.emails), 1)

    def test_deleted_here(self) -> None:
        """Deleting the selected address closes it, and the session goes on; the INBOX of another is told in IDLE."""
        self.client.ok(f"CREATE {NEW}")
        self.store.deliver(arriving(NEW))
        idling = self.wire.session("INBOX")
        idling.take()
        idling.send(b"i IDLE\r\n")
        idling.take()
        self.client.select(NEW)
        self.client.ok(f"DELETE {NEW}")
        self.assertStatus(self.client.command("FETCH 1 FLAGS"), "BAD")
        self.assertEqual(idling.take(), b"* 1 EXPUNGE\r\n")
        self.client.select(MINE)

    def test_created_again(self) -> None:
        """The mail is back, under another UIDVALIDITY."""
        validities = []
        for _ in range(2):
            self.client.ok(f"CREATE {NEW}")
            self.store.deliver(arriving(NEW))
            (status,) = self.client.ok(f"STATUS {NEW} (UIDVALIDITY MESSAGES)").data("STATUS")
            validities.append(status[1]["UIDVALIDITY"])
            self.client.ok(f"DELETE {NEW}")
        self.assertEqual(status[1]["MESSAGES"], 2)
        self.assertLess(*validities)

    def test_subscription_stays(self) -> None:
        """DELETE leaves a subscription as it is (RFC 9051 section 6.3.7)."""
        self.client.ok(f"CREATE {NEW}")
        self.client.ok(f"SUBSCRIBE {NEW}")
        self.client.ok(f"DELETE {NEW}")
        (listed,) = self.client.ok(f'LIST (SUBSCRIBED) "" {NEW}').data("LIST")
        self.assertEqual(
            set(listed["attributes"]), {b"\\NonExistent", b"\\Noselect", b"\\HasNoChildren", b"\\Subscribed"}
        )

    def test_folders_below(self) -> None:
        """One with folders below it is not deleted, and neither are they (section 6.3.5)."""
        self.client.ok(f"CREATE {MINE}/Work")
        before = self.names()
        self.refused(f"DELETE {MINE}", "HASCHILDREN")
        self.assertEqual(self.names(), before)
        self.client.ok(f"RENAME {MINE}/Work Work")
        self.client.ok(f"DELETE {MINE}")

    def test_not_deleted(self) -> None:
        """INBOX cannot be; another's and nobody's are as much as not there."""
        self.store.add_address(None, "waiting@shared.example")
        self.refused("DELETE inbox", "CANNOT")
        sentences = {
            self.refused(f"DELETE {name}", "NONEXISTENT") for name in (THEIRS, NOBODYS, "waiting@shared.example")
        }
        self.assertEqual(len(sentences), 1)
        self.assertEqual(self.store.addresses[THEIRS], self.wire.other_user)

    def test_banned_while_open(self) -> None:
        """Once an address is banned its sessions are closed, and its mail leaves INBOX; lifted, it is back."""
        self.wire.deliver(2, MINE)
        inside, inbox = self.wire.session(MINE), self.wire.session("INBOX")
        inside.take()
        for client in (inside, inbox):
            client.send(b"i IDLE\r\n")
            client.take()
        ban_id = self.store.ban("email", MINE)
        self.assertEqual(inside.take(), b"* BYE The selected mailbox is gone.\r\n")
        self.assertEqual(inbox.take().count(b"EXPUNGE"), 2)
        absent = {self.client.command(f"{c} {NOBODYS}{i}").tagged.raw[3:] for c, i in self.opening()}
        banned = {self.client.command(f"{c} {MINE}{i}").tagged.raw[3:] for c, i in self.opening()}
        self.assertEqual(banned, absent)
        self.assertEqual(self.names() & {MINE, MINE_TOO}, {MINE_TOO})
        self.store.lift(ban_id)
        self.assertIn(b"* 2 EXISTS", inbox.take())
        self.client.select(MINE)

    def opening(self) -> list[tuple[str, str]]:
        """Return the commands that open a mailbox."""
        return [("SELECT", ""), ("EXAMINE", ""), ("STATUS", " (MESSAGES)")]

    def test_without_the_store(self) -> None:
        """Nothing is answered OK without the store, and nothing without any knowledge of the domains."""
        self.store.available = False
        for command in (f"CREATE {NEW}", f"DELETE {MINE}"):
            self.refused(command, "UNAVAILABLE")
        self.store.available = True

        async def failing() -> Any:
            raise StoreUnavailable

        identity = Identity(self.wire.user, "me@example.com", uuid4())
        account = Account(identity, self.wire.mailboxes, Addresses(self.store, failing))
        self.patch(self.client.transport.protocol, "account", account)
        self.refused(f"CREATE {NEW}", "UNAVAILABLE")
        self.assertNotIn(NEW, self.names())
