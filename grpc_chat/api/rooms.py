"""RoomService."""

from __future__ import annotations

from grpc_chat.core.accounts import Caller
from grpc_chat.core.rooms import Rooms
from grpc_chat.wire import chat_pb2 as pb


class RoomService:
    """See ``RoomService`` in chat.proto."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def list_rooms(self, caller: Caller, request: pb.ListRoomsRequest) -> pb.ListRoomsResponse:
        return await self._rooms.list_(caller, request)

    async def get_room(self, caller: Caller, request: pb.GetRoomRequest) -> pb.GetRoomResponse:
        return await self._rooms.get(caller, request)

    async def list_members(self, caller: Caller, request: pb.ListMembersRequest) -> pb.ListMembersResponse:
        return await self._rooms.members(caller, request)
