"""The closed set of replies: code, enhanced code (RFC 3463), text. Nothing that a client sends is ever in one."""

from __future__ import annotations

from enum import Enum


class Reply(Enum):
    """A reply of one line (RFC 5321 section 4.2)."""

    HELP = (214, "2.0.0", "See RFC 5321 and RFC 2033.")
    BYE = (221, "2.0.0", "Good-bye.")
    OK = (250, "2.0.0", "OK.")
    SENDER_OK = (250, "2.1.0", "The sender is fine.")
    RECIPIENT_OK = (250, "2.1.5", "The recipient is fine.")
    DELIVERED = (250, "2.0.0", "The message is stored.")
    CANNOT_VERIFY = (252, "2.5.2", "It will be seen when mail comes.")
    TLS_READY = (220, "2.0.0", "Begin TLS now.")
    GO_AHEAD = (354, "", "End the message with a line that has only a dot.")
    SHUTTING_DOWN = (421, "4.3.2", "The server is shutting down.")
    TOO_MANY_CONNECTIONS = (421, "4.7.0", "There are too many connections.")
    TOO_SLOW = (421, "4.4.2", "You took too long.")
    TOO_MANY_ERRORS = (421, "4.7.0", "There were too many mistakes.")
    TOO_MANY_COMMANDS = (421, "4.7.0", "There were too many commands without a message.")
    FAULT = (421, "4.3.0", "The server failed to do this.")
    UNAVAILABLE = (451, "4.3.0", "The mail store cannot be reached at the moment.")
    NOT_STORED = (451, "4.3.0", "The message could not be stored.")
    TOO_MANY_RECIPIENTS = (452, "4.5.3", "There are too many recipients; send the rest in another message.")
    UNKNOWN_COMMAND = (500, "5.5.1", "There is no such command.")
    LINE_TOO_LONG = (500, "5.5.6", "The line is too long.")
    BAD_LINE = (500, "5.5.2", "Lines end with CR LF, and hold neither CR, LF nor NUL.")
    BAD_ARGUMENT = (501, "5.5.4", "The arguments are not right.")
    BAD_SENDER = (501, "5.1.7", "This is no sender's address.")
    NOT_IMPLEMENTED = (502, "5.5.1", "This command is not available.")
    BAD_SEQUENCE = (503, "5.5.1", "This command is not in order here.")
    NO_RECIPIENT = (503, "5.5.1", "There is no valid recipient.")
    UNKNOWN_PARAMETER = (555, "5.5.4", "A parameter is not known here.")
    NOT_RELAYED = (550, "5.7.1", "No mail is taken for this domain.")
    NO_SUCH_RECIPIENT = (550, "5.1.1", "No mail is taken for this address.")
    BAD_RECIPIENT = (553, "5.1.3", "This is no address that can be here.")
    NOT_ASCII = (553, "5.6.7", "Addresses beyond ASCII need SMTPUTF8.")
    TOO_BIG = (552, "5.3.4", "The message is too big.")
    HAS_NUL = (554, "5.6.0", "A message cannot hold NUL.")
    CLEAR_TEXT_FOLLOWS = (554, "5.5.1", "Nothing may follow STARTTLS before TLS is on.")
    NOT_MAIL = (554, "5.5.1", "This is a mail server.")

    @property
    def code(self) -> int:
        """The three digits."""
        return int(self.value[0])

    @property
    def line(self) -> bytes:
        """The reply as it is sent."""
        code, enhanced, text = self.value
        return b" ".join(part.encode() for part in (str(code), enhanced, text) if part) + b"\r\n"


class Turned(Exception):
    """A command is answered by ``reply`` instead of what it asks for."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.name)
        self.reply = reply
