"""Commands for pinned messages."""

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
@talks()
async def pin(cli: Cli, name: str, seq: int) -> None:
    """Pin a message, so that everyone in the room finds it.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. Only admins and owners may pin, up to 100 messages of a
    room.

    \b
    Examples:
      grpc-chat pin plans 12
    """
    room = await find_room(cli.client, name)
    made = await cli.client.pin(room.room_id, seq)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(made)


@click.command(cls=TextCommand)
@_room
@_seq
@talks()
async def unpin(cli: Cli, name: str, seq: int) -> None:
    """Take a message's pin away, also one that somebody else pinned.

    \b
    Examples:
      grpc-chat unpin plans 12
    """
    room = await find_room(cli.client, name)
    await cli.client.unpin(room.room_id, seq)
    cli.answered()


@click.command(cls=TextCommand)
@_room
@talks()
async def pins(cli: Cli, name: str) -> None:
    """Print a room's pinned messages, those that were pinned last first.

    \b
    Examples:
      grpc-chat pins plans
      grpc-chat pins plans --json
    """
    from grpc_chat.cli.events import said

    room = await find_room(cli.client, name)
    found = [each async for each in cli.client.pins(room.room_id)]
    cli.answered()
    if cli.out.as_json:
        for each in found:
            cli.out.json(each)
        return
    if not found:
        cli.out.note("no message is pinned here")
    for each in found:
        message = each.message
        when = f"{message.create_time.astimezone():%Y-%m-%d %H:%M}"
        place = cli.out.style(f"{when}  #{message.seq}", dim=True)
        cli.out.line(f"{place}  {visible(message.sender_id)}: {visible(said(message, on_lines=False))}")
