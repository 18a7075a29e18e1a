"""What a store keeps for users alone, and how it is read and changed; see :mod:`grpc_chat.store.base`.

What is kept of a room ends with the membership of it, and with the room.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from grpc_chat.wire import chat_pb2 as pb


class SavedRecord(NamedTuple):
    """A message that a user has saved."""

    room_id: str
    seq: int
    save_time_us: int


class DraftKey(NamedTuple):
    """Orders drafts: the last changed comes first."""

    update_time_us: int
    room_id: str
    thread_root: int


class ScheduledRecord(NamedTuple):
    """A message that is to be sent later, or that could not be sent."""

    user_id: str
    scheduled_id: str
    send_us: int
    """When it is to be sent, as its user sees it."""
    due_us: int | None
    """When the server tries to send it; None for never."""
    payload: bytes
    """The encoded ``OutgoingMessage``."""
    create_us: int
    failure: bytes = b""
    """The encoded ``ScheduleFailure``; empty if it has not failed."""

    def __repr__(self) -> str:
        # Records end up in logs and tracebacks; what somebody writes must not.
        return f"ScheduledRecord({self.user_id!r}, {self.scheduled_id!r})"


class PersonalReads(Protocol):
    """Part of :class:`grpc_chat.store.reads.Snapshot`."""

    def message_draft(self, room_id: str, user_id: str, thread_root: int) -> pb.MessageDraft | None:
        """What a user has begun to write in a room, or in a thread of it."""

    def message_drafts(
        self, user_id: str, *, room_id: str, after: DraftKey | None, limit: int
    ) -> list[pb.MessageDraft]:
        """A user's drafts in a room, or in all rooms if ``room_id`` is empty, the last changed first."""

    def message_drafts_of(self, user_id: str) -> int:
        """How many drafts a user has."""

    def saved_message(self, room_id: str, user_id: str, seq: int) -> SavedRecord | None:
        """A message, if a user has saved it."""

    def saved_messages(
        self, user_id: str, *, room_id: str, after: SavedRecord | None, limit: int
    ) -> list[SavedRecord]:
        """The messages of a room, or of all rooms if ``room_id`` is empty, that a user has saved, the last
        saved first."""

    def saved_messages_of(self, user_id: str) -> int:
        """How many messages a user has saved."""

    def scheduled_message(self, user_id: str, scheduled_id: str) -> ScheduledRecord | None:
        """A user's scheduled message."""

    def scheduled_messages(
        self, user_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[ScheduledRecord]:
        """A user's scheduled messages, ordered by ``send_us`` and id."""

    def scheduled_messages_of(self, user_id: str) -> int:
        """How many scheduled messages a user has, including those that could not be sent."""

    def due_messages(self, now_us: int, *, limit: int) -> list[ScheduledRecord]:
        """Scheduled messages of all users that are due, in the order of ``due_us``, and of those that are due
        at the same time, in which they were scheduled."""

    def next_due(self) -> int | None:
        """When the next scheduled message is due; None if there is none."""


class PersonalWrites(Protocol):
    """Part of :class:`grpc_chat.store.base.Transaction`."""

    def put_message_draft(self, user_id: str, draft: pb.MessageDraft) -> None:
        """Keep a draft instead of the one in the same place, changed now."""

    def delete_message_draft(self, room_id: str, user_id: str, thread_root: int) -> None:
        """Remove a draft, if there is one."""

    def put_saved_message(self, user_id: str, saved: SavedRecord) -> None:
        """Record that a user has saved a message."""

    def delete_saved_message(self, room_id: str, user_id: str, seq: int) -> None:
        """Record that a user no longer saves a message."""

    def put_scheduled_message(self, record: ScheduledRecord) -> None:
        """Add or replace a user's scheduled message."""

    def delete_scheduled_message(self, user_id: str, scheduled_id: str) -> None:
        """Remove a user's scheduled message, if there is one."""
