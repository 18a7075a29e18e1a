"""Commands about invitations: your own, and those of a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, REFUSED, Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.rooms import quoted, room, room_argument
from grpc_chat.cli.texts import TextGroup

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.models import Invitation

_bot = click.option("--bot", default="", metavar="BOT", help="For one of your bots instead of you.")


@click.group(cls=TextGroup)
def invitations() -> None:
    """See which rooms you are invited to, and answer.

    You are invited by name, and nothing happens to you until you accept. (An invite, as `room invite` makes
    it, is a link that lets in anyone who has it.)
    """


@invitations.command("list")
@_bot
@talks()
async def invitations_list(cli: Cli, bot: str) -> None:
    """List the invitations that you have not answered, newest first.

    \b
    Examples:
      grpc-chat invitations list
      grpc-chat invitations list --bot build-bot
    """
    found = [invitation async for invitation in cli.client.invitations(bot_id=bot)]
    columns: list[Column[Invitation]] = [
        ("room", lambda i: i.room_title),
        ("kind", lambda i: i.room_kind),
        ("members", lambda i: str(i.room_member_count)),
        ("as", lambda i: i.role),
        ("by", called),
        ("when", lambda i: cli.out.when(i.create_time)),
        ("topic", lambda i: i.room_topic),
        ("reason", lambda i: i.reason),
        ("id", lambda i: i.room_id),
    ]
    cli.out.table(found, columns, empty=f"nobody has invited {bot or 'you'}")


def called(invitation: Invitation) -> str:
    """Who asks: the id first, because anyone may take somebody else's display name."""
    user = invitation.invited_by
    named = user.display_name not in ("", user.user_id)
    return f"{user.user_id} ({user.display_name})" if named else user.user_id


@invitations.command("accept")
@room_argument
@_bot
@talks(once=True)
async def invitations_accept(cli: Cli, name: str, bot: str) -> None:
    """Accept an invitation.

    ROOM is the room's name or id, as `invitations list` shows them.

    \b
    Examples:
      grpc-chat invitations accept plans
    """
    found = await find_invitation(cli.client, name, bot=bot)
    joined = await cli.client.accept_invitation(found.room_id, bot_id=bot)
    who = f"{bot} is" if bot else "you are"
    if found.role == "owner":
        cli.out.result(joined, f"{who} an owner of {title(joined)}")
        return
    talk = "" if bot else f"; talk: grpc-chat chat {quoted(title(joined))}"
    cli.out.result(joined, f"{who} in {title(joined)}{talk}")


@invitations.command("decline")
@room_argument
@_bot
@talks(once=True)
async def invitations_decline(cli: Cli, name: str, bot: str) -> None:
    """Decline an invitation. The members of the room are not told.

    \b
    Examples:
      grpc-chat invitations decline plans
    """
    found = await find_invitation(cli.client, name, bot=bot)
    await cli.client.decline_invitation(found.room_id, bot_id=bot)
    cli.out.result(None, f"you are no longer invited to {found.room_title}", room_id=found.room_id)


async def find_invitation(client: Client, name: str, *, bot: str = "") -> Invitation:
    """The invitation to a room with this name or id.

    Raises:
        Failure: There is none, or several.
    """
    waiting = [invitation async for invitation in client.invitations(bot_id=bot)]
    found = [each for each in waiting if name == each.room_id] or [
        each for each in waiting if each.room_name.casefold() == name.casefold()
    ]
    if not found:
        hint = "`grpc-chat invitations list` shows those that wait for an answer"
        raise Failure(f"there is no invitation to a room {name!r}; {hint}", NOT_FOUND)
    if len(found) > 1:
        ids = ", ".join(f"{each.room_id} (by {each.invited_by.user_id})" for each in found)
        raise Failure(f"there are several rooms {name!r}; name one by its id: {ids}", REFUSED)
    return found[0]


# A room's invitations


@room.command("invitations")
@room_argument
@talks()
async def room_invitations(cli: Cli, name: str) -> None:
    """List who is invited to a room and has not answered. For admins and owners of the room.

    \b
    Examples:
      grpc-chat room invitations plans
    """
    found = await find_room(cli.client, name)
    waiting = [invitation async for invitation in cli.client.room_invitations(found.room_id)]
    columns: list[Column[Invitation]] = [
        ("user", lambda i: i.user.user_id),
        ("as", lambda i: i.role),
        ("by", lambda i: i.invited_by.user_id),
        ("when", lambda i: cli.out.when(i.create_time)),
        ("reason", lambda i: i.reason),
    ]
    cli.out.table(waiting, columns, empty=f"nobody is invited to {title(found)}")


@room.command("withdraw")
@room_argument
@click.argument("user")
@talks(once=True)
async def room_withdraw(cli: Cli, name: str, user: str) -> None:
    """Take back an invitation that was not answered.

    \b
    Examples:
      grpc-chat room withdraw plans bob
    """
    found = await find_room(cli.client, name)
    await cli.client.withdraw_invitation(found.room_id, user)
    words = f"{user} is no longer invited to {title(found)}"
    cli.out.result(None, words, room_id=found.room_id, user_id=user)
