"""Settings: what there is to set, where values come from, and what is refused.

A value given on the command line overrides the environment, which overrides the ``.env`` file. A variable that is set
to nothing counts as not set. Every mistake is one sentence that names the setting and where it came from; values of
secret settings are in no sentence and in no ``repr``.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from cybertemp_imap import config_values as forms
from cybertemp_imap.config_values import Address
from cybertemp_imap.mime.parse import MAX_LEVELS, MAX_PARTS
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.protocol.tokens import MAX_DEPTH
from cybertemp_imap.supabase.project import project_url, service_key

#: Read where it exists, unless another file is named.
ENV_FILE = ".env"

_PUBLIC_BIND = "0.0.0.0:143"
_DEMO_BIND = "127.0.0.1:1143"


class ConfigError(OperatorError):
    """A setting is missing, malformed or contradictory; the text is one sentence that names it and its source."""


def _setting(
    variables: str, parse: Callable[[str], Any], default: Any = None, *, option: str = "", secret: bool = False
) -> Any:
    """Describe one setting: its variables, the first of which has its name, and its command-line option."""
    metadata = {"variables": variables.split(), "parse": parse, "option": option, "secret": secret}
    return field(default=default, repr=not secret, metadata=metadata)


_MEBIBYTE = 1 << 20
_LEVELS = ("debug", "info", "warn", "error")
_DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; sizes are octets, times are seconds."""

    #: PostgreSQL connection string; None when the embedded PostgreSQL is used.
    database_url: str | None = _setting("DATABASE_URL", forms.connection_string, secret=True)
    #: The same for the connection that listens for changes, where that one leads to a pooler in transaction mode.
    listen_database_url: str | None = _setting("IMAP_LISTEN_DATABASE_URL", forms.connection_string, secret=True)
    #: That of a replica, from which messages are read where it has what sessions were told, and by sessions that change
    #: nothing all else as well.
    replica_url: str | None = _setting("IMAP_REPLICA_URL", forms.connection_string, secret=True)
    supabase_url: str | None = _setting("SUPABASE_URL", project_url, option="supabase-url")
    supabase_key: str | None = _setting("SUPABASE_SERVICE_KEY SUPABASE_KEY", service_key, secret=True)
    use_supabase_auth: bool = _setting("USE_SUPABASE_AUTH", forms.boolean, False, option="use-supabase-auth")
    use_supabase_bans: bool = _setting("USE_SUPABASE_BANS", forms.boolean, False, option="use-supabase-bans")
    use_supabase_domains: bool = _setting("USE_SUPABASE_DOMAINS", forms.boolean, False, option="use-supabase-domains")
    #: The longest a look-up in Supabase may take, repeats included.
    supabase_timeout: float = _setting("SUPABASE_TIMEOUT", forms.seconds(0.1, 60), 10.0)
    #: Within what time a change of bans in Supabase is in force.
    supabase_ban_cache: float = _setting("SUPABASE_BAN_CACHE", forms.seconds(1, 3600), 10.0)

    #: Where to listen; None when only ``listen`` says so.
    bind: Address | None = _setting("IMAP_BIND", forms.address, forms.address(_PUBLIC_BIND), option="bind")
    #: Twisted endpoint strings to listen on besides.
    listen: tuple[str, ...] = _setting("IMAP_LISTEN", forms.endpoints, (), option="listen")
    #: Where TLS begins with the first octet, and what it uses; with a certificate, STARTTLS is offered elsewhere.
    tls_bind: Address | None = _setting("IMAP_TLS_BIND", forms.address)
    tls_cert: Path | None = _setting("IMAP_TLS_CERT", forms.path)
    tls_key: Path | None = _setting("IMAP_TLS_KEY", forms.path)
    #: True: logging in is allowed on any connection. False: only with TLS, or from this machine.
    allow_plaintext: bool = _setting("IMAP_ALLOW_PLAINTEXT", forms.plaintext, False)

    #: Where the operator's programs ask for metrics and health, and where mail clients for their settings.
    http: str | None = _setting("IMAP_HTTP", forms.loopback_endpoint, option="http")
    public_http: str | None = _setting("IMAP_PUBLIC_HTTP", forms.public_endpoint, option="public-http")
    #: What mail clients are told: the name of this server, its ports (0: none), and what the service is called.
    public_host: str | None = _setting("IMAP_PUBLIC_HOST", forms.host_name)
    public_tls_port: int = _setting("IMAP_PUBLIC_TLS_PORT", forms.whole(0, 65535), 993)
    public_starttls_port: int = _setting("IMAP_PUBLIC_STARTTLS_PORT", forms.whole(0, 65535), 0)
    public_name: str | None = _setting("IMAP_PUBLIC_NAME", forms.title)
    #: Twisted endpoint strings where mail is taken, and by what name.
    lmtp: tuple[str, ...] = _setting("IMAP_LMTP", forms.endpoints, (), option="lmtp")
    smtp: tuple[str, ...] = _setting("IMAP_SMTP", forms.endpoints, (), option="smtp")
    mail_host: str | None = _setting("IMAP_MAIL_HOST", forms.host_name)
    #: What senders may use: see MailLimits.
    mail_size: int = _setting("IMAP_MAIL_SIZE", forms.whole(65536, 1024 * _MEBIBYTE), 25 * _MEBIBYTE)
    mail_recipients: int = _setting("IMAP_MAIL_RECIPIENTS", forms.whole(1, 1000), 100)
    mail_line_limit: int = _setting("IMAP_MAIL_LINE_LIMIT", forms.whole(1024, 65536), 4096)
    mail_connections: int = _setting("IMAP_MAIL_CONNECTIONS", forms.whole(1, 10_000), 200)
    mail_ip_connections: int = _setting("IMAP_MAIL_IP_CONNECTIONS", forms.whole(1, 10_000), 50)
    mail_timeout: float = _setting("IMAP_MAIL_TIMEOUT", forms.seconds(1, 3600), 300.0)
    mail_data_timeout: float = _setting("IMAP_MAIL_DATA_TIMEOUT", forms.seconds(1, _DAY), 1800.0)

    embedded: bool = _setting("IMAP_EMBEDDED", forms.boolean, False, option="embedded")
    demo: bool = _setting("IMAP_DEMO", forms.boolean, False, option="demo")
    data_dir: Path = _setting("IMAP_DATA_DIR", forms.path, Path(".data"), option="data-dir")
    postgres_bin: Path | None = _setting("IMAP_POSTGRES_BIN", forms.path)

    #: Processes that serve; None for one a core, or one over the embedded PostgreSQL.
    workers: int | None = _setting("IMAP_WORKERS", forms.workers, option="workers")
    pool_size: int = _setting("IMAP_POOL_SIZE", forms.whole(1, 1000), 10)
    statement_timeout: float = _setting("IMAP_STATEMENT_TIMEOUT", forms.seconds(1, 3600), 30.0)
    #: How long a command waits for a connection to PostgreSQL, also while there is none.
    database_wait: float = _setting("IMAP_DATABASE_WAIT", forms.seconds(0.1, 600), 10.0)
    #: How often open mailboxes look for changes, should a notification be lost.
    poll_interval: float = _setting("IMAP_POLL_INTERVAL", forms.seconds(1, 3600), 60.0)

    #: How much of a file one process uses for the texts of messages that were searched; 0: they are not kept.
    search_cache: int = _setting("IMAP_SEARCH_CACHE", forms.whole(0, 1024 * 1024 * _MEBIBYTE), 1024 * _MEBIBYTE)
    #: Messages that were read, kept ready in a file without a name; 0 for none.
    message_cache: int = _setting("IMAP_MESSAGE_CACHE", forms.whole(0, 1 << 40), 512 * _MEBIBYTE)

    #: The age at which mail is deleted; None for never.
    retention: float | None = _setting("IMAP_RETENTION", forms.age)

    #: How often it is looked whether open sessions still have a right to be.
    rights_interval: float = _setting("IMAP_RIGHTS_INTERVAL", forms.seconds(1, 3600), 30.0)

    #: A command line, without its literals, before and after login.
    login_line_limit: int = _setting("IMAP_LOGIN_LINE_LIMIT", forms.whole(1024, _MEBIBYTE), 8 * 1024)
    line_limit: int = _setting("IMAP_LINE_LIMIT", forms.whole(8192, 16 * _MEBIBYTE), 64 * 1024)
    #: One literal, before and after login.
    login_literal_limit: int = _setting("IMAP_LOGIN_LITERAL_LIMIT", forms.whole(1024, _MEBIBYTE), 4 * 1024)
    literal_limit: int = _setting("IMAP_LITERAL_LIMIT", forms.whole(4096, 16 * _MEBIBYTE), 64 * 1024)
    #: All literals of one command together.
    command_limit: int = _setting("IMAP_COMMAND_LIMIT", forms.whole(65536, 64 * _MEBIBYTE), _MEBIBYTE)

    #: One message that a client appends.
    append_limit: int = _setting("IMAP_APPEND_LIMIT", forms.whole(65536, 1024 * _MEBIBYTE), 25 * _MEBIBYTE)

    #: How deep parentheses, OR and NOT may lie in each other in SEARCH.
    search_depth: int = _setting("IMAP_SEARCH_DEPTH", forms.whole(1, MAX_DEPTH), MAX_DEPTH)

    #: Levels and parts of a message that are told apart; beyond, the rest is one opaque part.
    mime_levels: int = _setting("IMAP_MIME_LEVELS", forms.whole(10, MAX_LEVELS), MAX_LEVELS)
    mime_parts: int = _setting("IMAP_MIME_PARTS", forms.whole(100, MAX_PARTS), MAX_PARTS)

    #: Addresses a user may have.
    address_quota: int = _setting("IMAP_ADDRESS_QUOTA", forms.whole(1, 1_000_000), 100)
    #: How long what is known of the domains counts before it is read again, in the background.
    domain_cache: float = _setting("IMAP_DOMAIN_CACHE", forms.seconds(1, 3600), 60.0)

    #: Folders a user may have, besides the addresses.
    folder_quota: int = _setting("IMAP_FOLDER_QUOTA", forms.whole(10, 1_000_000), 1000)

    #: From the connection to a successful login, however busy the client is.
    login_timeout: float = _setting("IMAP_LOGIN_TIMEOUT", forms.seconds(1, _DAY), 60.0)
    #: RFC 9051 section 5.4 asks for at least 30 minutes.
    idle_timeout: float = _setting("IMAP_IDLE_TIMEOUT", forms.seconds(1, _DAY), 1800.0)
    write_timeout: float = _setting("IMAP_WRITE_TIMEOUT", forms.seconds(1, _DAY), 120.0)
    #: How long the answer to a failed login is held back.
    login_delay: float = _setting("IMAP_LOGIN_DELAY", forms.seconds(0, 60), 2.0)
    #: Failed logins after which a connection is closed.
    login_attempts: int = _setting("IMAP_LOGIN_ATTEMPTS", forms.whole(1, 100), 3)
    #: Failed logins a minute, from one address and for one account, beyond which logins wait, and how long at most.
    ip_failures: int = _setting("IMAP_IP_FAILURES", forms.whole(1, 100_000), 10)
    account_failures: int = _setting("IMAP_ACCOUNT_FAILURES", forms.whole(1, 100_000), 10)
    login_wait: float = _setting("IMAP_LOGIN_WAIT", forms.seconds(0, 60), 15.0)
    #: Where the processes of a machine count them; None for a file of the user's in memory.
    throttle_file: Path | None = _setting("IMAP_THROTTLE_FILE", forms.path)
    log_format: str = _setting("IMAP_LOG_FORMAT", forms.one_of("logfmt", "json"), "logfmt")
    log_level: str = _setting("IMAP_LOG_LEVEL", forms.one_of(*_LEVELS), "info", option="log-level")
    #: How long commands in hand have when the server stops.
    stop_timeout: float = _setting("IMAP_STOP_TIMEOUT", forms.seconds(0, 600), 10.0)
    #: Connections at a time, in all workers together.
    ip_connections: int = _setting("IMAP_IP_CONNECTIONS", forms.whole(1, 1_000_000), 30)
    user_connections: int = _setting("IMAP_USER_CONNECTIONS", forms.whole(1, 1_000_000), 20)
    #: Bad commands after which a connection is closed, before and after login.
    login_bad_commands: int = _setting("IMAP_LOGIN_BAD_COMMANDS", forms.whole(1, 1000), 3)
    bad_commands: int = _setting("IMAP_BAD_COMMANDS", forms.whole(1, 10000), 20)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All Twisted endpoint strings to listen on."""
        return ((self.bind.endpoint,) if self.bind else ()) + self.listen


@dataclass(frozen=True, slots=True)
class _Given:
    """A value somebody gave for a setting; ``level`` is higher for a source that overrides others."""

    value: str
    label: str
    level: int


def load(options: Mapping[str, Any], environ: Mapping[str, str], env_file: str | None = None) -> Settings:
    """Return the settings that command line, environment and ``.env`` file make together.

    :param options: by name of option, as :class:`twisted.python.usage.Options` has them; what is not given is false.
    :param environ: the environment; it is not changed.
    :param env_file: a file that must exist; by default ``.env`` is read where it exists.
    :raises ConfigError: a setting is missing, malformed or contradictory.
    """
    file_name = ENV_FILE if env_file is None else env_file
    in_file = _read_env_file(file_name, required=env_file is not None)
    values: dict[str, Any] = {}
    given: dict[str, _Given] = {}
    for setting in dataclasses.fields(Settings):
        found = _find(setting.metadata, options, environ, in_file, file_name)
        if found is not None:
            given[setting.name] = found
            values[setting.name] = _parse(setting.metadata, found)
    _settle_supabase(values, given)
    _settle_database(values, given)
    _settle_listening(values)
    _settle_tls(values, given)
    _settle_public(values, given)
    values.setdefault("data_dir", Path(".data").absolute())
    return Settings(**values)


def database_url(environ: Mapping[str, str], env_file: str | None = None) -> str:
    """Return ``DATABASE_URL`` alone, for programs that need nothing else; it raises what :func:`load` raises."""
    in_file = _read_env_file(env_file or ENV_FILE, required=env_file is not None)
    setting = next(setting for setting in dataclasses.fields(Settings) if setting.name == "database_url")
    found = _find(setting.metadata, {}, environ, in_file, env_file or ENV_FILE)
    if found is None:
        raise ConfigError("DATABASE_URL is not set, in the environment or in .env: set it, or give --database-url.")
    return str(_parse(setting.metadata, found))


def _read_env_file(name: str, required: bool) -> dict[str, str | None]:
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if required:
            raise ConfigError(f"--env-file: there is no file {name}.") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"The file {name} cannot be read: {reason}.") from None
    for statement in parse_stream(io.StringIO(text)):
        if statement.error:
            raise ConfigError(f"Line {statement.original.line} of {name} is not of the form NAME=value.")
    return dotenv_values(stream=io.StringIO(text))


def _find(
    metadata: Mapping[str, Any],
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    in_file: Mapping[str, str | None],
    file_name: str,
) -> _Given | None:
    """Return the value that counts for a setting, if there is one."""
    option = options.get(metadata["option"]) if metadata["option"] else None
    if option:
        label = f"--{metadata['option']}"
        if isinstance(option, list | tuple):
            return _Given(" ".join(option), label, 3)
        return _Given("true" if isinstance(option, int) else str(option), label, 3)
    for source, name, level in ((environ, "the environment", 2), (in_file, file_name, 1)):
        for variable in metadata["variables"]:
            if variable in source:
                value = (source[variable] or "").strip()
                return _Given(value, f"{variable} from {name}", level) if value else None
    return None


def _parse(metadata: Mapping[str, Any], found: _Given) -> Any:
    try:
        return metadata["parse"](found.value)
    except ValueError as error:
        shown = "" if metadata["secret"] else f'"{found.value}" '
        raise ConfigError(f"{found.label}: {shown}{error}.") from None


def _settle_supabase(values: dict[str, Any], given: Mapping[str, _Given]) -> None:
    """Have what is not said follow ``SUPABASE_URL``, and see that there is what it needs."""
    switches = ("use_supabase_auth", "use_supabase_bans", "use_supabase_domains")
    for name in sorted(switches, key=lambda name: name not in given):
        reason = f"{given[name].label} is true" if name in given else "SUPABASE_URL is set"
        if not values.setdefault(name, "supabase_url" in values):
            continue
        for needed, variable in (("supabase_url", "SUPABASE_URL"), ("supabase_key", "SUPABASE_SERVICE_KEY")):
            if needed not in values:
                raise ConfigError(f"{reason}, and {variable} is not set.")


def _settle_database(values: dict[str, Any], given: Mapping[str, _Given]) -> None:
    """Choose between ``DATABASE_URL`` and the embedded PostgreSQL: the one from the higher source."""
    if values.get("demo") and not values.get("embedded"):
        raise ConfigError(f"{given['demo'].label} needs the embedded PostgreSQL: add --embedded.")
    if values.get("embedded"):
        for name in ("database_url", "listen_database_url", "replica_url"):
            if name in values and given[name].level >= given["embedded"].level:
                raise ConfigError(
                    f"{given['embedded'].label} and {given[name].label} contradict each other: remove one."
                )
            values.pop(name, None)
    elif "database_url" not in values:
        raise ConfigError(
            "DATABASE_URL is not set, in the environment or in .env: set it, or use --embedded to run one here."
        )


def _settle_listening(values: dict[str, Any]) -> None:
    if "bind" not in values:
        default = forms.address(_DEMO_BIND if values.get("demo") else _PUBLIC_BIND)
        values["bind"] = None if values.get("listen") else default


def _settle_tls(values: dict[str, Any], given: Mapping[str, _Given]) -> None:
    pair = {"tls_cert": "IMAP_TLS_CERT", "tls_key": "IMAP_TLS_KEY"}
    wanted = next((given[name].label for name in ("tls_bind", *pair) if name in given), None)
    for name, variable in pair.items():
        if wanted is not None and name not in given:
            raise ConfigError(f"{wanted} is set, and {variable} is not: TLS needs both certificate and key.")


def _settle_public(values: dict[str, Any], given: Mapping[str, _Given]) -> None:
    """See that there is what mail clients are to be told."""
    if "public_http" not in values:
        return
    label = given["public_http"].label
    if "public_host" not in values:
        raise ConfigError(f"{label} is set, and IMAP_PUBLIC_HOST is not: mail clients must be told a server's name.")
    if not values.get("public_tls_port", 993) and not values.get("public_starttls_port", 0):
        raise ConfigError(
            f"{label} is set, and both IMAP_PUBLIC_TLS_PORT and IMAP_PUBLIC_STARTTLS_PORT are 0: "
            "mail clients must be told a port."
        )
