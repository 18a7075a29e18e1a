"""PresenceService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class PresenceService:
    """See ``PresenceService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._typing = system.typing

    async def send_typing(self, caller: Caller, request: pb.SendTypingRequest) -> pb.SendTypingResponse:
        await self._typing.send(caller, request)
        return pb.SendTypingResponse()
