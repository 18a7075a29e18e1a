"""``server.py``: a server that trusts ids."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grpc_chat.cli import serve, streams


@click.command(
    context_settings={"help_option_names": ["-h", "-help", "--help"], "max_content_width": 100},
    options_metavar="-client_ids ID,ID,… [-port PORT] [-host HOST] [-data DIR]",
)
@click.option(
    "-client_ids",
    "client_ids",
    required=True,
    metavar="ID,ID,…",
    help="Ids that may join; all share one room.",
)
@click.option(
    "-port", "port", type=click.IntRange(0, 65535), help="Port to listen on; 0 for any free port.  [50051]"
)
@click.option("-host", "host", help="Address to listen on.  [127.0.0.1, or GRPC_CHAT_HOST]")
@click.option(
    "-data",
    "data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the database.  [./data, or GRPC_CHAT_DATA]",
)
def command(client_ids: str, port: int | None, host: str | None, data: Path | None) -> None:
    """Start a chat server whose members need no password.

    \b
    Examples:
      python3 server.py -client_ids 1,2,3 -port 50051
      python3 server.py -client_ids alice,bob -host 0.0.0.0 -data /var/lib/grpc-chat
    """
    streams.take()
    if not client_ids.strip(" ,"):
        # Without ids it would be a server with accounts, which is something else.
        raise click.UsageError("-client_ids must not be empty; name the ids that may join: -client_ids 1,2,3")
    try:
        config = serve.load_config(None, trusted_ids=client_ids, port=port, host=host, data=data)
    except ValueError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)
    sys.exit(serve.run(config))
