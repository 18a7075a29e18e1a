"""What a store keeps of threads, and how it is read and changed; see :mod:`grpc_chat.store.base`."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from grpc_chat.store.records import Marker, StoredEvent

MOST_FOLLOWED = 1000
"""How many threads of a room a user may follow. One more takes the place of the one that has been quiet
longest."""


class ThreadRecord(NamedTuple):
    """A thread: a message, its root, and the messages that belong to it."""

    room_id: str
    root_seq: int
    """The number of the root, which may be deleted."""
    messages: int
    """How many messages it has, deleted ones included, without the root."""
    replies: int
    """How many of them are not deleted."""
    last_seq: int
    """The newest message, deleted or not."""
    last_us: int
    """When that was stored, in microseconds since 1970."""


class Following(NamedTuple):
    """A user follows a thread."""

    marker: Marker
    """How far they have read, with the thread's own count of messages."""
    mute_until_us: int | None = None
    """None if they have not muted it, 0 if they have without an end."""


class FollowedThread(NamedTuple):
    """A thread as one user sees it."""

    thread: ThreadRecord
    """If it has no messages yet, one with zeros."""
    following: Following | None
    """None if the user does not follow it."""
    deleted: int
    """How many deleted messages of others come after the user's marker."""


class ThreadReads(Protocol):
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    def thread(self, room_id: str, root_seq: int) -> ThreadRecord | None:
        """A thread; None if no message is in it."""

    def followed_thread(self, room_id: str, user_id: str, root_seq: int) -> FollowedThread:
        """The same, as a user sees it; also if no message is in it yet."""

    def threads(self, room_id: str, user_id: str, *, before: int, limit: int) -> list[FollowedThread]:
        """A room's threads as a user sees them, by their newest messages, of which all come before a number,
        newest first; without those whose messages are all deleted."""

    def threads_followed(
        self,
        user_id: str,
        *,
        room_id: str = "",
        unread_at_us: int | None = None,
        before: tuple[int, str, int] | None,
        limit: int,
    ) -> list[FollowedThread]:
        """The threads that a user follows, by their newest messages, newest first; without those whose
        messages are all deleted.

        Args:
            room_id: Only in this room; empty for all rooms that the user is in.
            unread_at_us: Only those with unread messages that are not muted at this time.
            before: The time of the newest message, the room and the root of the previous page's last thread.
        """

    def messages_in_thread(self, room_id: str, root_seq: int, seq: int) -> int:
        """How many messages a thread has up to an event of its room, deleted ones included."""

    def own_in_thread_after(self, room_id: str, root_seq: int, user_id: str, seq: int) -> int:
        """How many messages of a user's a thread has after an event of its room. It takes longer, the more
        messages come after it."""

    def deleted_in_thread(self, room_id: str, root_seq: int, *, after: int, before: int) -> int:
        """How many deleted messages a thread has between two numbers."""

    def thread_events(
        self, room_id: str, root_seq: int, *, after: int, limit: int, max_bytes: int
    ) -> list[StoredEvent]:
        """As :meth:`grpc_chat.store.reads.Snapshot.events_after`, of one thread."""

    def thread_events_before(
        self, room_id: str, root_seq: int, *, before: int, limit: int, max_bytes: int
    ) -> list[StoredEvent]:
        """As :meth:`grpc_chat.store.reads.Snapshot.events_before`, of one thread."""


class ThreadWrites(ThreadReads, Protocol):
    """A part of :class:`grpc_chat.store.base.Transaction`."""

    def follow_thread(self, room_id: str, user_id: str, root_seq: int, following: Following) -> None:
        """Have a member follow a thread, or change how they do."""

    def unfollow_thread(self, room_id: str, user_id: str, root_seq: int) -> None:
        """Have a user no longer follow a thread."""
