"""Settings: precedence, every kind of value, and the sentences for mistakes."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.config import ConfigError, Settings, load
from cybertemp_imap.config_values import Address

DSN = "postgresql://admin:s3cret@localhost:5432/cybertemp"

SWITCHED_OFF = {"USE_SUPABASE_AUTH": "no", "USE_SUPABASE_BANS": "false", "USE_SUPABASE_DOMAINS": "FALSE"}


def switches(settings: Settings) -> tuple[bool, bool, bool]:
    """Return whether accounts, bans and domains are in Supabase."""
    return settings.use_supabase_auth, settings.use_supabase_bans, settings.use_supabase_domains


class ConfigTestCase(SynchronousTestCase):
    """Each test has an empty folder to be in."""

    def setUp(self) -> None:
        here = os.getcwd()
        folder = self.mktemp()
        os.mkdir(folder)
        os.chdir(folder)
        self.addCleanup(os.chdir, here)

    def write(self, text: str, name: str = ".env") -> None:
        """Make a settings file."""
        Path(name).write_text(text, encoding="utf-8")

    def mistake(self, environ: Mapping[str, str], options: Mapping[str, Any] | None = None) -> str:
        """Return the sentence with which these settings are refused."""
        return str(self.assertRaises(ConfigError, load, options or {}, {"DATABASE_URL": DSN, **environ}))


class PrecedenceTests(ConfigTestCase):
    """Command line over environment over file."""

    def test_file_alone(self) -> None:
        """The file of the program being replaced works unchanged, with its comments."""
        self.write(
            "# PostgreSQL Database (REQUIRED)\n"
            f"DATABASE_URL={DSN}\n\n"
            "USE_SUPABASE_BANS=false\nUSE_SUPABASE_DOMAINS=false\n"
            "# IMAP Server Settings (OPTIONAL)\n"
            "IMAP_BIND=0.0.0.0:143 # Default: 0.0.0.0:143\n"
        )
        settings = load({}, {})
        self.assertEqual(settings.database_url, DSN)
        self.assertEqual(settings.bind, Address("0.0.0.0", 143))

    def test_environment_over_file(self) -> None:
        """A variable of the environment overrides the file's."""
        self.write(f"DATABASE_URL={DSN}\nIMAP_BIND=127.0.0.1:1\n")
        self.assertEqual(load({}, {"IMAP_BIND": "127.0.0.1:2"}).bind, Address("127.0.0.1", 2))

    def test_command_line_over_environment(self) -> None:
        """An option overrides the environment."""
        settings = load({"bind": "127.0.0.1:3"}, {"IMAP_BIND": "127.0.0.1:2", "DATABASE_URL": DSN})
        self.assertEqual(settings.bind, Address("127.0.0.1", 3))

    def test_overridden_mistake(self) -> None:
        """A malformed value that is overridden does no harm."""
        self.assertEqual(load({"bind": "[::1]:3"}, {"IMAP_BIND": "x", "DATABASE_URL": DSN}).bind, Address("::1", 3))

    def test_empty_is_not_set(self) -> None:
        """A variable set to nothing is not set, and hides the file's."""
        self.write("IMAP_BIND=127.0.0.1:1\nSUPABASE_URL=\n")
        self.assertEqual(load({}, {"IMAP_BIND": "", "DATABASE_URL": DSN}).bind, Address("0.0.0.0", 143))

    def test_environment_untouched(self) -> None:
        """Reading a file changes no environment."""
        self.write(f"DATABASE_URL={DSN}\n")
        environ: dict[str, str] = {}
        load({}, environ)
        self.assertEqual(environ, {})
        self.assertNotIn("DATABASE_URL", os.environ)

    def test_named_file(self) -> None:
        """--env-file is read instead of .env."""
        self.write("IMAP_BIND=127.0.0.1:1\n")
        self.write(f"DATABASE_URL={DSN}\n", "other.env")
        self.assertEqual(load({}, {}, "other.env").bind, Address("0.0.0.0", 143))


class ValueTests(ConfigTestCase):
    """What values become."""

    def test_defaults(self) -> None:
        """Without any setting, a Settings has the documented defaults."""
        settings = Settings()
        self.assertEqual(settings.endpoints, ("tcp:143:interface=0.0.0.0",))
        self.assertEqual((settings.login_line_limit, settings.line_limit), (8192, 65536))
        self.assertEqual((settings.login_timeout, settings.idle_timeout), (60, 1800))

    def test_demo_binds_to_this_machine(self) -> None:
        """With --demo the default address is 127.0.0.1:1143; IMAP_BIND changes it."""
        options = {"embedded": 1, "demo": 1}
        self.assertEqual(load(options, {}).bind, Address("127.0.0.1", 1143))
        self.assertEqual(load(options, {"IMAP_BIND": "127.0.0.1:7"}).bind, Address("127.0.0.1", 7))

    def test_listen(self) -> None:
        """Endpoint strings stand besides an address that was given, and instead of the default one."""
        listen = {"listen": ["tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1"]}
        self.assertEqual(load(listen, {"DATABASE_URL": DSN}).endpoints, tuple(listen["listen"]))
        both = load(listen, {"DATABASE_URL": DSN, "IMAP_BIND": "[::1]:3"})
        self.assertEqual(both.endpoints, ("tcp:3:interface=\\:\\:1", *listen["listen"]))
        variable = load({}, {"DATABASE_URL": DSN, "IMAP_LISTEN": "tcp:1 tcp:2"})
        self.assertEqual(variable.endpoints, ("tcp:1", "tcp:2"))

    def test_addresses(self) -> None:
        """Addresses are IPv4, IPv6 in brackets, or localhost."""
        for value, endpoint in [
            ("127.0.0.1:0", "tcp:0:interface=127.0.0.1"),
            ("[::]:143", "tcp:143:interface=\\:\\:"),
            ("localhost:1143", "tcp:1143:interface=127.0.0.1"),
        ]:
            self.assertEqual(load({}, {"DATABASE_URL": DSN, "IMAP_BIND": value}).endpoints, (endpoint,))

    def test_supabase_off(self) -> None:
        """With all switches off, SUPABASE_URL and the key are of no consequence."""
        environ = {"SUPABASE_URL": "https://p.supabase.co", "SUPABASE_KEY": "k", "DATABASE_URL": DSN}
        settings = load({}, {**environ, **SWITCHED_OFF})
        self.assertEqual((settings.use_supabase_bans, settings.supabase_key), (False, "k"))

    def test_option_over_database_url(self) -> None:
        """--embedded on the command line overrides a DATABASE_URL of the environment."""
        self.assertIsNone(load({"embedded": 1}, {"DATABASE_URL": DSN}).database_url)

    def test_secrets_not_shown(self) -> None:
        """Neither connection string nor key is in the repr."""
        shown = repr(Settings(database_url=DSN, supabase_key="k3y"))
        self.assertNotIn("s3cret", shown)
        self.assertNotIn("k3y", shown)

    def test_every_variable_in_readme(self) -> None:
        """The README's table names every variable once, with its default."""
        table = (Path(__file__).parents[1] / "README.rst").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^   \* - ``([A-Z_]+)``.*\n     - (.*)$", table, re.M))
        for setting in dataclasses.fields(Settings):
            name = setting.metadata["variables"][0]
            self.assertIn(name, rows)
            if isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool):
                self.assertEqual(float(rows[name].replace(",", "")), setting.default, name)
        self.assertEqual(len(rows), len(dataclasses.fields(Settings)))


class HttpTests(ConfigTestCase):
    """Where HTTP is served."""

    def test_forms(self) -> None:
        """A port, an address with a port, or an endpoint string: this machine's alone, unless an interface is named."""
        for given, endpoint in [
            ("9143", "tcp:9143:interface=127.0.0.1"),
            ("10.0.0.5:9143", "tcp:9143:interface=10.0.0.5"),
            ("[::]:9143", "tcp:9143:interface=\\:\\:"),
            ("localhost:9143", "tcp:9143:interface=127.0.0.1"),
            ("tcp:9143", "tcp:9143:interface=127.0.0.1"),
            ("tcp:9143:interface=0.0.0.0", "tcp:9143:interface=0.0.0.0"),
            ("unix:/run/metrics", "unix:/run/metrics"),
        ]:
            self.assertEqual(load({"http": given}, {"DATABASE_URL": DSN}).http, endpoint)
        self.assertIsNone(load({}, {"DATABASE_URL": DSN}).http)

    def test_public(self) -> None:
        """What is for everybody is on every interface; its host is told in ASCII."""
        given = {"IMAP_PUBLIC_HTTP": "8080", "IMAP_PUBLIC_HOST": "Imap.BÜCHER.example."}
        settings = load({}, {"DATABASE_URL": DSN, **given})
        self.assertEqual(settings.public_http, "tcp:8080")
        self.assertEqual(settings.public_host, "imap.xn--bcher-kva.example")
        self.assertEqual((settings.public_tls_port, settings.public_starttls_port), (993, 0))

    def test_public_mistakes(self) -> None:
        """Without anything to tell there is nothing to serve."""
        given = {"IMAP_PUBLIC_HTTP": "8080"}
        self.assertEqual(
            self.mistake(given),
            "IMAP_PUBLIC_HTTP from the environment is set, and IMAP_PUBLIC_HOST is not: "
            "mail clients must be told a server's name.",
        )
        given["IMAP_PUBLIC_HOST"] = "imap.example.com"
        self.assertIn("must be told a port.", self.mistake({**given, "IMAP_PUBLIC_TLS_PORT": "0"}))
        for host in ("a b", "-a.example", "<b>.example", "a" * 64 + ".example", "imap..example", "x/y"):
            self.assertIn("is not a host name.", self.mistake({**given, "IMAP_PUBLIC_HOST": host}))
        self.assertIn("is not a name of at most 60", self.mistake({**given, "IMAP_PUBLIC_NAME": "a" * 61}))

    def test_mistakes(self) -> None:
        """What is none of these is refused."""
        for value in ("metrics", "70000", "example.com:9143", ":"):
            self.assertIn("IMAP_HTTP from the environment: ", self.mistake({"IMAP_HTTP": value}))


class MistakeTests(ConfigTestCase):
    """Every mistake is one sentence that names the setting and its source."""

    def test_malformed(self) -> None:
        """A value that is not of its setting's form is refused."""
        for environ, sentence in [
            ({"IMAP_BIND": "abc"}, 'IMAP_BIND from the environment: "abc" is not address:port.'),
            ({"IMAP_BIND": "1.2.3.4:70000"}, 'IMAP_BIND from the environment: "1.2.3.4:70000" is not address:port.'),
            ({"IMAP_BIND": "::1:143"}, 'IMAP_BIND from the environment: "::1:143" is not address:port.'),
            ({"USE_SUPABASE_BANS": "si"}, 'USE_SUPABASE_BANS from the environment: "si" is not true or false.'),
            ({"IMAP_ALLOW_PLAINTEXT": "no"}, 'IMAP_ALLOW_PLAINTEXT from the environment: "no" is not auto or yes.'),
            (
                {"IMAP_POOL_SIZE": "0"},
                'IMAP_POOL_SIZE from the environment: "0" is not a whole number from 1 to 1000.',
            ),
            (
                {"IMAP_MESSAGE_CACHE": "512MB"},
                'IMAP_MESSAGE_CACHE from the environment: "512MB" is not a whole number from 0 to 1099511627776.',
            ),
            (
                {"IMAP_LOGIN_TIMEOUT": "nan"},
                'IMAP_LOGIN_TIMEOUT from the environment: "nan" is not a number of seconds from 1 to 86400.',
            ),
        ]:
            self.assertEqual(self.mistake(environ), sentence)

    def test_source(self) -> None:
        """The sentence tells file and option from the environment."""
        self.write("IMAP_BIND=abc\n")
        self.assertEqual(self.mistake({}), 'IMAP_BIND from .env: "abc" is not address:port.')
        self.assertEqual(self.mistake({}, {"bind": "x"}), '--bind: "x" is not address:port.')

    def test_secret_not_told(self) -> None:
        """A malformed connection string is not repeated."""
        self.assertEqual(
            self.mistake({"DATABASE_URL": "postgres//admin:s3cret@host"}),
            "DATABASE_URL from the environment: is not a PostgreSQL connection string.",
        )

    def test_missing_database(self) -> None:
        """DATABASE_URL is required without --embedded."""
        error = self.assertRaises(ConfigError, load, {}, {})
        self.assertIn("DATABASE_URL is not set", str(error))

    def test_contradictions(self) -> None:
        """Two databases from one source, and a demo in somebody's database, are refused."""
        self.assertEqual(
            self.mistake({"IMAP_EMBEDDED": "true"}),
            "IMAP_EMBEDDED from the environment and DATABASE_URL from the environment contradict each other: "
            "remove one.",
        )
        self.write(f"IMAP_LISTEN_DATABASE_URL={DSN}\n")
        self.assertIsNone(load({"embedded": 1}, {}).listen_database_url)
        self.assertEqual(load({}, {"DATABASE_URL": "dbname=pooled"}).listen_database_url, DSN)
        self.assertEqual(self.mistake({}, {"demo": 1}), "--demo needs the embedded PostgreSQL: add --embedded.")

    def test_supabase(self) -> None:
        """What is used and lacks the URL or the key names what is missing, whether that was asked for or follows."""
        url = {"SUPABASE_URL": "https://p.supabase.co"}
        yes = {"USE_SUPABASE_DOMAINS": "true"}
        where = "USE_SUPABASE_DOMAINS from the environment is true"
        self.assertEqual(self.mistake(yes), f"{where}, and SUPABASE_URL is not set.")
        self.assertEqual(self.mistake({**yes, **url}), f"{where}, and SUPABASE_SERVICE_KEY is not set.")
        self.assertEqual(self.mistake(url), "SUPABASE_URL is set, and SUPABASE_SERVICE_KEY is not set.")
        self.assertEqual(
            self.mistake({}, {"use-supabase-auth": "true"}), "--use-supabase-auth is true, and SUPABASE_URL is not set."
        )

    def test_supabase_project(self) -> None:
        """A URL that is none or would send the key in the clear is refused, and so is a key no header can hold."""
        where = "SUPABASE_URL from the environment"
        for value in (
            "p.supabase.co",
            "ftp://p.supabase.co",
            "https://",
            "https://p.co?x=1",
            "https://u:p@p.co",
            "https://[",
            "https://p.co:x",
            "https://p .co",
            "https://p.co#x",
            "https://p\u00e9.co",
        ):
            self.assertEqual(self.mistake({"SUPABASE_URL": value}), f'{where}: "{value}" is not an https:// URL.')
        for value in ("http://p.supabase.co", "http://10.0.0.1", "http://localhost.example"):
            sentence = f'{where}: "{value}" is not an https:// URL, and http:// is for this machine only.'
            self.assertEqual(self.mistake({"SUPABASE_URL": value}), sentence)
        for key in ("a b", "a\r\nX: y", "k\u00e9y"):
            told = self.mistake({"SUPABASE_URL": "https://p.co", "SUPABASE_SERVICE_KEY": key})
            self.assertEqual(told, "SUPABASE_SERVICE_KEY from the environment: is not a service key.")

    def test_supabase_on(self) -> None:
        """With URL and key, all three are in Supabase unless a switch says otherwise; the key has two names."""
        environ = {"DATABASE_URL": DSN, "SUPABASE_URL": "https://p.supabase.co/", "SUPABASE_KEY": "old"}
        settings = load({}, environ)
        self.assertEqual(settings.supabase_url, "https://p.supabase.co")
        self.assertEqual(switches(settings), (True, True, True))
        changed = load(
            {"use-supabase-bans": "false"}, {**environ, "USE_SUPABASE_AUTH": "no", "SUPABASE_SERVICE_KEY": "new"}
        )
        self.assertEqual((*switches(changed), changed.supabase_key), (False, False, True, "new"))
        for url in ("http://127.0.0.1:54321", "http://localhost:8000/base", "http://[::1]:1"):
            self.assertEqual(load({}, {**environ, "SUPABASE_URL": url}).supabase_url, url)

    def test_files(self) -> None:
        """A file that is missing or unreadable is told with its name, and the line."""
        error = self.assertRaises(ConfigError, load, {}, {}, "none.env")
        self.assertEqual(str(error), "--env-file: there is no file none.env.")
        self.write("A=1\nthis is = 'not\n")
        self.assertEqual(self.mistake({}), "Line 2 of .env is not of the form NAME=value.")
        Path(".env").write_bytes(b"A=\xff\n")
        self.assertEqual(self.mistake({}), "The file .env cannot be read: it is not UTF-8.")
