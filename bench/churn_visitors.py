"""Who comes and goes while it is looked whether anything grows: readers, mail, new addresses, strangers, and bans."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import count, cycle
from threading import Event, Lock, Thread

from bench.client import Client, Refused
from bench.corpus import corpus
from bench.crowd import accounts
from bench.servers import Ours

ACCOUNTS, ADDRESSES = 20, 2
"""Accounts, and addresses of each: few, so that in each mailbox many hundred messages come and go in minutes."""

VISITORS, MOVERS, STRANGERS = 20, 2, 4
"""How many there are at a time: who read; who make an address and give it back; who try a wrong token."""

REST = 0.1
"""Seconds from one visit to the next, on average; an IDLE lasts as long."""

DELIVERIES = 100.0
"""A second, as long as there are not too many messages."""

KEPT = 10
"""Messages of a mailbox that is visited; the older ones are expunged."""

BANNED = 5.0
"""Seconds for which a sender is banned, and then is not."""

_OWN_DOMAIN = "fresh.example"
_OPEN_DOMAIN = "INSERT INTO public.domains (domain, active, cloudflare_domain) VALUES (%s, true, true)"
_BAN = "INSERT INTO public.bans (scope, value, match_type) VALUES ('sender', %s, 'contains')"
_UNBAN = "DELETE FROM public.bans"
_COUNT = "SELECT count(*) FROM public.emails"

_OVERTAKEN = ("[EXPUNGEISSUED]", "There is no message of that number.")
"""In the answers to who wants a message that another has just expunged."""


class Visitors:
    """Everybody. They go on from :meth:`begin` to :meth:`end`, which may be called again and again."""

    def __init__(self, server: Ours) -> None:
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.messages = 0
        """How many there are, as looked at last."""
        self._over = Event()
        self._lock = Lock()
        self._server = server
        self._people = accounts(server.database, ACCOUNTS, ADDRESSES)
        server.database.execute(_OPEN_DOMAIN, (_OWN_DOMAIN,))
        self._numbers = count()
        self._mails = cycle(corpus("churn@example.com", 500, largest=20_000))
        self._threads: list[Thread] = []

    def begin(self) -> None:
        """Let them come."""
        self._over.clear()
        doing = [self._read] * VISITORS + [self._move] * MOVERS + [self._guess] * STRANGERS
        self._threads = [
            *(Thread(target=self._again, args=(each, number)) for number, each in enumerate(doing)),
            Thread(target=self._deliver),
            Thread(target=self._ban),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Have all leave; returns when they have."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.look()

    def look(self) -> None:
        """Count the messages."""
        ((self.messages,),) = self._server.database.execute(_COUNT)

    def _note(self, what: str, times: int = 1) -> None:
        with self._lock:
            self.done[what] += times

    def _again(self, act: Callable[[random.Random], None], number: int) -> None:
        chance = random.Random(number + next(self._numbers))
        while not self._over.wait(chance.expovariate(1 / REST)):
            try:
                act(chance)
            except (Refused, OSError) as error:
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        if any(text in str(error) for text in _OVERTAKEN):
            self._note("overtaken")
            return
        # Without the tag, which is another each time.
        command, _, answer = str(error).partition(": ")
        with self._lock:
            self.errors[f"{command}: {answer.partition(' ')[2]}"[:100]] += 1

    def _client(self, chance: random.Random) -> Client:
        """Connect from an address that hardly anybody has connected from."""
        source = f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}.{chance.randrange(1, 255)}"
        return Client(self._server.address, 60.0, source=source)

    # -- what they do -------------------------------------------------------------------------------------------------

    def _read(self, chance: random.Random) -> None:
        """Visit a mailbox, and break the connection off or not."""
        email, token, addresses = chance.choice(self._people)
        mailbox = chance.choice(["INBOX", *addresses])
        with self._client(chance) as client:
            client.run(f'LOGIN "{email}" "{token}"')
            if chance.random() < 0.2:
                client.run('LIST "" "*"')
            present = self._look_through(client, mailbox, chance)
            if present > 1 and chance.random() < 0.1:
                self._put_aside(client, f"{chance.choice(addresses)}/f{next(self._numbers)}")
            if present > KEPT:
                client.run(f"STORE 1:{present - KEPT} +FLAGS.SILENT (\\Deleted)")
                client.run("EXPUNGE")
                self._note("expunges")
            client.idle()
            self._over.wait(chance.expovariate(1 / REST))
            if chance.random() < 0.5:
                client.done()
                client.run("LOGOUT")
        self._note("visits")

    def _look_through(self, client: Client, mailbox: str, chance: random.Random) -> int:
        """Read and search a mailbox; return how many messages it has."""
        opened = client.ask(f'SELECT "{mailbox}"')
        present = int(opened.partition(b" EXISTS")[0].rpartition(b"* ")[2])
        if present:
            client.run(f"FETCH {max(present - 20, 1)}:{present} (UID FLAGS ENVELOPE)")
            client.run(f"FETCH {chance.randint(1, present)} (BODY.PEEK[])")
            client.run(f"STORE {chance.randint(1, present)} FLAGS (\\Seen k{chance.randrange(5)})")
            client.run(f"SEARCH {chance.choice(['SUBJECT 7', 'FROM x', 'TEXT nothing', 'SENTSINCE 1-Jan-2025'])}")
        return present

    def _put_aside(self, client: Client, folder: str) -> None:
        """Copy and move into a folder that is new, append to it, and delete it."""
        client.run(f'CREATE "{folder}"')
        try:
            client.append(f'"{folder}"', b"Subject: kept\r\n\r\nHello.\r\n")
            client.run(f'COPY 1 "{folder}"')
            client.run(f'MOVE 2 "{folder}"')
        finally:
            client.run(f'STATUS "{folder}" (MESSAGES UNSEEN)')
            client.run(f'RENAME "{folder}" "{folder}-old"')
            client.run(f'DELETE "{folder}-old"')
        self._note("folders")

    def _move(self, chance: random.Random) -> None:
        """Make an address, read its first message, and give it back."""
        email, token, _ = chance.choice(self._people)
        address = f"new{next(self._numbers)}@{_OWN_DOMAIN}"
        with self._client(chance) as client:
            client.run(f'LOGIN "{email}" "{token}"')
            client.run(f'CREATE "{address}"')
            client.append(f'"{address}"', b"Subject: Your code\r\n\r\n123456\r\n")
            self._look_through(client, address, chance)
            client.run("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.run("CLOSE")
            client.run(f'DELETE "{address}"')
            client.run("LOGOUT")
        self._note("addresses")

    def _guess(self, chance: random.Random) -> None:
        """Try a token that is wrong, for an account that there is not."""
        with self._client(chance) as client:
            try:
                client.run(f'LOGIN "nobody{next(self._numbers)}@example.com" "{chance.random()}"')
            except Refused:
                self._note("strangers")

    def _deliver(self) -> None:
        chance = random.Random(next(self._numbers))
        while not self._over.wait(chance.expovariate(DELIVERIES)):
            if not self.done["deliveries"] % 100:
                self.look()
            if self.messages > ACCOUNTS * ADDRESSES * KEPT:
                self.look()
                continue
            _, _, addresses = chance.choice(self._people)
            self._server.database.deliver(chance.choice(addresses), next(self._mails))
            self._note("deliveries")

    def _ban(self) -> None:
        """Ban some senders, and lift it again; each time every mailbox is looked at."""
        while not self._over.wait(BANNED):
            self._server.database.execute(_BAN, (f"sender{next(self._numbers) % 100}@",))
            self._note("bans")
            self._over.wait(BANNED)
            self._server.database.execute(_UNBAN)
