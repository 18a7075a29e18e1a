"""The command that lists what mentions the person."""

from __future__ import annotations

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand


@click.command(cls=TextCommand)
@click.argument("name", metavar="[ROOM]", required=False)
@click.option("--unread", is_flag=True, help="Only those that you have not read.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Messages to print.")
@talks()
async def mentions(cli: Cli, name: str | None, *, unread: bool, limit: int) -> None:
    """Print the messages that mention you, newest first.

    Somebody mentions you with @ and your user id, or everyone in a room with @room. ROOM is a room's name or
    id, or @USER; without it, all rooms that you are in. A * is before those that you have not read.

    \b
    Examples:
      grpc-chat mentions
      grpc-chat mentions plans --limit 5
      grpc-chat mentions --unread --json
    """
    room = await find_room(cli.client, name) if name else None
    inside = room.room_id if room else None
    found = [each async for each in cli.client.mentions(inside, unread_only=unread, limit=limit)]
    if cli.out.as_json:
        cli.answered()
        for each in found:
            cli.out.json(each.message, unread=each.unread)
        return
    names = {}
    if found:
        names = {each.room_id: title(each) async for each in cli.client.rooms()}
    cli.answered()
    if not found:
        cli.out.note("nobody mentions you" + (" in what you have not read" if unread else ""))
    for each in found:
        message = each.message
        where = visible(f"{names.get(message.room_id, message.room_id)} #{message.seq}")
        when = f"{message.create_time.astimezone():%Y-%m-%d %H:%M}"
        place = cli.out.style(f"{'*' if each.unread else ' '} {when}  {where}", dim=not each.unread)
        cli.out.line(f"{place}  {visible(message.sender_id)}: {visible(message.text)}")
