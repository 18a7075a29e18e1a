"""Which room a program means: by its id, by its name, or as ``@user``."""

from __future__ import annotations

import asyncio
import difflib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from google.protobuf.message import Message as ProtoMessage

from grpc_chat.errors import ChatError, InvalidRequest, NotAMember, RoomNotFound, Unavailable
from grpc_chat.sdk import retry
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.link import Response
from grpc_chat.sdk.models import Room
from grpc_chat.wire.spelling import folded, may_be_room_id

T = TypeVar("T")

_MOST_CANDIDATES = 10
_MOST_REMEMBERED = 10_000


class Listings(Protocol):
    """Where rooms are looked for: a client."""

    def rooms(self) -> AsyncIterator[Room]: ...

    def public_rooms(self, query: str = "", *, archived: bool = False) -> AsyncIterator[Room]: ...

    async def direct_room(self, user_id: str) -> Room: ...

    async def _room_by_id(self, room_id: str) -> Room: ...


def title(room: Room) -> str:
    """The name to find a room by, or ``@user`` for a direct room."""
    return f"@{room.peer.user_id}" if room.peer and not room.name else room.title


async def find_room(client: Listings, name: str, *, public: bool = False, make: bool = False) -> Room:
    """The room with this id or name, or the direct room ``@user``.

    Args:
        public: Whether it may be a public room that the caller is not in.
        make: Whether to make the direct room if it does not exist.

    Raises:
        RoomNotFound: There is none, or there are several, which the error lists. Its ``metadata`` has the
            ``name`` and, as ``roomIds`` or ``near``, the ids of those rooms, or the names that are like it.
        ChatError: The server was not reached, or does not know the user.
    """
    if name.startswith("@") and make:
        return await client.direct_room(name[1:])
    own = [room async for room in client.rooms()]
    if room := choose(own, name):
        return room
    if public:
        # An id takes precedence over a name.
        if may_be_room_id(name) and (room := await _by_id(client, name)):
            return room
        others = [room async for room in client.public_rooms(_query(name), archived=True)]
        if room := choose(others, name) or await _by_id(client, name):
            return room
        own += others
    if name.startswith("@"):
        raise RoomNotFound(f"you have no direct room with {name[1:]}", metadata={"name": name})
    names = {folded(title(room)): title(room) for room in own}
    near = [names[like] for like in difflib.get_close_matches(folded(name), names, n=3)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise RoomNotFound(
        f"you are in no room called {name!r}{hint}",
        metadata={"name": name} | ({"near": "\n".join(near)} if near else {}),
    )


async def _by_id(client: Listings, room_id: str) -> Room | None:
    try:
        return await client._room_by_id(room_id)
    except RoomNotFound:
        return None
    except InvalidRequest as error:
        # What can't be an id gets the same answer as an id that does not exist.
        if error.field != "room_id":
            raise
        return None


def choose(rooms: Iterable[Room], name: str) -> Room | None:
    """The one room with this id or name: first an id, then an exact name, then a name in another case or
    encoding.

    Raises:
        RoomNotFound: There are several.
    """
    rooms = list(rooms)
    key = folded(name)
    matches = [room for room in rooms if room.room_id == name]
    matches = matches or [room for room in rooms if title(room) == name]
    matches = matches or [room for room in rooms if folded(title(room)) == key]
    if len(matches) > 1:
        candidates = ", ".join(_candidate(room) for room in matches[:_MOST_CANDIDATES])
        more = ", …" if len(matches) > _MOST_CANDIDATES else ""
        raise RoomNotFound(
            f"{len(matches)} rooms are called {name!r}; give the id of one: {candidates}{more}",
            metadata={"name": name, "roomIds": ",".join(room.room_id for room in matches)},
        )
    return matches[0] if matches else None


def _candidate(room: Room) -> str:
    about = [room.kind, f"{room.member_count} member{'' if room.member_count == 1 else 's'}"]
    if room.topic:
        about.append(room.topic if len(room.topic) <= 30 else f"{room.topic[:29]}…")
    return f"{room.room_id} ({', '.join(about)})"


def _query(name: str) -> str:
    """What to ask the server for, which accepts no longer query."""
    return name.encode(errors="surrogatepass")[:64].decode(errors="ignore")


class RoomFinder:
    """Finds rooms for a client, and remembers their names. An id costs nothing: what has the form of an id is
    used as it is, and looked up as a name only if there is no such room. The server refuses a room's id as
    the name of another, so no name can catch what is meant for a room that the caller has lost.

    Args:
        client: Where to look.
        takes_ids: Whether any text may be the id of a room, as on servers with trusted ids: then it too is
            used as it is before it is looked up.
        closed: Whether the client is closed, so that no call can be made.
    """

    def __init__(
        self, client: Listings, *, takes_ids: Callable[[], bool], closed: Callable[[], bool]
    ) -> None:
        self._client = client
        self._takes_ids = takes_ids
        self._closed = closed
        self._found: dict[str, str] = {}
        # Locks are granted in the order in which they were asked for, so sends keep theirs.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def may_be_id(self, room: str) -> bool:
        """Whether a text counts as an id until the server knows no such room."""
        # The server explains what is wrong with an empty one.
        return may_be_room_id(room) or not room or (self._takes_ids() and not room.startswith("@"))

    async def id_of(
        self, name: str, *, public: bool = False, make: bool = False, until: float | None = None
    ) -> str:
        """The id of the room with this name; looked up once.

        Args:
            until: How long to try while the server is away, by the loop's clock; None for a few attempts.

        Raises:
            RoomNotFound: See :func:`find_room`.
            Unavailable: The server was not reached; ``until`` has come.
        """
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        try:
            async with asyncio.timeout_at(None if until == math.inf else until), lock:
                backoff = retry.Backoff()
                while name not in self._found:
                    try:
                        room = await find_room(self._client, name, public=public, make=make)
                    except ChatError as error:
                        if until is None or self._closed() or not retry.worthwhile(error):
                            raise
                        # Still locked, so that waiting calls keep their order.
                        await asyncio.sleep(backoff.next(error).total_seconds())
                        continue
                    if len(self._found) >= _MOST_REMEMBERED:
                        self._found.clear()
                    self._found[name] = room.room_id
                return self._found[name]
        except TimeoutError:
            raise Unavailable(f"it is not known which room is called {name!r}: no answer in time") from None

    def forget(self, room_id: str) -> None:
        """A room was renamed or lost: its names may now belong to another room."""
        for name in [name for name, found in self._found.items() if found == room_id]:
            del self._found[name]

    async def use(
        self,
        room: str,
        do: Callable[[str], Awaitable[T]],
        *,
        public: bool = False,
        make: bool = False,
        until: float | None = None,
    ) -> T:
        """Do something in the room that a text stands for, and again if that is now another room.

        Args:
            until: See :meth:`id_of`.

        Raises:
            RoomNotFound: See :func:`find_room`; of an id, what ``do`` raised.
        """
        look = partial(self.id_of, room, public=public, make=make, until=until)
        if room not in self._found and self.may_be_id(room):
            try:
                return await do(room)
            except RoomNotFound as error:
                if not _is_about(error, room):
                    raise
                try:
                    room_id = await look()
                except RoomNotFound as unknown:
                    raise (unknown if "roomIds" in unknown.metadata else error) from None
                if room_id == room:
                    raise
            return await do(room_id)
        room_id = await look()
        try:
            return await do(room_id)
        except (RoomNotFound, NotAMember) as error:
            if not _is_about(error, room_id):
                raise
            self.forget(room_id)
            if (now := await look()) == room_id:
                raise
        return await do(now)


def _is_about(error: ChatError, room_id: str) -> bool:
    return error.metadata.get("roomId", room_id) == room_id


class CallsInRooms(Calls):
    """Calls methods that are about a room, which may be given by name."""

    _finder: RoomFinder

    async def _in_room(
        self, room: str, method: str, request: Any, response: type[Response], *, public: bool = False
    ) -> Response:
        """Call an idempotent method; see :meth:`Calls._repeat`."""
        return await self._finder.use(
            room, partial(self._with_id, self._repeat, method, request, response), public=public
        )

    async def _once_in_room(self, room: str, method: str, request: Any, response: type[Response]) -> Response:
        """Call a method once; see :meth:`Calls._call`."""
        return await self._finder.use(room, partial(self._with_id, self._call, method, request, response))

    async def _with_id(
        self,
        call: Callable[[str, ProtoMessage, type[Response]], Awaitable[Response]],
        method: str,
        request: Any,
        response: type[Response],
        room_id: str,
    ) -> Response:
        request.room_id = room_id
        return await call(method, request, response)

    async def _pages_in(
        self, room: str, method: str, request: Any, response: type[Response], entries: str
    ) -> AsyncIterator[Any]:
        """All entries of a room's listing, read page by page."""
        async for entry in self._pages(
            method, request, response, entries, first=partial(self._in_room, room)
        ):
            yield entry
