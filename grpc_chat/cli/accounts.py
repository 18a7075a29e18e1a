"""Commands about your own account: registering, logging in and out, password and profile."""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from grpc_chat.cli import new_passwords, questions, tokens
from grpc_chat.cli.asking import ask, ask_password, passwords_from_stdin, say
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.links import issuer_options, read_issuer_options
from grpc_chat.cli.options import password_stdin
from grpc_chat.cli.profiles import Profile, Profiles
from grpc_chat.cli.texts import TextGroup
from grpc_chat.cli.waiting import off_loop
from grpc_chat.errors import ChatError, NotAChatServer, Unauthenticated, Unavailable, UserExists

if TYPE_CHECKING:
    from grpc_chat.sdk.account_models import Login, User

_device = click.option(
    "--device", metavar="NAME", help="This device's name in `sessions list`.  [this host's name]"
)
_profile = click.option(
    "--profile", metavar="NAME", help="The name to save the server under.  [its host's name]"
)


_TO_TIDY_UP = 3.0
"""Seconds for tidying up, which nobody should wait for any longer."""


def device_name() -> str:
    """This machine's name, as far as a server accepts it."""
    name = "".join(c for c in socket.gethostname() if c.isprintable())
    return name.encode()[:64].decode(errors="ignore")


# In and out


@click.command()
@click.argument("user")
@click.option("--invite", metavar="CODE|LINK", help="Your invite; a link names the server, too.")
@click.option("--display-name", default="", metavar="NAME", help="What others see beside your user id.")
@_device
@_profile
@password_stdin
@talks(login=False, once=True)
async def register(
    cli: Cli,
    user: str,
    invite: str | None,
    display_name: str,
    device: str | None,
    profile: str | None,
    password_stdin: bool,
) -> None:
    """Make an account, and log in to it.

    USER is the name you will have on this server: a-z, 0-9 and, between them, `.`, `_` and `-`. Asks for a
    password, and asks again for anything that can't be accepted. For scripts, give the password with
    --password-stdin or CHAT_PASSWORD in the environment; then a mistake is an error.

    \b
    Examples:
      grpc-chat register alice --invite grpc-chat://chat.example.org:50051/#gci_…
      grpc-chat register bob --invite gci_… -s chat.example.org:50051 --display-name "Bob B."
      pass chat | grpc-chat register carol -s localhost:50051 --password-stdin
    """
    if profile:
        cli.profiles.require_free(profile, f"{user}@{cli.client.address}")
    # Before the person thinks of a password for nothing.
    info = await cli.client.server_info()
    if not info.password_login:
        raise Failure(f"{cli.client.address} has no accounts: it trusts ids; see `python3 client.py -h`")
    if info.registration == "invite" and not invite:
        raise Failure(
            f"{cli.client.address} needs an invite to register: --invite LINK; ask somebody there for one"
        )
    cli.answered()
    asks = questions.somebody_is_there(from_stdin=password_stdin)
    user, display_name = questions.user_id(user, asks=asks), questions.display_name(display_name)
    password = questions.new_password("Password", user, from_stdin=password_stdin)
    try_as = functools.partial(
        cli.client.register,
        password=password,
        invite=invite or "",
        display_name=display_name,
        device_name=device or device_name(),
    )
    login = await _with_a_free_name(try_as, user, asks=asks)
    saved, ended = await _keep(cli, login, profile)
    where = ended
    if login.room_id:
        room = await cli.client.room(login.room_id)
        where = f"; you are in {room.title}{ended}"
    cli.out.result(
        login.user,
        f"welcome, {login.user.user_id}: you are logged in to {saved.address}{where}",
        room_id=login.room_id,
        profile=saved.name,
    )


@click.command()
@click.argument("user", default="")
@click.option("--with", "issuer", metavar="ISSUER", help="Log in with this issuer, one of the server's.")
@issuer_options
@click.option(
    "--invite", metavar="CODE|LINK", help="With an issuer: an invite, for a new account or to a room."
)
@_device
@_profile
@password_stdin
@talks(login=False)
async def login(
    cli: Cli,
    user: str,
    issuer: str | None,
    elsewhere: bool,
    no_browser: bool,
    port: int | None,
    switch: bool,
    invite: str | None,
    device: str | None,
    profile: str | None,
    password_stdin: bool,
) -> None:
    """Log in, and remember the server.

    The session's token goes into the system's keyring or, if there is none, into a file that only you can
    read; `whoami --verbose` shows which. From now on, commands without --server use this server.

    With an issuer, USER is the name for a new account; if you already have an account on the server, you are
    logged in to that one. If your browser runs on another machine, use --code; or use --port, and run `ssh -L
    PORT:127.0.0.1:PORT` on the browser's machine.

    \b
    Examples:
      grpc-chat login alice -s chat.example.org:50051
      grpc-chat login alice -s chat.example.org --profile work --device "Laptop at home"
      CHAT_PASSWORD=… grpc-chat login alice
      grpc-chat login -s chat.example.org --with example
      grpc-chat login -s chat.example.org --with example --code
      grpc-chat login -s chat.example.org --with example --no-browser --port 8400
    """
    if profile and user:
        cli.profiles.require_free(profile, f"{user}@{cli.client.address}")
    # A server that is not there should say so before the password.
    info = await cli.client.server_info()
    cli.answered()
    if not issuer and (elsewhere or no_browser or port or switch or invite):
        raise Failure("--code, --no-browser, --port, --switch and --invite need --with ISSUER", USAGE)
    if not user and not issuer:
        hint = f", or --with {' | '.join(info.providers)}" if info.providers else ""
        raise Failure(f"say who you are: grpc-chat login USER{hint}", USAGE)
    address, device = cli.client.address, device or device_name()
    if not issuer and cli.target.trust.certificate and not password_stdin and not _has_password():
        login = await cli.client.log_in(user, device_name=device)
    elif not issuer:
        asks = questions.somebody_is_there(from_stdin=password_stdin)
        if asks:
            user = questions.user_id(user, asks=True)
        question = f"Password of {user} at {address}"
        [password] = passwords_from_stdin() if password_stdin else [ask_password(question)]
        login = await questions.with_password(
            password,
            question,
            lambda typed: cli.client.log_in(user, typed, device_name=device),
            asks=asks,
        )
    else:
        from grpc_chat.cli.issuer import log_in

        options = read_issuer_options(
            issuer, info, address, elsewhere=elsewhere, no_browser=no_browser, port=port, switch=switch
        )
        login = await log_in(
            cli.client,
            issuer,
            options,
            say=say,
            ask=ask if sys.stdin and sys.stdin.isatty() else None,
            device_name=device,
            invite=invite or "",
            user_id=user,
        )
    saved, ended = await _keep(cli, login, profile)
    words = f"{login.user.user_id} is logged in to {address}"
    if login.registered:
        words = f"welcome, {login.user.user_id}: you are logged in to {address}"
    elif issuer and user and login.user.user_id != user:
        words += f", which is your account with {info.providers[issuer]}; {user} is not"
    if login.room_id:
        room = await cli.client.room(login.room_id)
        words += f"; you are in {room.title}"
    cli.out.result(login.user, words + ended, room_id=login.room_id, profile=saved.name)


async def _with_a_free_name(register: Callable[[str], Awaitable[Login]], user: str, *, asks: bool) -> Login:
    """Register, and ask for another name while somebody else has this one, or one like it."""
    while True:
        try:
            return await register(user)
        except UserExists as error:
            if not asks:
                raise
            say(f"{error}")
        user = questions.user_id(ask("Another name").strip(), asks=True)


def _has_password() -> bool:
    """Whether the environment gives a password."""
    return bool(os.environ.get("CHAT_PASSWORD"))


async def _keep(cli: Cli, login: Login, name: str | None) -> tuple[Profile, str]:
    """Save a new session, and end the one that it replaces.

    Returns:
        How it is saved, and the end of a sentence about what has ended.
    """
    import asyncio

    try:
        saved, before = await off_loop(_save, cli, login, name)
    except BaseException:
        # A session that nobody can use need not stay, even if Ctrl-C ended the wait for a keyring.
        with suppress(ChatError, TimeoutError):
            async with asyncio.timeout(_TO_TIDY_UP):
                await cli.client.log_out()
        raise
    ended = await _end_before(cli, before)
    if (gone := login.ended_session) and gone.session_id != (before.session_id if before else ""):
        device = gone.device_name or "an unnamed device"
        ended += f"; there were too many logins, and the least recently used one has ended: {device}"
    return saved, ended


def _save(cli: Cli, login: Login, name: str | None) -> tuple[Profile, Profile | None]:
    """Save a new session; returns how it is saved, and how the account was saved before. Blocks."""
    profiles, address, user_id = cli.profiles, cli.client.address, login.user.user_id
    name = name or profiles.new_name(address, user_id)
    new = Profile(name, address, user_id, session_id=login.session.session_id)
    profiles.require_free(name, new.account)
    before = next((known for known in profiles.all() if known.account == new.account), None)
    where = tokens.keep(profiles, new.account, login.token, say=say)
    more = before.more if before else {}
    if cli.target.trust:
        more = more | {"tls": cli.target.trust.record()}
    saved = replace(new, token_in=where, more=more)
    profiles.save(saved)
    return saved, before


async def _end_before(cli: Cli, before: Profile | None) -> str:
    """End the session whose token is overwritten: nobody could use it, and it would count as a device."""
    import asyncio

    if before is None or not before.session_id:
        return ""
    try:
        async with asyncio.timeout(_TO_TIDY_UP):
            ended = await cli.client.revoke_sessions(before.session_id)
    except (ChatError, TimeoutError):
        return f"; the previous login is still valid: grpc-chat sessions revoke {before.session_id}"
    return "; the previous login has ended" if ended else ""


@click.command()
@click.option("--forget", is_flag=True, help="Log out on this machine, even if the server can't be reached.")
@talks()
async def logout(cli: Cli, forget: bool) -> None:
    """End the session, and remove its token from this machine.

    The server stays saved; `server forget` removes it.

    \b
    Examples:
      grpc-chat logout
      grpc-chat logout -s work
      grpc-chat logout --forget
    """
    profile, ended = cli.target.profile, True
    try:
        await cli.client.log_out()
    except Unauthenticated:
        # It was over already.
        pass
    except (Unavailable, NotAChatServer):
        if not forget or profile is None:
            raise
        ended = False
    if profile:
        await off_loop(_forget_token, cli.profiles, profile)
        words = f"{profile.user_id} is logged out of {profile.address}"
        if not ended:
            words += f"; its session {profile.session_id} is still valid: grpc-chat sessions revoke ends it"
        cli.out.say(words)
    else:
        cli.out.say(f"the token in CHAT_TOKEN is no longer valid at {cli.client.address}")


def _forget_token(profiles: Profiles, profile: Profile) -> None:
    tokens.drop(profiles, profile.account, profile.token_in, say=say)
    profiles.log_out(profile)


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Show the session too, and where its token is kept.")
@talks()
async def whoami(cli: Cli, verbose: bool) -> None:
    """Show who you are, and where you are logged in.

    \b
    Examples:
      grpc-chat whoami
      grpc-chat whoami --verbose
      grpc-chat whoami -s work --json
    """
    out, profile = cli.out, cli.target.profile
    user = await cli.client.me()
    if out.as_json:
        session = await cli.client.session()
        out.json(user, address=cli.target.address, session=session, profile=profile.name if profile else None)
    elif not verbose:
        out.say(f"{_called(user)} at {cli.target.address}")
    else:
        session, info = await cli.client.session(), await cli.client.server_info()
        where = "in CHAT_TOKEN"
        if profile:
            where = await off_loop(tokens.describe, cli.profiles, profile.token_in)
        out.fields(
            [
                ("user", _called(user)),
                ("server", f"{cli.target.address} (grpc-chat {info.version})"),
                ("saved as", profile.name if profile else ""),
                ("session", f"{session.session_id} on {session.device_name or 'an unnamed device'}"),
                # The session of a trusted id has no beginning.
                ("since", out.when(session.create_time) if session.create_time.timestamp() else ""),
                ("ends", out.when(session.expire_time) or "never"),
                ("token", where),
            ]
        )


def _called(user: User) -> str:
    return (
        user.user_id if user.display_name in ("", user.user_id) else f"{user.user_id} ({user.display_name})"
    )


@click.command()
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the current and the new password from the first two lines of standard input.",
)
@new_passwords.end_bot_tokens
@talks(once=True)
async def password(cli: Cli, password_stdin: bool, end_bot_tokens: bool) -> None:
    """Change your password. All your other sessions end, and your access tokens.

    The tokens of your bots stay valid, unless you end them with --end-bot-tokens.

    For scripts: --password-stdin, or CHAT_PASSWORD and CHAT_NEW_PASSWORD in the environment.

    \b
    Examples:
      grpc-chat password
      grpc-chat password --end-bot-tokens
      printf '%s\\n' "$OLD" "$NEW" | grpc-chat password --password-stdin
    """
    if password_stdin:
        current, new = passwords_from_stdin(2)
        new = questions.checked_password(new, "", cli.me, asks=False)
    else:
        current = ask_password("Current password")
        new = questions.new_password("New password", cli.me, variable="CHAT_NEW_PASSWORD")
    change = await questions.with_password(
        current,
        "Current password",
        lambda typed: cli.client.change_password(typed, new, end_bot_tokens=end_bot_tokens),
        asks=questions.somebody_is_there(from_stdin=password_stdin),
    )
    new_passwords.tell(
        cli.out,
        "the password has been changed",
        change,
        sessions="other session",
        revoke="grpc-chat token revoke TOKEN --bot BOT",
    )


# Others


@click.group(cls=TextGroup)
def user() -> None:
    """See who somebody is; set your display name, and who may reach you."""


@user.command("show")
@click.argument("user_id", metavar="USER")
@talks()
async def user_show(cli: Cli, user_id: str) -> None:
    """Show a user.

    USER is their exact user id.

    \b
    Examples:
      grpc-chat user show bob
      grpc-chat user show bob --json
    """
    found = await cli.client.user(user_id)
    if cli.out.as_json:
        cli.out.json(found)
        return
    cli.out.fields(
        [
            ("user", found.user_id),
            ("name", found.display_name),
            ("kind", "bot" if found.bot else "person"),
            ("owner", found.owner_id),
        ]
    )


@user.command("rename")
@click.argument("display_name", metavar="NAME")
@click.option("--bot", default="", metavar="BOT", help="Rename one of your bots instead of you.")
@talks()
async def user_rename(cli: Cli, display_name: str, bot: str) -> None:
    """Change the name that others see beside your user id, which does not change.

    \b
    Examples:
      grpc-chat user rename "Alice Liddell"
      grpc-chat user rename "Build results" --bot builds
    """
    changed = await cli.client.update_profile(display_name=display_name, bot_id=bot)
    cli.out.result(changed, f"{changed.user_id} is now called {changed.display_name}")
