"""Which room somebody means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from grpc_chat.cli.failures import NOT_FOUND, REFUSED, Failure
from grpc_chat.errors import ChatError, RoomNotFound
from grpc_chat.wire.spelling import folded

if TYPE_CHECKING:
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.models import Room

_MOST_CANDIDATES = 10


def title(room: Room) -> str:
    """What a room is called on the command line: its name, or ``@user`` for the room with somebody."""
    return f"@{room.peer.user_id}" if room.peer and not room.name else room.title


async def find_room(client: Client, name: str, *, public: bool = False, make: bool = False) -> Room:
    """The room that somebody calls so: by its name, its id, or as ``@user``.

    Args:
        public: Whether it may be one of the server's public rooms that one is not in.
        make: Whether the direct room with somebody is begun where there is none yet.

    Raises:
        Failure: There is none, or several; it says which ones.
        ChatError: The server was not asked, or does not know the user.
    """
    if name.startswith("@") and make:
        return await client.direct_room(name[1:])
    own = [room async for room in client.rooms()]
    if room := choose(own, name):
        return room
    if public:
        others = [room async for room in client.public_rooms(_query(name), archived=True)]
        if room := choose(others, name):
            return room
        try:
            # By the id of a public room. What can't be one is told like one that is not there.
            return await client.room(name)
        except RoomNotFound:
            pass
        except ChatError as error:
            if error.field != "room_id":
                raise
        own += others
    if name.startswith("@"):
        raise Failure(
            f"you have no direct room with {name[1:]}; begin one: grpc-chat send {name} TEXT", NOT_FOUND
        )
    names = {folded(title(room)): title(room) for room in own}
    near = [names[name] for name in difflib.get_close_matches(folded(name), names, n=3)]
    hint = "`grpc-chat rooms` lists yours, `grpc-chat room public` those that you may join"
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    raise Failure(f"you are in no room called {name!r}; {hint}", NOT_FOUND)


def choose(rooms: Iterable[Room], name: str) -> Room | None:
    """The one room with this name or id; exactly so first, then however it is written.

    Raises:
        Failure: There are several.
    """
    rooms = list(rooms)
    matches = [room for room in rooms if room.room_id == name]
    matches = matches or [room for room in rooms if title(room) == name]
    matches = matches or [room for room in rooms if folded(title(room)) == folded(name)]
    if len(matches) > 1:
        candidates = ", ".join(_candidate(room) for room in matches[:_MOST_CANDIDATES])
        more = ", …" if len(matches) > _MOST_CANDIDATES else ""
        raise Failure(
            f"{len(matches)} rooms are called {name!r}; say which by its id: {candidates}{more}", REFUSED
        )
    return matches[0] if matches else None


def _candidate(room: Room) -> str:
    about = [room.kind, f"{room.member_count} member{'' if room.member_count == 1 else 's'}"]
    if room.topic:
        about.append(room.topic if len(room.topic) <= 30 else f"{room.topic[:29]}…")
    return f"{room.room_id} ({', '.join(about)})"


def _query(name: str) -> str:
    """What to ask the server for: it takes no longer one."""
    return name.encode()[:64].decode(errors="ignore")
