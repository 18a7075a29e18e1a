"""Commands for administrators of a server: over the API, or on the database of a stopped server."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grpc_chat.cli import new_passwords, questions
from grpc_chat.cli.command import Cli, perform, profile_errors
from grpc_chat.cli.failures import NOT_FOUND, UNKNOWN, Failure, from_error
from grpc_chat.cli.invites import (
    invite_columns,
    invite_lifetime,
    link_address,
    link_address_option,
    show_new_invite,
)
from grpc_chat.cli.options import json_option, password_stdin, server_option
from grpc_chat.cli.output import Output, count
from grpc_chat.cli.profiles import Profiles
from grpc_chat.cli.sessions import session_columns
from grpc_chat.cli.target import as_address, find_target
from grpc_chat.cli.texts import TextCommand
from grpc_chat.errors import ChatError, Unavailable

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.admin import AdminCalls
    from grpc_chat.sdk.records import UserRecord

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Administration:
    """A command at work on a server's accounts.

    Attributes:
        cli: None if a database is opened instead of calling a server.
    """

    admin: AdminCalls
    out: Output
    cli: Cli | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the server's certificate, if no authority vouches for it."""
        return self.cli.target.trust.fingerprint if self.cli else ""

    def answered(self) -> None:
        """See :meth:`Cli.answered`."""
        if self.cli:
            self.cli.answered()


def administers(*, once: bool = False) -> Callable[[F], F]:
    """As :func:`grpc_chat.cli.command.talks`, for commands that also work on a database."""

    def decorate(function: F) -> F:
        @click.option(
            "--data",
            type=click.Path(file_okay=False, path_type=Path),
            help="Work on the database in this folder, of a stopped server.",
        )
        @server_option
        @json_option
        @functools.wraps(function)
        def command(data: Path | None, server: str | None, as_json: bool, **arguments: Any) -> None:
            out = Output(as_json=as_json)
            work = functools.partial(function, **arguments)
            if data and server:
                raise click.UsageError("give either --data or --server")
            if data:
                sys.exit(_perform_offline(work, data, out))
            with profile_errors():
                profiles = Profiles()
                target = find_target(profiles, server)

            async def online(cli: Cli) -> int | None:
                result: int | None = await work(Administration(cli.client, out, cli))
                return result

            sys.exit(perform(online, target, profiles, out, once=once))

        return command  # type: ignore[return-value]

    return decorate


def _perform_offline(work: Callable[[Administration], Awaitable[int | None]], data: Path, out: Output) -> int:
    import asyncio
    import logging
    import os

    from grpc_chat.cli.offline import offline_admin

    async def run() -> int:
        async with offline_admin(data) as admin:
            return await work(Administration(admin, out)) or 0

    # As the server does: only the owner may read the files that SQLite makes.
    os.umask(0o077)
    logging.basicConfig(level=logging.ERROR)
    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        raise click.Abort() from None
    except Unavailable as error:
        # The disk is at fault: trying again does not help.
        raise Failure(f"it is not known whether this was done: {error.message}", UNKNOWN) from error
    except ChatError as error:
        raise from_error(error, address=str(data)) from error


@click.group()
def admin() -> None:
    """Manage a server's accounts, as one of its administrators.

    With --data, the commands work on the database of a stopped server. Use that to get back in when nobody
    can log in as an administrator.
    """


def user_columns(out: Output) -> list[Column[UserRecord]]:
    """How accounts are listed."""
    return [
        ("user", lambda r: r.user.user_id),
        ("name", lambda r: "" if r.user.display_name == r.user.user_id else r.user.display_name),
        ("", _membership),
        ("sessions", lambda r: str(r.sessions)),
        ("used", lambda r: out.when(r.last_used_time) or "never"),
        ("made", lambda r: out.when(r.create_time)),
    ]


def _membership(record: UserRecord) -> str:
    what = []
    if record.user.bot:
        what.append(f"bot of {record.user.owner_id}" if record.user.owner_id else "bot")
    if record.admin:
        what.append("administrator")
    if record.block_time:
        of_owner = record.owner_blocked and not record.blocked_itself
        what.append("blocked with its owner" if of_owner else "blocked")
    if record.ended_tokens and not record.sessions:
        what.append("needs a new token")
    return ", ".join(what)


@admin.command("users", cls=TextCommand)
@click.argument("query", default="")
@administers()
async def admin_users(at: Administration, query: str) -> None:
    """List the accounts; with QUERY, those with it in their name.

    \b
    Examples:
      grpc-chat admin users
      grpc-chat admin users ali --json
      grpc-chat admin users --data /var/lib/grpc-chat
    """
    found = [record async for record in at.admin.users(query)]
    at.out.table(found, user_columns(at.out), empty="no accounts" + (f" with {query!r}" if query else ""))


@admin.command("create")
@click.argument("user")
@click.option("--display-name", default="", metavar="NAME", help="What others see beside the user id.")
@click.option("--admin", "makes_admin", is_flag=True, help="Make it an administrator of the server.")
@password_stdin
@administers(once=True)
async def admin_create(
    at: Administration, user: str, display_name: str, makes_admin: bool, password_stdin: bool
) -> None:
    """Make an account for somebody, with a password that you tell them.

    An invite, with which they choose their own password, is better: see `grpc-chat invite create`.

    \b
    Examples:
      grpc-chat admin create carol --display-name "Carol C."
      grpc-chat admin create alice --admin --data ./data
    """
    at.answered()
    asks = questions.somebody_is_there(from_stdin=password_stdin)
    user, display_name = questions.user_id(user, asks=asks), questions.display_name(display_name)
    password = _new_password(user, password_stdin)
    made = await at.admin.create_user(user, password, display_name=display_name, admin=makes_admin)
    what = "an account, and is an administrator of the server" if made.admin else "an account"
    at.out.result(made, f"{made.user.user_id} has {what}")


def _new_password(user: str, from_stdin: bool) -> str:
    return questions.new_password(f"New password of {user}", user, from_stdin=from_stdin)


@admin.command("reset-password")
@click.argument("user")
@password_stdin
@new_passwords.end_bot_tokens
@administers(once=True)
async def admin_reset_password(
    at: Administration, user: str, password_stdin: bool, end_bot_tokens: bool
) -> None:
    """Give an account a new password, and end its sessions and access tokens.

    The tokens of its bots stay valid, unless you end them with --end-bot-tokens.

    \b
    Examples:
      grpc-chat admin reset-password bob
      grpc-chat admin reset-password bob --end-bot-tokens
      grpc-chat admin reset-password alice --data ./data
    """
    at.answered()
    if questions.somebody_is_there(from_stdin=password_stdin):
        user = questions.user_id(user, asks=True)
    password = _new_password(user, password_stdin)
    change = await at.admin.reset_password(user, password, end_bot_tokens=end_bot_tokens)
    new_passwords.tell(
        at.out,
        f"{user} has a new password",
        change,
        sessions="session",
        revoke="grpc-chat admin sessions BOT --revoke-all",
        user_id=user,
    )


@admin.command("make-admin")
@click.argument("user")
@administers()
async def admin_make_admin(at: Administration, user: str) -> None:
    """Make an account an administrator of the server. This gives no access to rooms.

    \b
    Examples:
      grpc-chat admin make-admin bob
    """
    changed = await at.admin.set_admin(user, admin=True)
    at.out.result(changed, f"{user} administers the server now")


@admin.command("remove-admin")
@click.argument("user")
@administers()
async def admin_remove_admin(at: Administration, user: str) -> None:
    """Revoke server administration from an account. The last administrator stays.

    \b
    Examples:
      grpc-chat admin remove-admin bob
    """
    changed = await at.admin.set_admin(user, admin=False)
    at.out.result(changed, f"{user} no longer administers the server")


@admin.command("sessions")
@click.argument("user")
@click.option("--revoke", "session_ids", multiple=True, metavar="SESSION", help="End it; may be repeated.")
@click.option("--revoke-all", is_flag=True, help="End all of them, tokens of programs included.")
@administers()
async def admin_sessions(
    at: Administration, user: str, session_ids: tuple[str, ...], revoke_all: bool
) -> None:
    """List somebody's sessions and tokens, or end them.

    \b
    Examples:
      grpc-chat admin sessions bob
      grpc-chat admin sessions bob --revoke x2jk5c4wl6zqvbn3
      grpc-chat admin sessions bob --revoke-all
    """
    if session_ids and revoke_all:
        raise click.UsageError("give either --revoke or --revoke-all")
    if session_ids or revoke_all:
        ended = await at.admin.revoke_user_sessions(user, *session_ids, all_=revoke_all)
        if session_ids and not ended:
            raise Failure(f"{user} has no such session, or it has ended", NOT_FOUND)
        at.out.result(
            None, f"{count(ended, 'session')} of {user} ended", user_id=user, revoked_sessions=ended
        )
        return
    found = [session async for session in at.admin.user_sessions(user)]
    at.out.table(found, session_columns(at.out), empty=f"{user} is not logged in anywhere")


# Invites


@click.group()
def invite() -> None:
    """Make and end invites with which people register. For administrators.

    Those to a room, which can let people register too, are in `grpc-chat room invite`.
    """


@invite.command("create")
@click.option(
    "--uses",
    type=click.IntRange(min=0),
    default=1,
    metavar="N",
    help="How many people may use it; 0 for any number.  [1]",
)
@invite_lifetime
@click.option(
    "--admin", "makes_admin", is_flag=True, help="Make the people who register administrators of the server."
)
@link_address_option
@administers(once=True)
async def invite_create(
    at: Administration, uses: int, lifetime: timedelta | None, makes_admin: bool, address: str | None
) -> None:
    """Make an invite, and print its link: it is shown now and never again.

    Anyone who has it can register: grpc-chat register NAME --invite LINK. With --data the server's address is
    unknown: give --address, or only the code is printed.

    \b
    Examples:
      grpc-chat invite create
      grpc-chat invite create --uses 30 --lifetime 2d
      grpc-chat invite create --admin --data ./data
    """
    where = await link_address(at.cli, address) if at.cli else as_address(address) if address else ""
    made = await at.admin.create_server_invite(max_uses=uses, lifetime=lifetime, makes_admin=makes_admin)
    show_new_invite(at.out, made, where, fingerprint=at.fingerprint)


@invite.command("list")
@administers()
async def invite_list(at: Administration) -> None:
    """List the invites to the server that still work.

    \b
    Examples:
      grpc-chat invite list
    """
    found = [invite async for invite in at.admin.server_invites()]
    at.out.table(found, invite_columns(at.out), empty="no invites; make one: grpc-chat invite create")


@invite.command("revoke")
@click.argument("invite_id", metavar="INVITE")
@administers()
async def invite_revoke(at: Administration, invite_id: str) -> None:
    """End an invite, by the id that `invite list` shows.

    \b
    Examples:
      grpc-chat invite revoke x2jk5c4wl6zqvbn3
    """
    known = [invite.invite_id async for invite in at.admin.server_invites()]
    if invite_id not in known:
        raise Failure(f"there is no invite {invite_id}, or it has ended", NOT_FOUND)
    await at.admin.revoke_server_invite(invite_id)
    at.out.result(None, f"the invite {invite_id} has been revoked", invite_id=invite_id)
