"""Commands about sessions, tokens of programs, and bots."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli import questions
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.options import Lifetime
from grpc_chat.cli.output import count
from grpc_chat.sdk.choices import AnyScope

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column, Output
    from grpc_chat.sdk.account_models import Session, User


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
    """See where you are logged in, and end sessions."""


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
@click.option("--others", is_flag=True, help="End all other sessions, tokens of programs included.")
@talks()
async def sessions_revoke(cli: Cli, session_ids: tuple[str, ...], others: bool) -> None:
    """End sessions; programs that use them are disconnected within a second.

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
        raise Failure("there is no such session, or it has ended", NOT_FOUND)
    cli.out.result(None, f"{count(ended, 'session')} ended", revoked_sessions=ended)


# Tokens


_scopes = click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "write", "admin"]),
    help="What it may do; may be repeated.  [read and write]",
)
_lifetime = click.option(
    "--lifetime",
    type=Lifetime(),
    metavar="DURATION",
    help="How long it is valid: 12h, 30d, …  [until revoked]",
)
_bot = click.option("--bot", default="", metavar="BOT", help="For one of your bots instead of you.")


@click.group()
def token() -> None:
    """Make and end tokens with which your programs act as you."""


@token.command("create")
@click.argument("name")
@_scopes
@_lifetime
@talks(once=True)
async def token_create(cli: Cli, name: str, scopes: tuple[AnyScope, ...], lifetime: timedelta | None) -> None:
    """Make a token, and print it: it is shown now and never again.

    NAME says what it is for. Programs take it from CHAT_TOKEN, and the server from CHAT_SERVER.

    \b
    Examples:
      grpc-chat token create backup --scope read
      CHAT_TOKEN=$(grpc-chat token create deploy --lifetime 1h) CHAT_SERVER=chat:50051 ./deploy.sh
    """
    await _create_token(cli, name, scopes, lifetime, "")


async def _create_token(
    cli: Cli, name: str, scopes: tuple[AnyScope, ...], lifetime: timedelta | None, bot: str
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
    """End tokens, by their ids in `token list`.

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

    On a server where people are found through shared rooms only, its name must begin with yours:
    alice.builds.

    \b
    Examples:
      grpc-chat bot create builds
      grpc-chat bot create builds --display-name "Build results"
    """
    cli.answered()
    asks = questions.somebody_is_there() and not cli.out.as_json
    user, display_name = questions.user_id(user, asks=asks, bot=True), questions.display_name(display_name)
    made = await cli.client.create_bot(user, display_name=display_name)
    cli.out.result(made, f"{made.user_id} is now your bot; next: grpc-chat bot token {made.user_id}")


@bot.command("list")
@talks()
async def bot_list(cli: Cli) -> None:
    """List your bots.

    \b
    Examples:
      grpc-chat bot list
    """
    found = [bot async for bot in cli.client.bots()]
    columns: list[Column[User]] = [
        ("bot", lambda b: b.user_id),
        ("name", lambda b: b.display_name),
        ("offered to", lambda b: b.offered_to_id),
    ]
    cli.out.table(found, columns, empty="no bots; make one: grpc-chat bot create NAME")


@bot.command("token")
@click.argument("user", metavar="BOT")
@click.option("--name", default="", metavar="NAME", help="What the token is for.  [the bot's name]")
@_scopes
@_lifetime
@talks(once=True)
async def bot_token(
    cli: Cli, user: str, name: str, scopes: tuple[AnyScope, ...], lifetime: timedelta | None
) -> None:
    """Make a token for a bot, and print it: it is shown now and never again.

    \b
    Examples:
      grpc-chat bot token builds
      grpc-chat bot token builds --name "CI on main" --lifetime 90d
    """
    await _create_token(cli, name or user, scopes, lifetime, user)


@bot.command("give")
@click.argument("user", metavar="BOT")
@click.argument("new_owner", metavar="USER", default="")
@click.option("--withdraw", is_flag=True, help="Withdraw the offer.")
@talks()
async def bot_give(cli: Cli, user: str, new_owner: str, withdraw: bool) -> None:
    """Offer a bot to another person, who takes it with `bot take`.

    Until then nothing changes. Then its tokens end, and its new owner makes a new one for it.

    \b
    Examples:
      grpc-chat bot give builds bob
      grpc-chat bot give builds --withdraw
    """
    if bool(new_owner) == withdraw:
        raise click.UsageError("give either USER or --withdraw")
    offered = await cli.client.offer_bot(user, new_owner)
    if withdraw:
        cli.out.result(offered, f"{user} is no longer offered to anybody")
    else:
        cli.out.result(
            offered, f"{user} is offered to {new_owner}, who can take it: grpc-chat bot take {user}"
        )


@bot.command("take")
@click.argument("user", metavar="BOT")
@talks(once=True)
async def bot_take(cli: Cli, user: str) -> None:
    """Take a bot that its owner offers to you. Its tokens end at once.

    \b
    Examples:
      grpc-chat bot take builds
    """
    taken = await cli.client.accept_bot(user)
    cli.out.result(taken, f"{user} is now your bot; next: grpc-chat bot token {user}")
