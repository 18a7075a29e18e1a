"""SubscribeService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from grpc_chat.core.accounts import Caller
from grpc_chat.core.consumers import Consumers
from grpc_chat.core.hub import Follower, Hub
from grpc_chat.core.subscription import Behind
from grpc_chat.metrics import Totals
from grpc_chat.wire import chat_pb2 as pb


class SubscribeService:
    """See ``SubscribeService`` in chat.proto."""

    def __init__(self, hub: Hub, consumers: Consumers, totals: Totals) -> None:
        self._hub = hub
        self._consumers = consumers
        self._totals = totals

    async def subscribe(self, caller: Caller, request: pb.SubscribeRequest) -> AsyncIterator[bytes]:
        """Everything owed, as encoded responses; whatever gathers while one is written is the next."""
        follower = await self._hub.open(caller, request)
        try:
            if follower.unsaved:
                await self._consumers.save(caller, request.consumer, follower.unsaved)
            yield self._started(follower)
            while response := await self._next(follower):
                follower.quiet_ticks = 0
                follower.heartbeat_due = False
                self._totals.responses += 1
                self._totals.response_bytes += len(response)
                yield response
            yield self._draining(follower)
        finally:
            self._hub.close(follower)

    def _started(self, follower: Follower) -> bytes:
        started = pb.SubscribeStarted(epoch=self._hub.epoch)
        started.heartbeat_interval.FromTimedelta(self._hub.bounds.heartbeat)
        if follower.consumer:
            started.cursors.extend(follower.subscription.cursors)
        return pb.SubscribeResponse(started=started).SerializeToString()

    def _draining(self, follower: Follower) -> bytes:
        draining = pb.Draining()
        draining.reconnect_after.FromTimedelta(follower.draining or timedelta(0))
        return pb.SubscribeResponse(draining=draining).SerializeToString()

    async def _next(self, follower: Follower) -> bytes | None:
        """The next response; waits until there is one. None when the stream is to end."""
        subscription = follower.subscription
        while True:
            if follower.ended:
                raise follower.ended
            if follower.draining:
                return None
            response = subscription.take()
            if isinstance(response, Behind):
                page = await self._hub.read(follower, response)
                self._totals.store_pages += 1
                response = subscription.read(response.room_id, page)
                if response is None:
                    continue
            if response is not None:
                return response
            if follower.heartbeat_due:
                return subscription.heartbeat()
            await follower.wait()

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> pb.AcknowledgeResponse:
        await self._consumers.acknowledge(caller, request)
        return pb.AcknowledgeResponse()
