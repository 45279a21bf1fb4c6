"""``deliver``: take one message from a pipe."""

from __future__ import annotations

import click

from cybertemp_imap.admin.work import PROGRAM


class Patient(click.Command):
    """A command whose mistakes are no reason for a mail server to send a message back."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line; a mistake in it is EX_TEMPFAIL."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            click.echo(f"{PROGRAM}: {error.format_message()} Try --help.", err=True)
            ctx.exit(75)


@click.command(
    cls=Patient,
    epilog=f"Example: {PROGRAM} deliver --sender sender@example.net -- box@example.com <message",
)
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT...")
@click.option("--sender", "-f", metavar="ADDRESS", help="The envelope's sender; '' for notices.")
@click.option("--env-file", metavar="FILE", help="Read settings from FILE instead of .env.")
@click.pass_context
def deliver(context: click.Context, recipients: tuple[str, ...], sender: str | None, env_file: str | None) -> None:
    """Deliver the message on standard input, for a pipe from Postfix or Exim.

    The status is 0 when it is stored, 67 (EX_NOUSER) when a recipient gets no mail here, 65 (EX_DATAERR) when the
    message cannot be stored, and 75 (EX_TEMPFAIL) when it is worth trying again. With several recipients, all of them
    get it or none.
    """
    # Twisted's reactor is of no use to the other commands.
    from cybertemp_imap.delivery import pipe

    status, sentence = pipe.main(recipients, sender, env_file)
    if sentence:
        # Mail servers log it, and put it into the notice to the sender.
        click.echo(f"{PROGRAM}: {sentence}", err=True)
    context.exit(status)
