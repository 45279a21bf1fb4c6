"""``cybertemp-imap-admin status`` and ``doctor``: a fault of each kind, and what is said about it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from cybertemp_imap.admin import checks_notifications, statements
from cybertemp_imap.store.connection import LISTENS
from cybertemp_imap.store.statements import LISTEN, TAKES_CHANGES
from test.admin_case import USER, AdminTestCase
from test.certificates import make_certificate
from test.server_process import ServerProcess


class DoctorCase(AdminTestCase):
    """A doctor who is asked for JSON."""

    def setUp(self) -> None:
        super().setUp()
        self.environ["IMAP_BIND"] = f"127.0.0.1:{free_port()}"

    def examine(self, *options: str, given: str | None = None) -> dict[str, Any]:
        """Return the findings by the beginning of their names: (state, text and remedy)."""
        result = self.run_admin("doctor", "--json", *options, given=given)
        found = {row["check"]: (row["state"], f"{row['told']} {row['remedy']}") for row in json.loads(result.stdout)}
        faults = any(state == "fault" for state, _ in found.values())
        self.assertEqual(result.exit_code, int(faults), result.output)
        return found


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


class FaultTests(DoctorCase):
    """Each fault is told with what to do."""

    def finding(self, check: str, *options: str, given: str | None = None) -> tuple[str, str]:
        """Return what is found of one check."""
        found = self.examine(*options, given=given)
        name = next((each for each in found if each.startswith(check)), check)
        self.assertIn(name, found)
        state, told = found[name]
        return state, told

    def test_database(self) -> None:
        """What is right is told as well; no server runs, which is a fault."""
        found = self.examine()
        for check in ("settings", "database", "schema", "privileges", "triggers", "notifications", "clock"):
            self.assertEqual(found[check][0], "ok", found[check])
        state, told = found[f"port {self.environ['IMAP_BIND']}"]
        self.assertEqual(state, "fault")
        self.assertIn("start it with", told)

    def test_no_connection(self) -> None:
        """A database that does not answer; nothing else about it is asked."""
        self.environ["DATABASE_URL"] = "host=127.0.0.1 port=9 dbname=d"
        found = self.examine("--account", USER)
        self.assertIn("start PostgreSQL", found["database"][1])
        self.assertNotIn("schema", found)

    def test_settings(self) -> None:
        """A setting that is wrong is the one finding."""
        self.environ["IMAP_POOL_SIZE"] = "many"
        self.assertEqual(list(self.examine()), ["settings"])

    def test_schema(self) -> None:
        """A schema that is older."""
        self.query("DELETE FROM imap.schema_version WHERE version > 5")
        self.assertIn("run `cybertemp-imap-admin migrate`", self.finding("schema")[1])

    def test_triggers_off(self) -> None:
        """Triggers that a restore has left off."""
        self.query("ALTER TABLE emails DISABLE TRIGGER imap_emails_inserted")
        self.assertIn("imap_emails_inserted", self.finding("triggers")[1])

    def test_no_notifications(self) -> None:
        """A pooler through which nothing is heard."""
        self.patch(statements, "NOTIFY", "SELECT 1")
        self.patch(checks_notifications, "ROUND_TRIP_SECONDS", 0.01)
        self.assertIn("pooler in session mode", self.finding("notifications")[1])

    def test_port_in_use(self) -> None:
        """A port on which another program listens."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            self.environ["IMAP_BIND"] = f"127.0.0.1:{other.getsockname()[1]}"

            def answer() -> None:
                connection, _ = other.accept()
                connection.sendall(b"220 mail.example ESMTP\r\n")
                connection.close()

            thread = threading.Thread(target=answer)
            thread.start()
            self.assertIn("port is in use", self.finding("port")[1])
            thread.join()

    def test_certificate(self) -> None:
        """A certificate that is not for the name that clients use, or is not there."""
        self.assertIn("no certificate is set", self.finding("certificate")[1])
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        cert, key = make_certificate(folder)
        self.environ |= {"IMAP_TLS_CERT": str(cert), "IMAP_TLS_KEY": str(key)}
        self.assertIn("not for mail.example.org", self.finding("certificate", "--name", "mail.example.org")[1])
        Path(key).unlink()
        self.assertIn("cannot be read", self.finding("certificate")[1])

    def test_supabase(self) -> None:
        """A project that cannot be reached."""
        self.environ |= {"SUPABASE_URL": f"http://127.0.0.1:{free_port()}", "SUPABASE_SERVICE_KEY": "k3y"}
        state, told = self.finding("Supabase")
        self.assertEqual(state, "fault")
        self.assertIn("correct SUPABASE_URL", told)
        self.assertNotIn("k3y", told)


class AccountTests(DoctorCase):
    """What stands between an account and its mail."""

    def about(self, check: str, given: str | None = None) -> str:
        """Return what is told of one check of the account."""
        options = ("--token-stdin",) if given is not None else ()
        found = self.examine("--account", USER, *options, given=given)
        self.assertIn(check, found)
        return " ".join(found[check])

    def test_no_account(self) -> None:
        """An account that is not there."""
        self.assertIn("There is no account", self.about("account"))

    def test_no_mailboxes_and_no_mail(self) -> None:
        """An account without addresses, then without mail, then with hidden mail alone."""
        self.done("account", "add", USER)
        self.assertIn("address add", self.about("mailboxes"))
        self.done("domain", "add", "example.com", "--open")
        self.done("address", "add", "box@example.com", "--account", USER)
        self.assertIn("MX records", self.about("mail"))
        self.query(
            "INSERT INTO emails (id, mailbox_owner, mailbox, from_addr) "
            "VALUES (gen_random_uuid(), 'box@example.com', 'INBOX', 'a@spam.example')"
        )
        self.assertIn("ok 1 messages", self.about("mail"))
        self.done("ban", "add", "sender", "spam.example", "--contains")
        self.assertIn("ban test", self.about("mail"))

    def test_domain_and_ban(self) -> None:
        """An address whose domain is not found, or that is banned."""
        self.prepare()
        self.query("DELETE FROM domains")
        self.assertIn("domain is not found", self.about("address box@example.com"))
        self.done("domain", "add", "example.com", "--open")
        self.done("ban", "add", "email", "box@example.com")
        self.assertIn("banned", self.about("address box@example.com"))

    def test_token(self) -> None:
        """A token that is unknown, expired, or of no use without a subscription; none is ever printed."""
        self.prepare()
        token = self.done("token", "issue", "--account", USER).strip()
        self.assertIn("lets its holder in", self.about("token", token))
        unknown = self.about("token", "s3cret")
        self.assertIn("not accepted", unknown)
        self.assertNotIn("s3cret", unknown)
        self.done("account", "suspend", USER)
        self.assertIn("account resume", self.about("subscription", token))
        self.query("UPDATE imap_tokens SET expires_at = now()")
        self.assertIn("has expired", self.about("token", token))


class RunningTests(DoctorCase):
    """With a server that runs, and the program as it is installed."""

    def test_all_is_well(self) -> None:
        """From an empty database to a login: nothing is wrong."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        server = ServerProcess(folder, self.dsn)
        server.start()
        self.addCleanup(server.end, signal.SIGTERM)
        self.environ["IMAP_BIND"] = f"127.0.0.1:{server.port}"
        self.prepare()
        token = self.done("token", "issue", "--account", USER)
        found = self.examine("--account", USER, "--token-stdin", given=token)
        self.assertEqual([each for each, (state, _) in found.items() if state == "fault"], [])
        self.assertIn("worked", found["login"][1])
        told = self.facts("status")
        self.assertTrue(told["ports"][self.environ["IMAP_BIND"]].startswith("* OK"))
        # Whatever the connection that listens was last asked for.
        self.assertEqual((told["accounts"], told["addresses"], told["listening_processes"]), (1, 1, 1))
        self.assertTrue(all(each.startswith(LISTENS) for each in (LISTEN, TAKES_CHANGES)))

    def test_status_without_a_server(self) -> None:
        """Its status is 1 where nobody answers."""
        result = self.run_admin("status", "--json")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("no answer", json.loads(result.stdout)["ports"][self.environ["IMAP_BIND"]])

    def test_console_script(self) -> None:
        """The program runs as a process: what it prints, and its status."""

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            code = "import sys; from cybertemp_imap.admin import main; sys.exit(main())"
            environ = {"DATABASE_URL": self.dsn, "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
            command = [sys.executable, "-c", code, *arguments]
            return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

        self.assertEqual(run("account", "add", USER).returncode, 0)
        again = run("account", "add", USER)
        self.assertEqual((again.returncode, again.stdout, again.stderr.count("\n")), (1, "", 1))
        self.assertEqual(run("account", "nonsense").returncode, 2)
        self.assertEqual(json.loads(run("account", "list", "--json").stdout)[0]["email"], USER)
