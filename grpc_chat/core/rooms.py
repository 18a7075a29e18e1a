"""Rooms and who is in them."""

from __future__ import annotations

from grpc_chat.core.access import require_read
from grpc_chat.core.accounts import Caller
from grpc_chat.core.page_token import PageTokens
from grpc_chat.core.reads import Readers
from grpc_chat.store.base import Snapshot
from grpc_chat.wire import chat_pb2 as pb


class Rooms:
    """What can be asked about rooms.

    Args:
        max_page: How many entries a page holds at the most.
        page: How many it holds when the caller does not say.
    """

    def __init__(self, readers: Readers, tokens: PageTokens, *, max_page: int = 500, page: int = 50) -> None:
        self._readers = readers
        self._tokens = tokens
        self._max_page = max_page
        self._page = page

    def _size(self, asked: int) -> int:
        return min(asked or self._page, self._max_page)

    async def list_(self, caller: Caller, request: pb.ListRoomsRequest) -> pb.ListRoomsResponse:
        """A page of the caller's rooms."""
        listing = f"ListRooms {caller.user_id}"
        after = self._tokens.read(listing, request.page_token) if request.page_token else ""
        size = self._size(request.page_size)
        # One more than asked for tells whether there is a next page.
        rooms = await self._readers.run(
            lambda snapshot: snapshot.rooms(caller.user_id, after=after, limit=size + 1)
        )
        more = len(rooms) > size
        return pb.ListRoomsResponse(
            rooms=rooms[:size],
            next_page_token=self._tokens.make(listing, rooms[size - 1].room_id) if more else "",
        )

    async def get(self, caller: Caller, request: pb.GetRoomRequest) -> pb.GetRoomResponse:
        """One room."""

        def read(snapshot: Snapshot) -> pb.Room | None:
            require_read(snapshot, request.room_id, caller.user_id)
            return snapshot.room(request.room_id)

        return pb.GetRoomResponse(room=await self._readers.run(read))

    async def members(self, caller: Caller, request: pb.ListMembersRequest) -> pb.ListMembersResponse:
        """A page of a room's members."""
        listing = f"ListMembers {request.room_id}"
        after = self._tokens.read(listing, request.page_token) if request.page_token else ""
        size = self._size(request.page_size)

        def read(snapshot: Snapshot) -> list[pb.Member]:
            require_read(snapshot, request.room_id, caller.user_id)
            return snapshot.members(request.room_id, after=after, limit=size + 1)

        members = await self._readers.run(read)
        more = len(members) > size
        return pb.ListMembersResponse(
            members=members[:size],
            next_page_token=self._tokens.make(listing, members[size - 1].user.user_id) if more else "",
        )
