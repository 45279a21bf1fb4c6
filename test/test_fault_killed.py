"""PostgreSQL killed or restarted in the midst of commands."""

from __future__ import annotations

import psycopg2

from test.clients.case import in_thread
from test.fault_case import FaultTestCase
from test.replaying import Session

MANY = 40
BIG = 400_000


class KilledTests(FaultTestCase):
    """All of its processes end at once."""

    @in_thread
    def test_fetch(self) -> None:
        """A FETCH that has sent a part ends with BYE; what is there afterwards is all that was."""
        session = self.big_mailbox()
        tag = session.begin("FETCH 1:* BODY.PEEK[]")
        session.heard(session.read())
        self.postgres.kill()
        self.assertIn("The mail store cannot be reached", self.hung_up(session, tag))
        self.postgres.start_again()
        self.assertEqual(len(self.eventually(self.session(), "UID FETCH 1:* FLAGS").responses), MANY)

    def big_mailbox(self) -> Session:
        """Return a session in a mailbox that no connection holds in its buffers."""
        session = self.session()
        message = "Subject: big\r\n\r\n" + "x" * BIG
        for _ in range(MANY):
            session.ok(f"APPEND Drafts {{{len(message)}+}}\r\n{message}")
        session.poll()
        return session

    @in_thread
    def test_store(self) -> None:
        """A STORE under way is NO; nothing of it was done, and the same works when the database is back."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        # It waits for whoever holds the row, so it is in the midst of its work for certain.
        holder = psycopg2.connect(self.direct)
        holder.cursor().execute("SELECT * FROM emails FOR UPDATE")
        tag = session.begin("STORE 1 +FLAGS (kept)")
        self.wait_for_lock()
        self.postgres.kill()
        holder.close()
        self.unavailable(session.answer(tag))
        self.postgres.start_again()
        self.assertNotIn("kept", self.flags())
        self.eventually(session, "STORE 1 +FLAGS (kept)")
        self.assertIn("kept", self.flags())

    def flags(self) -> list[str]:
        """Return the flags that the database has of the message."""
        connection = psycopg2.connect(self.direct)
        with connection.cursor() as cursor:
            cursor.execute("SELECT flags FROM emails WHERE subject = 'one'")
            ((flags,),) = cursor.fetchall()
        connection.close()
        return list(flags or ())

    def wait_for_lock(self) -> None:
        """Wait until somebody waits for a lock."""
        while not self.postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            pass

    @in_thread
    def test_append(self) -> None:
        """An APPEND whose message is on its way is NO, nothing is left of it, and it works when repeated."""
        session = self.session()
        message = "Subject: two\r\n\r\n" + "x" * 1_000_000
        tag = b"big"
        session.send(b"big APPEND Drafts {%d+}\r\n" % len(message) + message[:600_000].encode())
        self.postgres.kill()
        session.send(message[600_000:].encode() + b"\r\n")
        self.unavailable(session.answer(tag))
        self.postgres.start_again()
        self.eventually(session, "NOOP")
        self.assertEqual(self.append(session, "two").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["two"])

    @in_thread
    def test_pieces(self) -> None:
        """An APPEND whose first pieces a crash of the database took is NO, to be tried again; nothing of it is left."""
        session = self.session()
        message = "Subject: two\r\n\r\n" + "x" * 1_000_000
        session.send(b"big APPEND Drafts {%d+}\r\n" % len(message) + message[:600_000].encode())
        while not self.pieces():
            pass
        self.postgres.kill()
        self.postgres.start_again()
        session.send(message[600_000:].encode() + b"\r\n")
        self.unavailable(session.answer(b"big"))
        self.assertEqual(self.append(session, "two").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["two"])

    def pieces(self) -> int:
        """Return how many pieces of messages are in the database."""
        connection = psycopg2.connect(self.direct)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM imap.upload")
            ((count,),) = cursor.fetchall()
        connection.close()
        return int(count)

    @in_thread
    def test_crash(self) -> None:
        """PostgreSQL ends all connections and recovers by itself when one of its processes has crashed."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        self.postgres.crash()
        self.eventually(session, "STORE 1 +FLAGS (kept)")
        self.assertEqual(self.append(session, "two").status, "OK")
        session.poll()
        self.assertEqual([sorted(flags) for _, flags in session.contents.values()], [["kept"], []])
        self.assertEqual(self.subjects("Drafts"), ["one", "two"])

    @in_thread
    def test_idle(self) -> None:
        """A session that idles goes on to, and hears of mail when the database is back."""
        session = self.session("INBOX")
        before = len(session.messages)
        session.idle()
        self.postgres.kill()
        self.postgres.start_again()
        self.deliver_here("new")
        while len(session.messages) == before:
            session.hear()
        session.done()

    @in_thread
    def test_login(self) -> None:
        """While it is away a login is NO, which is no failed login; then it works, in the same connection."""
        session = self.session()
        self.postgres.kill()
        self.unavailable(session.command('LIST "" *'))
        with self.assertRaises(AssertionError) as refused:
            Session(self.port, self.user, self.token)
        self.assertIn("[UNAVAILABLE]", str(refused.exception))
        self.postgres.start_again()
        self.eventually(session, 'LIST "" *')
        self.assertEqual(self.subjects("Drafts"), [])


class RestartedTests(FaultTestCase):
    """It is stopped in good order and started again."""

    options = {"acquire_timeout": 60.0}  # noqa: RUF012 - read only

    @in_thread
    def test_nobody_notices(self) -> None:
        """Commands that come meanwhile wait, and every one of them is OK."""
        session = self.session()
        self.append(session, "before")
        session.poll()
        self.postgres.stop()
        tags = [session.begin(text) for text in ("NOOP", "STORE 1 +FLAGS (kept)", "FETCH 1 BODY.PEEK[]")]
        self.postgres.start_again()
        for tag in tags:
            self.assertEqual(session.answer(tag).status, "OK")
        self.assertEqual(self.append(session, "after").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["before", "after"])
