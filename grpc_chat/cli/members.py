"""Commands about who is in a room."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import click

from grpc_chat.cli.asking import ask
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.rooms import invited, quoted, room, room_argument
from grpc_chat.errors import FailedPrecondition, LastOwner
from grpc_chat.sdk.choices import AnyRole, Role
from grpc_chat.wire.links import read_invite

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.models import Ban, Invitation, Member

ROLES = tuple(map(str, Role))

_user = click.argument("user")
_reason = click.option(
    "--reason", default="", metavar="TEXT", help="The reason; everyone in the room can read it."
)


@room.command("join")
@click.argument("invite", metavar="ROOM|INVITE")
@talks()
async def room_join(cli: Cli, invite: str) -> None:
    """Join a public room, or the room that an invite (a link or code) is for.

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
@click.option(
    "--new-owner", default="", metavar="USER", help="Offer the room to USER, if you are its only owner."
)
@click.option("--yes", is_flag=True, help="Do not ask, even if the room is then deleted.")
@talks(once=True)
async def room_leave(cli: Cli, name: str, new_owner: str, yes: bool) -> None:
    """Leave a room.

    If you are the only owner and others are in the room, offer it to one of them with --new-owner. You can
    leave when they have accepted. If nobody else is in the room, it is deleted with everything that was said
    in it; you are asked before that.

    \b
    Examples:
      grpc-chat room leave plans
      grpc-chat room leave plans --new-owner bob
    """
    found = await find_room(cli.client, name)
    cli.answered()
    if found.role == "owner" and found.member_count == 1 and not new_owner and not yes:
        _be_sure(
            cli,
            f"nobody else is in {title(found)}: the room and everything in it will be permanently deleted",
        )
    try:
        deleted = await cli.client.leave_room(found.room_id, new_owner=new_owner)
    except FailedPrecondition as error:
        again = f"grpc-chat room leave {quoted(name)}"
        if new_owner and error.metadata.get("userId") == new_owner:
            await cli.client.set_role(found.room_id, new_owner, "owner")
            raise Failure(
                f"you are still in {title(found)}: {new_owner} is asked to be an owner, and must accept; "
                f"then leave: {again}"
            ) from error
        if isinstance(error, LastOwner):
            hint = f"offer it to a member: {again} --new-owner USER"
            raise Failure(f"you are the last owner of {title(found)}; {hint}, or delete the room") from error
        raise
    words = f"{title(found)} is deleted" if deleted else f"you have left {title(found)}"
    cli.out.result(None, words, room_id=found.room_id, room_deleted=deleted)


def _be_sure(cli: Cli, what: str) -> None:
    import sys

    if not sys.stdin or not sys.stdin.isatty():
        raise Failure(f"{what}; give --yes to confirm", USAGE)
    cli.out.note(f"{what}.")
    if ask("Leave and delete it? [y/N]", default="", show_default=False).strip().lower() not in ("y", "yes"):
        raise Failure("nothing is changed")


# Members


@room.command("members")
@room_argument
@talks()
async def room_members(cli: Cli, name: str) -> None:
    """List who is in a room, and mark accounts that the server's administrators have blocked.

    \b
    Examples:
      grpc-chat room members plans
    """
    found = await find_room(cli.client, name)
    members = [member async for member in cli.client.members(found.room_id)]
    # Owners and admins come first.
    members.sort(
        key=lambda member: (-ROLES.index(member.role) if member.role in ROLES else 0, member.user.user_id)
    )
    columns: list[Column[Member]] = [
        ("user", lambda m: m.user.user_id),
        ("name", lambda m: "" if m.user.display_name == m.user.user_id else m.user.display_name),
        ("role", lambda m: f"{m.role}, bot" if m.user.bot else m.role),
        ("joined", lambda m: cli.out.when(m.join_time)),
        ("", lambda m: "blocked" if m.blocked else ""),
    ]
    cli.out.table(members, columns, empty="nobody is in this room")
    if waiting := await invited(cli, found):
        cli.out.note(f"invited, and not in it yet: {waiting}")


@room.command("add")
@room_argument
@_user
@click.option("--role", type=click.Choice(ROLES[:3]), default="member", help="Their role.  [member]")
@_reason
@talks()
async def room_add(cli: Cli, name: str, user: str, role: AnyRole, reason: str) -> None:
    """Add somebody, or invite them: the server decides which and tells you.

    Usually, people who share another private room with you become members at once, and others must accept.

    \b
    Examples:
      grpc-chat room add plans bob
      grpc-chat room add announcements carol --role admin
    """
    found = await find_room(cli.client, name)
    added = await cli.client.add_member(found.room_id, user, role=role, reason=reason)
    who, where = added.user.user_id, title(found)
    if _asked(added):
        cli.out.result(added, f"{who} is invited to {where}, as {added.role}, and must accept")
    else:
        cli.out.result(added, f"{who} is in {where}, as {added.role}")


def _asked(given: Member | Invitation) -> TypeGuard[Invitation]:
    # The SDK takes long to import, and not every command needs it.
    from grpc_chat.sdk.models import Invitation

    return isinstance(given, Invitation)


@room.command("remove")
@room_argument
@_user
@_reason
@talks(once=True)
async def room_remove(cli: Cli, name: str, user: str, reason: str) -> None:
    """Remove a member. What they said stays.

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
async def room_role(cli: Cli, name: str, user: str, role: AnyRole, reason: str) -> None:
    """Change a member's role.

    Readers read, members also write, admins also moderate, and owners also archive, delete and hand over the
    room. Ownership is offered: the member must accept it.

    \b
    Examples:
      grpc-chat room role plans bob admin
    """
    found = await find_room(cli.client, name)
    given = await cli.client.set_role(found.room_id, user, role, reason=reason)
    who, where = given.user.user_id, title(found)
    if _asked(given):
        cli.out.result(given, f"{who} is asked to be an owner of {where}, and must accept")
    else:
        cli.out.result(given, f"{who} is now {given.role} of {where}")


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
