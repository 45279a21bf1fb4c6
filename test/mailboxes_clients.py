"""What clients do to an account's mailboxes, as rules of the state machine."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from cybertemp_imap.protocol.sequence import compact
from test.mailbox_ledger import Ledger, check_changes
from test.mailboxes_model import FOLDERS, WHOLE, noted
from test.mailboxes_programs import FLAGS, Programs
from test.replaying import Session
from test.wire import Answer

NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True)
SESSION = st.integers(0, 7)
PLACE = st.integers(0, 5)


def refused(session: Session, answer: Answer) -> bool:
    """Tell whether a change was refused because the token is for reading only, which it must be then."""
    if session.reads_only:
        assert answer.code in ("READ-ONLY", "NOPERM"), answer.tagged.raw
    return session.reads_only


class Clients(Programs):
    """What sessions are told to do; some of it is more than their token may do."""

    def chosen(self, session: Session, numbers: list[int], uid: bool) -> str | None:
        """Return a set of messages that the session knows, and may be gone; None where it knows none."""
        known = [message.uid if uid else seq for seq, message in enumerate(session.messages, 1)]
        # It does not know the UIDs of what it was just told to exist.
        known = [number for number in known if number is not None]
        return ",".join(str(known[n]) for n in sorted({number % len(known) for number in numbers})) if known else None

    @rule(number=SESSION, numbers=NUMBERS, mode=st.sampled_from(["", "+", "-"]), flags=FLAGS, uid=st.booleans())
    @noted
    def store(self, number: int, numbers: list[int], mode: str, flags: list[str], uid: bool) -> None:
        """A client changes flags, of messages some of which may have gone."""
        session = self.client(number)
        chosen = self.chosen(session, numbers, uid)
        if chosen is not None:
            silent = len(numbers) % 2 == 1 and not session.reads_only
            answer = session.store(chosen, mode, flags, uid=uid, silent=silent)
            if not refused(session, answer):
                assert answer.status == "OK" or answer.code == "EXPUNGEISSUED", answer.tagged.raw

    @rule(number=SESSION, numbers=st.none() | NUMBERS)
    @noted
    def expunge(self, number: int, numbers: list[int] | None) -> None:
        """A client expunges what is marked, or some of it."""
        session = self.client(number)
        chosen = None if numbers is None else self.chosen(session, numbers, uid=True)
        answer = session.command("EXPUNGE" if chosen is None else f"UID EXPUNGE {chosen}")
        assert refused(session, answer) or answer.status == "OK", answer.tagged.raw

    @rule(number=SESSION, numbers=NUMBERS, place=PLACE, move=st.booleans(), uid=st.booleans())
    @noted
    def copy_or_move(self, number: int, numbers: list[int], place: int, move: bool, uid: bool) -> None:
        """A client copies or moves messages; what has become of each is what COPYUID says."""
        session = self.client(number)
        chosen, target = self.chosen(session, numbers, uid), self.target(session, place)
        if chosen is None:
            return
        answer = session.command(f'{"UID " * uid}{"MOVE" if move else "COPY"} {chosen} "{target}"')
        if refused(session, answer):
            return
        if answer.status == "OK":
            session.learn()
        elif session.reach is not None and target == "INBOX":
            assert answer.code == "NOPERM", answer.tagged.raw
        else:
            assert answer.code in (("CANNOT", "EXPUNGEISSUED") if move else ("EXPUNGEISSUED",)), answer.tagged.raw

    @rule(number=SESSION, place=PLACE, flags=FLAGS)
    @noted
    def append(self, number: int, place: int, flags: list[str]) -> None:
        """A client adds a message, which has the UID that APPENDUID says."""
        session = self.client(number)
        message = f"Subject: {self.subject()}\r\n\r\nHello\r\n"
        target = self.target(session, place)
        answer = session.command(f'APPEND "{target}" ({" ".join(flags)}) {{{len(message)}+}}\r\n{message}')
        if refused(session, answer):
            return
        if session.reach is not None and target == "INBOX":
            assert answer.code == "NOPERM", answer.tagged.raw
            return
        assert answer.tagged.code is not None and answer.code == "APPENDUID", answer.tagged.raw
        validity, uid = answer.tagged.code[1]
        mailbox = self.named.get((target, True, validity))
        if mailbox is not None:
            ledger = self.ledgers.setdefault((mailbox, validity), Ledger())
            assert int(uid) >= ledger.uid_next, "APPENDUID is below UIDNEXT"

    @rule(number=SESSION, place=PLACE)
    @noted
    def select(self, number: int, place: int) -> None:
        """A client opens another mailbox; UIDNEXT and HIGHESTMODSEQ are no lies."""
        session = self.client(number)
        self.enter(session, self.target(session, place))
        self.compare(session)
        self.ledger(session).announce(session.uid_next, session.mod_seq)

    @rule(number=st.sampled_from((0, 3, 5, 6)), point=st.integers(0, 5), names_uids=st.booleans())
    @noted
    def come_back(self, number: int, point: int, names_uids: bool) -> None:
        """A client that was away opens its mailbox with what it knew at any earlier point."""
        session = self.client(number)
        points = self.ledger(session).points
        if points and session.name is not None:
            then = points[point % len(points)]
            known = sorted(then.contents) if names_uids else []
            told = session.resync(session.name, then, compact(known).decode() if known else "")
            self.compare(session)
            check_changes(then, told, session.state(), set(known) if known else None)

    @rule(number=SESSION)
    @noted
    def idle(self, number: int) -> None:
        """A client begins to idle."""
        self.sessions[number].idle()

    @rule(number=SESSION, place=PLACE)
    @noted
    def status(self, number: int, place: int) -> None:
        """A client asks for counts of a mailbox, also of the one it has open."""
        session = self.client(number)
        name = self.target(session, place)
        more = " HIGHESTMODSEQ" * session.tells_mod_seqs
        answer = session.ok(f'STATUS "{name}" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY{more})')
        shown = self.tables.shown(name, session.reach)
        ((_, items),) = answer.data("STATUS")
        assert items["MESSAGES"] == shown.total()
        assert items["UNSEEN"] == sum(n for (_, flags), n in shown.items() if "\\seen" not in flags)
        mailbox = self.named.get((name, session.reach is None, items["UIDVALIDITY"]))
        if mailbox is not None:
            ledger = self.ledgers.setdefault((mailbox, items["UIDVALIDITY"]), Ledger())
            ledger.announce(items["UIDNEXT"], items.get("HIGHESTMODSEQ"))
            assert all(uid < items["UIDNEXT"] for uid in ledger.subjects)

    # -- mailboxes that come and go -----------------------------------------------------------------------------------

    @rule(number=st.integers(0, WHOLE - 1), place=st.integers(0, 3))
    @noted
    def rename(self, number: int, place: int) -> None:
        """A client renames the folder, or creates it; sessions that have it open stay in it."""
        session = self.client(number)
        name = FOLDERS[place].format(here=self.here, there=self.there)
        if "@" in name and name.split("/")[0] not in self.tables.owned():
            return
        if self.folder is None:
            answer = session.command(f'CREATE "{name}"')
        elif self.folder in self.names(session):
            self.leave_folder(name)
            answer = session.command(f'RENAME "{self.folder}" "{name}"')
        else:
            return
        # Mail that comes late to a name that the folder had makes that a mailbox.
        assert answer.status == "OK" or answer.code == "ALREADYEXISTS", answer.tagged.raw
        if answer.status == "OK":
            for each in self.sessions:
                if each.name == self.folder and self.folder is not None:
                    each.name = name
            self.folder = name

    def leave_folder(self, name: str) -> None:
        """Have the session whose token is limited leave the folder before that gets a name out of its reach."""
        session = self.sessions[WHOLE]
        if session.name == self.folder and not name.startswith(self.here):
            session.done()
            self.enter(session, "INBOX")

    @rule(number=st.integers(0, WHOLE - 1))
    @noted
    def delete_folder(self, number: int) -> None:
        """A client deletes the folder; sessions that have it open are sent away."""
        session = self.client(number)
        if self.folder in self.names(session):
            if session.name == self.folder:
                self.enter(session, "INBOX")
            session.ok(f'DELETE "{self.folder}"')
            self.folder = None
            self.send_away()

    @rule(number=st.integers(0, WHOLE - 1))
    @noted
    def release_or_create(self, number: int) -> None:
        """A client gives an address back, or creates it again and has its mail back."""
        session = self.client(number)
        if self.there in self.tables.owned():
            if session.name == self.there:
                self.enter(session, "INBOX")
            answer = session.command(f'DELETE "{self.there}"')
            assert answer.status == "OK" or answer.code == "HASCHILDREN", answer.tagged.raw
            self.send_away()
            return
        banned = self.tables.execute("SELECT 1 FROM bans WHERE value = %s", self.there)
        answer = session.command(f'CREATE "{self.there}"')
        if banned:
            assert answer.code in ("NOPERM", "ALREADYEXISTS"), answer.tagged.raw
        else:
            assert answer.status == "OK", answer.tagged.raw
            self.enter(session, self.there)
            before = [validity for name, whole, validity in self.named if name == self.there and whole]
            assert session.uid_validity == max(before), "UIDVALIDITY does not rise"
