"""Commands for what waits, and for what to be notified of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import count, minute
from grpc_chat.cli.presence import Until

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.choices import AnyNotificationLevel
    from grpc_chat.sdk.models import Room
    from grpc_chat.sdk.read_state import MessagePreview, Notifications

_room = click.argument("name", metavar="ROOM")


@click.command()
@click.option(
    "--all", "include_read", is_flag=True, help="Also the rooms in which nothing waits, after them."
)
@click.option(
    "--limit", type=click.IntRange(1, 5000), default=50, metavar="N", help="How many rooms at most.  [50]"
)
@talks()
async def inbox(cli: Cli, include_read: bool, limit: int) -> None:
    """Show what waits for you in all of your rooms, the newest first.

    These are the rooms with unread messages, in how many threads messages wait for you, and how many
    invitations you have not answered. Rooms that you
    have muted are left out, unless somebody mentions you in them. With --json, the first line says how much
    waits in all, and each further line is a room.

    \b
    Examples:
      grpc-chat inbox
      grpc-chat inbox --all --limit 20
      grpc-chat inbox --json
    """
    found = await cli.client.inbox(limit=limit, include_read=include_read)
    cli.answered()
    if cli.out.as_json:
        summary = {
            name: getattr(found, name)
            for name in ("waiting_rooms", "unread", "mentions", "threads", "invitations")
        }
        cli.out.json({"type": "inbox"}, **summary)
        for room in found.rooms:
            cli.out.json(room)
        return
    columns: list[Column[Room]] = [
        ("room", title),
        ("unread", lambda room: str(room.unread or "")),
        ("mentions", lambda room: str(room.unread_mentions or "")),
        ("", _muted),
        ("last", lambda room: cli.out.when(room.last_message.create_time) if room.last_message else ""),
        ("message", _preview),
    ]
    cli.out.table(found.rooms, columns, empty="nothing waits for you")
    if not include_read and (more := found.waiting_rooms - len(found.rooms)) > 0:
        cli.out.note(f"and {count(more, 'more room')}; see --limit")
    if found.threads:
        cli.out.note(f"{count(found.threads, 'thread')} with new messages: grpc-chat threads --unread")
    if found.invitations:
        cli.out.note(f"{count(found.invitations, 'invitation')} to answer: grpc-chat invitations list")


def _preview(room: Room) -> str:
    return beginning(room.last_message)


def beginning(message: MessagePreview | None) -> str:
    """Who sent a message, and how it begins."""
    if message is None:
        return ""
    if message.deleted:
        return f"{message.sender_id} deleted a message"
    text = " ".join(message.text.split())
    return f"{message.sender_id}: {text or count(message.files, 'file')}"


def _muted(room: Room) -> str:
    return "muted" if is_muted(room.notifications) else ""


def is_muted(notifications: Notifications) -> bool:
    """Whether a room is muted at this moment."""
    until = notifications.mute_end_time
    return notifications.muted and (until is None or datetime.now(UTC) < until)


@click.command()
@_room
@click.option(
    "--until", "lifetime", type=Until(), metavar="TIME", help="When it ends: 18:30, 2h, 3d, …  [never]"
)
@talks()
async def mute(cli: Cli, name: str, lifetime: timedelta | None) -> None:
    """Mute a room: be notified of nothing in it, and have it left out of your inbox.

    This holds for all of your sessions, and nobody else sees it. You still get the room's messages.

    \b
    Examples:
      grpc-chat mute builds
      grpc-chat mute plans --until 8h
    """
    room = await find_room(cli.client, name)
    muted = await cli.client.mute(room.room_id, lifetime=lifetime)
    until = f" until {minute(muted.mute_end_time)}" if muted.mute_end_time else ""
    cli.out.result(muted, f"{title(room)} is muted{until}", room_id=room.room_id)


@click.command()
@_room
@talks()
async def unmute(cli: Cli, name: str) -> None:
    """End the muting of a room.

    \b
    Examples:
      grpc-chat unmute builds
    """
    room = await find_room(cli.client, name)
    notifications = await cli.client.unmute(room.room_id)
    cli.out.result(notifications, f"{title(room)} is not muted", room_id=room.room_id)


@click.command()
@_room
@click.argument("level", type=click.Choice(["all", "mentions", "nothing"]))
@talks()
async def notify(cli: Cli, name: str, level: AnyNotificationLevel) -> None:
    """Choose which messages of a room to be notified of: all, those that mention you, or none.

    This holds for all of your sessions, and nobody else sees it. It is for clients that notify; this one does
    not.

    \b
    Examples:
      grpc-chat notify builds mentions
    """
    room = await find_room(cli.client, name)
    notifications = await cli.client.notify(room.room_id, level)
    words = {"all": "all messages", "mentions": "messages that mention you", "nothing": "nothing"}
    cli.out.result(notifications, f"{title(room)}: notify of {words[level]}", room_id=room.room_id)
