"""Prints command objects as a client might send them, in any of the ways the grammar allows."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable

from cybertemp_imap.protocol import command as c
from cybertemp_imap.protocol import search_key as sk
from cybertemp_imap.protocol.date import format_date, format_date_time
from cybertemp_imap.protocol.tokens import is_utf8

Choose = Callable[[int], int]
"""``choose(n)`` gives one of 0 … n-1."""

_ASTRING_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
_LIST_ATOM = re.compile(rb'[^\x00-\x20(){"\\\x7f-\xff]+')


class Printer:
    """Prints commands; ``choose`` decides wherever there are several ways."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose

    def command(self, tag: bytes, command: c.Command) -> bytes:
        """The whole command without the final line end."""
        printer: Callable[[Printer, c.Command], bytes] = _COMMANDS[type(command)]
        return tag + b" " + printer(self, command) + b" " * self.choose(2)

    # -- pieces -------------------------------------------------------------------------------------------------------

    def word(self, text: str | bytes) -> bytes:
        """A keyword in upper, lower or mixed case."""
        octets = text.encode("ascii") if isinstance(text, str) else text
        return (octets.upper, octets.lower, octets.title)[self.choose(3)]()

    def string(self, octets: bytes) -> bytes:
        """A quoted string or a literal."""
        if self.choose(2) == 0 and is_utf8(octets) and not re.search(rb"[\x00\r\n]", octets):
            return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return self.literal(octets)

    def literal(self, octets: bytes) -> bytes:
        """A literal, synchronizing or not, perhaps with leading zeros."""
        return b"{%s%d%s}\r\n%s" % (b"0" * self.choose(3), len(octets), (b"", b"+")[self.choose(2)], octets)

    def astring(self, octets: bytes, atom: re.Pattern[bytes] = _ASTRING_ATOM) -> bytes:
        """An atom where it can be one, or a string."""
        if self.choose(2) == 0 and atom.fullmatch(octets):
            return octets
        return self.string(octets)

    def nstring(self, octets: bytes | None) -> bytes:
        """A string or NIL."""
        return self.word("NIL") if octets is None else self.string(octets)

    def listed(self, items: Iterable[bytes]) -> bytes:
        """A parenthesized list."""
        return b"(" + b" ".join(items) + b")"

    def words(self, items: Iterable[str]) -> bytes:
        """A parenthesized list of keywords."""
        return self.listed(self.word(item) for item in items)

    # -- commands -----------------------------------------------------------------------------------------------------

    def bare(self, command: c.Command) -> bytes:
        """A command without arguments."""
        return self.word(type(command).__name__)

    def id(self, command: c.Id) -> bytes:
        """ID."""
        if command.params is None:
            return self.word("ID ") + self.word("NIL")
        return self.word("ID ") + self.listed(
            self.string(field) + b" " + self.nstring(value) for field, value in command.params
        )

    def login(self, command: c.Login) -> bytes:
        """LOGIN."""
        return b" ".join([self.word("LOGIN"), self.astring(command.user), self.astring(command.password)])

    def authenticate(self, command: c.Authenticate) -> bytes:
        """AUTHENTICATE."""
        printed = self.word("AUTHENTICATE ") + self.word(command.mechanism)
        if command.initial is None:
            return printed
        return printed + b" " + (base64.b64encode(command.initial) or b"=")

    def enable(self, command: c.Enable) -> bytes:
        """ENABLE."""
        return b" ".join(map(self.word, ("ENABLE", *command.capabilities)))

    def select(self, command: c.Select) -> bytes:
        """SELECT and EXAMINE."""
        printed = self.word("EXAMINE " if command.read_only else "SELECT ") + self.astring(command.mailbox)
        parameters = [self.word("CONDSTORE")] if command.condstore else []
        if command.qresync is not None:
            parameters.append(self.word("QRESYNC ") + self.qresync(command.qresync))
        return printed + (b" " + self.listed(parameters) if parameters else b"")

    def qresync(self, parameter: c.QresyncParameter) -> bytes:
        """The parameter of SELECT."""
        pieces = [b"%d %d" % (parameter.uid_validity, parameter.mod_seq)]
        if parameter.known_uids is not None:
            pieces.append(parameter.known_uids.to_wire())
        if parameter.match is not None:
            pieces.append(self.listed(known.to_wire() for known in parameter.match))
        return self.listed(pieces)

    def create(self, command: c.Create) -> bytes:
        """CREATE."""
        printed = self.word("CREATE ") + self.astring(command.mailbox)
        if not command.special_use and self.choose(2):
            return printed
        return printed + b" (" + self.word("USE ") + self.listed(use.encode() for use in command.special_use) + b")"

    def named(self, command: c.Delete | c.Subscribe | c.Unsubscribe) -> bytes:
        """A command with a mailbox and nothing more."""
        return self.word(type(command).__name__) + b" " + self.astring(command.mailbox)

    def rename(self, command: c.Rename) -> bytes:
        """RENAME."""
        return b" ".join([self.word("RENAME"), self.astring(command.source), self.astring(command.destination)])

    def listing(self, command: c.List) -> bytes:
        """LIST."""
        pieces = [self.word("LIST")]
        returns = [self.word(option) for option in command.returns]
        if command.status is not None:
            returns.append(self.word("STATUS ") + self.words(command.status))
        bare = len(command.patterns) == 1 and (not command.extended or bool(returns) or bool(command.selection))
        if command.selection or (command.extended and self.choose(2)):
            pieces.append(self.words(command.selection))
        pieces.append(self.astring(command.reference))
        patterns = [self.astring(pattern, _LIST_ATOM) for pattern in command.patterns]
        pieces.append(patterns[0] if bare else self.listed(patterns))
        if returns:
            pieces += [self.word("RETURN"), self.listed(returns)]
        return b" ".join(pieces)

    def lsub(self, command: c.Lsub) -> bytes:
        """LSUB."""
        return b" ".join(
            [self.word("LSUB"), self.astring(command.reference), self.astring(command.pattern, _LIST_ATOM)]
        )

    def status(self, command: c.Status) -> bytes:
        """STATUS."""
        return b" ".join([self.word("STATUS"), self.astring(command.mailbox), self.words(command.items)])

    def append(self, command: c.Append) -> bytes:
        """APPEND."""
        return b" ".join(
            [self.word("APPEND"), self.astring(command.mailbox), *(self.message(one) for one in command.messages)]
        )

    def message(self, message: c.AppendMessage) -> bytes:
        """A message of APPEND."""
        pieces = []
        if message.flags or self.choose(2):
            pieces.append(self.listed(flag.encode() for flag in message.flags))
        if message.internal_date is not None:
            pieces.append(format_date_time(message.internal_date))
        literal = (b"~" if message.binary else b"") + self.literal(message.data or b"")
        pieces.append(self.word("UTF8 ") + b"(" + literal + b")" if message.utf8 else literal)
        return b" ".join(pieces)

    def expunge(self, command: c.Expunge) -> bytes:
        """EXPUNGE and UID EXPUNGE."""
        if command.uids is None:
            return self.word("EXPUNGE")
        return self.word("UID ") + self.word("EXPUNGE ") + command.uids.to_wire()

    def uid(self, name: str, uid: bool) -> bytes:
        """A command's name, perhaps after UID."""
        return (self.word("UID ") if uid else b"") + self.word(name) + b" "

    def copy(self, command: c.Copy | c.Move) -> bytes:
        """COPY and MOVE."""
        name = self.uid(type(command).__name__, command.uid)
        return name + command.messages.to_wire() + b" " + self.astring(command.mailbox)

    def store(self, command: c.Store) -> bytes:
        """STORE."""
        printed = self.uid("STORE", command.uid) + command.messages.to_wire() + b" "
        if command.unchanged_since is not None:
            printed += b"(" + self.word("UNCHANGEDSINCE ") + b"%d) " % command.unchanged_since
        printed += self.word(command.mode.value + "FLAGS") + (self.word(".SILENT") if command.silent else b"") + b" "
        flags = [flag.encode() for flag in command.flags]
        return printed + (b" ".join(flags) if flags and self.choose(2) else self.listed(flags))

    def fetch(self, command: c.Fetch) -> bytes:
        """FETCH."""
        items = [self.item(item) for item in command.items]
        printed = self.uid("FETCH", command.uid) + command.messages.to_wire() + b" "
        printed += items[0] if len(items) == 1 and self.choose(2) else self.listed(items)
        if command.changed_since is None:
            return printed
        modifiers = [self.word("CHANGEDSINCE ") + b"%d" % command.changed_since]
        if command.vanished:
            modifiers.insert(self.choose(2), self.word("VANISHED"))
        return printed + b" " + self.listed(modifiers)

    def item(self, item: c.FetchItem) -> bytes:
        """A FETCH item."""
        if isinstance(item, c.Attribute):
            return self.word(item.value)
        inner = b".".join([b"%d" % number for number in item.part])
        if item.section is not c.Section.WHOLE:
            inner += (b"." if inner else b"") + self.word(item.section.value)
        if item.fields:
            inner += b" " + self.listed(self.astring(field) for field in item.fields)
        partial = b"<%d.%d>" % item.partial if item.partial is not None else b""
        return self.word(item.name + (".PEEK" if item.peek else "")) + b"[" + inner + b"]" + partial

    # -- search -------------------------------------------------------------------------------------------------------

    def search(self, command: c.Search) -> bytes:
        """SEARCH."""
        printed = self.uid("SEARCH", command.uid)
        if command.returns is not None:
            options = () if command.returns == {"ALL"} and self.choose(2) else command.returns
            printed += self.word("RETURN ") + self.words(options) + b" "
        if command.charset is not None:
            printed += self.word("CHARSET ") + self.astring(self.word(command.charset)) + b" "
        if isinstance(command.key, sk.KeyAnd) and self.choose(2):
            return printed + b" ".join(self.key(key) for key in command.key.keys)
        return printed + self.key(command.key)

    def key(self, key: sk.SearchKey) -> bytes:
        """A search key, perhaps in parentheses it does not need."""
        printed = self.bare_key(key)
        return b"(" + printed + b")" if self.choose(4) == 0 else printed

    def bare_key(self, key: sk.SearchKey) -> bytes:
        """A search key."""
        return _KEYS[type(key)](self, key)

    def constant(self, key: sk.KeyAll | sk.KeyRecent | sk.KeySaveDateSupported) -> bytes:
        """A search key without arguments."""
        return self.word(type(key).__name__.removeprefix("Key"))

    def key_and(self, key: sk.KeyAnd) -> bytes:
        """Several keys."""
        return self.listed(self.key(one) for one in key.keys)

    def key_or(self, key: sk.KeyOr) -> bytes:
        """OR."""
        return self.word("OR ") + self.key(key.left) + b" " + self.key(key.right)

    def key_not(self, key: sk.KeyNot) -> bytes:
        """NOT, or the negative form that a key has."""
        if isinstance(key.key, sk.KeyFlag) and self.choose(2):
            return self.flag_key("UN", key.key.flag)
        if isinstance(key.key, sk.KeyRecent) and self.choose(2):
            return self.word("OLD")
        return self.word("NOT ") + self.key(key.key)

    def key_flag(self, key: sk.KeyFlag) -> bytes:
        """SEEN, KEYWORD x."""
        return self.flag_key("", key.flag)

    def flag_key(self, prefix: str, flag: str) -> bytes:
        """SEEN, UNSEEN, KEYWORD x, UNKEYWORD x."""
        if flag.startswith("\\"):
            return self.word(prefix + flag[1:])
        return self.word(prefix + "KEYWORD ") + flag.encode()

    def key_header(self, key: sk.KeyHeader) -> bytes:
        """HEADER, or the key named like the field."""
        if key.field in (b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO") and self.choose(2):
            return self.word(key.field) + b" " + self.astring(key.value)
        return self.word("HEADER ") + self.astring(key.field) + b" " + self.astring(key.value)

    def key_date(self, key: sk.KeyDate) -> bytes:
        """BEFORE and its like, the date quoted or not."""
        date = self.word(format_date(key.day))
        quoted = b'"' + date + b'"' if self.choose(2) else date
        return self.word(key.field.value + key.order.value) + b" " + quoted

    def key_mod_seq(self, key: sk.KeyModSeq) -> bytes:
        """MODSEQ, perhaps with an entry."""
        entry = b'"/flags/\\\\Draft" ' + self.word("ALL ") if self.choose(2) else b""
        return self.word("MODSEQ ") + entry + b"%d" % key.mod_seq


_BARE = (
    c.Capability,
    c.Noop,
    c.Logout,
    c.StartTls,
    c.Namespace,
    c.Idle,
    c.Check,
    c.Close,
    c.Unselect,
)
_COMMANDS: dict[type[c.Command], Callable[..., bytes]] = {
    **dict.fromkeys(_BARE, Printer.bare),
    c.Id: Printer.id,
    c.Login: Printer.login,
    c.Authenticate: Printer.authenticate,
    c.Enable: Printer.enable,
    c.Select: Printer.select,
    c.Create: Printer.create,
    c.Delete: Printer.named,
    c.Subscribe: Printer.named,
    c.Unsubscribe: Printer.named,
    c.Rename: Printer.rename,
    c.List: Printer.listing,
    c.Lsub: Printer.lsub,
    c.Status: Printer.status,
    c.Append: Printer.append,
    c.Expunge: Printer.expunge,
    c.Copy: Printer.copy,
    c.Move: Printer.copy,
    c.Store: Printer.store,
    c.Fetch: Printer.fetch,
    c.Search: Printer.search,
}
_KEYS: dict[type[sk.SearchKey], Callable[..., bytes]] = {
    sk.KeyAll: Printer.constant,
    sk.KeyRecent: Printer.constant,
    sk.KeySaveDateSupported: Printer.constant,
    sk.KeyAnd: Printer.key_and,
    sk.KeyOr: Printer.key_or,
    sk.KeyNot: Printer.key_not,
    sk.KeyFlag: Printer.key_flag,
    sk.KeyHeader: Printer.key_header,
    sk.KeyDate: Printer.key_date,
    sk.KeyModSeq: Printer.key_mod_seq,
    sk.KeySequence: lambda _printer, key: key.messages.to_wire(),
    sk.KeyUid: lambda printer, key: printer.word("UID ") + key.uids.to_wire(),
    sk.KeyBody: lambda printer, key: printer.word("BODY ") + printer.astring(key.value),
    sk.KeyText: lambda printer, key: printer.word("TEXT ") + printer.astring(key.value),
    sk.KeyEmailId: lambda printer, key: printer.word("EMAILID ") + printer.astring(key.email_id),
    sk.KeyThreadId: lambda printer, key: printer.word("THREADID ") + printer.astring(key.thread_id),
    sk.KeyLarger: lambda printer, key: printer.word("LARGER ") + b"%d" % key.octets,
    sk.KeySmaller: lambda printer, key: printer.word("SMALLER ") + b"%d" % key.octets,
    sk.KeyAge: lambda printer, key: printer.word("OLDER " if key.older else "YOUNGER ") + b"%d" % key.seconds,
}
