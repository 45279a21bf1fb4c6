"""What is announced works, and what works but is not whole is not announced (RFC 9051 section 6.1.1).

Every capability has here the shortest session that uses it as its RFC says; the whole of each is tested with its
commands. A capability that is added without one fails the test.
"""

from __future__ import annotations

from collections.abc import Callable

from test.response_parser import Response
from test.wire import MINE, TOKEN, USER, Client, WireTestCase

PLAIN = b"AG1lQGV4YW1wbGUuY29tAHRvay0zMTQxNTkyNjUz"


def _sent(client: Client, *data: bytes) -> list[Response]:
    client.take()
    for each in data:
        client.send(each)
    return client.responses()


def _names(client: Client, *data: bytes) -> list[bytes]:
    return [response.name for response in _sent(client, *data)]


def _imap4rev1(client: Client) -> None:
    """RFC 3501: RECENT, LSUB, RFC822.TEXT and CHECK are what a newer server would not need."""
    client.ok('LSUB "" *')
    assert client.ok(f"SELECT {MINE}").named("RECENT")
    client.ok("CHECK")
    assert b"RFC822.TEXT" in client.ok("FETCH 1 RFC822.TEXT").fetched()[1]


def _imap4rev2(client: Client) -> None:
    """RFC 9051: LIST from SELECT, and nothing but ESEARCH."""
    assert client.ok("ENABLE IMAP4rev2").data("ENABLED") == [(b"IMAP4rev2",)]
    answer = client.ok(f"SELECT {MINE}")
    assert answer.named("LIST") and not answer.named("RECENT")
    assert client.ok("SEARCH ALL").named("ESEARCH")


def _literal_plus(client: Client) -> None:
    """RFC 7888: no continuation for ``{n+}``."""
    assert _names(client, b"a STATUS {5+}\r\nINBOX (MESSAGES)\r\n") == [b"STATUS", b"OK"]


def _id(client: Client) -> None:
    """RFC 2971."""
    assert client.ok('ID ("name" "test")').data("ID")


def _enable(client: Client) -> None:
    """RFC 5161: unknown capabilities are passed over."""
    assert client.ok("ENABLE X-NOTHING").named("ENABLED")


def _namespace(client: Client) -> None:
    """RFC 2342."""
    assert client.ok("NAMESPACE").data("NAMESPACE")


def _children(client: Client) -> None:
    """RFC 3348: every name has one of the two attributes."""
    for data in client.ok('LIST "" *').data("LIST"):
        assert {b"\\HasChildren", b"\\HasNoChildren"} & set(data["attributes"])


def _unselect(client: Client) -> None:
    """RFC 3691."""
    client.ok(f"SELECT {MINE}")
    client.ok("UNSELECT")


def _special_use(client: Client) -> None:
    """RFC 6154: as selection and as return option."""
    assert client.ok('LIST (SPECIAL-USE) "" * RETURN (SPECIAL-USE)').named("LIST")


def _list_extended(client: Client) -> None:
    """RFC 5258: options and several patterns."""
    assert len(client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" (INBOX Drafts) RETURN (CHILDREN)').named("LIST")) == 2


def _list_status(client: Client) -> None:
    """RFC 5819."""
    assert client.ok('LIST "" INBOX RETURN (STATUS (MESSAGES UNSEEN))').named("STATUS")


def _esearch(client: Client) -> None:
    """RFC 4731."""
    client.ok(f"SELECT {MINE}")
    assert client.ok("SEARCH RETURN (MIN MAX ALL COUNT) ALL").data("ESEARCH")[0]["COUNT"] == 1


def _searchres(client: Client) -> None:
    """RFC 5182."""
    client.ok(f"SELECT {MINE}")
    client.ok("SEARCH RETURN (SAVE) ALL")
    assert client.ok("FETCH $ UID").named("FETCH")


def _within(client: Client) -> None:
    """RFC 5032."""
    client.ok(f"SELECT {MINE}")
    assert client.ok("SEARCH OR YOUNGER 60 OLDER 60").data("SEARCH") == [(1,)]


def _idle(client: Client) -> None:
    """RFC 2177: news at once, until DONE."""
    client.ok("SELECT Junk")
    assert _names(client, b"a IDLE\r\n") == [b"+"]
    client.wire.session().ok("APPEND Junk {1+}\r\nx")
    assert b"EXISTS" in [response.name for response in client.responses()]
    assert _names(client, b"DONE\r\n") == [b"OK"]


def _uidplus(client: Client) -> None:
    """RFC 4315: APPENDUID, COPYUID and UID EXPUNGE."""
    assert client.ok("APPEND Drafts {1+}\r\nx").code == "APPENDUID"
    client.ok("SELECT Drafts")
    assert client.ok("UID COPY * Archive").code == "COPYUID"
    client.ok("STORE 1:* +FLAGS (\\Deleted)")
    assert client.ok("UID EXPUNGE *").named("EXPUNGE")


def _move(client: Client) -> None:
    """RFC 6851."""
    client.ok("APPEND Drafts {1+}\r\nx")
    client.ok("SELECT Drafts")
    answer = client.ok("MOVE * Archive")
    assert answer.named("OK")[0].code is not None and answer.named("EXPUNGE")


def _multiappend(client: Client) -> None:
    """RFC 3502."""
    before = client.ok("STATUS Drafts (MESSAGES)").data("STATUS")[0][1]["MESSAGES"]
    client.ok("APPEND Drafts (\\Seen) {1+}\r\nx {1+}\r\ny")
    assert client.ok("STATUS Drafts (MESSAGES)").data("STATUS")[0][1]["MESSAGES"] == before + 2


def _create_special_use(client: Client) -> None:
    """RFC 6154 section 3."""
    client.ok("DELETE Trash")
    client.ok("CREATE Trash (USE (\\Trash))")
    assert b"\\Trash" in client.ok('LIST "" Trash').data("LIST")[0]["attributes"]


def _append_limit(client: Client) -> None:
    """RFC 7889: the same number by STATUS, and more than it is refused before it is sent."""
    limit = client.ok("STATUS INBOX (APPENDLIMIT)").data("STATUS")[0][1]["APPENDLIMIT"]
    assert _names(client, b"a APPEND INBOX {%d}\r\n" % (limit + 1)) == [b"NO"]
    assert client.ok('LIST "" INBOX RETURN (STATUS (APPENDLIMIT))').data("STATUS")


def _binary(client: Client) -> None:
    """RFC 3516: NUL goes in by APPEND, and comes out by FETCH."""
    message = b"Content-Transfer-Encoding: binary\r\n\r\na\0b"
    client.ok(b"APPEND Drafts ~{%d+}\r\n%b" % (len(message), message))
    client.ok("SELECT Drafts")
    found = client.ok("FETCH * (BINARY.PEEK[1] BINARY.SIZE[1])").fetched()
    assert next(iter(found.values())) == {b"BINARY[1]": b"a\0b", b"BINARY.SIZE[1]": 3}


def _status_size(client: Client) -> None:
    """RFC 8438: the sum of RFC822.SIZE."""
    size = client.ok(f"STATUS {MINE} (SIZE)").data("STATUS")[0][1]["SIZE"]
    assert size == client.select().ok("FETCH 1 RFC822.SIZE").fetched()[1][b"RFC822.SIZE"]


def _object_id(client: Client) -> None:
    """RFC 8474: identifiers of mailbox and e-mail."""
    mailbox = client.ok(f"STATUS {MINE} (MAILBOXID)").data("STATUS")[0][1]["MAILBOXID"]
    assert (b"MAILBOXID", mailbox) in [response.code for response in client.ok(f"SELECT {MINE}").named("OK")]
    found = client.ok("FETCH 1 (EMAILID THREADID)").fetched()[1]
    assert client.ok(b"SEARCH EMAILID " + found[b"EMAILID"]).data("SEARCH") == [(1,)]


def _save_date(client: Client) -> None:
    """RFC 8514."""
    client.ok(f"SELECT {MINE}")
    assert client.ok("FETCH 1 SAVEDATE").fetched()[1][b"SAVEDATE"] is not None
    assert client.ok("SEARCH SAVEDATESUPPORTED SAVEDSINCE 1-Jan-2000").data("SEARCH") == [(1,)]


def _utf8_accept(client: Client) -> None:
    """RFC 6855: names in UTF-8, and messages with UTF-8 in their header."""
    assert client.ok("ENABLE UTF8=ACCEPT").data("ENABLED") == [(b"UTF8=ACCEPT",)]
    client.command('CREATE "Gr\u00fc\u00dfe"')
    assert client.ok('LIST "" "Gr\u00fc*"').data("LIST")[0]["name"] == "Gr\u00fc\u00dfe".encode()
    message = "Subject: Gr\u00fc\u00dfe\r\n\r\n"
    client.ok(f'APPEND "Gr\u00fc\u00dfe" UTF8 (~{{{len(message.encode())}+}}\r\n{message})')


def _sasl_ir(client: Client) -> None:
    """RFC 4959."""
    if client.server.state == "unauth":
        assert _names(client, b"a AUTHENTICATE PLAIN " + PLAIN + b"\r\n") == [b"OK"]


def _auth_plain(client: Client) -> None:
    """RFC 4616."""
    assert _names(client, b"a AUTHENTICATE PLAIN\r\n", PLAIN + b"\r\n") == [b"+", b"OK"]


def _auth_login(client: Client) -> None:
    """The mechanism of older clients."""
    lines = b"a AUTHENTICATE LOGIN\r\n", b"bWVAZXhhbXBsZS5jb20=\r\n", b"dG9rLTMxNDE1OTI2NTM=\r\n"
    assert _names(client, *lines) == [b"+", b"+", b"OK"]


def _login_disabled(client: Client) -> None:
    """RFC 3501 section 6.2.3: LOGIN is refused, and so is any other way to send the token in the clear."""
    for command in (f"LOGIN {USER} {TOKEN}".encode(), b"AUTHENTICATE PLAIN " + PLAIN):
        assert client.command(command).status == "NO"


def _starttls(client: Client) -> None:
    """RFC 9051 section 6.2.1."""
    client.ok("STARTTLS")
    assert client.transport.tls is not None


def _condstore(client: Client) -> None:
    """RFC 7162 section 3.1: changes since, and a change unless there was one since."""
    client.ok(f"SELECT {MINE} (CONDSTORE)")
    mod_seq = client.ok("FETCH 1 MODSEQ").fetched()[1][b"MODSEQ"]
    assert client.command(f"STORE 1 (UNCHANGEDSINCE {mod_seq - 1}) +FLAGS (x)").code == "MODIFIED"
    assert not client.ok(f"FETCH 1 FLAGS (CHANGEDSINCE {mod_seq})").named("FETCH")


def _qresync(client: Client) -> None:
    """RFC 7162 section 3.2: what has changed comes with SELECT, expunged messages by UID."""
    client.ok("ENABLE QRESYNC")
    uid_validity = client.ok(f"STATUS {MINE} (UIDVALIDITY)").data("STATUS")[0][1]["UIDVALIDITY"]
    assert client.ok(f"SELECT {MINE} (QRESYNC ({uid_validity} 1))").fetched()[1][b"MODSEQ"]
    client.ok("APPEND Drafts {1+}\r\nx")
    client.ok("SELECT Drafts")
    client.ok("STORE * +FLAGS (\\Deleted)")
    assert client.ok("EXPUNGE").vanished()


USES: dict[bytes, Callable[[Client], None]] = {
    b"IMAP4rev1": _imap4rev1,
    b"IMAP4rev2": _imap4rev2,
    b"LITERAL+": _literal_plus,
    b"SASL-IR": _sasl_ir,
    b"ID": _id,
    b"ENABLE": _enable,
    b"AUTH=PLAIN": _auth_plain,
    b"AUTH=LOGIN": _auth_login,
    b"LOGINDISABLED": _login_disabled,
    b"STARTTLS": _starttls,
    b"NAMESPACE": _namespace,
    b"CHILDREN": _children,
    b"UNSELECT": _unselect,
    b"SPECIAL-USE": _special_use,
    b"LIST-EXTENDED": _list_extended,
    b"LIST-STATUS": _list_status,
    b"ESEARCH": _esearch,
    b"SEARCHRES": _searchres,
    b"WITHIN": _within,
    b"IDLE": _idle,
    b"UIDPLUS": _uidplus,
    b"MOVE": _move,
    b"MULTIAPPEND": _multiappend,
    b"CREATE-SPECIAL-USE": _create_special_use,
    b"BINARY": _binary,
    b"STATUS=SIZE": _status_size,
    b"OBJECTID": _object_id,
    b"SAVEDATE": _save_date,
    b"UTF8=ACCEPT": _utf8_accept,
    b"APPENDLIMIT=26214400": _append_limit,
    b"CONDSTORE": _condstore,
    b"QRESYNC": _qresync,
}
NEEDS_LOGIN = frozenset({b"IMAP4rev1", b"IMAP4rev2", b"LITERAL+", b"ENABLE"})
"""Announced before login, and of use after it."""


class CapabilityHonestyTests(WireTestCase):
    """Each announced capability, in each state in which it is announced."""

    def connections(self) -> dict[str, Callable[[], Client]]:
        """Return what makes a connection in each state, by its name."""
        return {
            "not authenticated": self.wire.connect,
            "not authenticated, in the clear": lambda: self.wire.connect(peer="203.0.113.9"),
            "authenticated": self.wire.session,
            "selected": lambda: self.wire.session(MINE),
        }

    def test_announced_is_there(self) -> None:
        """Every capability is used in the state that announces it."""
        self.wire.deliver(1)
        self.wire.factory.certificate = object()
        used = set()
        for state, connect in self.connections().items():
            (announced,) = connect().ok("CAPABILITY").data("CAPABILITY")
            for name in announced:
                self.assertIn(name, USES, state)
                client = connect()
                if name in NEEDS_LOGIN and client.server.state == "unauth":
                    if state.endswith("in the clear"):
                        continue
                    client.login()
                if name == b"SASL-IR" and state.endswith("in the clear"):
                    continue
                USES[name](client)
                used.add(name)
        self.assertEqual(used, set(USES))

    def test_not_announced_is_not_there(self) -> None:
        """Commands and options of extensions that are not announced are not carried out."""
        self.wire.deliver(1)
        client = self.wire.session(MINE)
        for command in (
            "REPLACE 1 Drafts {1+}\r\nx",
            "GETQUOTA x",
            "SETMETADATA x",
            "SORT (DATE) UTF-8 ALL",
            "THREAD REFERENCES UTF-8 ALL",
            "COMPRESS DEFLATE",
            "NOTIFY NONE",
        ):
            self.assertNotEqual(client.command(command).status, "OK", command)
