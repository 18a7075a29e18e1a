"""``grpc-chat``."""

from __future__ import annotations

import os

# grpc writes its own warnings to standard error, past all logging.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from grpc_chat._version import __version__

# These import nothing that takes time before one of their commands runs.
# (invites and members add theirs to `room`, backup, links and ownership to `admin`.)
from grpc_chat.cli import (
    accounts,
    admin,
    backup,  # noqa: F401
    blocks,
    changing,
    consumers,
    files,
    inbox,
    invitations,
    invites,  # noqa: F401
    links,
    members,  # noqa: F401
    mentions,
    moderation,
    ownership,  # noqa: F401
    people,
    personal,
    pinning,
    polls,
    presence,
    reacting,
    receipts,
    rooms,
    scheduling,
    searching,
    servers,
    sessions,
    streams,
    talk,
    threads,
)
from grpc_chat.cli.failures import EXIT_CODES, INTERRUPTED, REFUSED, USAGE, Failure
from grpc_chat.cli.terminal import visible
from grpc_chat.errors import ChatError

if TYPE_CHECKING:
    from grpc_chat.config import Config


class _Root(click.Group):
    """The group of all commands: in chapters, and ending as shells expect it when it is interrupted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chapters: dict[str, list[str]] = {}

    def chapter(self, title: str, *commands: click.Command, **named: click.Command) -> None:
        """Add commands under a title, which the help shows; ``named`` ones under another name."""
        for command in commands:
            self.add_command(command)
        for name, command in named.items():
            self.add_command(command, name)
        self.chapters[title] = [*named, *(str(command.name) for command in commands)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for title, names in self.chapters.items():
            with formatter.section(title):
                limit = formatter.width - 4 - width
                formatter.write_dl(
                    [(name.ljust(width), self.commands[name].get_short_help_str(limit)) for name in names]
                )

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """As in click, except that quoting the command line in an error can't control the terminal."""
        try:
            code = super().main(*args, **kwargs | {"standalone_mode": False})
        except click.ClickException as error:
            lines = error.message.expandtabs(2).split("\n")
            error.message = "\n".join(map(visible, lines))  # type: ignore[misc]
            error.show()
            sys.exit(error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            # What was typed, or ^C, stands on the line.
            click.echo(err=True, nl=sys.stderr.isatty())
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader of our lines has enough. What is still in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            if error.filename is not None:
                raise
            # The disk that the output goes to is full, say.
            Failure(f"can't write the output: {error.strerror}").show()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(REFUSED)
        # For --help and --version it is a number.
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=_Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="grpc-chat")
def main() -> None:
    """Self-hosted group chat whose one API is gRPC.

    \b
    Start a server, and talk on it:
      grpc-chat serve
      grpc-chat register alice --invite LINK         (what the server printed; in another terminal)
      grpc-chat room create plans
      grpc-chat room invite create plans
      grpc-chat chat plans

    Commands use the server that you logged in to last, unless --server names another. For scripts, set
    CHAT_SERVER and CHAT_TOKEN in the environment; --json prints one object on a line.
    """
    streams.take()


_config = click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of settings; see `grpc-chat config default`.",
)


@main.command()
@_config
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Folder of the database.  [./data]"
)
@click.option(
    "--store",
    "store_url",
    metavar="URL",
    help="PostgreSQL database, instead of a file in the folder.  [none]",
)
@click.option("--host", help="Address to listen on; 0.0.0.0 or :: for all.  [127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any free port.  [50051]"
)
@click.option("--trusted-ids", metavar="ID,ID,…", help="Ids that need no password, for trying things out.")
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Certificate for TLS, in PEM, followed by those that it was signed with.  [none: plain text]",
)
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="The certificate's key, in PEM.")
@click.option(
    "--client-ca",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Clients need a certificate from one of these authorities, in PEM.",
)
@click.option(
    "--dev-certificate",
    is_flag=True,
    default=None,
    help="TLS with a certificate that the server makes; give clients its fingerprint.",
)
@click.option(
    "--insecure",
    is_flag=True,
    default=None,
    help="Listen beyond this machine without TLS: passwords and messages can be read on the way.",
)
@click.option(
    "--accept-loss",
    is_flag=True,
    default=None,
    help="Continue with a database that has lost events, in a new epoch.",
)
@click.option(
    "--web-port", help="Port for browsers and HTTP; 0 for any free port, off for none.  [8080 if free]"
)
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Port for Prometheus.  [none]")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What to log.  [info]"
)
@click.option("--log-format", type=click.Choice(["auto", "json", "console"]), help="How to log.  [auto]")
def serve(file: Path | None, **flags: object) -> None:
    """Run a server until Ctrl-C.

    Settings come from the flags, then GRPC_CHAT_… in the environment, then the file. SIGHUP has the server
    read its certificate again.

    \b
    Examples:
      grpc-chat serve --trusted-ids 1,2,3
      grpc-chat serve --trusted-ids alice,bob --host 0.0.0.0 --port 50051 --data /var/lib/grpc-chat
      grpc-chat serve --config chat.toml --host 0.0.0.0 --certificate fullchain.pem --key privkey.pem
      grpc-chat serve --store "postgresql://chat@db.example.org/chat?sslmode=verify-full"
      GRPC_CHAT_LOG_LEVEL=debug grpc-chat serve --config chat.toml
    """
    from grpc_chat.cli import serve as serving

    tls = {name: flags.pop(name) for name in ("certificate", "key", "client_ca", "dev_certificate")}
    given = {name: value for name, value in tls.items() if value is not None}
    web_port, store_url = flags.pop("web_port"), flags.pop("store_url")
    store = None if store_url is None else {"url": store_url}
    web = None if web_port is None else {"port": web_port}
    sys.exit(serving.run(_load(file, tls=given or None, web=web, store=store, **flags)))


@main.command()
@click.argument("address", default=lambda: f"localhost:{os.environ.get('GRPC_CHAT_PORT', 50051)}")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for an answer.")
@click.option(
    "--ca",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Authorities to trust, in PEM, instead of the system's.",
)
@click.option(
    "--fingerprint", default="", metavar="SHA256", help="Trust the certificate with this fingerprint instead."
)
@click.option(
    "--server-name", default="", metavar="NAME", help="The name that the certificate must have.  [the host]"
)
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A client's certificate, in PEM, if the server asks for one.",
)
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), help="Its key, in PEM.")
@click.option("--insecure", is_flag=True, help="Ask another machine without TLS.")
def health(
    address: str,
    timeout: float,
    ca: Path | None,
    fingerprint: str,
    server_name: str,
    certificate: Path | None,
    key: Path | None,
    insecure: bool,
) -> None:
    """Check whether a server works: exit code 0 if so, 1 if not.

    ADDRESS is HOST:PORT; without it, this machine and the port in GRPC_CHAT_PORT, or 50051.

    For a server on this machine TLS is optional and its certificate is not checked. Other servers need a
    certificate from an authority that this system trusts, unless an option says otherwise.

    \b
    Examples:
      grpc-chat health
      grpc-chat health chat.example.org:50051 --timeout 1
      grpc-chat health chat.example.org:50051 --ca our-authority.pem
    """
    from grpc_chat.cli.health import check
    from grpc_chat.sdk.tls import Tls

    try:
        tls = Tls(ca=ca, fingerprint=fingerprint, server_name=server_name, certificate=certificate, key=key)
        answer = check(address, timeout, tls=tls if tls != Tls() else None, insecure=insecure)
    except OSError as exc:
        raise Failure(f"can't read {exc.filename}: {exc.strerror}", USAGE) from exc
    except ValueError as exc:
        raise Failure(str(exc), USAGE) from exc
    click.echo(answer)
    sys.exit(0 if answer == "SERVING" else 1)


@main.group()
def config() -> None:
    """Show and check the settings."""


@config.command("default")
def config_default() -> None:
    """Print every setting with its default and meaning, as a TOML file to begin with.

    \b
    Example:
      grpc-chat config default > chat.toml
    """
    from grpc_chat.config import Config
    from grpc_chat.ops.reference import settings_toml

    click.echo(settings_toml(Config), nl=False)


@config.command("check")
@_config
def config_check(file: Path | None) -> None:
    """Check the settings: exit code 0 if they are right, 1 and what is wrong if not.

    The files of `[tls]` are read and tried; what clients might refuse in the certificate is a warning.

    \b
    Example:
      grpc-chat config check --config chat.toml
    """
    from grpc_chat.cli.serve import check_certificates

    try:
        for warning in check_certificates(_load(file)):
            click.echo(f"warning: {visible(warning)}", err=True)
    except ChatError as error:
        click.echo(f"error: {visible(str(error))}", err=True)
        sys.exit(1)
    click.echo("the settings are right")


def _load(file: Path | None, **flags: object) -> Config:
    from grpc_chat.cli.serve import load_config

    try:
        return load_config(file, **flags)
    except ValueError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)


main.chapter(
    "Account",
    accounts.register,
    accounts.login,
    accounts.logout,
    accounts.whoami,
    accounts.password,
    links.link,
    blocks.block,
)
main.chapter(
    "Talking",
    talk.chat,
    talk.send,
    threads.reply,
    threads.threads,
    threads.thread,
    talk.read,
    talk.watch,
    searching.search,
    mentions.mentions,
    changing.edit,
    changing.edits,
    changing.delete,
    inbox.inbox,
    changing.mark_read,
    inbox.mute,
    inbox.unmute,
    inbox.notify,
    reacting.react,
    reacting.reactions,
    pinning.pin,
    pinning.unpin,
    pinning.pins,
    polls.poll,
    polls.vote,
    polls.poll_close,
    polls.poll_results,
    receipts.receipts,
    receipts.why,
    personal.draft,
    personal.drafts,
    personal.save,
    personal.unsave,
    personal.saved,
    scheduling.schedule,
    scheduling.scheduled,
    scheduling.reschedule,
    scheduling.unschedule,
    files.upload,
    files.download,
    moderation.report,
    moderation.reports,
    people.people,
    presence.who,
    presence.status,
)
main.chapter("Rooms", rooms.room, invitations.invitations, rooms=rooms.room.commands["list"])
main.chapter(
    "Programs and devices",
    accounts.user,
    sessions.sessions,
    sessions.token,
    sessions.bot,
    consumers.consumers,
)
main.chapter("Servers", servers.server, health)
main.chapter("Running a server", serve, config, admin.admin, admin.invite)

if __name__ == "__main__":
    main()
