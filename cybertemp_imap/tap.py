"""What ``twistd cybertemp-imap`` understands and starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.python import usage

from cybertemp_imap import config
from cybertemp_imap.operator_error import OperatorError


class Options(usage.Options):
    """The command line; every option overrides the environment and the ``.env`` file."""

    synopsis = "[options]"
    longdesc = (
        "An IMAP server for the mailboxes in a PostgreSQL database. All other settings are environment variables."
    )

    optParameters = [  # noqa: RUF012 - the form that usage.Options reads.
        ["bind", "b", None, "Address and port to listen on, as IMAP_BIND. [default: 0.0.0.0:143]"],
        ["env-file", "e", None, "File to read settings from. [default: .env, where it exists]"],
        [
            "http",
            None,
            None,
            "Port, or endpoint, for metrics and health, as IMAP_HTTP; 127.0.0.1 unless it says otherwise.",
        ],
        ["public-http", None, None, "Port, or endpoint, for the settings of mail clients, as IMAP_PUBLIC_HTTP."],
        ["workers", "w", None, "Processes that serve, as IMAP_WORKERS. [default: one a core; 1 with --embedded]"],
        ["log-level", None, None, "Least level of what is logged of sessions, as IMAP_LOG_LEVEL. [default: info]"],
        ["data-dir", "d", None, "Folder of the embedded PostgreSQL, as IMAP_DATA_DIR. [default: .data]"],
        ["supabase-url", None, None, "Supabase project, as SUPABASE_URL; its key is in the environment alone."],
        ["use-supabase-auth", None, None, "true or false: accounts are in Supabase, as USE_SUPABASE_AUTH."],
        ["use-supabase-bans", None, None, "true or false: bans are in Supabase, as USE_SUPABASE_BANS."],
        ["use-supabase-domains", None, None, "true or false: domains are in Supabase, as USE_SUPABASE_DOMAINS."],
    ]
    optFlags = [  # noqa: RUF012
        ["embedded", None, "Run a PostgreSQL of its own, in the data folder."],
        ["demo", None, "Put a demo account into an empty embedded database; listen on 127.0.0.1:1143."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["lmtp"] = []
        self["smtp"] = []

    def opt_listen(self, description: str) -> None:
        """Twisted endpoint string to listen on, as in IMAP_LISTEN; can be given several times."""
        self["listen"].append(description)

    opt_l = opt_listen

    def opt_lmtp(self, description: str) -> None:
        """Twisted endpoint string to take mail on by LMTP, as in IMAP_LMTP; can be given several times."""
        self["lmtp"].append(description)

    def opt_smtp(self, description: str) -> None:
        """Twisted endpoint string to take mail on by SMTP, as in IMAP_SMTP; can be given several times."""
        self["smtp"].append(description)

    def parseArgs(self, *arguments: str) -> None:
        """Refuse anything that is not an option."""
        if arguments:
            raise usage.UsageError(f'"{arguments[0]}" is not an option')

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse, and leave with one sentence on a mistake: twistd would print the whole help with it."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            _leave(f"{str(error).rstrip('.')}: see twistd cybertemp-imap --help.")


def makeService(options: Options) -> MultiService:
    """Return the service that runs the server in this process; nothing happens before it is started.

    It fits into any program's tree of services, and starts no other processes, whatever the settings say.
    """
    from cybertemp_imap.service import ImapService

    return service_of(options, ImapService)


def service_of(options: Options, make: Callable[[config.Settings, Any], Any]) -> MultiService:
    """Return the service that ``make`` makes of settings and reactor; a mistake ends the process with one sentence."""
    from twisted.internet import reactor

    from cybertemp_imap.service import leave_when_failed

    try:
        settings = config.load(options, os.environ, options["env-file"])
        service = make(settings, reactor)
    except OperatorError as error:
        _leave(str(error))
    service.failed.addErrback(leave_when_failed, reactor)
    made: MultiService = service
    return made


def _leave(sentence: str) -> NoReturn:
    sys.exit(f"cybertemp-imap: {sentence}")
