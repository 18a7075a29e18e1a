"""Commands about rooms and who is in them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from unicodedata import normalize

import click

from grpc_chat.cli.asking import ask
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.inbox import is_muted
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.output import count
from grpc_chat.cli.texts import TextGroup
from grpc_chat.errors import Unimplemented
from grpc_chat.sdk.choices import AnyPosting, AnyReceipts, History

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.models import Room

room_argument = click.argument("name", metavar="ROOM")


def _history(word: str) -> History:
    """What `--history` takes, as the SDK does."""
    return History(word.replace("-", "_"))


@click.group(cls=TextGroup)
def room() -> None:
    """Make rooms, find them, and manage their members.

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
        ("unread", lambda r: str(r.unread or "")),
        ("mentions", lambda r: str(r.unread_mentions or "")),
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
    if cli.out.as_json:
        return
    # An older server knows no invitations.
    with suppress(Unimplemented):
        if waiting := [invitation async for invitation in cli.client.invitations()]:
            cli.out.note(f"{count(len(waiting), 'invitation')} to answer: grpc-chat invitations list")


@room.command("public")
@click.argument("query", default="")
@click.option("--archived", is_flag=True, help="Include archived rooms.")
@talks()
async def room_public(cli: Cli, query: str, archived: bool) -> None:
    """List the server's public rooms, which anyone may join; with QUERY, those with it in name or topic.

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
@room_argument
@talks()
async def room_show(cli: Cli, name: str) -> None:
    """Show a room.

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
            ("invited", await invited(cli, found)),
            ("history", history.get(found.history, found.history)),
            ("writing", posting.get(found.posting, found.posting)),
            ("made", out.when(found.create_time)),
            ("archived", out.when(found.archive_time)),
            ("events", f"{found.first_seq} to {found.last_seq}" if found.last_seq else ""),
            ("id", found.room_id),
        ]
    )


async def invited(cli: Cli, room: Room) -> str:
    """Who is invited to a room, for those who may see it; empty for others."""
    if room.role not in ("admin", "owner") or cli.out.as_json:
        return ""
    waiting = [invitation async for invitation in cli.client.room_invitations(room.room_id)]
    return ", ".join(
        each.user.user_id + (f" (as {each.role})" if each.role != "member" else "") for each in waiting
    )


def _kind(room: Room) -> str:
    archived = ", archived" if room.archive_time else ""
    return f"{room.kind}{archived}{', muted' if is_muted(room.notifications) else ''}"


# Making and changing


@room.command("create")
@click.argument("name")
@click.option("--public", is_flag=True, help="Everyone on the server can find and join it.")
@click.option("--topic", default="", metavar="TEXT", help="What it is about.")
@click.option(
    "--history",
    type=click.Choice(["all", "since-join"]),
    default="all",
    help="What members may read: everything, or what comes after they join.  [all]",
)
@click.option(
    "--posting", type=click.Choice(["members", "admins"]), default="members", help="Who may write.  [members]"
)
@talks()
async def room_create(
    cli: Cli, name: str, public: bool, topic: str, history: str, posting: AnyPosting
) -> None:
    """Make a room, and become its owner.

    It is private unless you give --public: only people who are added or have an invite can get in.

    \b
    Examples:
      grpc-chat room create plans --topic "Where to eat"
      grpc-chat room create announcements --public --posting admins
    """
    made = await cli.client.create_room(
        name, public=public, topic=topic, history=_history(history), posting=posting
    )
    how = "everybody may join" if public else f"let people in: grpc-chat room invite create {quoted(name)}"
    cli.out.result(made, f"{title(made)} is made; {how}")


def quoted(name: str) -> str:
    """A room's name as it has to be typed."""
    import shlex

    return shlex.quote(name)


@room.command("direct")
@click.argument("user")
@talks()
async def room_direct(cli: Cli, user: str) -> None:
    """Begin a direct room with somebody. Other commands call it @USER.

    `send @USER` and `chat @USER` do that by themselves.

    \b
    Examples:
      grpc-chat room direct bob
    """
    made = await cli.client.direct_room(user.removeprefix("@"))
    cli.out.result(made, f"talk: grpc-chat chat {title(made)}")


@room.command("rename")
@room_argument
@click.argument("new_name")
@talks()
async def room_rename(cli: Cli, name: str, new_name: str) -> None:
    """Rename a room.

    \b
    Examples:
      grpc-chat room rename plans "Plans for May"
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.update_room(found.room_id, name=new_name)
    cli.out.result(changed, f"{title(found)} is now called {title(changed)}")


@room.command("topic")
@room_argument
@click.argument("topic")
@talks()
async def room_topic(cli: Cli, name: str, topic: str) -> None:
    """Set a room's topic. An empty TOPIC removes it.

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
@room_argument
@click.option(
    "--history", type=click.Choice(["all", "since-join"]), help="What members may read; see `room create`."
)
@click.option("--posting", type=click.Choice(["members", "admins"]), help="Who may write.")
@click.option(
    "--edit-window",
    type=click.IntRange(0, 36_500 * 24 * 60),
    metavar="MINUTES",
    help="How long messages may be edited and deleted by their senders; 0 for any time.",
)
@click.option(
    "--keep-edits/--forget-edits", default=None, help="Whether members can read what messages said before."
)
@click.option(
    "--slow-mode",
    type=click.IntRange(0, 24 * 60 * 60),
    metavar="SECONDS",
    help="How long members must wait between messages; 0 for no time. Admins and owners need not wait.",
)
@click.option(
    "--receipts",
    type=click.Choice(["off", "members", "senders"]),
    help="Who sees what members have read: nobody, all members, or the senders of messages.",
)
@talks()
async def room_update(
    cli: Cli,
    name: str,
    history: str | None,
    posting: AnyPosting | None,
    edit_window: int | None,
    keep_edits: bool | None,
    receipts: AnyReceipts | None,
    slow_mode: int | None,
) -> None:
    """Change a room's settings.

    \b
    Examples:
      grpc-chat room update announcements --posting admins
      grpc-chat room update plans --edit-window 15 --keep-edits
      grpc-chat room update plans --history since-join
      grpc-chat room update plans --receipts members
      grpc-chat room update lobby --slow-mode 30
    """
    others = (edit_window, keep_edits, slow_mode)
    if not (history or posting or receipts) and all(value is None for value in others):
        raise click.UsageError("give an option; see also `room rename` and `room topic`")
    found = await find_room(cli.client, name)
    changed = await cli.client.update_room(
        found.room_id,
        history=_history(history) if history else None,
        posting=posting,
        edit_window=None if edit_window is None else timedelta(minutes=edit_window),
        keep_edits=keep_edits,
        receipts=receipts,
        slow_mode=None if slow_mode is None else timedelta(seconds=slow_mode),
    )
    cli.out.result(changed, f"{title(changed)} is changed")


@room.command("archive")
@room_argument
@talks()
async def room_archive(cli: Cli, name: str) -> None:
    """Close a room: everything can still be read, and nothing added.

    \b
    Examples:
      grpc-chat room archive plans
    """
    found = await find_room(cli.client, name)
    changed = await cli.client.archive_room(found.room_id)
    cli.out.result(
        changed, f"{title(changed)} is archived; open it again: grpc-chat room unarchive {quoted(name)}"
    )


@room.command("unarchive")
@room_argument
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
@room_argument
@click.option("--confirm", metavar="NAME", help="The room's name once more, instead of being asked for it.")
@talks(once=True)
async def room_delete(cli: Cli, name: str, confirm: str | None) -> None:
    """Delete a room and everything that was said in it, permanently.

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
            raise Failure("there is no terminal to ask; give the room's name again with --confirm", USAGE)
        cli.out.note(f"{title(found)} and everything in it will be permanently deleted.")
        confirm = ask("Its name, to be sure")
    if normalize("NFC", confirm) != normalize("NFC", found.name):
        raise Failure(f"{confirm!r} is not the room's name; nothing was deleted")
    await cli.client.delete_room(found.room_id, confirm_name=confirm)
    cli.out.result(None, f"{title(found)} is deleted", room_id=found.room_id)
