"""What each kind of entry in a user's log does to the user's streams and tokens."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat.core.effects import Told
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.sessions import Sessions
from grpc_chat.core.start import start_in
from grpc_chat.core.stream import Stream
from grpc_chat.core.streams import MOST_INVITATIONS, MOST_PERSONAL, Streams, taken_over
from grpc_chat.core.user_log import why_ended
from grpc_chat.store.records import Place
from grpc_chat.wire import chat_pb2 as pb

MOST_THREADS = 1000
"""How many threads that its user has changed a stream holds."""


class Entries:
    """Applies the entries of users' logs on this node."""

    def __init__(self, feeds: Feeds, streams: Streams, sessions: Sessions) -> None:
        self._feeds = feeds
        self._streams = streams
        self._sessions = sessions
        # Other kinds do nothing to a stream.
        self._kinds: dict[str, Callable[[Stream, Told], None]] = {
            "room_joined": self._joined,
            "room_lost": self._lost,
            "invited": self._invited,
            "session_ended": self._session_ended,
            "consumer_taken": self._consumer_taken,
            "read_markers_moved": self._read_markers_moved,
            "notifications_changed": self._notifications_changed,
            "draft_changed": self._personal,
            "saved_changed": self._personal,
            "scheduled_changed": self._personal,
            "threads_changed": self._threads_changed,
        }

    def apply_to(self, stream: Stream, told: Told) -> None:
        """Apply an entry to a stream."""
        if apply := self._kinds.get(told.event.WhichOneof("kind") or ""):
            apply(stream, told)

    def apply_to_tokens(self, told: Told) -> None:
        """Forget the user's tokens where an entry changes what they are worth."""
        match told.event.WhichOneof("kind"):
            case "session_ended":
                self._sessions.forget(told.event.session_ended.session_id)
            case "rights_changed":
                self._sessions.ask_again(told.user_id)

    def _joined(self, stream: Stream, told: Told) -> None:
        membership, joined = told.membership, told.event.room_joined
        # After a later leave and rejoin it is another membership, whose own entry is still to come.
        if stream.start is None or membership is None or membership.join_seq != joined.seq:
            return
        if stream.start == pb.START_LATEST:
            place = Place(joined.seq - 1)
            if stream.consumer:
                stream.unsaved[membership.room_id] = place
        else:
            place = start_in(membership, stream.start)
        self._feeds.follow(stream, membership, place, membership.last_seq)
        # What happened in the room before is read.
        self._mark(stream, pb.ReadMarker(room_id=joined.room_id, seq=joined.seq, last_seq=joined.seq))

    def _lost(self, stream: Stream, told: Told) -> None:
        left = told.event.room_lost.left
        self._feeds.lose(stream, left)
        if stream.read_markers:
            stream.read_markers.pop(left.room_id, None)
        stream.notifications.pop(left.room_id, None)
        for place in [place for place in stream.threads if place[0] == left.room_id]:
            del stream.threads[place]

    def _read_markers_moved(self, stream: Stream, told: Told) -> None:
        for marker in told.event.read_markers_moved.markers:
            self._mark(stream, marker)

    def _notifications_changed(self, stream: Stream, told: Told) -> None:
        changed = told.event.notifications_changed
        if stream.read_markers is not None and changed.room_id in stream.subscription:
            stream.notifications[changed.room_id] = changed
            stream.wake()

    def _personal(self, stream: Stream, told: Told) -> None:
        if (changes := stream.personal) is None:
            return
        event = told.event
        key: tuple[str, ...]
        if event.HasField("draft_changed"):
            draft = event.draft_changed
            key = ("draft", draft.room_id, str(draft.thread_root))
            change = pb.PersonalChange(draft=draft)
        elif event.HasField("saved_changed"):
            saved = event.saved_changed
            key, change = ("saved", saved.room_id, str(saved.seq)), pb.PersonalChange(saved=saved)
        else:
            scheduled = event.scheduled_changed
            key = ("scheduled", scheduled.scheduled_message_id)
            change = pb.PersonalChange(scheduled=scheduled)
        if () in changes or (key not in changes and len(changes) >= MOST_PERSONAL):
            # A client that does not read for so long asks for the lists.
            changes.clear()
            key, change = (), pb.PersonalChange()
        # The last change comes last.
        changes.pop(key, None)
        changes[key] = change
        stream.wake()

    def _threads_changed(self, stream: Stream, told: Told) -> None:
        # What it began with may be newer than an entry from before: writing in a thread leaves no entry.
        if stream.read_markers is None or told.event.seq <= stream.threads_head:
            return
        for thread in told.event.threads_changed.threads:
            place = (thread.room_id, thread.thread_root)
            # It is a hint: a client that does not read for so long asks for the list.
            is_held = place in stream.threads or len(stream.threads) < MOST_THREADS
            if thread.room_id in stream.subscription and is_held:
                stream.threads[place] = thread
                stream.wake()

    def _mark(self, stream: Stream, marker: pb.ReadMarker) -> None:
        markers, room_id = stream.read_markers, marker.room_id
        if markers is None or room_id not in stream.subscription:
            return
        # The one that a new stream begins with may be newer.
        if room_id not in markers or markers[room_id].last_seq <= marker.last_seq:
            markers[room_id] = marker
            stream.wake()

    def _invited(self, stream: Stream, told: Told) -> None:
        invited = told.event.invited
        # It is a hint: a client that does not read for so long asks for the list.
        if (
            invited.HasField("invitation")
            and stream.invitations is not None
            and len(stream.invitations) < MOST_INVITATIONS
        ):
            stream.invitations.append(invited.invitation)
            stream.wake()

    def _session_ended(self, stream: Stream, told: Told) -> None:
        ended = told.event.session_ended
        if stream.caller.session_id == ended.session_id:
            self._streams.end(stream, why_ended(ended))

    def _consumer_taken(self, stream: Stream, told: Told) -> None:
        taken = told.event.consumer_taken
        if stream.consumer != taken.consumer:
            return
        if stream.stream_id == taken.stream_id:
            stream.claimed = True
        elif stream.claimed:
            # Otherwise this one is the newer: its own claim is still to come.
            self._streams.end(stream, taken_over())


CERTAIN = frozenset({"room_lost", "session_ended", "rights_changed"})
"""Kinds that take something away. While earlier entries are still being read, these are applied at once, and
again in their turn: until then the stream must not get what the user may no longer see."""
