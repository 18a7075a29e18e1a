"""Named positions that the server keeps for clients that do not save their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.histories import another_history, parted
from grpc_chat.core.reads import Pieces, Readers, at_once
from grpc_chat.core.received import Received
from grpc_chat.core.start import require_epoch
from grpc_chat.core.stream import Stream
from grpc_chat.core.streams import Streams
from grpc_chat.errors import ChatError
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Place
from grpc_chat.store.writes import Acknowledge, ahead_of_log
from grpc_chat.wire import chat_pb2 as pb


class Consumers:
    """Moves consumers forward, on disk and then for their open streams.

    Args:
        epoch: The store's epoch.
        most: How many consumers a user may have.
    """

    def __init__(
        self, committer: Committer, readers: Readers, streams: Streams, *, epoch: str, most: int = 64
    ) -> None:
        self._committer = committer
        self._readers = readers
        self._streams = streams
        self._epoch = epoch
        self._most = most
        self.received = Received(committer, readers, epoch=epoch)
        """What is received without a consumer."""

    async def acknowledge(self, caller: Caller, request: pb.AcknowledgeRequest) -> None:
        """See ``SubscribeService.Acknowledge``.

        Raises:
            RoomNotFound, BadCursor: One of the positions is impossible; none was stored.
            LimitExceeded: The consumer is new, and the caller has too many.
            EpochChanged: One is from another history; the others were stored, unless it has no stamp.
        """
        consumer = request.consumer
        if not consumer:
            await self.received.note(caller, request)
            return
        positions: dict[str, Place] = {}
        for at, cursor in enumerate(request.cursors[:]):
            stamp = cursor.stamp
            # With a stamp the log's epoch does not matter: it is the same event, or not.
            if not stamp:
                require_epoch(cursor, f"cursors[{at}].epoch", self._epoch)
            positions[cursor.room_id] = Place(cursor.seq, stamp)
        if refused := await self.save(caller, consumer, positions):
            at, room_id = next(
                (at, cursor.room_id) for at, cursor in enumerate(request.cursors) if cursor.room_id in refused
            )

            def find(snapshot: Snapshot) -> Place:
                room = access.require_read(snapshot, room_id, caller.user_id)
                common = at_once(parted(snapshot, {room_id: (room, positions[room_id])}), snapshot)
                return common.get(room_id, Place(0))

            last_common = await self._readers.run(find)
            raise another_history(f"cursors[{at}]", room_id, self._epoch, last_common)

    async def save(
        self,
        caller: Caller,
        consumer: str,
        positions: Mapping[str, Place],
        *,
        back: bool = False,
        skip_lost: bool = False,
    ) -> list[str]:
        """Store positions.

        Args:
            back: Whether they may also move back.
            skip_lost: Whether to leave out rooms that the caller may not read, instead of storing nothing.

        Returns:
            The rooms whose position is from another history than the log, and was not stored.
        """
        if len(positions) > _AT_ONCE or skip_lost:
            return await self._save_many(caller, consumer, positions, back, skip_lost)
        write = Acknowledge(
            caller.user_id, consumer, positions, access.to_read, back, max_consumers=self._most
        )
        result = await self._committer.submit(write)
        if isinstance(result, ChatError):
            raise result
        refused = cast("list[str] | None", result) or []
        taken = {at: positions[at] for at in positions.keys() - refused} if refused else positions
        self._streams.acknowledged(caller.user_id, consumer, taken)
        return refused

    async def _save_many(
        self, caller: Caller, consumer: str, positions: Mapping[str, Place], back: bool, skip_lost: bool
    ) -> list[str]:
        """As :meth:`save`, in several transactions if there are many positions."""
        refused: list[str] = []
        lost: set[str] = set()
        if not skip_lost:
            # Too much for one transaction, which everybody's messages wait for. So everything that could be
            # wrong with them is checked first; a room that is lost after that keeps no position anyway.
            await self._readers.run_pieces(lambda snapshot: _require(snapshot, caller, positions))
        each = list(positions.items())
        for at in range(0, len(each), _AT_ONCE):
            some = each[at : at + _AT_ONCE]
            write = Acknowledge(
                caller.user_id,
                consumer,
                dict(some),
                access.to_read,
                back,
                skip_lost=True,
                max_consumers=self._most,
            )
            refused += cast("list[str] | None", await self._committer.commit(write)) or []
        if refused:
            lost = await self._readers.run(lambda snapshot: _lost(snapshot, caller, refused))
        taken = {room_id: place for room_id, place in positions.items() if room_id not in set(refused)}
        self._streams.acknowledged(caller.user_id, consumer, taken)
        return [room_id for room_id in refused if room_id not in lost]

    async def save_for(self, stream: Stream, positions: Mapping[str, Place], back: bool) -> None:
        """Store where a stream's consumer begins in rooms that are new to it; ``back`` as for :meth:`save`.

        A room that was lost meanwhile needs no position; the others do.
        """
        await self.save(stream.caller, stream.consumer, positions, back=back, skip_lost=True)


_AT_ONCE = 256
"""Positions in one transaction: some 3 ms of the writer's time."""


def _require(snapshot: Snapshot, caller: Caller, positions: Mapping[str, Place]) -> Pieces[None]:
    """Check each position, as the writer does."""
    each = list(positions.items())
    for start in range(0, len(each), _AT_ONCE):
        some = each[start : start + _AT_ONCE]
        found = snapshot.memberships_in(caller.user_id, [room_id for room_id, _ in some])
        for at, (room_id, place) in enumerate(some, start):
            room = found.get(room_id)
            if error := access.to_read(room_id, room):
                raise error
            assert room, "nobody may read what is not there"
            if place.seq > room.last_seq and not place.stamp:
                raise ahead_of_log(at, room_id, place.seq, room.last_seq)
        snapshot = yield


def _lost(snapshot: Snapshot, caller: Caller, room_ids: list[str]) -> set[str]:
    """The rooms among these that the user may no longer read."""
    found = snapshot.memberships_in(caller.user_id, room_ids)
    return {room_id for room_id in room_ids if access.to_read(room_id, found.get(room_id))}
