"""The messages that mention somebody."""

from __future__ import annotations

from collections.abc import Sequence

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, MentionRecord
from grpc_chat.wire import chat_pb2 as pb

_READ_AT_ONCE = 50
_MOST_READ = 1000
"""Mentions that are looked at for one page. With more to look at, the page is shorter, and there is a next
one."""


def mentions(message: pb.Message, sender_id: str, user_id: str) -> bool:
    """Whether a message mentions a user; with ``room``, everyone who was a member then."""
    told = message.mentions
    return user_id in told.user_ids or (told.room and sender_id != user_id)


class Mentions:
    """Lists mentions; see ``MessageService.ListMentions``.

    Args:
        page_bytes: The most that the messages of a page take, whatever was requested; with one more.
    """

    def __init__(self, context: Context, *, page_bytes: int = 1024 * 1024) -> None:
        self._readers = context.readers
        self._pages = context.pages
        self.epoch = context.epoch
        self._page_bytes = page_bytes

    async def list_(self, caller: Caller, request: pb.ListMentionsRequest) -> Listed[pb.Mention]:
        """A page of the messages that mention the caller, and that they may read now.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
        """
        room_id, unread, user_id = request.room_id, request.unread_only, caller.user_id
        listing = f"ListMentions {user_id} {int(unread)} {room_id}"
        before: tuple[int, str] | None = None
        if request.page_token:
            stamp, room = self._pages.tokens.read(listing, request.page_token).split(" ", 1)
            before = int(stamp), room
        size = self._pages.size(request.page_size)

        def in_pieces(snapshot: Snapshot) -> Pieces[tuple[list[pb.Mention], tuple[int, str] | None]]:
            found: list[pb.Mention] = []
            place, read, told = before, 0, 0
            while True:
                if room_id:
                    # Each piece is of another moment.
                    access.require_read(snapshot, room_id, user_id)
                limit = min(_READ_AT_ONCE, size - len(found))
                some = snapshot.mentions(user_id, room_id=room_id, unread=unread, before=place, limit=limit)
                for record, event, membership in _shown(snapshot, user_id, some):
                    found.append(pb.Mention(event=event, unread=record.seq > membership.read_seq))
                    told += event.ByteSize()
                    place = record[:2]
                    if told >= self._page_bytes:
                        return found, place
                if len(some) < limit:
                    return found, None
                place = some[-1][:2]
                read += len(some)
                if len(found) >= size or read >= _MOST_READ:
                    return found, place
                snapshot = yield

        found, place = await self._readers.run_pieces(in_pieces)
        token = self._pages.tokens.make(listing, f"{place[0]} {place[1]}") if place else ""
        return Listed(found, token)


def _shown(
    snapshot: Snapshot, user_id: str, records: Sequence[MentionRecord]
) -> list[tuple[MentionRecord, pb.Event, Membership]]:
    """Those of the messages that the user may read now, and that others sent whom they have not blocked."""
    rooms = snapshot.memberships_in(user_id, list({record.room_id for record in records}))
    blocked = snapshot.blocked_among(user_id, {record.sender_id for record in records} - {user_id})
    wanted: list[tuple[MentionRecord, Membership]] = []
    for record in records:
        room = rooms.get(record.room_id)
        if room is None or access.to_read(record.room_id, room) or record.sender_id in (user_id, *blocked):
            continue
        if record.seq >= access.visible_from(room):
            wanted.append((record, room))
    payloads = snapshot.payloads_at((record.room_id, record.seq) for record, _ in wanted)
    return [
        (record, pb.Event.FromString(payload), room)
        for record, room in wanted
        if (payload := payloads.get((record.room_id, record.seq)))
    ]
