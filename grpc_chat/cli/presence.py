"""Commands about who is there, and what one shows of oneself."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.names import find_room
from grpc_chat.cli.texts import TextCommand

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column, Output
    from grpc_chat.sdk.signals import Presence

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_YEAR = timedelta(days=365)


class Until(click.ParamType):  # type: ignore[type-arg]
    """A time in the future: ``18:30``, ``2026-12-24T18:00``, or from now ``30m``, ``2h``, ``3d``."""

    name = "until"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        text, now = str(value), datetime.now().astimezone()
        number, unit = text[:-1], text[-1:]
        if number.isascii() and number.isdecimal() and len(number) < 6 and unit in _UNITS:
            left = timedelta(**{_UNITS[unit]: int(number)})
        else:
            left = self._time(text, now, param, ctx) - now
        if not timedelta(0) < left <= _YEAR:
            self.fail(f"{text!r} must be in the future, and within a year", param, ctx)
        return left

    def _time(
        self, text: str, now: datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            if "T" not in text and "-" not in text:
                clock = time.fromisoformat(text)
                at = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
                return at if at > now else at + timedelta(days=1)
            return datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{text!r} must be a time, as 18:30 or 2026-12-24T18:00, or a duration, as 2h", param, ctx
            )


@click.command(cls=TextCommand)
@click.argument("text", nargs=-1)
@click.option("--emoji", default="", help="An emoji to show with it, or instead of a text.")
@click.option(
    "--until", type=Until(), metavar="TIME", help="When it goes by itself: 18:30, 2h, 3d, …  [never]"
)
@click.option("--clear", is_flag=True, help="Remove your status.")
@click.option("--appear-offline/--appear-online", default=None, help="Whether all others see you offline.")
@click.option(
    "--hide-last-seen/--show-last-seen", default=None, help="Whether others see when you were last here."
)
@click.option("--hide-receipts/--show-receipts", default=None, help="Whether others see what you have read.")
@talks(once=True)
async def status(
    cli: Cli,
    text: tuple[str, ...],
    emoji: str,
    until: timedelta | None,
    clear: bool,
    appear_offline: bool | None,
    hide_last_seen: bool | None,
    hide_receipts: bool | None,
) -> None:
    """Show or change what others see of you.

    Without TEXT and options, shows it. Those who are in no room with you, and those whom you have blocked,
    never see whether you are there.

    \b
    Examples:
      grpc-chat status
      grpc-chat status On holiday --emoji 🌴 --until 14d
      grpc-chat status --clear
      grpc-chat status --appear-offline
    """
    changes = bool(text) or bool(emoji)
    if clear and (changes or until):
        raise click.UsageError("give either a status or --clear")
    if until and not changes:
        raise click.UsageError("--until needs a text or --emoji")
    client = cli.client
    found = None
    if changes or clear:
        found = await client.set_status(" ".join(text), emoji=emoji, lifetime=until)
    if any(shown is not None for shown in (appear_offline, hide_last_seen, hide_receipts)):
        found = await client.show_presence(
            appear_offline=appear_offline, hide_last_seen=hide_last_seen, hide_receipts=hide_receipts
        )
    if found is None:
        [found] = await client.presence((await client.me()).user_id)
    if cli.out.as_json:
        cli.out.json(found)
        return
    cli.out.fields(
        [
            ("user", found.user_id),
            ("you are", str(found.state)),
            ("status", words(found) or "none"),
            ("until", cli.out.when(found.status.expire_time) if found.status else ""),
        ]
    )


@click.command()
@click.argument("name", metavar="ROOM")
@talks()
async def who(cli: Cli, name: str) -> None:
    """Show who in a room is online, away or offline, and what they say about themselves.

    ROOM is a room's name or id, or @USER.

    \b
    Examples:
      grpc-chat who plans
      grpc-chat who plans --json
    """
    room = await find_room(cli.client, name)
    found = [presence async for presence in cli.client.presences(room.room_id)]
    columns: list[Column[Presence]] = [
        ("user", lambda p: p.user_id),
        ("", lambda p: str(p.state)),
        ("status", words),
        ("last seen", lambda p: cli.out.when(p.last_seen_time) if p.last_seen_time else ""),
    ]
    cli.out.table(sorted(found, key=rank), columns, empty="nobody is in this room")


def words(presence: Presence) -> str:
    """What a user says about themselves; empty for nothing."""
    status = presence.status
    return " ".join(part for part in (status.emoji, status.text) if part) if status else ""


def rank(presence: Presence) -> int:
    """Those who are there come first."""
    order = ["online", "away"]
    return order.index(presence.state) if presence.state in order else len(order)


def line(presence: Presence, out: Output) -> str:
    """A user in a list for people."""
    parts = [str(presence.state)]
    if presence.last_seen_time:
        parts.append(f"last seen {out.when(presence.last_seen_time)}")
    if said := words(presence):
        parts.append(said)
    return f"{presence.user_id}: {', '.join(parts)}"
