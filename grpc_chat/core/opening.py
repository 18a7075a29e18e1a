"""Opening streams: which rooms a new one follows, and from where."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import Authenticator, Caller
from grpc_chat.core.claims import Claims
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.latest import Latest
from grpc_chat.core.meanwhile import Meanwhile
from grpc_chat.core.notifications import all_notifications
from grpc_chat.core.read_markers import all_unread
from grpc_chat.core.reads import Pieces, Readers
from grpc_chat.core.start import Start, find_start
from grpc_chat.core.stream import Host, Stream
from grpc_chat.core.streams import MOST_INVITATIONS, Streams
from grpc_chat.core.subscription import Subscription
from grpc_chat.core.threads import threads_to_begin_with
from grpc_chat.core.tokens import new_id
from grpc_chat.core.turns import share
from grpc_chat.core.user_logs import UserLogs
from grpc_chat.errors import LimitExceeded
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import user_log
from grpc_chat.store.writes import too_many_consumers
from grpc_chat.wire import chat_pb2 as pb

_FOLLOWED_AT_ONCE = 200
"""How many rooms a stream begins to follow before others get a turn on the event loop: about 1 ms."""
_LEAST_HEARTBEAT = timedelta(seconds=1)


class _Found(NamedTuple):
    """What the store says of a stream that is being opened."""

    head: int
    """The head of its user's log."""
    start: Start
    kept: bool
    """Whether the store has its consumer."""
    invitations: list[pb.Invitation] | None
    read_markers: dict[str, pb.ReadMarker] | None
    notifications: dict[str, pb.NotificationsChanged]
    threads: list[pb.Thread]
    """Of the rooms that are followed, those that its user follows, with what waits in them."""
    threads_head: int
    """The head of the user's log then: earlier entries are part of that."""


class Opening:
    """Opens streams.

    Args:
        host: Given to the streams.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        authenticator: Authenticator,
        feeds: Feeds,
        streams: Streams,
        meanwhile: Meanwhile,
        user_logs: UserLogs,
        claims: Claims,
        bounds: Bounds,
        host: Host,
        new_id: Callable[[], str] = new_id,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._readers = readers
        self._authenticator = authenticator
        self._feeds = feeds
        self._streams = streams
        self._meanwhile = meanwhile
        self._user_logs = user_logs
        self._claims = claims
        self._new_id = new_id
        self._bounds = bounds
        self._host = host
        self._clock = clock
        # By user, the consumers of the streams that are being opened; empty names for those without one.
        self._places: dict[str, list[str]] = {}

    async def open(self, caller: Caller, request: pb.SubscribeRequest) -> Stream:
        """Open a stream; :meth:`grpc_chat.core.stream.Stream.run` it.

        Raises:
            RoomNotFound, NotAMember: The caller may read none of the rooms that the cursors name, and asks
                for nothing else.
            SessionEnded: The caller's session has ended.
            EpochChanged, BadCursor: A cursor without a stamp is not from this log.
            LimitExceeded: The user has too many streams open, or too many consumers for a new one.
            ShuttingDown: The node is about to stop.
            Unavailable: Too much has happened to the caller meanwhile.
        """
        if self._streams.draining:
            raise self._streams.shutting_down()
        consumer = (caller.user_id, request.consumer)

        def in_snapshot(snapshot: Snapshot) -> Pieces[_Found]:
            self._authenticator.require_session(snapshot, caller)
            # First: later entries may be in what is read next; repeated, they change nothing.
            own = user_log(caller.user_id)
            head = snapshot.heads([own]).get(own, 0)
            kept = bool(request.consumer) and self._is_kept(snapshot, *consumer)
            invitations = None
            if request.invitations:
                invitations = snapshot.invitations_of(caller.user_id, after=None, limit=MOST_INVITATIONS)
            start = yield from find_start(snapshot, caller.user_id, request, self._host.epoch)
            markers, notifications, threads, threads_head = None, {}, list[pb.Thread](), 0
            if request.read_state:
                followed = [room.room_id for room, _ in start.places]
                snapshot = yield
                markers = yield from all_unread(snapshot, caller.user_id, followed)
                snapshot = yield
                now_us = int(self._clock() * 1_000_000)
                notifications = yield from all_notifications(snapshot, caller.user_id, followed, now_us)
                snapshot = yield
                threads_head = snapshot.heads([own]).get(own, 0)
                threads = threads_to_begin_with(snapshot, caller.user_id, followed, now_us)
            return _Found(head, start, kept, invitations, markers, notifications, threads, threads_head)

        async with self._host.beginning.turn(share.get()):
            with (
                self._place(*consumer),
                self._meanwhile.watching(),
                self._user_logs.opening(caller.user_id) as following,
            ):
                found = await self._readers.run_pieces(in_snapshot)
                stream = self._stream(caller, request, found)
                try:
                    await self._follow_all(stream, found.start)
                    # There is no await between its last check and here, so nobody can publish in between.
                    self._user_logs.opened(following, stream, found.head)
                except BaseException:
                    for room_id in stream.subscription.positions:
                        self._feeds.unfollow(stream, room_id)
                    raise
            self._claims.claim(stream)
            return stream

    def _stream(self, caller: Caller, request: pb.SubscribeRequest, found: _Found) -> Stream:
        bounds, start = self._bounds, found.start
        signals = Latest(entries=bounds.signal_entries, size=bounds.signal_bytes)
        window = min(request.max_unacknowledged or self._bounds.window, self._bounds.window)
        return Stream(
            host=self._host,
            caller=caller,
            consumer=request.consumer,
            stream_id=self._new_id() if request.consumer else "",
            subscription=Subscription(
                session_id="" if request.include_own else caller.session_id,
                epoch=self._host.epoch,
                window=window if request.consumer else 0,
                max_bytes=self._bounds.response_bytes,
            ),
            kept=found.kept,
            start=request.start if request.consumer or request.all_rooms else None,
            unsaved=start.unsaved,
            put_back=start.put_back,
            left=start.left,
            history_changed=start.history_changed,
            invitations=found.invitations,
            read_markers=found.read_markers,
            notifications=found.notifications,
            threads={(thread.room_id, thread.thread_root): thread for thread in found.threads},
            threads_head=found.threads_head,
            personal={} if request.personal else None,
            signals=signals if request.signals else None,
            heartbeat=self._heartbeat_of(request),
        )

    async def _follow_all(self, stream: Stream, start: Start) -> None:
        """Let a new stream follow its rooms, a few at a time: 4,000 of them take 20 ms."""
        for at in range(0, max(len(start.places), 1), _FOLLOWED_AT_ONCE):
            if at:
                await asyncio.sleep(0)
            if self._streams.draining:
                raise self._streams.shutting_down()
            for room, place in start.places[at : at + _FOLLOWED_AT_ONCE]:
                if self._meanwhile.was_deleted(room.room_id):
                    stream.left.append(pb.RoomLeft(room_id=room.room_id, deleted=True))
                    continue
                newer = self._meanwhile.head(room.room_id)
                self._feeds.follow(stream, room, place, max(room.last_seq, newer))

    @contextmanager
    def _place(self, user_id: str, consumer: str) -> Iterator[None]:
        """Hold one of the user's places for a stream while it is being opened.

        It counts from the start, so that many simultaneous ones can't all find the last place free. A stream
        whose consumer is about to be taken over gives its place to the newer one.

        Raises:
            LimitExceeded: There is no place left.
        """
        opening = [*self._places.get(user_id, ()), consumer]
        replaced = sum(self._streams.of_consumer(user_id, name) for name in set(opening))
        most = self._bounds.streams_per_user
        if self._streams.count(user_id) + len(opening) - replaced > most:
            raise LimitExceeded(
                f"you have {most} streams open, which is the maximum; close one first",
                metadata={"limit": str(most)},
            )
        self._places.setdefault(user_id, []).append(consumer)
        try:
            yield
        finally:
            self._places[user_id].remove(consumer)
            if not self._places[user_id]:
                del self._places[user_id]

    def _is_kept(self, snapshot: Snapshot, user_id: str, consumer: str) -> bool:
        """Whether the store has a consumer. One too many is refused here: its first acknowledgement would be
        too late."""
        if snapshot.has_consumer(user_id, consumer):
            return True
        most = self._bounds.consumers_per_user
        if snapshot.consumers_of(user_id) >= most:
            raise too_many_consumers(most)
        return False

    def _heartbeat_of(self, request: pb.SubscribeRequest) -> timedelta:
        if not request.HasField("heartbeat_interval"):
            return self._bounds.heartbeat
        wanted = max(request.heartbeat_interval.ToTimedelta(), _LEAST_HEARTBEAT)
        return min(wanted, self._bounds.heartbeat)
