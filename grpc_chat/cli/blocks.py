"""Commands about who may reach somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from grpc_chat.cli.accounts import user
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.output import count
from grpc_chat.sdk.choices import Audience

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.account_models import Block

AUDIENCES = ("anyone", "shared-room", "nobody", "server")


@click.group()
def block() -> None:
    """Block users: they can't write to you directly or add you to rooms.

    Only you can see whom you have blocked; they are not told. Blocking a person covers the bots that they
    own. In rooms that you are both in, you still see each other's messages.
    """


@block.command("add")
@click.argument("user_id", metavar="USER")
@click.option(
    "--leave-rooms", is_flag=True, help="Also leave the rooms that they added you to without asking."
)
@talks()
async def block_add(cli: Cli, user_id: str, leave_rooms: bool) -> None:
    """Block somebody.

    \b
    Examples:
      grpc-chat block add mallory
      grpc-chat block add mallory --leave-rooms
    """
    made = await cli.client.block(user_id, leave_rooms=leave_rooms)
    words = f"{made.user.user_id} is blocked"
    if leave_rooms:
        words += f", and you have left {count(made.left_rooms, 'room')}"
    if made.kept_room_ids:
        rooms = count(len(made.kept_room_ids), "room")
        words += f"; you are still in {rooms}, as the last owner"
    cli.out.result(made, f"{words}; to end it: grpc-chat block remove {user_id}")


@block.command("remove")
@click.argument("user_id", metavar="USER")
@talks(once=True)
async def block_remove(cli: Cli, user_id: str) -> None:
    """End a block.

    \b
    Examples:
      grpc-chat block remove mallory
    """
    await cli.client.unblock(user_id)
    cli.out.result(None, f"{user_id} is no longer blocked", user_id=user_id)


@block.command("list")
@talks()
async def block_list(cli: Cli) -> None:
    """List whom you have blocked.

    \b
    Examples:
      grpc-chat block list
    """
    found = [blocked async for blocked in cli.client.blocks()]
    columns: list[Column[Block]] = [
        ("user", lambda b: b.user.user_id),
        ("name", lambda b: "" if b.user.display_name == b.user.user_id else b.user.display_name),
        ("", lambda b: "bot" if b.user.bot else ""),
        ("since", lambda b: cli.out.when(b.create_time)),
    ]
    cli.out.table(found, columns, empty="you have blocked nobody")


@user.command("privacy")
@click.option(
    "--adding", type=click.Choice(AUDIENCES), help="Who may add you to rooms without asking you first."
)
@click.option(
    "--direct-messages",
    type=click.Choice(AUDIENCES),
    help="Who may write to you directly, in existing direct rooms too.",
)
@click.option("--bot", default="", metavar="BOT", help="For one of your bots instead of you.")
@talks()
async def user_privacy(cli: Cli, adding: str | None, direct_messages: str | None, bot: str) -> None:
    """Show or change who may reach you.

    `shared-room` means people who are with you in a private room that you came into yourself: you made it,
    joined it or accepted an invitation. A public room does not count, nor does one that others added you to.
    `server` leaves the choice to the server's settings. People who may not add you can still invite you.

    \b
    Examples:
      grpc-chat user privacy
      grpc-chat user privacy --direct-messages shared-room
      grpc-chat user privacy --adding nobody --bot builds
    """
    if adding or direct_messages or bot:
        found = await cli.client.update_profile(
            adding=_audience(adding), direct_messages=_audience(direct_messages), bot_id=bot
        )
    else:
        found = await cli.client.me()
    if cli.out.as_json:
        cli.out.json(found)
    elif privacy := found.privacy:
        cli.out.fields(
            [
                ("user", found.user_id),
                ("adding", _told(privacy.adding, privacy.effective_adding)),
                ("direct messages", _told(privacy.direct_messages, privacy.effective_direct_messages)),
            ]
        )


def _audience(word: str | None) -> Audience | Literal[""] | None:
    """A choice as the SDK takes it."""
    if not word:
        return None
    return "" if word == "server" else Audience(word.replace("-", "_"))


def _told(chosen: str, effective: str) -> str:
    return effective.replace("_", "-") + ("" if chosen else " (the server's setting)")
