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
        response = pb.SendMessagesResponse()
        epoch = self._messages.epoch
        for room_id, seq, create_time_us in await self._messages.send(caller, request.messages):
            sent = response.messages.add(room_id=room_id, seq=seq, epoch=epoch)
            created = sent.create_time
            created.seconds, micros = divmod(create_time_us, 1_000_000)
            created.nanos = micros * 1000
        return response

    async def list_messages(self, caller: Caller, request: pb.ListMessagesRequest) -> bytes:
        return await self._messages.list_(caller, request)
