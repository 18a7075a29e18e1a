"""Finds the room that somebody names, and says what to do if that is not clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc_chat.cli.failures import NOT_FOUND, REFUSED, Failure
from grpc_chat.errors import RoomNotFound

if TYPE_CHECKING:
    from grpc_chat.sdk.finding import Listings
    from grpc_chat.sdk.models import Room


def title(room: Room) -> str:
    """A room's title on the command line; see :func:`grpc_chat.sdk.finding.title`."""
    # The SDK takes long to import, and not every command needs it.
    from grpc_chat.sdk import finding

    return finding.title(room)


async def find_room(client: Listings, name: str, *, public: bool = False, make: bool = False) -> Room:
    """The room with this name or id; see :func:`grpc_chat.sdk.finding.find_room`.

    Raises:
        Failure: There is none, or several; it lists them, or says how to find out.
        ChatError: The server was not reached, or does not know the user.
    """
    from grpc_chat.sdk import finding

    try:
        return await finding.find_room(client, name, public=public, make=make)
    except RoomNotFound as error:
        if "roomIds" in error.metadata:
            raise Failure(error.message, REFUSED) from None
        hint = ""
        if name.startswith("@"):
            hint = f"; begin one: grpc-chat send {name} TEXT"
        elif "near" not in error.metadata:
            hint = "; `grpc-chat rooms` lists yours, `grpc-chat room public` those that you may join"
        raise Failure(f"{error.message}{hint}", NOT_FOUND) from None
