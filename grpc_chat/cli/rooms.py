"""Commands about rooms and who is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, Lifetime, ask, talks
from grpc_chat.cli.failures import NOT_FOUND, USAGE, Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.errors import LastOwner
from grpc_chat.wire.links import invite_link, read_invite

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column, Output
    from grpc_chat.sdk.models import Ban, Invite, Member, Room

ROLES = ("reader", "member", "admin", "owner")

_room = click.argument("name", metavar="ROOM")
_user = click.argument("user")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why; everybody in the room can read it.")


@click.group()
def room() -> None:
    """Make rooms, find them, and look after who is in them.

    A ROOM is called by its name, by its id, or, if it is the one you share with somebody, @USER.
    """


# Finding


@room.command("list")
@talks()
async def room_list(cli: Cli) -> None:
    """List the rooms you are in.

    \b
    Examples:
      grpc-chat rooms
      grpc-chat room list
      grpc-chat rooms --json
    """
    found = [room async for room in cli.client.rooms()]
    # Those of two come last, after the rooms with names.
    found.sort(key=lambda room: (room.kind == "direct", title(room).casefold()))
    columns: list[Column[Room]] = [
        ("room", title),
        ("kind", _kind),
        ("members", lambda r: str(r.member_count)),
        ("you", lambda r: "" if r.kind == "direct" else r.role),
        ("topic", lambda r: r.topic),
        ("id", lambda r: r.room_id),
    ]
    cli.out.table(
        found,
        columns,
        empty="you are in no rooms; see `grpc-chat room public`, or make one: grpc-chat room create NAME",
    )


@room.command("public")
@click.argument("query", default="")
@click.option("--archived", is_flag=True, help="Archived ones, too.")
@talks()
async def room_public(cli: Cli, query: str, archived: bool) -> None:
    """List the server's public rooms, which everybody may join; with QUERY, those that are about it.

    \b
    Examples:
      grpc-chat room public
      grpc-chat room public release
    """
    found = [room async for room in cli.client.public_rooms(query, archived=archived)]
    columns: list[Column[Room]] = [
        ("room", title),
        ("members", lambda r: str(r.member_count)),
        ("you", lambda r: r.role),
        ("", lambda r: "archived" if r.archive_time else ""),
        ("topic", lambda r: r.topic),
    ]
    cli.out.table(found, columns, empty="no public rooms" + (f" about {query!r}" if query else ""))


@room.command("show")
@_room
@talks()
async def room_show(cli: Cli, name: str) -> None:
    """Say what is known of a room.

    \b
    Examples:
      grpc-chat room show plans
      grpc-chat room show @bob
    """
    found = await find_room(cli.client, name, public=True)
    if cli.out.as_json:
        cli.out.json(found)
        return
    out = cli.out
    history = {"all": "members read everything", "since_join": "members read what came after they joined"}
    posting = {"members": "members write", "admins": "only admins and owners write"}
    cli.out.fields(
        [
            ("room", title(found)),
            ("topic", found.topic),
            ("kind", _kind(found)),
            ("you are", found.role or "not a member"),
            ("members", str(found.member_count)),
            ("history", history.get(found.history, found.history)),
            ("writing", posting.get(found.posting, found.posting)),
            ("made", out.when(found.create_time)),
            ("archived", out.when(found.archive_time)),
            ("events", f"{found.first_seq} to {found.last_seq}" if found.last_seq else ""),
            ("id", found.room_id),
        ]
    )


def _kind(room: Room) -> str:
    return f"{room.kind}, archived" if room.archive_time else room.kind


# Making and changing


@room.command("create")
@click.argument("name")
@click.option("--public", is_flag=True, help="Everybody on the server may find and join it.")
@click.option("--topic", default="", metavar="TEXT", help="What it is about.")
@click.option(
    "--history",
    type=click.Choice(["all", "since-join"]),
    default="all",
    help="What members read: everything, or what came after they joined.  [all]",
)
@click.option(
    "--posting", type=click.Choice(["members", "admins"]), default="members", help="Who writes.  [members]"
)
@talks()
async def room_create(cli: Cli, name: str, public: bool, topic: str, history: str, posting: str) -> None:
    """Make a room, which you own.

    It is private, unless it is made public: only those who are added or have an invite get in.

    \b
    Examples:
      grpc-chat room create plans --topic "Where to eat"
      grpc-chat room create announcements --public --posting admins
    """
    made = await cli.client.create_room(
        name, public=public, topic=topic, history=history.replace("-", "_"), posting=posting
    )
    how = "everybody may join" if public else f"let people in: grpc-chat room invite create {_quoted(name)}"
    cli.out.result(made, f"{title(made)} is made; {how}")


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


@room.command("direct")
@_user
@talks()
async def room_direct(cli: Cli, user: str) -> None:
    """Begin the room of you and somebody else. Everywhere else it is called @USER.

    `send @USER` and `chat @USER` do that by themselves.

    \b
    Examples:
      grpc-chat room direct bob
    """
    made = await cli.client.direct_room(user.removeprefix("@"))
    cli.out.result(made, f"talk: grpc-chat chat {title(made)}")


@room.command("rename")
@_room
@click.argument("new_name")
@talks()
async def room_rename(cli: Cli, name: str, new_name: str) -> None:
    """Call a room differently.

    \b
    Examples:
      grpc-chat room rename plans "Plans for May"
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.update_room(found.room_id, name=new_name)
    cli.out.result(changed, f"{title(found)} is called {title(changed)} now")


@room.command("topic")
@_room
@click.argument("topic")
@talks()
async def room_topic(cli: Cli, name: str, topic: str) -> None:
    """Say what a room is about. An empty TOPIC removes it.

    \b
    Examples:
      grpc-chat room topic plans "Where to eat on Friday"
      grpc-chat room topic plans ""
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.update_room(found.room_id, topic=topic)
    cli.out.result(
        changed, f"{title(changed)} is about: {changed.topic}" if topic else f"{title(changed)} has no topic"
    )


@room.command("update")
@_room
@click.option(
    "--history", type=click.Choice(["all", "since-join"]), help="What members read; see `room create`."
)
@click.option("--posting", type=click.Choice(["members", "admins"]), help="Who writes.")
@talks()
async def room_update(cli: Cli, name: str, history: str | None, posting: str | None) -> None:
    """Change how a room works.

    \b
    Examples:
      grpc-chat room update announcements --posting admins
      grpc-chat room update plans --history since-join
    """
    if not history and not posting:
        raise click.UsageError("give --history or --posting; see also `room rename` and `room topic`")
    found = await find_room(cli.client, name)
    history = history.replace("-", "_") if history else None
    changed = await cli.client.update_room(found.room_id, history=history, posting=posting)
    cli.out.result(changed, f"{title(changed)} is changed")


@room.command("archive")
@_room
@talks()
async def room_archive(cli: Cli, name: str) -> None:
    """Close a room: everything stays to be read, nothing can be added.

    \b
    Examples:
      grpc-chat room archive plans
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.archive_room(found.room_id)
    cli.out.result(
        changed, f"{title(changed)} is archived; open it again: grpc-chat room unarchive {_quoted(name)}"
    )


@room.command("unarchive")
@_room
@talks()
async def room_unarchive(cli: Cli, name: str) -> None:
    """Open an archived room again.

    \b
    Examples:
      grpc-chat room unarchive plans
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.unarchive_room(found.room_id)
    cli.out.result(changed, f"{title(changed)} is open again")


@room.command("delete")
@_room
@click.option("--confirm", metavar="NAME", help="The room's name once more, instead of being asked for it.")
@talks(once=True)
async def room_delete(cli: Cli, name: str, confirm: str | None) -> None:
    """Delete a room and everything that was said in it, for good.

    \b
    Examples:
      grpc-chat room delete plans
      grpc-chat room delete plans --confirm plans
    """
    import sys

    found = await find_room(cli.client, name)
    cli.answered()
    if confirm is None:
        if not sys.stdin or not sys.stdin.isatty():
            raise Failure("there is no terminal to ask at; give the room's name again with --confirm", USAGE)
        cli.out.note(f"{title(found)} and everything in it will be gone for good.")
        confirm = ask("Its name, to be sure")
    if confirm != found.name:
        raise Failure(f"{confirm!r} is not the room's name; nothing is deleted")
    await cli.client.delete_room(found.room_id, confirm_name=confirm)
    cli.out.result(None, f"{title(found)} is deleted", room_id=found.room_id)


# Coming and going


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
    cli.out.result(joined, f"you are in {title(joined)}; talk: grpc-chat chat {_quoted(title(joined))}")


@room.command("leave")
@_room
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
        hint = f"name the next one: grpc-chat room leave {_quoted(name)} --new-owner USER"
        raise Failure(f"{error}; {hint}, or delete the room") from error
    cli.out.result(None, f"you have left {title(found)}", room_id=found.room_id)


# Members


@room.command("members")
@_room
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
@_room
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
@_room
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
@_room
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
@_room
@_user
@_reason
@talks()
async def room_ban(cli: Cli, name: str, user: str, reason: str) -> None:
    """Remove somebody, and keep them from joining again.

    \b
    Examples:
      grpc-chat room ban plans mallory --reason "Spam"
    """
    found = await find_room(cli.client, name)
    await cli.client.ban_member(found.room_id, user, reason=reason)
    cli.out.result(None, f"{user} is banned from {title(found)}", room_id=found.room_id, user_id=user)


@room.command("unban")
@_room
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
@_room
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


# Invites


def invite_columns(out: Output) -> list[Column[Invite]]:
    """How invites are listed."""
    when = out.when
    return [
        ("invite", lambda i: i.invite_id),
        ("as", lambda i: "administrator" if i.makes_admin else i.role),
        ("by", lambda i: i.created_by),
        ("made", lambda i: when(i.create_time)),
        ("used", lambda i: f"{i.uses} of {i.max_uses}" if i.max_uses else str(i.uses)),
        ("ends", lambda i: when(i.expire_time) or "never"),
        ("", lambda i: "registers" if i.allows_registration and i.room_id else ""),
    ]


def show_new_invite(out: Output, made: Invite, address: str) -> None:
    """Print what to pass on: the link, or for a database that is not served, the code."""
    link = invite_link(address, made.code) if address else made.code
    out.result(made, link, link=link)
    uses = {0: "works for whoever has it", 1: "works once"}.get(made.max_uses, f"works {made.max_uses} times")
    ends = f", ends {out.when(made.expire_time)}" if made.expire_time else ""
    out.note(f"it is not shown again; {uses}{ends}")


invite_lifetime = click.option(
    "--lifetime", type=Lifetime(), metavar="DURATION", help="How long it works: 12h, 30d, …  [7d]"
)


@room.group("invite")
def room_invite() -> None:
    """Invites to a room, which can be passed on as links."""


@room_invite.command("create")
@_room
@click.option("--role", type=click.Choice(ROLES[:3]), default="member", help="What they become.  [member]")
@click.option(
    "--uses", type=click.IntRange(min=0), default=0, metavar="N", help="How many may use it.  [any number]"
)
@invite_lifetime
@click.option(
    "--register", "allows_registration", is_flag=True, help="Whoever has no account may make one with it."
)
@talks(once=True)
async def room_invite_create(
    cli: Cli, name: str, role: str, uses: int, lifetime: timedelta | None, allows_registration: bool
) -> None:
    """Make an invite, and print its link: it is shown now and never again.

    Whoever has it gets in with `room join LINK`, or, with --register, `register NAME --invite LINK`.

    \b
    Examples:
      grpc-chat room invite create plans
      grpc-chat room invite create plans --register --uses 1 --lifetime 2d
    """
    found = await find_room(cli.client, name)
    made = await cli.client.create_invite(
        found.room_id,
        role=role,
        max_uses=uses,
        lifetime=lifetime,
        allows_registration=allows_registration,
    )
    show_new_invite(cli.out, made, cli.target.address)


@room_invite.command("list")
@_room
@talks()
async def room_invite_list(cli: Cli, name: str) -> None:
    """List a room's invites that still work.

    \b
    Examples:
      grpc-chat room invite list plans
    """
    found = await find_room(cli.client, name)
    invites = [invite async for invite in cli.client.invites(found.room_id)]
    cli.out.table(invites, invite_columns(cli.out), empty=f"no invites to {title(found)}")


@room_invite.command("revoke")
@_room
@click.argument("invite_id", metavar="INVITE")
@talks()
async def room_invite_revoke(cli: Cli, name: str, invite_id: str) -> None:
    """Make an invite worthless, by what `room invite list` calls it. Who has used it stays.

    \b
    Examples:
      grpc-chat room invite revoke plans x2jk5c4wl6zqvbn3
    """
    found = await find_room(cli.client, name)
    known = [invite.invite_id async for invite in cli.client.invites(found.room_id)]
    if invite_id not in known:
        raise Failure(f"{title(found)} has no invite {invite_id}, or not any more", NOT_FOUND)
    await cli.client.revoke_invite(found.room_id, invite_id)
    cli.out.result(None, f"the invite {invite_id} is worthless now", invite_id=invite_id)
