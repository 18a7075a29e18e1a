"""Commands for the way of a message to its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import count
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from datetime import datetime

    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.choices import AnyReceiptFilter
    from grpc_chat.sdk.models import Room
    from grpc_chat.sdk.receipts import DeliveryExplanation, Receipt

_room = click.argument("name", metavar="ROOM")
_seq = click.argument("seq", type=click.IntRange(min=1))


@click.command(cls=TextCommand)
@_room
@_seq
@click.option(
    "--only", type=click.Choice(["received", "read", "missing"]), help="Only these members.  [all members]"
)
@talks()
async def receipts(cli: Cli, name: str, seq: int, only: AnyReceiptFilter | None) -> None:
    """Show who has received and read a message.

    ROOM is a room's name or id, or @USER. SEQ is the message's number in the room, which `read --json`,
    `watch --json` and `send --json` print as `seq`. Listed are the members who were in the room before the
    message, without its sender. Who has read it is shown where the room shows it (`room update --receipts`)
    and the members do not hide it (`status --hide-receipts`).

    \b
    Examples:
      grpc-chat receipts plans 12
      grpc-chat receipts plans 12 --only missing
    """
    room = await find_room(cli.client, name)
    delivery = await cli.client.delivery(room.room_id, seq)
    found = [receipt async for receipt in cli.client.receipts(room.room_id, seq, only)]
    cli.answered()
    columns: list[Column[Receipt]] = [
        ("user", lambda receipt: receipt.user_id),
        ("received", lambda receipt: cli.out.when(receipt.receive_time) or _yes(receipt.received)),
        ("read", lambda receipt: _yes(receipt.read)),
    ]
    cli.out.table(found, columns, empty="nobody")
    read = f", {delivery.read} read it" if delivery.shows_read else ""
    cli.out.note(f"for {count(delivery.members, 'member')}: {delivery.received} received it{read}")
    if delivery.missing:
        cli.out.note("others may have it in programs that keep their place themselves, as chat and watch do")
    if not delivery.shows_read:
        cli.out.note("this room does not show you who has read it; see `room update --receipts`")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""


@click.command(cls=TextCommand)
@_room
@_seq
@click.argument("user", default="")
@talks()
async def why(cli: Cli, name: str, seq: int, user: str) -> None:
    """Explain how a message reached somebody, or why it did not.

    Without USER, yourself. About others may ask the room's admins and owners, and administrators of the
    server who are members of the room. SEQ is the message's number in the room, which `read --json` and
    `watch --json` print as `seq`.

    \b
    Examples:
      grpc-chat why plans 12
      grpc-chat why plans 12 bob
    """
    room = await find_room(cli.client, name)
    user_id = user.removeprefix("@")
    found = await cli.client.explain_delivery(room.room_id, seq, user_id)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(found, room_id=room.room_id, seq=seq, user_id=user_id or cli.me)
        return
    for sentence in sentences(found, room, seq, user_id, when=cli.out.when):
        cli.out.say(sentence)


def sentences(found: DeliveryExplanation, room: Room, seq: int, user_id: str, *, when: _When) -> list[str]:
    """What an explanation says, in words; ``user_id`` is empty for the person who asks."""
    who, is_, has = (user_id, "is", "has") if user_id else ("you", "are", "have")
    if found.store_time is None:
        said = [f"message {seq} is hidden from you"]
    else:
        gone = "; it was deleted since" if found.deleted else ""
        said = [f"message {seq} was stored {when(found.store_time)}{gone}"]
    for span in found.memberships:
        since = f"since event {span.from_seq}" if span.from_seq else "from an earlier time"
        if span.to_seq:
            said.append(f"{who} {'was' if user_id else 'were'} a member {since} until event {span.to_seq}")
        else:
            said.append(f"{who} {is_} a member of {title(room)} {since}")
    if not found.memberships:
        said.append(f"{who} {is_} no member of {title(room)}, as far back as is known")
    if found.hidden_until_seq:
        said.append(f"events up to {found.hidden_until_seq} are hidden from {who}, who joined after them")
    said.append(f"{who} may {'' if found.may_read else 'not '}read message {seq}")
    for position in found.positions:
        consumer = f"the consumer {position.consumer}" if position.consumer else f"a client of {who}"
        if position.own_position:
            consumer = "a client of yours that keeps its own position"
        time = f", {when(position.acknowledge_time)}" if position.acknowledge_time else ""
        reached = "" if position.seq >= seq else ", which is before it"
        if position.after_seq >= seq:
            reached = ", which is after it"
        since = f"from {position.after_seq + 1} " if position.after_seq else ""
        said.append(f"{consumer} has acknowledged events {since}up to {position.seq}{time}{reached}")
    if found.may_read and not found.positions:
        said.append(f"the server keeps no position for {who} in this room")
    if found.read_seq:
        said.append(f"{who} {has} read up to event {found.read_seq}")
    said += [
        f"session {session.session_id} ({session.device_name or 'no name'}) was last used "
        f"{when(session.last_used_time)}"
        for session in found.sessions
    ]
    return said


if TYPE_CHECKING:
    from collections.abc import Callable

    _When = Callable[[datetime | None], str]
