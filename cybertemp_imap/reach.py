"""What a session reaches of its account: everything, or what its token is limited to.

A token limited to some addresses reaches these, the folders below them, and an INBOX made of them alone. All else
answers as what does not exist, without being looked for: another address of the account, one of another person's, one
of nobody's, and the account's own folders. Such a token neither creates nor gives back addresses, and nothing can be
put into its INBOX, which is a view of the addresses and has no place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.naming import INBOX, account_key, key_of, name_of
from cybertemp_imap.store.values import TokenLimits

Key = tuple[str, str]
"""An owner and a folder (:mod:`cybertemp_imap.naming`)."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The mailbox names of one session. Its methods raise BAD_MAILBOX_NAME for what cannot be one."""

    user_id: UUID
    limits: TokenLimits = TokenLimits()

    @property
    def limited(self) -> bool:
        """Whether only some addresses are reached."""
        return self.limits.addresses is not None

    @property
    def inbox(self) -> Key:
        """The key of INBOX."""
        return account_key(self.user_id), INBOX

    def holds(self, key: Key) -> bool:
        """Tell whether a mailbox of the account's is within reach."""
        return self.limits.addresses is None or key[0] in self.limits.addresses or key == self.inbox

    def has_view(self, key: Key) -> bool:
        """Tell whether a key is that of an INBOX made of some addresses alone."""
        return self.limited and key == self.inbox

    def key(self, name: str) -> Key:
        """Return the key of a mailbox that is there, as far as names can tell; raises NO_SUCH_MAILBOX."""
        key = key_of(self.user_id, name)
        if not self.holds(key):
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return key

    def new_key(self, name: str) -> Key:
        """Return the key of a mailbox that is to be made; raises NO_PERMISSION."""
        self.check_change()
        key = key_of(self.user_id, name)
        if not self.holds(key):
            raise Refused(Refusal.NO_PERMISSION)
        return key

    def canonical(self, name: str) -> str:
        """Return the one spelling of the name of a mailbox; raises NO_SUCH_MAILBOX."""
        return name_of(*self.key(name))

    def includes(self, name: str) -> bool:
        """Tell whether a name, as it is kept, is within reach."""
        try:
            return self.holds(key_of(self.user_id, name))
        except Refused:
            return not self.limited

    def check_change(self) -> None:
        """Raise NO_PERMISSION when nothing may be changed."""
        if self.limits.read_only:
            raise Refused(Refusal.NO_PERMISSION)
