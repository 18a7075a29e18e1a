"""SubscribeService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.writing import Write
from grpc_chat.wire import chat_pb2 as pb


class SubscribeService:
    """See ``SubscribeService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._kept = system.kept_consumers
        self._opening = system.opening
        self._consumers = system.consumers

    async def subscribe(self, caller: Caller, request: pb.SubscribeRequest, write: Write) -> None:
        # The stream gets no name here: the error that ends it refers to this frame, and the stream to the
        # error.
        await (await self._opening.open(caller, request)).run(write)

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> pb.AcknowledgeResponse:
        await self._consumers.acknowledge(caller, request)
        return pb.AcknowledgeResponse()

    async def list_consumers(
        self, caller: Caller, request: pb.ListConsumersRequest
    ) -> pb.ListConsumersResponse:
        page = await self._kept.list_(caller, request)
        return pb.ListConsumersResponse(consumers=page.entries, next_page_token=page.next_page_token)

    async def list_consumer_positions(
        self, caller: Caller, request: pb.ListConsumerPositionsRequest
    ) -> pb.ListConsumerPositionsResponse:
        page = await self._kept.positions(caller, request)
        return pb.ListConsumerPositionsResponse(positions=page.entries, next_page_token=page.next_page_token)

    async def delete_consumer(
        self, caller: Caller, request: pb.DeleteConsumerRequest
    ) -> pb.DeleteConsumerResponse:
        await self._kept.delete(caller, request)
        return pb.DeleteConsumerResponse()
