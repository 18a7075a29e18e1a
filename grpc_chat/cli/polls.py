"""Commands for polls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import REFUSED, Failure
from grpc_chat.cli.names import find_room
from grpc_chat.cli.presence import Until
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand

_room = click.argument("name", metavar="ROOM")
_seq = click.argument("seq", type=click.IntRange(min=1))


@click.command(cls=TextCommand)
@_room
@click.argument("question")
@click.argument("options", metavar="OPTION…", nargs=-1, required=True)
@click.option("--multiple", is_flag=True, help="Let everyone choose several options.")
@click.option("--anonymous", is_flag=True, help="Tell nobody who voted for what; results when it is closed.")
@click.option(
    "--until", type=Until(), metavar="TIME", help="When it closes by itself: 18:30, 2h, 3d, …  [never]"
)
@talks()
async def poll(
    cli: Cli,
    name: str,
    question: str,
    options: tuple[str, ...],
    *,
    multiple: bool,
    anonymous: bool,
    until: timedelta | None,
) -> None:
    """Ask a question with 2 to 20 answers to choose from.

    ROOM is a room's name or id, or @USER. Members vote with `vote`, or /vote in `chat`. A poll can't be
    edited; you can close it with `poll-close` and delete it like any message.

    \b
    Examples:
      grpc-chat poll plans "When do we meet?" Monday Tuesday Wednesday
      grpc-chat poll plans "Which ones?" --multiple --until 18:30 a b c
      grpc-chat poll board "Who speaks for us?" --anonymous --until 3d Ann Ben
    """
    from grpc_chat.sdk.poll_records import Poll

    close_time = datetime.now(UTC) + until if until else None
    room = await find_room(cli.client, name, make=True)
    asked = Poll(options, multiple=multiple, anonymous=anonymous, close_time=close_time)
    sent = await cli.client.send(room.room_id, question, poll=asked, timeout=timedelta(seconds=30))
    cli.answered()
    if cli.out.as_json:
        cli.out.json(sent)
    else:
        cli.out.line(f"poll {sent.seq}; to vote: grpc-chat vote ROOM {sent.seq} NUMBER")


@click.command(cls=TextCommand)
@_room
@_seq
@click.argument("numbers", metavar="NUMBER…", nargs=-1, type=click.IntRange(1, 20))
@click.option("--take-back", is_flag=True, help="Take your vote back.")
@talks()
async def vote(cli: Cli, name: str, seq: int, numbers: tuple[int, ...], *, take_back: bool) -> None:
    """Vote in a poll, in place of what you voted before.

    ROOM is a room's name or id, or @USER. SEQ is the number of the poll's message, which `read --json`,
    `watch --json` and `poll --json` print as `seq`. NUMBER is an option's number, from 1.

    \b
    Examples:
      grpc-chat vote plans 12 2
      grpc-chat vote plans 12 1 3
      grpc-chat vote plans 12 --take-back
    """
    if bool(numbers) == take_back:
        raise click.UsageError("give either the numbers of options or --take-back")
    room = await find_room(cli.client, name)
    state = await cli.client.vote(room.room_id, seq, *dict.fromkeys(number - 1 for number in numbers))
    cli.answered()
    if cli.out.as_json:
        cli.out.json(state)
    else:
        await _show(cli, room.room_id, seq)


@click.command("poll-close", cls=TextCommand)
@_room
@_seq
@talks()
async def poll_close(cli: Cli, name: str, seq: int) -> None:
    """Close a poll that you sent, so that nobody can vote any longer, and print how it ended.

    Admins and owners of a room can also close polls of members with a lower role.

    \b
    Examples:
      grpc-chat poll-close plans 12
    """
    from grpc_chat.cli.ballots import ballot

    room = await find_room(cli.client, name)
    message = await cli.client.close_poll(room.room_id, seq)
    cli.answered()
    if cli.out.as_json:
        cli.out.json(message)
    elif message.poll:
        for line in ballot(message.poll, None):
            cli.out.line(line)


@click.command("poll-results", cls=TextCommand)
@_room
@_seq
@click.option("--votes", is_flag=True, help="Who voted for what, one line for each.")
@talks()
async def poll_results(cli: Cli, name: str, seq: int, *, votes: bool) -> None:
    """Print how a poll stands, or who voted for what.

    An anonymous poll says how it ended once it is closed, and never who voted for what.

    \b
    Examples:
      grpc-chat poll-results plans 12
      grpc-chat poll-results plans 12 --votes
      grpc-chat poll-results plans 12 --json
    """
    room = await find_room(cli.client, name)
    if votes:
        found = [vote async for vote in cli.client.poll_votes(room.room_id, seq)]
        cli.answered()
        for each in found:
            if cli.out.as_json:
                cli.out.json(each)
            else:
                numbers = " ".join(str(at + 1) for at in each.choices)
                cli.out.line(f"{visible(each.user_id)}  {numbers}")
        return
    if cli.out.as_json:
        state = (await cli.client.polls(room.room_id, seq)).get(seq)
        cli.answered()
        if state is None:
            raise _no_poll(seq)
        cli.out.json(state)
        return
    await _show(cli, room.room_id, seq)


async def _show(cli: Cli, room_id: str, seq: int) -> None:
    from grpc_chat.cli.ballots import ballot

    messages = [each async for each in cli.client.history(room_id, after=seq - 1, limit=1)]
    states = await cli.client.polls(room_id, seq)
    cli.answered()
    if not messages or messages[0].seq != seq or not messages[0].poll:
        raise _no_poll(seq)
    for line in ballot(messages[0].poll, states.get(seq)):
        cli.out.line(line)


def _no_poll(seq: int) -> Failure:
    return Failure(f"message {seq} is not a poll, or you may not read it", REFUSED)
