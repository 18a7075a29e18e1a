"""Reads the store for streams whose cursors are older than a feed's tail."""

from __future__ import annotations

import asyncio

from grpc_chat.core.access import require_read, visible_from
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.reads import Readers
from grpc_chat.core.stream import Stream
from grpc_chat.core.subscription import Behind, Page
from grpc_chat.errors import NotAMember, RoomNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Run
from grpc_chat.wire import chat_pb2 as pb

_WORD_SECONDS = 0.05
"""How long a stream that may no longer read a room waits for the reason."""


class CatchingUp:
    """Reads pages of rooms for streams.

    Args:
        response_bytes: The approximate size of the largest page.
    """

    def __init__(self, readers: Readers, feeds: Feeds, *, response_bytes: int) -> None:
        self._readers = readers
        self._feeds = feeds
        self._response_bytes = response_bytes

    async def read(self, stream: Stream, behind: Behind) -> Page | None:
        """What a subscription requested, from the store; None if its user is no longer a member."""
        room_id, after, limit = behind

        def read_page(snapshot: Snapshot) -> tuple[Page, Membership]:
            room = require_read(snapshot, room_id, stream.caller.user_id)
            first = visible_from(room)
            max_bytes = self._response_bytes
            begin = max(after, first - 1)
            run = snapshot.run_after(room_id, begin, limit=limit, max_bytes=max_bytes)
            if not run.seqs and first > room.last_seq:
                # All events were removed; when the last one was stored is still known.
                page = Page(first, run, room.last_event_us)
            else:
                page = _without_hole(first, run)
            return page._replace(joined=room.join_seq), room

        try:
            with self._feeds.noting_rewritten(room_id) as rewritten:
                while True:
                    page, room = await self._readers.run(read_page)
                    self._feeds.know_rule(room_id, room.history, room.last_seq)
                    if not rewritten or rewritten.isdisjoint(page.run.seqs):
                        return page
                    # It was read before that. Each event is rewritten a few times at most, if ever.
                    rewritten.clear()
        except (RoomNotFound, NotAMember):
            # Done by another node, or by this one a moment ago: then the news of who did it and why is on its
            # way.
            await asyncio.sleep(_WORD_SECONDS)
            # A reader who has been let in again since begins again.
            if stream.subscription.awaits(room_id):
                self._feeds.lose(stream, pb.RoomLeft(room_id=room_id))
            return None


def _without_hole(first_seq: int, run: Run) -> Page:
    """The events up to a hole in the log, which damage on the disk leaves; it is reported as a gap."""
    seqs = run.seqs
    if not seqs:
        return Page(first_seq, run)
    start = seqs[0]
    if seqs[-1] - start != len(seqs) - 1:
        count = next(at for at, seq in enumerate(seqs) if seq != start + at)
        run = Run(seqs[:count], run.sessions[:count], run.payloads[:count])
    return Page(max(first_seq, start), run)
