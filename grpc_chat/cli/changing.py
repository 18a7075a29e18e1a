"""Commands for messages that are stored: edit and delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.extras import extras_of, with_extras
from grpc_chat.cli.names import find_room
from grpc_chat.cli.output import count
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.sdk.bodies import LinkCard

_room = click.argument("name", metavar="ROOM")
_SEQ = click.IntRange(min=1)


@click.command(cls=TextCommand)
@_room
@click.argument("seq", type=_SEQ)
@click.argument("text", nargs=-1, required=True)
@with_extras
@talks()
async def edit(
    cli: Cli,
    name: str,
    seq: int,
    text: tuple[str, ...],
    cards: tuple[LinkCard, ...],
    body_type: str | None,
    body_file: Path | None,
) -> None:
    """Change the text of a message that you sent.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. Nobody can edit what somebody else sent. The cards
    and the body of the message go with the old text: give those that it is to have.

    \b
    Examples:
      grpc-chat edit plans 12 Lunch at one, not at noon
      grpc-chat edit @bob 7 "Do you have two minutes?"
    """
    extras = extras_of(cards, body_type, body_file)
    room = await find_room(cli.client, name)
    message = await cli.client.edit(room.room_id, seq, " ".join(text), body=extras.body, cards=extras.cards)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(message)


@click.command("edits", cls=TextCommand)
@_room
@click.argument("seq", type=_SEQ)
@talks()
async def edits(cli: Cli, name: str, seq: int) -> None:
    """Print what a message said before it was edited, newest first.

    Only in rooms that keep it (`room update --keep-edits`), since then.

    \b
    Examples:
      grpc-chat edits plans 12
    """
    room = await find_room(cli.client, name)
    found = [version async for version in cli.client.message_edits(room.room_id, seq)]
    cli.answered()
    for version in found:
        if cli.out.as_json:
            cli.out.json(version)
        else:
            cli.out.line(f"{version.time.astimezone():%Y-%m-%d %H:%M}  {visible(version.text)}")


@click.command("mark-read")
@_room
@click.argument("seq", type=click.IntRange(min=0), required=False)
@click.option("--back", is_flag=True, help="Also move back: what comes after SEQ is unread again.")
@talks()
async def mark_read(cli: Cli, name: str, seq: int | None, back: bool) -> None:
    """Mark a room as read up to a message, or to its end, in all of your sessions.

    ROOM is a room's name or id, or @USER. SEQ is a message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`.

    \b
    Examples:
      grpc-chat mark-read plans
      grpc-chat mark-read plans 12
      grpc-chat mark-read plans 12 --back
    """
    room = await find_room(cli.client, name)
    unread = await cli.client.mark_read(room.room_id, room.last_seq if seq is None else seq, back=back)
    cli.answered()
    if cli.out.as_json:
        cli.out.json({"room_id": room.room_id, "unread": unread})


@click.command(cls=TextCommand)
@_room
@click.argument("seqs", metavar="SEQ…", type=_SEQ, nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="Why, for everyone in the room to read.")
@talks()
async def delete(cli: Cli, name: str, seqs: tuple[int, ...], reason: str) -> None:
    """Delete messages for everyone.

    You can delete your own messages; admins and owners of a room also those of members with a lower role.
    ROOM is a room's name or id, or @USER. SEQ is a message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. Text, files and earlier versions are removed from the
    server; that there was a message, who sent it and when stays visible. All of the messages are deleted, or
    none.

    \b
    Examples:
      grpc-chat delete plans 12
      grpc-chat delete plans 12 14 15 --reason spam
    """
    room = await find_room(cli.client, name)
    # One that is named twice is meant once.
    messages = await cli.client.delete(room.room_id, *dict.fromkeys(seqs), reason=reason)
    cli.answered()
    if cli.out.as_json:
        for message in messages:
            cli.out.json(message)
    elif cli.out.terminal:
        cli.out.line(f"deleted {count(len(messages), 'message')}")
