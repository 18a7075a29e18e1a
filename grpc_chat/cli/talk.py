"""Commands for talking: chat, send, read, watch."""

from __future__ import annotations

import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.asking import interruptible
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.extras import STDIN, extras_of, with_extras
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.names import find_room
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.cli.events import EventLines
    from grpc_chat.sdk.bodies import LinkCard
    from grpc_chat.sdk.models import Event

_room = click.argument("name", metavar="ROOM")
_SEQ = click.IntRange(min=1)


class _Uuid(click.ParamType):  # type: ignore[type-arg]
    name = "uuid"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(uuid.UUID(str(value)))
        except ValueError:
            self.fail(f"{value!r} is not a UUID", param, ctx)


@click.command(cls=TextCommand)
@_room
@click.argument("text", nargs=-1)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Send a whole file as one message; - for standard input.",
)
@click.option("--reply-to", type=_SEQ, metavar="SEQ", help="Reply to this message.")
@click.option("--thread", type=_SEQ, metavar="SEQ", help="Send it to the thread of this message.")
@with_extras
@click.option("--id", "message_id", type=_Uuid(), metavar="UUID", help="Send a message again; see above.")
@click.option("--timeout", default=30.0, show_default=True, help="How many seconds to try.")
@talks()
async def send(
    cli: Cli,
    name: str,
    text: tuple[str, ...],
    file: Path | None,
    reply_to: int | None,
    thread: int | None,
    cards: tuple[LinkCard, ...],
    body_type: str | None,
    body_file: Path | None,
    message_id: str | None,
    timeout: float,
) -> int:
    """Send a message, and wait until the server has it on disk.

    Without TEXT, or with -, each line of standard input is a message. ROOM is a room's name or id, or @USER.

    What you send is not sent back to programs with the same token as yours; `watch` and `chat` ask for it
    and print it.

    Every message has an id, and is stored only once however often you send it with that id. If it is not
    known whether it was stored, the exit code is 6 and the error names the id: repeat the command with --id.

    A message can have cards, which say what to show for links, and a body for programs, which is any protobuf
    message; `read --json` and `watch --json` print both.

    \b
    Examples:
      grpc-chat send plans Lunch at noon?
      grpc-chat send @bob "Do you have a minute?"
      grpc-chat send plans "- [ ] bring a cake"
      grpc-chat send plans --thread 12 "I can bring plates"
      make test 2>&1 | tail -5 | grpc-chat send builds
      git diff | grpc-chat send review --file -
      grpc-chat send plans "see https://example.com/" --card "https://example.com/ | Example | An example"
      grpc-chat send orders "Lunch?" --body-type acme.forms.Form --body-file form.binpb
    """
    from grpc_chat.cli import sending

    if file and text:
        raise click.UsageError("give either a text or --file")
    lines = not file and text in ((), ("-",))
    if lines and not text and sys.stdin and sys.stdin.isatty():
        raise click.UsageError("give a text, or - to type one message on each line")
    if lines and (message_id or cards or body_type or body_file):
        raise click.UsageError("--id, --card, --body-type and --body-file are for one message")
    if str(file) == str(body_file) == STDIN:
        raise click.UsageError("only one of --file and --body-file can be standard input")
    whole = "" if lines else _content(file) if file else " ".join(text)
    if not lines and not whole:
        raise click.UsageError("the message is empty")
    extras = extras_of(cards, body_type, body_file)
    room = await find_room(cli.client, name, make=True)
    cli.answered()
    if lines:
        return await sending.send_lines(cli, room, timeout, reply_to=reply_to or 0, thread_root=thread or 0)
    sent = await sending.send(
        cli, room, whole, timeout, message_id, extras, reply_to=reply_to or 0, thread_root=thread or 0
    )
    if cli.out.as_json:
        cli.out.json(sent)
    return 0


def _content(file: Path) -> str:
    try:
        with interruptible():
            raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        # The end of the last line is not part of the text.
        return raw.decode().removesuffix("\n")
    except OSError as exc:
        raise Failure(f"{file} can't be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise Failure(f"{file} is not UTF-8 and can't be a message") from exc


# Stamps count from here; the server refuses earlier ones, naming a field that nobody typed.
_FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class _Since(click.ParamType):  # type: ignore[type-arg]
    name = "place"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, datetime | None]:
        number, at, written = str(value).partition("@")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            self.fail(f"{value!r} must begin with the number of a message", param, ctx)
        try:
            time = datetime.fromisoformat(written) if at else None
        except ValueError:
            self.fail(f"{written!r} is not a time as --json prints it", param, ctx)
        if time and time.tzinfo is None:
            self.fail(f"{written!r} has no time zone; --json prints one", param, ctx)
        if time and time < _FIRST_TIME:
            self.fail(f"{written!r} is before 1970; give the time as --json prints it", param, ctx)
        return int(number), time


# Reading


@click.command(cls=TextCommand)
@_room
@click.argument("seq", type=click.IntRange(min=1), required=False)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="The most messages to show.  [50]")
@click.option("--before", type=click.IntRange(min=1), metavar="SEQ", help="Only messages before this number.")
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="Only messages after this number.")
@click.option("--all", "everything", is_flag=True, help="All messages.")
@click.option("--full", is_flag=True, help="Do not fold long messages on a terminal.")
@click.option(
    "--numbers", is_flag=True, help="Print the messages' numbers elsewhere than on a terminal, too."
)
@talks()
async def read(
    cli: Cli,
    name: str,
    seq: int | None,
    limit: int | None,
    before: int | None,
    after: int | None,
    everything: bool,
    full: bool,
    numbers: bool,
) -> None:
    """Print messages of a room, oldest first: by default the newest 50.

    With SEQ, the message that has this number in the room.

    On a terminal each message begins with the time and its number in the room, which commands such as `reply`
    and `edit` take, and one of more than 15 lines is folded, unless you give --full. Elsewhere each is a line
    that begins with date and time, and with --numbers the number; with --json each is an object with the
    number as `seq`.

    \b
    Examples:
      grpc-chat read plans
      grpc-chat read plans --limit 200
      grpc-chat read @bob --before 1200
      grpc-chat read plans 12 --full
      grpc-chat read plans --full
      grpc-chat read plans --all --json > plans.jsonl
    """
    from grpc_chat.cli.events import FEW, EventLines

    if sum([before is not None, after is not None, everything]) > 1:
        raise click.UsageError("give one of --before, --after and --all")
    if seq is not None and (before is not None or after is not None or everything or limit):
        raise click.UsageError("give SEQ without --before, --after, --all and --limit")
    room = await find_room(cli.client, name)
    cli.answered()
    numbers = numbers or cli.out.terminal
    lines = EventLines(cli.out, [room], with_rooms=False, me=cli.me, full=full, numbers=numbers)
    if cli.out.terminal and room.member_count <= FEW:
        lines.meet([member async for member in cli.client.members(room.room_id)])
    if seq is not None:
        message = await cli.client.message(room.room_id, seq)
        if not cli.out.as_json:
            await _learn_polls(cli, lines, room.room_id, [message])
        lines.show(message)
        return
    if after is not None or everything:
        left = limit if limit or everything else 50
        async for event in _up_to(left, cli.client.events(room.room_id, after=after or 0, page_size=left)):
            if not cli.out.as_json:
                await _learn_polls(cli, lines, room.room_id, [event])
            lines.show(event)
        return
    limit = limit or 50
    newest = cli.client.events(room.room_id, before=before or room.last_seq + 1, page_size=limit)
    found = [event async for event in _up_to(limit, newest)]
    if not cli.out.as_json:
        await _learn_polls(cli, lines, room.room_id, found)
    lines.show_all(found[::-1])


async def _learn_polls(cli: Cli, lines: EventLines, room_id: str, events: list[Event]) -> None:
    from grpc_chat.cli.ballots import poll_states

    for seq, state in (await poll_states(cli.client, room_id, events)).items():
        lines.polls[room_id, seq] = state


async def _up_to(limit: int | None, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    if limit == 0:
        return
    async for event in events:
        yield event
        if limit is not None:
            limit -= 1
            if not limit:
                return


# Staying


@click.command(cls=TextCommand)
@click.argument("names", metavar="[ROOM]…", nargs=-1)
@click.option(
    "--all-rooms", is_flag=True, help="All rooms that you are in or join; the default without ROOM."
)
@click.option("--from-start", is_flag=True, help="Begin with the whole history.")
@click.option(
    "--since", type=_Since(), metavar="SEQ[@TIME]", help="Begin after this number, in one ROOM; see above."
)
@click.option(
    "--last",
    type=click.IntRange(min=0),
    metavar="N",
    help="Begin with the newest N messages of all ROOMs together.  [0]",
)
@talks()
async def watch(
    cli: Cli,
    names: tuple[str, ...],
    all_rooms: bool,
    from_start: bool,
    since: tuple[int, datetime | None] | None,
    last: int | None,
) -> int:
    """Print what happens, as it happens, until Ctrl-C.

    What you send yourself is printed as well, from whichever program. Reconnects by itself, continues where
    it was, and says so if that takes longer than a moment. Ends with exit code 4, and one line on standard
    error, once you may no longer read any of the ROOMs, and with 3 when the session has ended.

    To continue where it stopped, a script keeps `seq` and `create_time` of the last line that it has dealt
    with, and gives both to --since. It then misses nothing, even if the server was restored from a backup
    meanwhile: the new messages come after a line of the type `history_changed`.

    \b
    Examples:
      grpc-chat watch
      grpc-chat watch plans @bob
      grpc-chat watch plans --last 20
      grpc-chat watch builds --json --since 4711@2026-11-28T09:30:00.123456Z | ./react.py
    """
    from grpc_chat.cli.following import Follow, after, start, until_interrupted

    if names and all_rooms:
        raise click.UsageError("give rooms or --all-rooms")
    if since is not None and len(names) != 1:
        raise click.UsageError("--since is for one room")
    if sum([from_start, since is not None, last is not None]) > 1:
        raise click.UsageError("give one of --from-start, --since and --last")
    if names:
        rooms = [await find_room(cli.client, name) for name in names]
        # A room that is named twice is meant once.
        rooms = list({room.room_id: room for room in rooms}.values())
    else:
        rooms = [room async for room in cli.client.rooms()]
    cli.answered()
    behind = None if from_start else last or 0
    cursors = [start(room, behind) if since is None else after(room, *since) for room in rooms]
    follow = Follow(cli, rooms, cursors, all_rooms=not names, with_rooms=len(names) != 1, newest=last or 0)
    return await until_interrupted(follow.run())


@click.command(cls=TextCommand)
@click.argument("name", metavar="ROOM")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=20,
    metavar="N",
    help="How many earlier messages to begin with.  [20]",
)
@talks()
async def chat(cli: Cli, name: str, last: int) -> int:
    """Talk in a room: what happens is printed, and what you type is sent.

    ROOM is a room's name or id, or @USER. On a terminal, what you have missed comes first, after a line that
    says since when, and counts as read once it is shown. Enter sends, Alt-Enter begins a new line, and
    several lines that you paste are one message. Up brings back what you sent, Tab completes @NAMES. /help
    lists the commands; a message that begins with / is typed with //. Ctrl-C, Ctrl-D or /quit leaves. What
    you send from other programs is printed as well.

    What you type while the server can't be reached is sent when it is back. What could not be sent when you
    leave is printed with the command that sends it. Ends by itself as `watch` does, with the same exit codes.
    From a pipe, each line of standard input is a message, and others' messages are still printed after its
    end.

    \b
    Examples:
      grpc-chat chat plans
      grpc-chat chat @bob --last 100
      tail -f build.log | grpc-chat chat builds
    """
    from grpc_chat.cli.chatting import Chat

    room = await find_room(cli.client, name, make=True)
    cli.answered()
    return await Chat(cli, room, last).run()
