"""Named positions that the server keeps for clients without a memory of their own."""

from __future__ import annotations

from collections.abc import Mapping

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.hub import Hub
from grpc_chat.store.base import Acknowledge
from grpc_chat.wire import chat_pb2 as pb


class Consumers:
    """Moves consumers forward, on disk and then for their open streams."""

    def __init__(self, committer: Committer, hub: Hub) -> None:
        self._committer = committer
        self._hub = hub

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> None:
        """See ``SubscribeService.Acknowledge``.

        Raises:
            RoomNotFound, EpochChanged, BadCursor: One of the positions can't be; none was taken.
        """
        for at, cursor in enumerate(request.cursors):
            self._hub.check_epoch(cursor, f"cursors[{at}].epoch")
        positions = {cursor.room_id: cursor.seq for cursor in request.cursors}
        await self.save(caller, request.consumer, positions)

    async def save(self, caller: Caller, consumer: str, positions: Mapping[str, int]) -> None:
        """Store positions."""
        write = Acknowledge(caller.user_id, consumer, positions, access.to_read)
        await self._committer.commit(write)
        self._hub.acknowledged(caller.user_id, consumer, positions)
