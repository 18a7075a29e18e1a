"""Sending a message within a command's transaction, beside its other changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc_chat.errors import ChatError, ClientMessageIdReused
from grpc_chat.store.mention_rows import note_mentions
from grpc_chat.store.records import Marker, Membership, StoredEvent
from grpc_chat.store.snapshot import SqlSnapshot
from grpc_chat.store.writes import Draft, Position
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.store.batch import Batch
    from grpc_chat.store.rows import Rows


class SendWrites(SqlSnapshot):
    """See :class:`grpc_chat.store.base.Transaction`."""

    _batch: Batch
    _rows: Rows
    new: dict[str, list[StoredEvent]]

    def refusal(self, draft: Draft) -> ChatError | None:
        # As Batch does it for messages that come by themselves.
        room_id, user_id = draft.event.room_id, draft.event.user_id
        room: Membership | None = self.membership(room_id, user_id)
        error = draft.check(room_id, room)
        if not error and draft.check_direct and room and room.kind == pb.ROOM_KIND_DIRECT:
            error = draft.check_direct(self, room_id, user_id)
        if not error and draft.check_state:
            error = draft.check_state(self)
        if not error and draft.answers:
            error = self._batch.check_answer(draft.answers, room_id, room)
        return error

    def send(self, draft: Draft) -> Position:
        event, once, rows = draft.event, draft.once, self._rows
        room_id, user_id = event.room_id, event.user_id
        assert once, "a message has a key"
        if sent := self.sent(room_id, user_id, once.key):
            place, content_hash = sent
            if content_hash not in (b"", once.content_hash):
                raise ClientMessageIdReused(
                    "this client_message_id was used before for another content in this room",
                    metadata={"roomId": room_id},
                )
            return Position(room_id, place.seq, place.stamp)
        if error := self.refusal(draft):
            raise error
        room = self.membership(room_id, user_id)
        assert room, "nobody else may write"
        if draft.names:
            note_mentions(rows, event, draft.names)
        root_seq = event.message.thread_root
        thread = rows.thread(room_id, root_seq) if root_seq else None
        following = rows.follower(room_id, user_id, root_seq) if root_seq else None
        seq = self._batch.number(room_id, event, draft.session_id, self.new)
        # Nobody has read what came before by having written this earlier.
        if not root_seq and room.read_seq < room.last_seq:
            rows.move_marker(room_id, user_id, _one_more(room.marker))
        if thread and following and following.marker.seq < thread.last_seq:
            rows.follow(room_id, user_id, root_seq, following._replace(marker=_one_more(following.marker)))
        key, placed = (room_id, user_id, once.key), Position(room_id, seq, rows.times[room_id])
        rows.sends.append((*key, seq, once.content_hash))
        rows.know_sent(key, placed, once.content_hash)
        return placed


def _one_more(marker: Marker) -> Marker:
    """A marker that stays where it is, with one more message of the member's own after it."""
    return marker._replace(own=marker.own + 1)
