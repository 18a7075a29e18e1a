"""Commands that block people, and hand on what they owned. For administrators."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.admin import Administration, admin, administers
from grpc_chat.cli.asking import ask
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.output import Output, count

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.records import Blocked, UnownedRoom


@admin.command("block")
@click.argument("user")
@click.option("--dry-run", is_flag=True, help="Change nothing; only show what would happen.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@administers()
async def admin_block(at: Administration, user: str, dry_run: bool, yes: bool) -> None:
    """Keep an account and its bots from logging in, and end their sessions at once.

    Shows the rooms that are left without an owner, and the bots that stop. If there are any, it asks first on
    a terminal.

    \b
    Examples:
      grpc-chat admin block mallory --dry-run
      grpc-chat admin block mallory
    """
    if dry_run or (_can_ask(at.out) and not yes):
        would = await at.admin.block_user(user, dry_run=True)
        if dry_run:
            at.out.result(would.user, f"{user} would be blocked", **_effects(would))
            _tell_effects(at.out, would)
            return
        if not would.user.block_time and (would.unowned_room_count or would.stopped_bot_count):
            at.answered()
            _tell_effects(at.out, would)
            if ask(f"Block {user}? (y/N)", default="n", show_default=False).strip().lower() not in (
                "y",
                "yes",
            ):
                raise Failure("nothing was changed")
    done = await at.admin.block_user(user)
    at.out.result(
        done.user, f"{user} is blocked; to undo it: grpc-chat admin unblock {user}", **_effects(done)
    )
    _tell_effects(at.out, done)


def _can_ask(out: Output) -> bool:
    """Whether there is somebody to ask."""
    return out.terminal and bool(sys.stdin) and sys.stdin.isatty()


def _effects(block: Blocked) -> dict[str, object]:
    """The effects of a block, for programs."""
    return {
        "unowned_rooms": block.unowned_rooms,
        "unowned_room_count": block.unowned_room_count,
        "stopped_bots": block.stopped_bots,
        "stopped_bot_count": block.stopped_bot_count,
    }


def _tell_effects(out: Output, block: Blocked) -> None:
    """The effects of a block, for people, and what to do about them."""
    if block.unowned_room_count:
        out.say(f"{count(block.unowned_room_count, 'room')} without an owner who is not blocked:")
        for room in block.unowned_rooms:
            out.say(f"  {room.name}  {room.room_id}  {count(room.member_count, 'member')}")
        _say_more(out, block.unowned_room_count - len(block.unowned_rooms))
        out.say("to hand one on to a member: grpc-chat admin room-owner ROOM USER")
    if block.stopped_bot_count:
        out.say(f"{count(block.stopped_bot_count, 'bot')} without an owner who is not blocked, so stopped:")
        for bot in block.stopped_bots:
            out.say(f"  {bot.user_id}  {count(bot.tokens, 'token')}")
        _say_more(out, block.stopped_bot_count - len(block.stopped_bots))
        out.say("to give one to somebody: grpc-chat admin bot-owner BOT USER")


def _say_more(out: Output, more: int) -> None:
    if more > 0:
        out.say(f"  and {more} more")


@admin.command("unblock")
@click.argument("user")
@administers()
async def admin_unblock(at: Administration, user: str) -> None:
    """Let a blocked account and its bots log in again. Shows the bots whose tokens have ended.

    Bots that were blocked themselves stay blocked.

    \b
    Examples:
      grpc-chat admin unblock mallory
    """
    done = await at.admin.unblock_user(user)
    at.out.result(
        done.user,
        f"{user} may log in again",
        stopped_bots=done.stopped_bots,
        stopped_bot_count=done.stopped_bot_count,
        blocked_bots=done.blocked_bots,
        blocked_bot_count=done.blocked_bot_count,
    )
    if done.blocked_bot_count:
        more = done.blocked_bot_count - len(done.blocked_bots)
        at.out.say(
            f"still blocked themselves (grpc-chat admin unblock BOT): {', '.join(done.blocked_bots)}"
            + (f" and {more} more" if more else "")
        )
    if done.stopped_bot_count:
        names = ", ".join(bot.user_id for bot in done.stopped_bots)
        more = done.stopped_bot_count - len(done.stopped_bots)
        at.out.say(
            f"without a token until the owner makes a new one (grpc-chat bot token BOT): {names}"
            + (f" and {more} more" if more else "")
        )


@admin.command("rooms")
@administers()
async def admin_rooms(at: Administration) -> None:
    """List the rooms whose owners are all blocked. Administrators see no others.

    \b
    Examples:
      grpc-chat admin rooms
    """
    found = [room async for room in at.admin.unowned_rooms()]
    columns: list[Column[UnownedRoom]] = [
        ("room", lambda r: r.room_id),
        ("name", lambda r: r.name),
        ("kind", lambda r: r.kind),
        ("members", lambda r: str(r.member_count)),
    ]
    at.out.table(found, columns, empty="every room has an owner who is not blocked")


@admin.command("room-owner")
@click.argument("room")
@click.argument("user")
@click.option("--reason", default="", metavar="TEXT", help="The reason; everyone in the room can read it.")
@administers(once=True)
async def admin_room_owner(at: Administration, room: str, user: str, reason: str) -> None:
    """Make a member the owner of a room whose owners are all blocked.

    ROOM is its id or name, as `admin rooms` lists it. The room's members see who did it; you see nothing in
    the room.

    \b
    Examples:
      grpc-chat admin room-owner plans bob
      grpc-chat admin room-owner plans bob --data /var/lib/grpc-chat
    """
    unowned = [found async for found in at.admin.unowned_rooms()]
    found = [one for one in unowned if one.room_id == room] or [one for one in unowned if one.name == room]
    if len(found) > 1:
        ids = ", ".join(one.room_id for one in found[:10])
        raise Failure(f"{count(len(found), 'room')} are called {room}; give an id: {ids}")
    if not found:
        raise Failure(
            f"there is no room {room} whose owners are all blocked; see grpc-chat admin rooms", NOT_FOUND
        )
    changed = await at.admin.assign_room_owner(found[0].room_id, user, reason=reason)
    at.out.result(changed, f"{user} now owns {changed.name}", user_id=user)


@admin.command("bot-owner")
@click.argument("bot")
@click.argument("user")
@administers(once=True)
async def admin_bot_owner(at: Administration, bot: str, user: str) -> None:
    """Give a bot whose owner is blocked to another person, and end its tokens.

    The new owner makes a new one for it with `bot token`.

    Everyone in the bot's rooms sees it.

    \b
    Examples:
      grpc-chat admin bot-owner builds bob
    """
    changed = await at.admin.assign_bot_owner(bot, user)
    at.out.result(
        changed, f"{bot} now belongs to {user}, who can make a new token for it: grpc-chat bot token {bot}"
    )
