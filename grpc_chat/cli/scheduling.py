"""Commands for messages that the server sends later."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.files import FILES_AT_ONCE, uploaded
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import minute
from grpc_chat.cli.texts import TextCommand
from grpc_chat.cli.when import time_to_come

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.personal import ScheduledMessage


class _When(click.ParamType[datetime]):
    """A time to come."""

    name = "when"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return time_to_come(value, datetime.now(UTC))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(cls=TextCommand)
@click.argument("name", metavar="ROOM")
@click.argument("when", metavar="WHEN", type=_When())
@click.argument("text", nargs=-1)
@click.option(
    "--file",
    "paths",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file that the message carries; as often as you like, up to 10.",
)
@talks(once=True)
async def schedule(
    cli: Cli, name: str, when: datetime, text: tuple[str, ...], paths: tuple[Path, ...]
) -> None:
    """Have the server send a message later.

    ROOM is a room's name or id, or @USER. WHEN is a time such as 2026-12-24T18:30, a time of day such as
    18:30, or a span from now on such as +2h or +1d12h; it can be up to 366 days away. The server sends the
    message in your name, also if you are logged out by then. If you may no longer send it at that time,
    `scheduled` says why. Files are uploaded now, and deleted if you cancel the message.

    \b
    Examples:
      grpc-chat schedule plans +2h Did anybody book the room?
      grpc-chat schedule @bob 2026-12-24T18:30 "Merry Christmas!"
      grpc-chat schedule plans 18:30 --file agenda.pdf "What we talk about tomorrow"
    """
    if not text and not paths:
        raise click.UsageError("give TEXT or --file")
    if len(paths) > FILES_AT_ONCE:
        raise click.UsageError(f"a message carries at most {FILES_AT_ONCE} files")
    room = await find_room(cli.client, name)
    files = [await uploaded(cli, room, path, resumable=False) for path in paths]
    found = await cli.client.schedule(room.room_id, " ".join(text), when, files=files)
    cli.answered()
    words = f"it is sent on {minute(found.send_time)}; to cancel: grpc-chat unschedule {_short(found)}"
    cli.out.result(found, words)


@click.command()
@talks()
async def scheduled(cli: Cli) -> None:
    """List your messages that are to be sent later, and those that could not be sent.

    \b
    Examples:
      grpc-chat scheduled
      grpc-chat scheduled --json
    """
    found = [each async for each in cli.client.scheduled_messages()]
    names = {}
    if found and not cli.out.as_json:
        names = {room.room_id: title(room) async for room in cli.client.rooms()}
    cli.answered()
    columns: list[Column[ScheduledMessage]] = [
        ("id", _short),
        ("time", lambda m: minute(m.send_time)),
        ("room", lambda m: names.get(m.room_id, m.room_id)),
        ("text", _says),
        ("not sent", lambda m: m.failure.message if m.failure else ""),
    ]
    cli.out.table(found, columns, empty="no messages are scheduled")


@click.command(cls=TextCommand)
@click.argument("id_", metavar="ID")
@click.argument("text", nargs=-1)
@click.option("--at", "when", metavar="WHEN", type=_When(), help="The new time, as for `schedule`.")
@talks()
async def reschedule(cli: Cli, id_: str, text: tuple[str, ...], when: datetime | None) -> None:
    """Change the time or the text of a message that is to be sent later, or try one again that failed.

    ID is the id that `scheduled` shows, or its beginning.

    \b
    Examples:
      grpc-chat reschedule 8c0e4f5e --at +1d
      grpc-chat reschedule 8c0e4f5e Did anybody book a room?
    """
    if not text and when is None:
        raise click.UsageError("give TEXT or --at")
    one = await _find(cli.client, id_)
    found = await cli.client.update_scheduled(
        one.scheduled_message_id, text=" ".join(text) or None, send_time=when
    )
    cli.answered()
    cli.out.result(found, f"it is sent on {minute(found.send_time)}")


@click.command()
@click.argument("id_", metavar="ID")
@talks(once=True)
async def unschedule(cli: Cli, id_: str) -> None:
    """Cancel a message that is to be sent later, or remove one that could not be sent.

    ID is the id that `scheduled` shows, or its beginning.

    \b
    Examples:
      grpc-chat unschedule 8c0e4f5e
    """
    found = await _find(cli.client, id_)
    await cli.client.cancel_scheduled(found.scheduled_message_id)
    cli.answered()
    cli.out.result(found, "it will not be sent")


async def _find(client: Client, id_: str) -> ScheduledMessage:
    """The one scheduled message whose id begins like this."""
    found = [
        each
        async for each in client.scheduled_messages()
        if id_ and each.scheduled_message_id.startswith(id_.lower())
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise Failure(f"{len(found)} scheduled messages have ids that begin with {id_}; give more of it")
    raise Failure(f"you have no scheduled message {id_}; `grpc-chat scheduled` lists them", NOT_FOUND)


def _says(message: ScheduledMessage) -> str:
    files = [f"[file: {file.name}]" for file in message.files]
    return " ".join([*([message.text] if message.text else []), *files])


def _short(message: ScheduledMessage) -> str:
    return message.scheduled_message_id[:8]
