"""MessageService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class MessageService:
    """See ``MessageService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._messages = system.messages

    async def send_messages(self, caller: Caller, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        return await self._messages.send(caller, request.messages)

    async def list_messages(self, caller: Caller, request: pb.ListMessagesRequest) -> bytes:
        return await self._messages.list_(caller, request)
