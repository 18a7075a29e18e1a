"""The command that finds messages."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.sdk.search import SearchHit

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command(cls=TextCommand)
@click.argument("terms", metavar="TERM…", nargs=-1)
@click.option("--not", "excluded", multiple=True, metavar="TERM", help="Only messages without it.")
@click.option("--room", metavar="ROOM", help="Only in this room: its name or id, or @USER.")
@click.option("--from", "sender", metavar="USER", default="", help="Only by this user.")
@click.option("--has-file", is_flag=True, help="Only messages that carry a file.")
@click.option("--mentions-me", is_flag=True, help="Only messages that mention you.")
@click.option("--since", type=_TIME, metavar="TIME", help="Only from then on: 2026-11-28, or with 'T18:30'.")
@click.option("--before", type=_TIME, metavar="TIME", help="Only from before then.")
@click.option("--best", is_flag=True, help="Sort the newest 500 matches by how well they match.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Messages to print.")
@talks()
async def search(
    cli: Cli,
    terms: tuple[str, ...],
    excluded: tuple[str, ...],
    room: str | None,
    sender: str,
    has_file: bool,
    mentions_me: bool,
    since: datetime | None,
    before: datetime | None,
    best: bool,
    limit: int,
) -> None:
    """Find messages in all rooms that you are in, the newest first.

    A message is found if it has every TERM, anywhere, also inside words. A term in quotes may have several
    words, which then follow each other. Case and accents do not count.

    \b
    Examples:
      grpc-chat search lunch
      grpc-chat search "release notes" --room plans --from bob
      grpc-chat search --mentions-me --from bob
      grpc-chat search 会議 --since 2026-11-01 --json
    """
    if not (terms or sender or has_file or mentions_me):
        raise click.UsageError("give a TERM, --from, --has-file or --mentions-me")
    inside = (await find_room(cli.client, room)).room_id if room else None
    hits = [
        hit
        async for hit in cli.client.search(
            *terms,
            excluded=excluded,
            room=inside,
            sender_id=sender.removeprefix("@"),
            has_file=has_file,
            mentions_me=mentions_me,
            since=since and since.astimezone(),
            before=before and before.astimezone(),
            best=best,
            limit=limit,
        )
    ]
    if cli.out.as_json:
        cli.answered()
        for hit in hits:
            cli.out.json(hit.message, highlights=hit.highlights)
        return
    names = {} if not hits else {room.room_id: title(room) async for room in cli.client.rooms()}
    cli.answered()
    if not hits:
        cli.out.note("nothing found")
    for hit in hits:
        message = hit.message
        where = visible(f"{names.get(message.room_id, message.room_id)} #{message.seq}")
        when = f"{message.create_time.astimezone():%Y-%m-%d %H:%M}"
        place = cli.out.style(f"{when}  {where}", dim=True)
        cli.out.line(f"{place}  {visible(message.sender_id)}: {_marked(cli, hit)}")


def terms_of(text: str) -> list[str]:
    """The terms of a line that somebody typed: words, and in quotes several of them."""
    try:
        return shlex.split(text)
    except ValueError:
        # An apostrophe, say.
        return text.split()


def _marked(cli: Cli, hit: SearchHit) -> str:
    """The text, with what was found standing out."""
    text, at, parts = hit.message.text, 0, []
    for start, end in hit.highlights:
        parts += [visible(text[at:start]), cli.out.style(visible(text[start:end]), bold=True, fg="yellow")]
        at = end
    return "".join([*parts, visible(text[at:])])
