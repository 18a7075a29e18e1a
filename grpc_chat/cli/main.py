"""``grpc-chat``."""

from __future__ import annotations

import os

# grpc writes its own warnings to standard error, past all logging.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import sys
from pathlib import Path

import click

from grpc_chat._version import __version__
from grpc_chat.config import Config


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="grpc-chat")
def main() -> None:
    """Self-hosted group chat whose one API is gRPC.

    \b
    Try it:
      grpc-chat serve --trusted-ids 1,2,3
      python3 client.py -client_id 1 -message "Hello"     (in another terminal)
    """


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
@click.option("--host", help="Address to listen on; 0.0.0.0 or :: for all.  [127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any that is free.  [50051]"
)
@click.option(
    "--trusted-ids", metavar="ID,ID,…", help="Ids to believe without a secret, for trying things out."
)
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Certificate for TLS, in PEM, with those it was signed with.  [none: plain text]",
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
    help="TLS with a certificate made here, whose fingerprint clients are given.",
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
    help="Go on with a database that has lost events, in a new epoch.",
)
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="Port for Prometheus.  [none]")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What to log.  [info]"
)
@click.option("--log-format", type=click.Choice(["auto", "json", "console"]), help="How to log.  [auto]")
def serve(file: Path | None, **flags: object) -> None:
    """Run a server until Ctrl-C.

    Settings come from the flags, then GRPC_CHAT_… in the environment, then the file.

    \b
    Examples:
      grpc-chat serve --trusted-ids 1,2,3
      grpc-chat serve --trusted-ids alice,bob --host 0.0.0.0 --port 50051 --data /var/lib/grpc-chat
      grpc-chat serve --config chat.toml --host 0.0.0.0 --certificate fullchain.pem --key privkey.pem
      GRPC_CHAT_LOG_LEVEL=debug grpc-chat serve --config chat.toml
    """
    from grpc_chat.cli import serve as serving

    tls = {name: flags.pop(name) for name in ("certificate", "key", "client_ca", "dev_certificate")}
    given = {name: value for name, value in tls.items() if value is not None}
    sys.exit(serving.run(_load(file, tls=given or None, **flags)))


@main.command()
@click.argument("address", default=lambda: f"localhost:{os.environ.get('GRPC_CHAT_PORT', 50051)}")
@click.option("--timeout", default=5.0, show_default=True, help="Seconds to wait for an answer.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Authorities to trust, in PEM, instead of those that this system trusts.",
)
@click.option(
    "--fingerprint", default="", metavar="SHA256", help="Trust the certificate with this fingerprint instead."
)
@click.option(
    "--server-name", default="", metavar="NAME", help="Whom the certificate must be for.  [the host]"
)
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A client's certificate, where the server asks for one, in PEM.",
)
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its key, in PEM.")
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
    """Ask a server whether it serves: exit code 0 if so, 1 if not.

    ADDRESS is HOST:PORT; without it, this machine and the port in GRPC_CHAT_PORT, or 50051.

    A server on this machine is asked with or without TLS, as it likes, and whatever its certificate is; on
    another machine it needs one from an authority that this system trusts, unless the options say otherwise.

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
    except (OSError, ValueError) as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(2)
    click.echo(answer)
    sys.exit(0 if answer == "SERVING" else 1)


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command("default")
def config_default() -> None:
    """Print every setting with its default and meaning, as a TOML file to begin with.

    \b
    Example:
      grpc-chat config default > chat.toml
    """
    from grpc_chat.ops.reference import settings_toml

    click.echo(settings_toml(Config), nl=False)


@config.command("check")
@_config
def config_check(file: Path | None) -> None:
    """Say whether the settings are right: exit code 0 if so, 1 and what is wrong if not.

    \b
    Example:
      grpc-chat config check --config chat.toml
    """
    _load(file)
    click.echo("the settings are right")


def _load(file: Path | None, **flags: object) -> Config:
    from grpc_chat.cli.serve import load_config

    try:
        return load_config(file, **flags)
    except ValueError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
