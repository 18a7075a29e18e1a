"""Commands for what one keeps for oneself: drafts and saved messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import count
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.personal import MessageDraft, SavedMessage

_room = click.argument("name", metavar="ROOM")
_seq = click.argument("seq", type=click.IntRange(min=1))
_in_room = click.option("--room", metavar="ROOM", help="Only in this room: its name or id, or @USER.")


@click.command(cls=TextCommand)
@_room
@click.argument("text", nargs=-1)
@click.option("--delete", is_flag=True, help="Delete the draft.")
@click.option(
    "--thread",
    type=click.IntRange(min=1),
    metavar="SEQ",
    help="In the thread that this message begins, which has a draft of its own.",
)
@talks()
async def draft(cli: Cli, name: str, text: tuple[str, ...], *, delete: bool, thread: int | None) -> None:
    """Keep a message that you have begun to write in a room, or print it.

    ROOM is a room's name or id, or @USER. A room has one draft, which all of your sessions share and nobody
    else sees. TEXT replaces it; without TEXT, the draft is printed.

    \b
    Examples:
      grpc-chat draft plans I think we should
      grpc-chat draft plans
      grpc-chat draft plans --delete
    """
    if delete and text:
        raise click.UsageError("give TEXT or --delete, not both")
    room = await find_room(cli.client, name)
    if text or delete:
        found = await cli.client.save_draft(room.room_id, " ".join(text), thread_root=thread or 0)
        cli.answered()
        if cli.out.as_json:
            cli.out.json(found, **({} if found else {"room_id": room.room_id, "text": ""}))
        return
    async for each in cli.client.drafts(room.room_id):
        if each.thread_root == (thread or 0):
            cli.answered()
            cli.out.result(each, each.text)
            return
    cli.answered()
    cli.out.note("there is no draft")


@click.command()
@_in_room
@talks()
async def drafts(cli: Cli, room: str | None) -> None:
    """List the messages that you have begun to write, the last changed first.

    \b
    Examples:
      grpc-chat drafts
      grpc-chat drafts --json
    """
    inside = (await find_room(cli.client, room)).room_id if room else None
    found = [each async for each in cli.client.drafts(inside)]
    names = {} if cli.out.as_json or not found else await _titles(cli)
    cli.answered()
    columns: list[Column[MessageDraft]] = [
        ("room", lambda d: names.get(d.room_id, d.room_id)),
        ("thread", lambda d: f"#{d.thread_root}" if d.thread_root else ""),
        ("changed", lambda d: cli.out.when(d.update_time)),
        ("text", lambda d: d.text),
    ]
    cli.out.table(found, columns, empty="there are no drafts")


@click.command()
@_room
@_seq
@talks()
async def save(cli: Cli, name: str, seq: int) -> None:
    """Save a message, to find it again with `saved`.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. Nobody else learns what you have saved.

    \b
    Examples:
      grpc-chat save plans 12
    """
    room = await find_room(cli.client, name)
    found = await cli.client.save_message(room.room_id, seq)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(found)


@click.command()
@_room
@_seq
@talks()
async def unsave(cli: Cli, name: str, seq: int) -> None:
    """Remove a message from those that you have saved.

    \b
    Examples:
      grpc-chat unsave plans 12
    """
    room = await find_room(cli.client, name)
    await cli.client.unsave_message(room.room_id, seq)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(None, room_id=room.room_id, seq=seq)


@click.command()
@_in_room
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Messages to print.")
@talks()
async def saved(cli: Cli, room: str | None, limit: int) -> None:
    """Print the messages that you have saved, the last saved first.

    \b
    Examples:
      grpc-chat saved
      grpc-chat saved --room plans --json
    """
    inside = (await find_room(cli.client, room)).room_id if room else None
    found: list[SavedMessage] = []
    async for each in cli.client.saved_messages(inside):
        if len(found) == limit:
            break
        found.append(each)
    names = {} if cli.out.as_json or not found else await _titles(cli)
    cli.answered()
    if not found:
        cli.out.note("you have saved no messages")
    for each in found:
        if cli.out.as_json:
            cli.out.json(each)
            continue
        where = visible(f"{names.get(each.room_id, each.room_id)} #{each.seq}")
        if (message := each.message) is None:
            cli.out.line(f"{cli.out.style(where, dim=True)}  (you may no longer read this message)")
            continue
        when = f"{message.create_time.astimezone():%Y-%m-%d %H:%M}"
        text = visible(message.text) or count(len(message.files), "file")
        cli.out.line(f"{cli.out.style(f'{when}  {where}', dim=True)}  {visible(message.sender_id)}: {text}")


async def _titles(cli: Cli) -> dict[str, str]:
    """The names of the person's rooms, by id."""
    return {room.room_id: title(room) async for room in cli.client.rooms()}
