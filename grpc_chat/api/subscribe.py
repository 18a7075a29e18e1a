"""SubscribeService."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from grpc_chat.api.pipeline import Write
from grpc_chat.core.caller import Caller
from grpc_chat.core.hub import Follower
from grpc_chat.core.subscription import Behind
from grpc_chat.core.system import ChatSystem
from grpc_chat.store.base import Place
from grpc_chat.wire import chat_pb2 as pb

_CURSORS_AT_ONCE = 500
"""Cursors that are encoded at once: about 1 ms."""


class SubscribeService:
    """See ``SubscribeService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._kept = system.kept_consumers
        self._authenticator = system.authenticator
        self._hub = system.hub
        self._consumers = system.consumers
        self._totals = system.metrics.totals

    async def subscribe(self, caller: Caller, request: pb.SubscribeRequest, write: Write) -> None:
        """Write everything owed, as encoded responses; what gathers while one is written is the next."""
        follower = await self._hub.open(caller, request, self._authenticator)
        follower.task = asyncio.current_task()
        try:
            await self._save(follower)
            await write(await self._started(follower))
            while not (follower.draining or follower.ended):
                await self._save(follower)
                response = self._invited(follower) or follower.subscription.take()
                if response is None:
                    response = await follower.wait()
                elif isinstance(response, Behind):
                    response = await self._read(follower, response)
                if response is None or follower.ended:
                    continue
                follower.quiet_seconds = 0
                self._totals.responses += 1
                self._totals.response_bytes += len(response)
                await write(response)
            if follower.ended:
                raise follower.ended
            await write(self._draining(follower))
        except asyncio.CancelledError:
            if follower.ended:
                # The hub's doing, because the client does not read; or its client's, and nobody is told.
                raise follower.ended from None
            raise
        finally:
            self._hub.close(follower)
            follower.task = None
            # The error's traceback has this frame, and the follower has the error.
            del follower

    async def _save(self, follower: Follower) -> None:
        """Store where a consumer begins in rooms that are new to it."""
        if follower.put_back:
            positions, follower.put_back = follower.put_back, {}
            await self._save_each(follower, positions, back=True)
        if not follower.unsaved:
            return
        positions, follower.unsaved = follower.unsaved, {}
        await self._save_each(follower, positions)

    async def _save_each(
        self, follower: Follower, positions: dict[str, Place], *, back: bool = False
    ) -> None:
        # A room that was lost meanwhile needs no position; the others do.
        await self._consumers.save(follower.caller, follower.consumer, positions, back=back, skip_lost=True)

    async def _started(self, follower: Follower) -> bytes:
        started = pb.SubscribeStarted(epoch=self._hub.epoch)
        started.heartbeat_interval.FromTimedelta(follower.heartbeat)
        response = pb.SubscribeResponse(
            started=started, left=follower.left, history_changed=follower.history_changed
        )
        parts = [response.SerializeToString()]
        if follower.start is not None:
            # Where the client can't know it; its own cursors need no repeating. Encoded parts of a message
            # are the message when they are joined, and between them others have their turn.
            async for cursors in _in_parts(follower.subscription.began()):
                more = pb.SubscribeResponse(started=pb.SubscribeStarted(cursors=cursors))
                parts.append(more.SerializeToString())
        parts.append(self._invited(follower))
        return b"".join(parts)

    def _invited(self, follower: Follower) -> bytes:
        """What tells of the invitations that it has not been told of; empty where there are none."""
        if not follower.invitations:
            return b""
        invitations, follower.invitations = follower.invitations, []
        return pb.SubscribeResponse(invitations=invitations).SerializeToString()

    def _draining(self, follower: Follower) -> bytes:
        draining = pb.Draining()
        draining.reconnect_after.FromTimedelta(follower.draining or timedelta(0))
        return pb.SubscribeResponse(draining=draining).SerializeToString()

    async def _read(self, follower: Follower, behind: Behind) -> bytes | None:
        """What a subscription asked for from the store; None when that was nothing to be sent."""
        page = await self._hub.read(follower, behind)
        self._totals.store_pages += 1
        if page is None:
            return None
        return follower.subscription.read(behind.room_id, page)

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> pb.AcknowledgeResponse:
        await self._consumers.acknowledge(caller, request)
        return pb.AcknowledgeResponse()

    async def list_consumers(
        self, caller: Caller, request: pb.ListConsumersRequest
    ) -> pb.ListConsumersResponse:
        return await self._kept.list_(caller, request)

    async def list_consumer_positions(
        self, caller: Caller, request: pb.ListConsumerPositionsRequest
    ) -> pb.ListConsumerPositionsResponse:
        return await self._kept.positions(caller, request)

    async def delete_consumer(
        self, caller: Caller, request: pb.DeleteConsumerRequest
    ) -> pb.DeleteConsumerResponse:
        await self._kept.delete(caller, request)
        return pb.DeleteConsumerResponse()


async def _in_parts(cursors: Iterable[pb.Cursor]) -> AsyncIterator[list[pb.Cursor]]:
    rest = iter(cursors)
    while some := list(itertools.islice(rest, _CURSORS_AT_ONCE)):
        yield some
        if len(some) == _CURSORS_AT_ONCE:
            await asyncio.sleep(0)
