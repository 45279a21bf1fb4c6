"""The program: all groups of commands, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from cybertemp_imap import __version__
from cybertemp_imap.admin.account import account
from cybertemp_imap.admin.address import address
from cybertemp_imap.admin.ban import ban
from cybertemp_imap.admin.deliver import deliver
from cybertemp_imap.admin.doctor import doctor
from cybertemp_imap.admin.domain import domain
from cybertemp_imap.admin.exporting import export
from cybertemp_imap.admin.importing import import_mail
from cybertemp_imap.admin.migrate import migrate
from cybertemp_imap.admin.purge import purge
from cybertemp_imap.admin.status import status
from cybertemp_imap.admin.token import token
from cybertemp_imap.admin.work import PROGRAM


@click.group(name=PROGRAM, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def program() -> None:
    """Looks after accounts, addresses, mail and the database of cybertemp-imap.

    Settings are read as the server reads them: from the environment and from .env. Every command but deliver has
    --json.
    """


_COMMANDS = (
    account,
    token,
    domain,
    address,
    ban,
    import_mail,
    export,
    deliver,
    purge,
    status,
    doctor,
    migrate,
)

for _command in _COMMANDS:
    program.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the status to leave with.

    A mistake is one sentence on standard error: status 2 where the command line is wrong, else 1.
    """
    try:
        ended = program.main(None if arguments is None else list(arguments), PROGRAM, standalone_mode=False)
    except click.UsageError as error:
        click.echo(f"{PROGRAM}: {error.format_message()} Try --help.", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be written at the end.
        sys.stdout = None
        return 141
    return ended if isinstance(ended, int) else 0
