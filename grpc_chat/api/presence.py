"""PresenceService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class PresenceService:
    """See ``PresenceService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._typing = system.typing
        self._presence = system.presence

    async def send_typing(self, caller: Caller, request: pb.SendTypingRequest) -> pb.SendTypingResponse:
        await self._typing.send(caller, request)
        return pb.SendTypingResponse()

    async def get_presence(self, caller: Caller, request: pb.GetPresenceRequest) -> pb.GetPresenceResponse:
        return pb.GetPresenceResponse(presences=await self._presence.get(caller, request.user_ids))

    async def list_presence(self, caller: Caller, request: pb.ListPresenceRequest) -> pb.ListPresenceResponse:
        page = await self._presence.list_(caller, request)
        return pb.ListPresenceResponse(presences=page.entries, next_page_token=page.next_page_token)

    async def update_status(self, caller: Caller, request: pb.UpdateStatusRequest) -> pb.UpdateStatusResponse:
        record = await self._presence.update(caller, request)
        return pb.UpdateStatusResponse(
            presence=self._presence.of(record),
            appear_offline=record.appear_offline,
            hide_last_seen=record.hide_last_seen,
            hide_receipts=record.hide_receipts,
        )
