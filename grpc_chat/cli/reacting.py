"""Commands for reactions."""

from __future__ import annotations

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand

_room = click.argument("name", metavar="ROOM")
_seq = click.argument("seq", type=click.IntRange(min=1))


@click.command(cls=TextCommand)
@_room
@_seq
@click.argument("emoji")
@click.option("--remove", is_flag=True, help="Take the reaction back.")
@talks()
async def react(cli: Cli, name: str, seq: int, emoji: str, *, remove: bool) -> None:
    """React to a message with an emoji.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. You can choose several emoji for a message, each once.

    \b
    Examples:
      grpc-chat react plans 12 👍
      grpc-chat react plans 12 👍 --remove
    """
    room = await find_room(cli.client, name)
    change = cli.client.unreact if remove else cli.client.react
    counts = await change(room.room_id, seq, emoji)
    cli.answered()
    if cli.out.as_json:
        for count in counts:
            cli.out.json(count)
    elif cli.out.terminal and counts:
        cli.out.line("  ".join(f"{visible(count.emoji)} {count.count}" for count in counts))


@click.command(cls=TextCommand)
@_room
@_seq
@talks()
async def reactions(cli: Cli, name: str, seq: int) -> None:
    """Print who reacted to a message, and how.

    \b
    Examples:
      grpc-chat reactions plans 12
    """
    room = await find_room(cli.client, name)
    found = [reaction async for reaction in cli.client.reactions(room.room_id, seq)]
    cli.answered()
    for reaction in found:
        if cli.out.as_json:
            cli.out.json(reaction)
        else:
            cli.out.line(f"{visible(reaction.emoji)}  {visible(reaction.user_id)}")
