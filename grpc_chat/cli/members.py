"""Commands about who is in a room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.rooms import quoted, room, room_argument
from grpc_chat.errors import LastOwner
from grpc_chat.wire.links import read_invite

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.models import Ban, Member

ROLES = ("reader", "member", "admin", "owner")

_user = click.argument("user")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; everybody in the room can read it.")


@room.command("join")
@click.argument("invite", metavar="ROOM|INVITE")
@talks()
async def room_join(cli: Cli, invite: str) -> None:
    """Become a member: of a public room, or of the one that an invite (its link, or its code) is for.

    \b
    Examples:
      grpc-chat room join announcements
      grpc-chat room join grpc-chat://chat.example.org:50051/#gci_…
    """
    if read_invite(invite)[0] or invite.startswith("gci_"):
        joined = await cli.client.join_room(invite=invite)
    else:
        found = await find_room(cli.client, invite, public=True)
        joined = await cli.client.join_room(found.room_id)
    cli.out.result(joined, f"you are in {title(joined)}; talk: grpc-chat chat {quoted(title(joined))}")


@room.command("leave")
@room_argument
@click.option("--new-owner", default="", metavar="USER", help="Who owns the room next, if only you do.")
@talks(once=True)
async def room_leave(cli: Cli, name: str, new_owner: str) -> None:
    """Stop being a member.

    \b
    Examples:
      grpc-chat room leave plans
      grpc-chat room leave plans --new-owner bob
    """
    found = await find_room(cli.client, name)
    try:
        await cli.client.leave_room(found.room_id, new_owner=new_owner)
    except LastOwner as error:
        hint = f"name the next one: grpc-chat room leave {quoted(name)} --new-owner USER"
        raise Failure(f"{error}; {hint}, or delete the room") from error
    cli.out.result(None, f"you have left {title(found)}", room_id=found.room_id)


# Members


@room.command("members")
@room_argument
@talks()
async def room_members(cli: Cli, name: str) -> None:
    """List who is in a room.

    \b
    Examples:
      grpc-chat room members plans
    """
    found = await find_room(cli.client, name)
    members = [member async for member in cli.client.members(found.room_id)]
    # Who decides stands on top.
    members.sort(
        key=lambda member: (-ROLES.index(member.role) if member.role in ROLES else 0, member.user.user_id)
    )
    columns: list[Column[Member]] = [
        ("user", lambda m: m.user.user_id),
        ("name", lambda m: "" if m.user.display_name == m.user.user_id else m.user.display_name),
        ("role", lambda m: f"{m.role}, bot" if m.user.bot else m.role),
        ("joined", lambda m: cli.out.when(m.join_time)),
    ]
    cli.out.table(members, columns, empty="nobody is in this room")


@room.command("add")
@room_argument
@_user
@click.option("--role", type=click.Choice(ROLES[:3]), default="member", help="What they become.  [member]")
@_reason
@talks()
async def room_add(cli: Cli, name: str, user: str, role: str, reason: str) -> None:
    """Make somebody a member.

    \b
    Examples:
      grpc-chat room add plans bob
      grpc-chat room add announcements carol --role admin
    """
    found = await find_room(cli.client, name)
    member = await cli.client.add_member(found.room_id, user, role=role, reason=reason)
    cli.out.result(member, f"{member.user.user_id} is in {title(found)}, as {member.role}")


@room.command("remove")
@room_argument
@_user
@_reason
@talks(once=True)
async def room_remove(cli: Cli, name: str, user: str, reason: str) -> None:
    """Make somebody stop being a member. What they said stays.

    \b
    Examples:
      grpc-chat room remove plans bob
      grpc-chat room remove plans bob --reason "Moved to another team"
    """
    found = await find_room(cli.client, name)
    await cli.client.remove_member(found.room_id, user, reason=reason)
    cli.out.result(None, f"{user} is no longer in {title(found)}", room_id=found.room_id, user_id=user)


@room.command("role")
@room_argument
@_user
@click.argument("role", type=click.Choice(ROLES))
@_reason
@talks()
async def room_role(cli: Cli, name: str, user: str, role: str, reason: str) -> None:
    """Give a member another role.

    A reader reads, a member also writes, an admin also keeps order, an owner also decides what becomes of
    the room.

    \b
    Examples:
      grpc-chat room role plans bob admin
    """
    found = await find_room(cli.client, name)
    member = await cli.client.set_role(found.room_id, user, role, reason=reason)
    cli.out.result(member, f"{member.user.user_id} is {member.role} of {title(found)} now")


@room.command("ban")
@room_argument
@_user
@_reason
@talks()
async def room_ban(cli: Cli, name: str, user: str, reason: str) -> None:
    """Remove a user, and keep them from joining again.

    The bots that they own are removed and kept out, too, and the invites that they made to the room end.

    \b
    Examples:
      grpc-chat room ban plans mallory --reason "Spam"
    """
    found = await find_room(cli.client, name)
    await cli.client.ban_member(found.room_id, user, reason=reason)
    cli.out.result(None, f"{user} is banned from {title(found)}", room_id=found.room_id, user_id=user)


@room.command("unban")
@room_argument
@_user
@talks(once=True)
async def room_unban(cli: Cli, name: str, user: str) -> None:
    """Let somebody who was banned join again.

    \b
    Examples:
      grpc-chat room unban plans mallory
    """
    found = await find_room(cli.client, name)
    await cli.client.unban_member(found.room_id, user)
    cli.out.result(None, f"{user} may join {title(found)} again", room_id=found.room_id, user_id=user)


@room.command("bans")
@room_argument
@talks()
async def room_bans(cli: Cli, name: str) -> None:
    """List who is banned from a room.

    \b
    Examples:
      grpc-chat room bans plans
    """
    found = await find_room(cli.client, name)
    bans = [ban async for ban in cli.client.bans(found.room_id)]
    columns: list[Column[Ban]] = [
        ("user", lambda b: b.user.user_id),
        ("banned by", lambda b: b.banned_by),
        ("since", lambda b: cli.out.when(b.create_time)),
        ("reason", lambda b: b.reason),
    ]
    cli.out.table(bans, columns, empty=f"nobody is banned from {title(found)}")
