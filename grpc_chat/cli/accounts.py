"""Commands about one's own account: in, out, passwords, sessions, tokens and bots."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli import tokens
from grpc_chat.cli.command import (
    Cli,
    Lifetime,
    ask_password,
    password_stdin,
    passwords_from_stdin,
    talks,
)
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.profiles import Profile
from grpc_chat.errors import Unauthenticated, Unavailable

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column, Output
    from grpc_chat.sdk.models import Login, Session, User

_device = click.option(
    "--device", metavar="NAME", help="What to call this device in `sessions list`.  [this host's name]"
)
_profile = click.option("--profile", metavar="NAME", help="What to call this server.  [its host's name]")


def device_name() -> str:
    """What this machine is called, as far as a server takes it."""
    name = "".join(c for c in socket.gethostname() if c.isprintable())
    return name.encode()[:64].decode(errors="ignore")


# In and out


@click.command()
@click.argument("user")
@click.option("--invite", metavar="CODE|LINK", help="What you were given; a link knows the server, too.")
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
    password; for scripts, --password-stdin or CHAT_PASSWORD in the environment gives it.

    \b
    Examples:
      grpc-chat register alice --invite grpc-chat://chat.example.org:50051/#gci_…
      grpc-chat register bob --invite gci_… -s chat.example.org:50051 --display-name "Bob B."
      pass chat | grpc-chat register carol -s localhost:50051 --password-stdin
    """
    if profile:
        cli.profiles.require_free(profile, f"{user}@{cli.client.address}")
    # Before somebody thinks of a password in vain.
    info = await cli.client.server_info()
    if not info.password_login:
        raise Failure(f"{cli.client.address} has no accounts: it trusts ids; see `python3 client.py -h`")
    if info.registration == "invite" and not invite:
        raise Failure(
            f"{cli.client.address} takes an invite to register: --invite LINK; ask somebody there for one"
        )
    cli.answered()
    [password] = passwords_from_stdin() if password_stdin else [ask_password("Password", twice=True)]
    login = await cli.client.register(
        user,
        password,
        invite=invite or "",
        display_name=display_name,
        device_name=device or device_name(),
    )
    saved = await _keep(cli, login, profile)
    where = ""
    if login.room_id:
        room = await cli.client.room(login.room_id)
        where = f"; you are in {room.title}"
    cli.out.result(
        login.user,
        f"welcome, {login.user.user_id}: you are logged in to {saved.address}{where}",
        room_id=login.room_id,
        profile=saved.name,
    )


@click.command()
@click.argument("user")
@_device
@_profile
@password_stdin
@talks(login=False)
async def login(cli: Cli, user: str, device: str | None, profile: str | None, password_stdin: bool) -> None:
    """Log in, and remember the server.

    The session's token goes into the system's keyring, or into a file for you alone where there is none;
    `whoami --verbose` tells. The server becomes the one that commands without --server mean.

    \b
    Examples:
      grpc-chat login alice -s chat.example.org:50051
      grpc-chat login alice -s chat.example.org --profile work --device "Laptop at home"
      CHAT_PASSWORD=… grpc-chat login alice
    """
    if profile:
        cli.profiles.require_free(profile, f"{user}@{cli.client.address}")
    # A server that is not there should say so before the password.
    await cli.client.server_info()
    cli.answered()
    address = cli.client.address
    [password] = (
        passwords_from_stdin() if password_stdin else [ask_password(f"Password of {user} at {address}")]
    )
    login = await cli.client.log_in(user, password, device_name=device or device_name())
    saved = await _keep(cli, login, profile)
    cli.out.result(
        login.user, f"{login.user.user_id} is logged in to {address}", room_id="", profile=saved.name
    )


async def _keep(cli: Cli, login: Login, name: str | None) -> Profile:
    profiles, address = cli.profiles, cli.client.address
    user_id = login.user.user_id
    profile = Profile(
        name=name or profiles.new_name(address, user_id),
        address=address,
        user_id=user_id,
        session_id=login.session.session_id,
    )
    try:
        where = tokens.keep(profiles, profile.account, login.token)
        known = profiles.get(profile.name)
        more = known.more if known and known.address == address else {}
        saved = Profile(
            profile.name, address, user_id, session_id=profile.session_id, token_in=where, more=more
        )
        profiles.save(saved)
    except BaseException:
        # A session that nobody can use need not stay.
        await cli.client.log_out()
        raise
    return saved


@click.command()
@click.option("--forget", is_flag=True, help="Also where the server can't be reached: only here.")
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
    profile = cli.target.profile
    try:
        await cli.client.log_out()
    except Unauthenticated:
        # It was over already.
        pass
    except Unavailable:
        if not forget or profile is None:
            raise
    if profile:
        tokens.drop(cli.profiles, profile.account, profile.token_in)
        cli.profiles.log_out(profile)
        cli.out.say(f"{profile.user_id} is logged out of {profile.address}")


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Also the session, and where its token is kept.")
@talks()
async def whoami(cli: Cli, verbose: bool) -> None:
    """Say as whom, and where, one is logged in.

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
        where = tokens.describe(cli.profiles, profile.token_in) if profile else "in CHAT_TOKEN"
        out.fields(
            [
                ("user", _called(user)),
                ("server", f"{cli.target.address} (grpc-chat {info.version})"),
                ("saved as", profile.name if profile else ""),
                ("session", f"{session.session_id} on {session.device_name or 'a nameless device'}"),
                # Of a trusted id there is no beginning.
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
@talks(once=True)
async def password(cli: Cli, password_stdin: bool) -> None:
    """Change your password. All your other sessions end.

    For scripts: --password-stdin, or CHAT_PASSWORD and CHAT_NEW_PASSWORD in the environment.

    \b
    Examples:
      grpc-chat password
      printf '%s\\n' "$OLD" "$NEW" | grpc-chat password --password-stdin
    """
    if password_stdin:
        current, new = passwords_from_stdin(2)
    else:
        current = ask_password("Current password")
        new = ask_password("New password", twice=True, variable="CHAT_NEW_PASSWORD")
    ended = await cli.client.change_password(current, new)
    more = f"; {count(ended, 'other session')} ended" if ended else ""
    cli.out.result(None, f"the password is changed{more}", revoked_sessions=ended)


# Others


@click.group()
def user() -> None:
    """Look at users, and be called something."""


@user.command("show")
@click.argument("user_id", metavar="USER")
@talks()
async def user_show(cli: Cli, user_id: str) -> None:
    """Say who somebody is.

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
@click.option("--bot", default="", metavar="BOT", help="Call one of your bots so, instead of you.")
@talks()
async def user_rename(cli: Cli, display_name: str, bot: str) -> None:
    """Change the name that others see beside your user id, which stays.

    \b
    Examples:
      grpc-chat user rename "Alice Liddell"
      grpc-chat user rename "Build results" --bot builds
    """
    changed = await cli.client.update_profile(display_name=display_name, bot_id=bot)
    cli.out.result(changed, f"{changed.user_id} is called {changed.display_name} now")


# Sessions


def session_columns(out: Output, own: str = "") -> list[Column[Session]]:
    """How sessions are listed.

    Args:
        own: The session that the command runs in.
    """
    when = out.when
    return [
        ("session", lambda s: s.session_id),
        ("device", lambda s: s.device_name + (" (this one)" if s.session_id == own else "")),
        ("kind", lambda s: f"token: {', '.join(s.scopes)}" if s.access_token else "login"),
        ("since", lambda s: when(s.create_time)),
        ("used", lambda s: when(s.last_used_time)),
        ("ends", lambda s: when(s.expire_time) or "never"),
    ]


@click.group()
def sessions() -> None:
    """See where you are logged in, and end it."""


@sessions.command("list")
@talks()
async def sessions_list(cli: Cli) -> None:
    """List your sessions: one for each login. Tokens of programs are in `token list`.

    \b
    Examples:
      grpc-chat sessions list
      grpc-chat sessions list --json
    """
    own = (await cli.client.session()).session_id
    found = [session async for session in cli.client.sessions() if not session.access_token]
    cli.out.table(found, session_columns(cli.out, own), empty="no sessions")


@sessions.command("revoke")
@click.argument("session_ids", metavar="SESSION…", nargs=-1)
@click.option("--others", is_flag=True, help="All but this one, tokens of programs included.")
@talks()
async def sessions_revoke(cli: Cli, session_ids: tuple[str, ...], others: bool) -> None:
    """End sessions: whoever uses them is out within a second.

    \b
    Examples:
      grpc-chat sessions revoke x2jk5c4wl6zqvbn3
      grpc-chat sessions revoke --others
    """
    if bool(session_ids) == others:
        raise click.UsageError("give sessions, as `sessions list` has them, or --others")
    await _revoke(cli, session_ids, others=others)


async def _revoke(cli: Cli, session_ids: tuple[str, ...], *, others: bool = False, bot: str = "") -> None:
    ended = await cli.client.revoke_sessions(*session_ids, all_others=others, bot_id=bot)
    if session_ids and not ended:
        raise Failure("there is no such session, or not any more", NOT_FOUND)
    cli.out.result(None, f"{count(ended, 'session')} ended", revoked_sessions=ended)


def count(number: int, what: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


# Tokens


_scopes = click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "write", "admin"]),
    help="What it may do; may be repeated.  [read and write]",
)
_lifetime = click.option(
    "--lifetime", type=Lifetime(), metavar="DURATION", help="How long it works: 12h, 30d, …  [until revoked]"
)
_bot = click.option("--bot", default="", metavar="BOT", help="Of one of your bots, instead of you.")


@click.group()
def token() -> None:
    """Tokens with which your programs act as you."""


@token.command("create")
@click.argument("name")
@_scopes
@_lifetime
@talks(once=True)
async def token_create(cli: Cli, name: str, scopes: tuple[str, ...], lifetime: timedelta | None) -> None:
    """Make a token, and print it: it is shown now and never again.

    NAME says what it is for. Programs give it as CHAT_TOKEN, with CHAT_SERVER.

    \b
    Examples:
      grpc-chat token create backup --scope read
      CHAT_TOKEN=$(grpc-chat token create deploy --lifetime 1h) CHAT_SERVER=chat:50051 ./deploy.sh
    """
    await _create_token(cli, name, scopes, lifetime, "")


async def _create_token(
    cli: Cli, name: str, scopes: tuple[str, ...], lifetime: timedelta | None, bot: str
) -> None:
    made = await cli.client.create_access_token(
        name, scopes=scopes or ("read", "write"), lifetime=lifetime, bot_id=bot
    )
    cli.out.result(made, made.token)
    ends = cli.out.when(made.session.expire_time)
    revoke = f"grpc-chat token revoke {made.session.session_id}{f' --bot {bot}' if bot else ''}"
    cli.out.note(f"it is not shown again{f', and ends {ends}' if ends else ''}; to end it: {revoke}")


@token.command("list")
@_bot
@talks()
async def token_list(cli: Cli, bot: str) -> None:
    """List your tokens, or those of one of your bots.

    \b
    Examples:
      grpc-chat token list
      grpc-chat token list --bot builds
    """
    found = [session async for session in cli.client.sessions(bot_id=bot) if session.access_token]
    when = cli.out.when
    columns: list[Column[Session]] = [
        ("token", lambda s: s.session_id),
        ("name", lambda s: s.device_name),
        ("scopes", lambda s: ", ".join(s.scopes)),
        ("since", lambda s: when(s.create_time)),
        ("used", lambda s: when(s.last_used_time)),
        ("ends", lambda s: when(s.expire_time) or "never"),
    ]
    make = f"grpc-chat bot token {bot}" if bot else "grpc-chat token create NAME"
    cli.out.table(found, columns, empty=f"no tokens; make one: {make}")


@token.command("revoke")
@click.argument("token_ids", metavar="TOKEN…", nargs=-1, required=True)
@_bot
@talks()
async def token_revoke(cli: Cli, token_ids: tuple[str, ...], bot: str) -> None:
    """End tokens, by what `token list` calls them.

    \b
    Examples:
      grpc-chat token revoke x2jk5c4wl6zqvbn3
      grpc-chat token revoke x2jk5c4wl6zqvbn3 --bot builds
    """
    await _revoke(cli, token_ids, bot=bot)


# Bots


@click.group()
def bot() -> None:
    """Accounts for programs, which belong to you."""


@bot.command("create")
@click.argument("user")
@click.option("--display-name", default="", metavar="NAME", help="What others see beside its user id.")
@talks(once=True)
async def bot_create(cli: Cli, user: str, display_name: str) -> None:
    """Make an account for a program. It has no password, only tokens.

    \b
    Examples:
      grpc-chat bot create builds
      grpc-chat bot create builds --display-name "Build results"
    """
    made = await cli.client.create_bot(user, display_name=display_name)
    cli.out.result(made, f"{made.user_id} is your bot now; next: grpc-chat bot token {made.user_id}")


@bot.command("list")
@talks()
async def bot_list(cli: Cli) -> None:
    """List your bots.

    \b
    Examples:
      grpc-chat bot list
    """
    found = [bot async for bot in cli.client.bots()]
    columns: list[Column[User]] = [("bot", lambda b: b.user_id), ("name", lambda b: b.display_name)]
    cli.out.table(found, columns, empty="no bots; make one: grpc-chat bot create NAME")


@bot.command("token")
@click.argument("user", metavar="BOT")
@click.option("--name", default="", metavar="NAME", help="What the token is for.  [the bot's name]")
@_scopes
@_lifetime
@talks(once=True)
async def bot_token(
    cli: Cli, user: str, name: str, scopes: tuple[str, ...], lifetime: timedelta | None
) -> None:
    """Make a token for a bot, and print it: it is shown now and never again.

    \b
    Examples:
      grpc-chat bot token builds
      grpc-chat bot token builds --name "CI on main" --lifetime 90d
    """
    await _create_token(cli, name or user, scopes, lifetime, user)
