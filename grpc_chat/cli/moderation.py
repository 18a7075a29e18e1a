"""Commands for reports of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room
from grpc_chat.cli.output import count
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.moderation import Report

_seq = click.argument("seq", type=click.IntRange(min=1))


@click.command(cls=TextCommand)
@click.argument("name", metavar="ROOM")
@_seq
@click.argument("reason", nargs=-1)
@talks()
async def report(cli: Cli, name: str, seq: int, reason: tuple[str, ...]) -> None:
    """Report a message to those who run its room, and to the server's administrators.

    Nobody else learns of it. ROOM is a room's name or id, or @USER. SEQ is the message's number in the room,
    which `read --json` and `watch --json` print as `seq`.

    \b
    Examples:
      grpc-chat report plans 12 spam
      grpc-chat report plans 12 "This is somebody's address"
    """
    room = await find_room(cli.client, name)
    await cli.client.report(room.room_id, seq, " ".join(reason))
    cli.out.result({"room_id": room.room_id, "seq": seq}, f"message {seq} is reported")


@click.command()
@click.argument("name", metavar="[ROOM]", required=False)
@click.option(
    "--resolve", type=click.IntRange(min=1), metavar="SEQ", help="Remove the reports of this message."
)
@click.option("--room-id", metavar="ID", help="With --resolve, as an administrator: the room, by its id.")
@talks()
async def reports(cli: Cli, name: str | None, resolve: int | None, room_id: str | None) -> None:
    """List reported messages of a room that you run; without ROOM, as an administrator, of all rooms.

    Reports of your own messages are left out. They are removed with the message, by --resolve, and after 90
    days.

    \b
    Examples:
      grpc-chat reports plans
      grpc-chat reports plans --resolve 12
      grpc-chat reports
      grpc-chat reports --room-id 6f2c --resolve 12
    """
    if room_id and (name or not resolve):
        raise click.UsageError("--room-id goes with --resolve, without ROOM")
    if resolve and not (name or room_id):
        raise click.UsageError("--resolve needs a ROOM, or --room-id")
    if resolve:
        if room_id:
            resolved = await cli.client.resolve_server_report(room_id, resolve)
        else:
            room = await find_room(cli.client, name or "")
            resolved = await cli.client.resolve_report(room.room_id, resolve)
        cli.out.result({"resolved": resolved}, f"{count(resolved, 'report')} removed")
        return
    if name:
        room = await find_room(cli.client, name)
        found = [each async for each in cli.client.reports(room.room_id)]
    else:
        found = [each async for each in cli.client.server_reports()]
    columns: list[Column[Report]] = [
        ("room", lambda each: "" if name else each.room_id),
        ("message", lambda each: str(each.message_seq)),
        ("of", lambda each: each.sender_id),
        ("reported by", lambda each: each.user_id),
        ("when", lambda each: cli.out.when(each.create_time)),
        ("reason", lambda each: each.reason),
    ]
    cli.out.table(found, columns, empty="no reports")
