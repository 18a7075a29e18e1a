"""The directory of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.account_models import User


@click.command()
@click.argument("query", default="")
@talks()
async def people(cli: Cli, query: str) -> None:
    """List people on this server; with QUERY, those whose id, or a word of whose name, begins with it.

    The server decides whom you see: anyone, or people with whom you share a room.

    \b
    Examples:
      grpc-chat people
      grpc-chat people rob
      grpc-chat people --json
    """
    found = [user async for user in cli.client.people(query)]
    columns: list[Column[User]] = [
        ("user", lambda user: user.user_id),
        ("name", lambda user: user.display_name if user.display_name != user.user_id else ""),
    ]
    cli.out.table(
        found, columns, empty="nobody whom you may see" + (f" is called {query!r}" if query else "")
    )
