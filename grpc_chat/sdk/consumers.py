"""Lists and forgets the consumers that the server keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.consumer_records import Consumer, ConsumerPosition
from grpc_chat.sdk.models import Cursor
from grpc_chat.wire import chat_pb2 as pb


class ConsumerCalls(Calls):
    """Calls about your consumers."""

    async def consumers(self) -> AsyncIterator[Consumer]:
        """Your consumers, ordered by name."""
        request = pb.ListConsumersRequest()
        async for told in self._pages(
            "SubscribeService/ListConsumers", request, pb.ListConsumersResponse, "consumers"
        ):
            yield Consumer(
                name=told.consumer,
                create_time=convert.time(told.create_time),
                last_used_time=convert.time(told.last_used_time),
                streaming=told.streaming,
            )

    async def consumer_positions(self, name: str) -> AsyncIterator[ConsumerPosition]:
        """A consumer's position in each room, ordered by room id."""
        request = pb.ListConsumerPositionsRequest(consumer=name)
        async for told in self._pages(
            "SubscribeService/ListConsumerPositions",
            request,
            pb.ListConsumerPositionsResponse,
            "positions",
        ):
            at = told.cursor
            yield ConsumerPosition(Cursor(at.room_id, at.seq, at.epoch, at.stamp), told.last_seq)

    async def forget_consumer(self, name: str) -> None:
        """Forget a consumer and its positions. If it is used again, it starts over."""
        request = pb.DeleteConsumerRequest(consumer=name)
        await self._call("SubscribeService/DeleteConsumer", request, pb.DeleteConsumerResponse)
