"""Commands for messages that answer others: replies and threads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.inbox import beginning
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.presence import Until
from grpc_chat.cli.texts import TextCommand
from grpc_chat.errors import MessageNotFound

if TYPE_CHECKING:
    from datetime import timedelta

    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.models import Event, Room
    from grpc_chat.sdk.thread_records import Thread

_room = click.argument("name", metavar="ROOM")
_seq = click.argument("seq", type=click.IntRange(min=1))


@click.command(cls=TextCommand)
@_room
@_seq
@click.argument("text", nargs=-1, required=True)
@click.option("--thread", is_flag=True, help="Begin a thread with the reply.")
@click.option("--timeout", default=30.0, show_default=True, help="How many seconds to try.")
@talks()
async def reply(
    cli: Cli, name: str, seq: int, text: tuple[str, ...], *, thread: bool, timeout: float
) -> None:
    """Reply to a message.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which stands before it in
    `read`, `watch` and `chat`. A reply to a message that is in a thread goes to the same thread.

    \b
    Examples:
      grpc-chat reply plans 12 "At noon is fine"
      grpc-chat reply plans 12 --thread "Let us talk about the cake here"
    """
    from grpc_chat.cli import sending

    room = await find_room(cli.client, name)
    root = (await cli.client.message(room.room_id, seq)).thread_root or (seq if thread else 0)
    cli.answered()
    said = " ".join(text)
    sent = await sending.send(cli, room, said, timeout, reply_to=seq, thread_root=root)
    if cli.out.as_json:
        cli.out.json(sent)


@click.command(cls=TextCommand)
@click.argument("name", metavar="[ROOM]", default="")
@click.option(
    "--unread", is_flag=True, help="Only those that you follow and have not muted, with unread messages."
)
@talks()
async def threads(cli: Cli, name: str, *, unread: bool) -> None:
    """List the threads of a room, or without ROOM those that you follow in all rooms.

    Those with the newest messages come first. You follow a thread from when you write in it, or somebody else
    begins one with a message of yours; `thread --follow`, `--unfollow` and `--mute` change that.

    \b
    Examples:
      grpc-chat threads
      grpc-chat threads --unread
      grpc-chat threads plans --json
    """
    room = await find_room(cli.client, name) if name else None
    listing = cli.client.threads(room.room_id if room else None, unread=unread)
    found = [thread async for thread in listing]
    names = {room.room_id: title(room)} if room else {}
    if found and not room and not cli.out.as_json:
        names = {each.room_id: title(each) async for each in cli.client.rooms()}
    cli.answered()
    columns: list[Column[Thread]] = [
        *([] if room else [("room", lambda thread: names.get(thread.room_id, thread.room_id))]),
        ("thread", lambda thread: f"#{thread.root_seq}"),
        ("replies", lambda thread: str(thread.replies)),
        ("unread", lambda thread: str(thread.unread or "")),
        (
            "newest",
            lambda thread: f"{thread.last_time.astimezone():%Y-%m-%d %H:%M}" if thread.last_time else "",
        ),
        ("you", _state),
        ("message", lambda thread: beginning(thread.root)),
    ]
    where = f"in {names[room.room_id]}" if room else "that you follow"
    cli.out.table(found, columns, empty=f"no threads {where}" + (" with unread messages" if unread else ""))


def _state(thread: Thread) -> str:
    if not thread.following:
        return ""
    if thread.muted and thread.mute_end_time:
        return f"muted until {thread.mute_end_time.astimezone():%Y-%m-%d %H:%M}"
    return "muted" if thread.muted else "following"


@click.command(cls=TextCommand)
@_room
@_seq
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, metavar="N", help="The most messages to show.  [50]"
)
@click.option("--all", "everything", is_flag=True, help="All messages.")
@click.option("--follow", "change", flag_value="follow", help="Follow the thread from now on.")
@click.option("--unfollow", "change", flag_value="unfollow", help="No longer follow it.")
@click.option("--mute", "change", flag_value="mute", help="Follow it without being notified of it.")
@click.option("--unmute", "change", flag_value="unmute", help="Be notified of it again.")
@click.option(
    "--until", type=Until(), metavar="TIME", help="With --mute: until when, as 18:30, 2h, 3d.  [for good]"
)
@click.option("--mark-read", is_flag=True, help="Have it read up to its end, in all of your sessions.")
@talks()
async def thread(
    cli: Cli,
    name: str,
    seq: int,
    *,
    limit: int,
    everything: bool,
    change: str | None,
    until: timedelta | None,
    mark_read: bool,
) -> None:
    """Print a thread: the message that it begins with, and the newest messages in it.

    With an option such as --follow, changes what the thread is to you, in all of your sessions, instead.

    ROOM is a room's name or id, or @USER. SEQ is the number of the message that the thread begins with, or of
    any message in it.

    \b
    Examples:
      grpc-chat thread plans 12
      grpc-chat thread plans 12 --mark-read
      grpc-chat thread plans 12 --unfollow
      grpc-chat thread plans 12 --mute --until 18:30
    """
    if until and change != "mute":
        raise click.UsageError("--until is for --mute")
    room = await find_room(cli.client, name)
    # The root may be hidden, though the rest of the thread is not.
    with suppress(MessageNotFound):
        seq = (await cli.client.message(room.room_id, seq)).thread_root or seq
    if change:
        now = await _change(cli, room, seq, change, until)
        cli.answered()
        if cli.out.as_json:
            cli.out.json(now)
        elif cli.out.terminal:
            cli.out.line(_state(now) or "not following")
        return
    shown = await read(cli, room, seq, limit=None if everything else limit)
    cli.answered()
    if mark_read and shown:
        await cli.client.mark_read(room.room_id, shown[-1].seq, thread_root=seq)
    from grpc_chat.cli.events import EventLines

    EventLines(cli.out, [room], with_rooms=False, me=cli.me, numbers=cli.out.terminal).show_all(shown)


async def read(cli: Cli, room: Room, root_seq: int, *, limit: int | None) -> list[Event]:
    """The root of a thread, unless it is hidden, and its newest messages, oldest first."""
    newest = cli.client.thread_messages(room.room_id, root_seq, before=2**63 - 1, limit=limit)
    found: list[Event] = [message async for message in newest]
    with suppress(MessageNotFound):
        found.append(await cli.client.message(room.room_id, root_seq))
    return found[::-1]


async def _change(cli: Cli, room: Room, seq: int, change: str, lifetime: timedelta | None) -> Thread:
    room_id, client = room.room_id, cli.client
    match change:
        case "follow":
            return await client.follow_thread(room_id, seq)
        case "unfollow":
            return await client.unfollow_thread(room_id, seq)
        case "mute":
            return await client.mute_thread(room_id, seq, lifetime=lifetime)
        case _:
            return await client.unmute_thread(room_id, seq)
