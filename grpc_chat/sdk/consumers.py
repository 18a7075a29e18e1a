"""The consumers that a server keeps, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.models import Consumer, ConsumerPosition, Cursor
from grpc_chat.wire import chat_pb2 as pb


class ConsumerCalls(Calls):
    """What one can do about one's consumers."""

    async def consumers(self) -> AsyncIterator[Consumer]:
        """One's consumers, in the order of their names."""
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
        """Where a consumer stands in each room, in the order of the rooms' ids."""
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
        """Forget a consumer and its positions: used again, it begins anew."""
        request = pb.DeleteConsumerRequest(consumer=name)
        await self._call("SubscribeService/DeleteConsumer", request, pb.DeleteConsumerResponse)
