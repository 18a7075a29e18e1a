"""Commands about links between accounts and the issuers' identities that log in to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grpc_chat.cli.admin import Administration, admin, administers
from grpc_chat.cli.asking import say
from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, USAGE, Failure
from grpc_chat.cli.output import Output, count

if TYPE_CHECKING:
    from grpc_chat.cli.issuer import IssuerOptions
    from grpc_chat.cli.output import Column
    from grpc_chat.sdk.account_models import Identity, PendingLogin, ServerInfo

F = TypeVar("F", bound=Callable[..., Any])


def issuer_options(function: F) -> F:
    """The options of a command that sends the person to an issuer."""
    options = (
        click.option(
            "--code", "elsewhere", is_flag=True, help="Log in with a browser on another machine, by a code."
        ),
        click.option(
            "--no-browser", is_flag=True, help="Print the address to open instead of opening a browser."
        ),
        click.option(
            "--port",
            type=click.IntRange(1, 65535),
            metavar="PORT",
            help="The port here that the browser comes back to.  [the server's choice, or any free port]",
        ),
        click.option(
            "--switch", is_flag=True, help="Have the issuer ask which of your accounts there to use."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def read_issuer_options(
    issuer: str,
    info: ServerInfo,
    address: str,
    *,
    elsewhere: bool,
    no_browser: bool,
    port: int | None,
    switch: bool,
) -> IssuerOptions:
    """The values of those options.

    Raises:
        Failure: The server has no such issuer, or the options exclude each other.
    """
    from grpc_chat.cli.issuer import IssuerOptions

    if issuer not in info.providers:
        known = f"; it has {', '.join(info.providers)}" if info.providers else ""
        raise Failure(f"{address} has no issuer {issuer!r}{known}", NOT_FOUND)
    if elsewhere and (no_browser or port or switch):
        raise Failure(
            "--no-browser, --port and --switch are for a browser here, --code is for one elsewhere", USAGE
        )
    return IssuerOptions(
        elsewhere=elsewhere,
        open_browser=not no_browser,
        port=port or info.redirect_ports.get(issuer, 0),
        switch=switch,
    )


def link_columns(out: Output) -> list[Column[Identity]]:
    """How links are listed."""
    return [
        ("link", lambda i: i.identity_id),
        ("issuer", lambda i: i.label or i.issuer),
        ("--with", lambda i: ", ".join(i.providers) or "no longer in the settings"),
        ("subject", lambda i: i.subject),
        ("made", lambda i: out.when(i.create_time)),
    ]


@click.group()
def link() -> None:
    """Link your account to an issuer, to log in with it."""


@link.command("add")
@click.argument("issuer")
@issuer_options
@talks()
async def link_add(
    cli: Cli, issuer: str, elsewhere: bool, no_browser: bool, port: int | None, switch: bool
) -> None:
    """Link an identity at an issuer to your account, for `login --with ISSUER`.

    Do this before you log in with the issuer for the first time: that would make another account.

    \b
    Examples:
      grpc-chat link add example
      grpc-chat link add example --code
      grpc-chat link add example --switch
    """
    from grpc_chat.cli.issuer import at_issuer

    info = await cli.client.server_info()
    cli.answered()
    options = read_issuer_options(
        issuer, info, cli.client.address, elsewhere=elsewhere, no_browser=no_browser, port=port, switch=switch
    )

    async def finish(begun: PendingLogin, **came_back: str) -> None:
        await cli.client.link_identity(begun, **came_back)

    await at_issuer(cli.client, issuer, options, finish, say=say)
    cli.out.result(None, f"linked: grpc-chat login --with {issuer} -s {cli.client.address}", issuer=issuer)


@link.command("list")
@talks()
async def link_list(cli: Cli) -> None:
    """List the identities at issuers that log in to your account.

    \b
    Examples:
      grpc-chat link list
    """
    found = await cli.client.identities()
    cli.out.table(found, link_columns(cli.out), empty="no links; make one: grpc-chat link add ISSUER")


_last = click.option(
    "--last", is_flag=True, help="Even if there is no password and no other link to log in with."
)


@link.command("remove")
@click.argument("which", metavar="LINK|ISSUER")
@_last
@talks()
async def link_remove(cli: Cli, which: str, last: bool) -> None:
    """End a link, by its id or issuer in `link list`.

    Your other sessions end, tokens for programs included.

    \b
    Examples:
      grpc-chat link remove example
      grpc-chat link remove x2jk5c4wl6zqvbn3 --last
    """
    found = _meant(await cli.client.identities(), which)
    ended = await cli.client.unlink_identity(found.identity_id, even_last=last)
    more = f"; {count(ended, 'other session')} ended" if ended else ""
    cli.out.result(found, f"{_called(found)} no longer logs in to this account{more}", revoked_sessions=ended)


@admin.command("links")
@click.argument("user")
@click.option("--remove", "which", metavar="LINK", help="End it, and all sessions of USER.")
@_last
@administers()
async def admin_links(at: Administration, user: str, which: str | None, last: bool) -> None:
    """List the identities at issuers that log in to somebody's account, or end one.

    \b
    Examples:
      grpc-chat admin links bob
      grpc-chat admin links bob --remove x2jk5c4wl6zqvbn3
      grpc-chat admin links bob --data ./data
    """
    links = await at.admin.user_identities(user)
    if which is None:
        if last:
            raise click.UsageError("--last needs --remove")
        at.out.table(links, link_columns(at.out), empty=f"{user} has no links to issuers")
        return
    found = _meant(links, which)
    ended = await at.admin.unlink_user_identity(user, found.identity_id, even_last=last)
    more = f"; {count(ended, 'session')} ended" if ended else ""
    words = f"{_called(found)} no longer logs in to the account of {user}{more}"
    at.out.result(found, words, user_id=user, revoked_sessions=ended)


def _called(identity: Identity) -> str:
    return f"{identity.subject} of {identity.label or identity.issuer}"


def _meant(links: list[Identity], which: str) -> Identity:
    """The link with this id or issuer.

    Raises:
        Failure: There is none, or there are several.
    """
    found = [link for link in links if which == link.identity_id]
    found = found or [link for link in links if which in link.providers]
    if not found:
        raise Failure(f"there is no link {which!r}", NOT_FOUND)
    if len(found) > 1:
        names = ", ".join(link.identity_id for link in found)
        raise Failure(f"there are several links with {which}; say which: {names}", USAGE)
    return found[0]
