"""Commands about invites to rooms."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from grpc_chat.cli.command import Cli, talks
from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.members import ROLES
from grpc_chat.cli.names import find_room, title
from grpc_chat.cli.options import Lifetime
from grpc_chat.cli.rooms import room, room_argument
from grpc_chat.cli.target import as_address
from grpc_chat.sdk.choices import AnyRole
from grpc_chat.wire.address import host_of, is_loopback
from grpc_chat.wire.links import invite_link

if TYPE_CHECKING:
    from grpc_chat.cli.output import Column, Output
    from grpc_chat.sdk.models import Invite


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


async def link_address(cli: Cli, given: str | None) -> str:
    """The server's address for a link that others will use.

    Args:
        given: The one on the command line; else the server's public address, and else the one used here.
    """
    if given:
        return as_address(given)
    return (await cli.client.server_info()).public_address or cli.target.address


def show_new_invite(out: Output, made: Invite, address: str, *, fingerprint: str = "") -> None:
    """Print what to pass on: the link or, if the server's address is not known, the code."""
    link = invite_link(address, made.code, fingerprint=fingerprint) if address else made.code
    out.result(made, link, link=link)
    uses = {0: "works for anyone who has it", 1: "works once"}.get(
        made.max_uses, f"works {made.max_uses} times"
    )
    ends = f", ends {out.when(made.expire_time)}" if made.expire_time else ""
    out.note(f"it is not shown again; {uses}{ends}")
    if is_loopback(host_of(address)):
        out.note(
            f"it leads to {host_of(address)}, which works on this machine only: for others, give --address "
            "HOST:PORT, or set public_address on the server"
        )


link_address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    help="The address that the link names.  [the server's public_address, or the one you use]",
)

invite_lifetime = click.option(
    "--lifetime", type=Lifetime(), metavar="DURATION", help="How long it is valid: 12h, 30d, …  [7d]"
)


@room.group("invite")
def room_invite() -> None:
    """Invites to a room, which can be passed on as links."""


@room_invite.command("create")
@room_argument
@click.option("--role", type=click.Choice(ROLES[:3]), default="member", help="Their role.  [member]")
@click.option(
    "--uses",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="How many people may use it.  [any number]",
)
@invite_lifetime
@click.option(
    "--register",
    "allows_registration",
    is_flag=True,
    help="Let people without an account register with it, too.",
)
@link_address_option
@talks(once=True)
async def room_invite_create(
    cli: Cli,
    name: str,
    role: AnyRole,
    uses: int,
    lifetime: timedelta | None,
    allows_registration: bool,
    address: str | None,
) -> None:
    """Make an invite, and print its link: it is shown now and never again.

    Anyone who has it gets in with `room join LINK`, or, with --register, `register NAME --invite LINK`.

    \b
    Examples:
      grpc-chat room invite create plans
      grpc-chat room invite create plans --register --uses 1 --lifetime 2d
    """
    found = await find_room(cli.client, name)
    address = await link_address(cli, address)
    made = await cli.client.create_invite(
        found.room_id,
        role=role,
        max_uses=uses,
        lifetime=lifetime,
        allows_registration=allows_registration,
    )
    show_new_invite(cli.out, made, address, fingerprint=cli.target.trust.fingerprint)


@room_invite.command("list")
@room_argument
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
@room_argument
@click.argument("invite_id", metavar="INVITE")
@talks()
async def room_invite_revoke(cli: Cli, name: str, invite_id: str) -> None:
    """End an invite, by the id that `room invite list` shows. People who used it stay.

    \b
    Examples:
      grpc-chat room invite revoke plans x2jk5c4wl6zqvbn3
    """
    found = await find_room(cli.client, name)
    known = [invite.invite_id async for invite in cli.client.invites(found.room_id)]
    if invite_id not in known:
        raise Failure(f"{title(found)} has no invite {invite_id}, or it has ended", NOT_FOUND)
    await cli.client.revoke_invite(found.room_id, invite_id)
    cli.out.result(None, f"the invite {invite_id} has been revoked", invite_id=invite_id)
