"""Commands about the positions that a server keeps for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import title

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.consumer_records import Consumer, ConsumerPosition


@click.group()
def consumers() -> None:
    """See the positions that the server keeps for your programs, and delete unused ones.

    A program that reads as a consumer continues where it stopped, without saving its position itself. The
    server keeps a limited number of them for each user.
    """


@consumers.command("list")
@talks()
async def consumers_list(cli: Cli) -> None:
    """List your consumers.

    \b
    Examples:
      grpc-chat consumers list
      grpc-chat consumers list --json
    """
    found = [consumer async for consumer in cli.client.consumers()]
    columns: list[Column[Consumer]] = [
        ("consumer", lambda c: c.name),
        ("", lambda c: "reading now" if c.streaming else ""),
        ("used", lambda c: cli.out.when(c.last_used_time)),
        ("since", lambda c: cli.out.when(c.create_time)),
    ]
    cli.out.table(found, columns, empty="no consumers")


@consumers.command("show")
@click.argument("name")
@talks()
async def consumers_show(cli: Cli, name: str) -> None:
    """Show where a consumer stands in each room, and how much it has not read yet.

    \b
    Examples:
      grpc-chat consumers show builds
    """
    found = [position async for position in cli.client.consumer_positions(name)]
    names = {room.room_id: title(room) async for room in cli.client.rooms()}
    columns: list[Column[ConsumerPosition]] = [
        ("room", lambda p: names.get(p.cursor.room_id, p.cursor.room_id)),
        ("read up to", lambda p: str(p.cursor.seq)),
        ("of", lambda p: str(p.last_seq)),
        ("behind", lambda p: str(max(p.last_seq - p.cursor.seq, 0))),
    ]
    cli.out.table(found, columns, empty=f"{name} has no position in a room that you are in")


@consumers.command("forget")
@click.argument("name")
@talks(once=True)
async def consumers_forget(cli: Cli, name: str) -> None:
    """Delete a consumer. A program that uses its name again starts afresh.

    \b
    Examples:
      grpc-chat consumers forget builds
    """
    await cli.client.forget_consumer(name)
    cli.out.result(None, f"{name} is forgotten", consumer=name)
