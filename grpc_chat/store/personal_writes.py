"""What users keep for themselves, as a transaction changes it."""

from __future__ import annotations

from grpc_chat.store import schema
from grpc_chat.store.personal import SavedRecord, ScheduledRecord
from grpc_chat.store.rows import Rows
from grpc_chat.wire import chat_pb2 as pb


class PersonalWrites:
    """See :class:`grpc_chat.store.personal.PersonalWrites`."""

    _rows: Rows
    now_us: int

    def put_message_draft(self, user_id: str, draft: pb.MessageDraft) -> None:
        self._rows.put(
            schema.message_drafts,
            room_id=draft.room_id,
            user_id=user_id,
            thread_root=draft.thread_root,
            text=draft.text,
            reply_to=draft.reply_to,
            update_time_us=self.now_us,
        )

    def delete_message_draft(self, room_id: str, user_id: str, thread_root: int) -> None:
        self._rows.delete(schema.message_drafts, room_id=room_id, user_id=user_id, thread_root=thread_root)

    def put_saved_message(self, user_id: str, saved: SavedRecord) -> None:
        self._rows.put(schema.saved_messages, user_id=user_id, **saved._asdict())

    def delete_saved_message(self, room_id: str, user_id: str, seq: int) -> None:
        self._rows.delete(schema.saved_messages, room_id=room_id, user_id=user_id, seq=seq)

    def put_scheduled_message(self, record: ScheduledRecord) -> None:
        self._rows.put(schema.scheduled_messages, **record._asdict())

    def delete_scheduled_message(self, user_id: str, scheduled_id: str) -> None:
        self._rows.delete(schema.scheduled_messages, user_id=user_id, scheduled_id=scheduled_id)
