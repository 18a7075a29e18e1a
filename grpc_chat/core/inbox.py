"""What waits for a user across all their rooms."""

from __future__ import annotations

from typing import NamedTuple

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces, at_once
from grpc_chat.core.room_views import as_listed
from grpc_chat.core.streams import MOST_INVITATIONS
from grpc_chat.core.threads import count_waiting
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import InboxRoom
from grpc_chat.wire import chat_pb2 as pb

_ROOMS_AT_ONCE = 1000
"""How many rooms are read in one piece, which takes about 3 ms."""
_SHOWN_AT_ONCE = 50


class _Place(NamedTuple):
    """A room's place in the inbox: the lowest first."""

    quiet: bool
    """Whether nothing waits."""
    before_us: int
    """How long its newest event was stored before 1970."""
    room_id: str


class Found(NamedTuple):
    """A page of the inbox, and what waits in all."""

    page: Listed[pb.Room]
    waiting_rooms: int
    unread: int
    mentions: int
    threads: int
    invitations: int


class Inbox:
    """Lists what waits for users; see ``RoomService.ListInbox``."""

    def __init__(self, context: Context) -> None:
        self._readers = context.readers
        self._pages = context.pages
        self._clock = context.clock

    async def list_(self, caller: Caller, request: pb.ListInboxRequest) -> Found:
        """A page of the caller's inbox."""
        page = self._pages.open(f"ListInbox {request.include_read} {caller.user_id}", request)
        after = _read_place(page.after) if page.after else None
        now_us = int(self._clock() * 1_000_000)

        def in_snapshot(snapshot: Snapshot) -> Pieces[Found]:
            all_: list[InboxRoom] = []
            while not all_ or len(all_) % _ROOMS_AT_ONCE == 0:
                last = all_[-1].room_id if all_ else ""
                found = snapshot.inbox(caller.user_id, after=last, limit=_ROOMS_AT_ONCE)
                all_ += found
                if not found:
                    break
                snapshot = yield
            waiting = {room.room_id: room.unread for room in all_ if _waits(room, now_us)}
            places = sorted(
                _Place(room.room_id not in waiting, -room.last_event_us, room.room_id)
                for room in all_
                if request.include_read or room.room_id in waiting
            )
            rest = [place for place in places if after is None or place > after][: page.limit]
            rooms: list[pb.Room] = []
            shown = page.cut(rest)
            for at in range(0, len(shown), _SHOWN_AT_ONCE):
                ids = [place.room_id for place in shown[at : at + _SHOWN_AT_ONCE]]
                found_in = snapshot.listed_rooms_in(caller.user_id, ids)
                some = [found_in[room_id] for room_id in ids if room_id in found_in]
                rooms += at_once(as_listed(snapshot, some, caller.user_id, now_us), snapshot)
                snapshot = yield
            threads = yield from count_waiting(snapshot, caller.user_id, now_us)
            snapshot = yield
            invitations = snapshot.invitations_of(caller.user_id, after=None, limit=MOST_INVITATIONS)
            token = page.next(rest, _write_place)
            mentions = sum(room.mentions for room in all_)
            unread = sum(waiting.values())
            return Found(Listed(rooms, token), len(waiting), unread, mentions, threads, len(invitations))

        return await self._readers.run_pieces(in_snapshot)


def _waits(room: InboxRoom, now_us: int) -> bool:
    """Whether something waits in a room. Muted rooms are left out, except where somebody mentions the user.
    A mention may be in a thread, which makes nothing unread in the room."""
    return room.mentions > 0 or (room.unread > 0 and not room.attention.muted(now_us))


def _write_place(place: _Place) -> str:
    return f"{int(place.quiet)} {place.before_us} {place.room_id}"


def _read_place(text: str) -> _Place:
    quiet, before_us, room_id = text.split(" ", 2)
    return _Place(quiet == "1", int(before_us), room_id)
