"""What members say that they have received, with clients that keep their own positions."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

from grpc_chat.core import access
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.histories import another_history, parted
from grpc_chat.core.reads import Pieces, Readers
from grpc_chat.core.start import require_epoch
from grpc_chat.errors import ChatError, InvalidRequest
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place, ReceivedRange
from grpc_chat.store.writes import ahead_of_log
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_SECONDS = 5.0
"""How long what was said may wait to be stored, together with what others say."""
_AT_ONCE = 256
_MOST = 100_000
"""How many members' positions may wait. Those beyond are left out until they are said again."""


class Received:
    """Stores what members say that they have received: some seconds later, and many in one transaction.

    A crash loses what waits. Then less is known to have been received than was, never more, and clients say
    all of it again with their next position.
    """

    def __init__(self, committer: Committer, readers: Readers, *, epoch: str) -> None:
        self._committer = committer
        self._readers = readers
        self._epoch = epoch
        # By room and user, from where to where.
        self._waiting: dict[tuple[str, str], tuple[int, int]] = {}
        self._noted = asyncio.Event()

    async def note(self, caller: Caller, request: pb.AcknowledgeRequest) -> None:
        """Take note of what a client has received.

        Raises:
            RoomNotFound, BadCursor: One of the positions is impossible; nothing was noted.
            EpochChanged: One is from another history; nothing was noted.
        """
        for at, cursor in enumerate(request.cursors):
            if cursor.after_seq > cursor.seq:
                raise InvalidRequest(
                    f"cursors[{at}].after_seq must be at most seq, which is {cursor.seq}, and is "
                    f"{cursor.after_seq}",
                    field=f"cursors[{at}].after_seq",
                )
            if not cursor.stamp:
                require_epoch(cursor, f"cursors[{at}].epoch", self._epoch)

        def check(snapshot: Snapshot) -> Pieces[None]:
            offered: dict[str, tuple[Membership, Place]] = {}
            for start in range(0, len(request.cursors), _AT_ONCE):
                some = request.cursors[start : start + _AT_ONCE]
                found = snapshot.memberships_in(caller.user_id, [cursor.room_id for cursor in some])
                for at, cursor in enumerate(some, start):
                    room = found.get(cursor.room_id)
                    if error := access.to_read(cursor.room_id, room):
                        raise error
                    assert room, "nobody may read what is not there"
                    if cursor.seq > room.last_seq and not cursor.stamp:
                        raise ahead_of_log(at, cursor.room_id, cursor.seq, room.last_seq)
                    offered[cursor.room_id] = room, Place(cursor.seq, cursor.stamp)
                snapshot = yield
            common = yield from parted(snapshot, offered)
            for at, cursor in enumerate(request.cursors):
                if place := common.get(cursor.room_id):
                    raise another_history(f"cursors[{at}]", cursor.room_id, self._epoch, place)

        await self._readers.run_pieces(check)
        for cursor in request.cursors:
            self._add((cursor.room_id, caller.user_id), cursor.after_seq, cursor.seq)

    def _add(self, key: tuple[str, str], after: int, seq: int) -> None:
        known = self._waiting.get(key)
        if known is None and len(self._waiting) >= _MOST:
            return
        if known and known[1] >= seq:
            return
        self._waiting[key] = (min(known[0], after) if known and after <= known[1] else after), seq
        self._noted.set()

    async def run(self) -> None:
        """Store, until cancelled; then what is left."""
        try:
            while True:
                await self._noted.wait()
                await asyncio.sleep(_SECONDS)
                await self.store()
        finally:
            await self.store()

    async def store(self) -> None:
        """Store what was noted so far."""
        self._noted.clear()
        while some := dict(islice(self._waiting.items(), _AT_ONCE)):
            ranges = [ReceivedRange(*key, *between) for key, between in some.items()]

            def note(transaction: Transaction, ranges: list[ReceivedRange] = ranges) -> None:
                transaction.note_received(ranges)

            for key in some:
                del self._waiting[key]
            try:
                await self._committer.transact(SYSTEM, note, cost=_AT_ONCE)
            except ChatError as error:
                # Clients say it again.
                log.warning("what members have received could not be stored: %s", error)
                return
