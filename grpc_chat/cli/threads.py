"""Commands for messages that answer others."""

from __future__ import annotations

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room
from grpc_chat.cli.texts import TextCommand

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
