"""Named positions that the server keeps for clients without a memory of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.histories import another_history, parted
from grpc_chat.core.hub import Hub
from grpc_chat.core.reads import Readers, at_once
from grpc_chat.core.start import require_epoch
from grpc_chat.store.base import Acknowledge, Place, Snapshot
from grpc_chat.wire import chat_pb2 as pb


class Consumers:
    """Moves consumers forward, on disk and then for their open streams."""

    def __init__(self, committer: Committer, readers: Readers, hub: Hub) -> None:
        self._committer = committer
        self._readers = readers
        self._hub = hub

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> None:
        """See ``SubscribeService.Acknowledge``.

        Raises:
            RoomNotFound, BadCursor: One of the positions can't be; none was taken.
            LimitExceeded: The consumer is new, and the caller has too many.
            EpochChanged: One is from another history; the others were taken, unless it has no stamp.
        """
        for at, cursor in enumerate(request.cursors):
            # With a stamp it does not matter what the log's life is called: it is the same event, or not.
            if not cursor.stamp:
                require_epoch(cursor, f"cursors[{at}].epoch", self._hub.epoch)
        positions = {cursor.room_id: Place(cursor.seq, cursor.stamp) for cursor in request.cursors}
        if refused := await self.save(caller, request.consumer, positions):
            at, room_id = next(
                (at, cursor.room_id) for at, cursor in enumerate(request.cursors) if cursor.room_id in refused
            )

            def find(snapshot: Snapshot) -> Place:
                room = access.require_read(snapshot, room_id, caller.user_id)
                common = at_once(parted(snapshot, {room_id: (room, positions[room_id])}), snapshot)
                return common.get(room_id, Place(0))

            last_common = await self._readers.run(find)
            raise another_history(f"cursors[{at}]", room_id, self._hub.epoch, last_common)

    async def save(
        self, caller: Caller, consumer: str, positions: Mapping[str, Place], *, back: bool = False
    ) -> list[str]:
        """Store positions.

        Args:
            back: Whether they may also move back.

        Returns:
            The rooms whose position is from another history than the log, and was not taken.
        """
        most = self._hub.bounds.consumers_per_user
        write = Acknowledge(caller.user_id, consumer, positions, access.to_read, back, most)
        refused = cast("list[str] | None", await self._committer.commit(write)) or []
        taken = {room_id: place for room_id, place in positions.items() if room_id not in refused}
        self._hub.acknowledged(caller.user_id, consumer, taken)
        return refused
