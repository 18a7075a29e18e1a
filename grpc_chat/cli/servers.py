"""Commands about saved servers. Only `forget` calls a server."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grpc_chat.cli import tokens
from grpc_chat.cli.asking import say
from grpc_chat.cli.command import make_client, profile_errors
from grpc_chat.cli.failures import NOT_FOUND, USAGE, Failure
from grpc_chat.cli.options import json_option
from grpc_chat.cli.output import Output
from grpc_chat.cli.profiles import BadProfiles, Profile, Profiles
from grpc_chat.cli.target import Target, as_address, saved_target
from grpc_chat.errors import ChatError, Unauthenticated

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column

_TO_LOG_OUT = 3.0

F = TypeVar("F", bound=Callable[..., Any])


def _about_profiles(function: F) -> F:
    @json_option
    @wraps(function)
    def command(as_json: bool, **arguments: Any) -> None:
        with profile_errors():
            function(Profiles(), Output(as_json=as_json), **arguments)

    return command  # type: ignore[return-value]


def _require(profiles: Profiles, name: str | None) -> Profile:
    found = profiles.get(name) if name else profiles.default()
    if found:
        return found
    if not name:
        raise Failure("no server is chosen; see grpc-chat server list", NOT_FOUND)
    if ":" in name:
        # --server takes HOST:PORT too. An address with several accounts does not say which one is meant.
        there = [profile for profile in profiles.all() if profile.address == as_address(name)]
        if len(there) == 1:
            return there[0]
        if there:
            accounts = ", ".join(profile.name for profile in there)
            raise Failure(f"you have several accounts at {name}; name one: {accounts}", USAGE)
    names = ", ".join(profile.name for profile in profiles.all()) or "none"
    raise Failure(f"there is no saved server {name!r}; saved are: {names}", NOT_FOUND)


@click.group()
def server() -> None:
    """See the servers that you have logged in to, and choose the one that commands use."""


@server.command("list")
@_about_profiles
def server_list(profiles: Profiles, out: Output) -> None:
    """List the saved servers. A star marks the one that commands use without --server.

    \b
    Examples:
      grpc-chat server list
    """
    default = profiles.default()
    columns: list[Column[Profile]] = [
        ("", lambda p: "*" if default and p.name == default.name else ""),
        ("name", lambda p: p.name),
        ("address", lambda p: p.address),
        ("user", lambda p: p.user_id),
        ("", lambda p: "" if p.token_in else "logged out"),
    ]
    out.table(profiles.all(), columns, empty="no saved servers: grpc-chat login YOU -s HOST:PORT")


@server.command("show")
@click.argument("name", required=False)
@_about_profiles
def server_show(profiles: Profiles, out: Output, name: str | None) -> None:
    """Show what is saved about a server, and where the token is kept.

    \b
    Examples:
      grpc-chat server show
      grpc-chat server show work
    """
    profile = _require(profiles, name)
    if out.as_json:
        out.json(profile)
        return
    out.fields(
        [
            ("name", profile.name),
            ("address", profile.address),
            ("user", profile.user_id),
            ("session", profile.session_id or "logged out"),
            ("token", tokens.describe(profiles, profile.token_in)),
            *((key, _told(value)) for key, value in profile.more.items()),
            ("saved in", str(profiles.path)),
        ]
    )


@server.command("use")
@click.argument("name")
@_about_profiles
def server_use(profiles: Profiles, out: Output, name: str) -> None:
    """Choose the server that commands use without --server.

    \b
    Examples:
      grpc-chat server use work
    """
    profile = _require(profiles, name)
    profiles.set_default(profile.name)
    out.result(profile, f"from now on: {profile.user_id} at {profile.address}")


@server.command("rename")
@click.argument("name")
@click.argument("new_name")
@_about_profiles
def server_rename(profiles: Profiles, out: Output, name: str, new_name: str) -> None:
    """Rename a saved server.

    \b
    Examples:
      grpc-chat server rename chat.example.org work
    """
    profile = _require(profiles, name)
    profiles.rename(profile.name, new_name)
    out.result(profiles.get(new_name), f"{name} is now called {new_name}")


@server.command("forget")
@click.argument("name")
@_about_profiles
def server_forget(profiles: Profiles, out: Output, name: str) -> None:
    """Remove a saved server and its token from this machine.

    The login ends if the server can be reached; otherwise the command tells you which session is still valid
    there.

    \b
    Examples:
      grpc-chat server forget work
    """
    profile = _require(profiles, name)
    left = _end_login(profiles, profile)
    tokens.drop(profiles, profile.account, profile.token_in, say=say)
    profiles.forget(profile.name)
    out.result(profile, f"{name} is forgotten{left}")


def _told(value: object) -> str:
    """What is saved beside the login, for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)


def _end_login(profiles: Profiles, profile: Profile) -> str:
    """End a saved server's session, if that is quick; returns the end of a sentence about it."""
    import asyncio

    if not profile.session_id:
        return ""

    async def log_out(target: Target) -> None:
        async with asyncio.timeout(_TO_LOG_OUT), make_client(target) as client:
            await client.log_out()

    try:
        asyncio.run(log_out(saved_target(profiles, profile.name)))
    except Unauthenticated:
        # It was over already.
        return ""
    except (BadProfiles, ChatError, Failure, TimeoutError):
        return (
            f"; the session {profile.session_id} is still valid at {profile.address}, until you end it with "
            "grpc-chat sessions revoke, or it has not been used for long enough"
        )
    return ", and the login has ended"
