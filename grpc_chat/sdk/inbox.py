"""What waits for the caller, and what they want to be notified of, from the client's side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from grpc_chat.sdk import convert
from grpc_chat.sdk.choices import AnyNotificationLevel, NotificationLevel
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Room
from grpc_chat.sdk.read_state import Notifications
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits for you, in all of your rooms."""

    rooms: tuple[Room, ...]
    """The rooms in which something waits, those with the newest events first. If you asked for them, the
    others follow."""
    waiting_rooms: int
    """In how many rooms something waits, whether ``rooms`` has them or not."""
    unread: int
    """How many messages are unread there."""
    invitations: int
    """How many invitations wait for your answer."""
    mentions: int = 0
    """How many unread messages mention you, those in muted rooms included."""
    threads: int = 0
    """In how many threads that you follow and have not muted messages wait; ``threads(unread=True)`` has
    them."""


class InboxCalls(CallsInRooms):
    """The calls about what waits. ``room`` is given as in :class:`RoomCalls`."""

    async def inbox(self, *, limit: int = 50, include_read: bool = False) -> Inbox:
        """What waits for you. Muted rooms wait only if somebody mentions you in them.

        Args:
            limit: How many rooms to return at most.
            include_read: Whether the rooms in which nothing waits follow.
        """
        request = pb.ListInboxRequest(page_size=min(max(limit, 1), 500), include_read=include_read)
        rooms: list[Room] = []
        while True:
            page = await self._repeat("RoomService/ListInbox", request, pb.ListInboxResponse)
            rooms += map(convert.room, page.rooms)
            request.page_token = page.next_page_token
            if not request.page_token or len(rooms) >= limit:
                break
        shown, waiting = tuple(rooms[:limit]), page.waiting_rooms
        return Inbox(
            shown,
            waiting,
            page.unread_count,
            page.invitations,
            page.unread_mentions,
            page.unread_threads,
        )

    async def mute(self, room: str, *, lifetime: timedelta | None = None) -> Notifications:
        """Be notified of nothing in a room, in all of your sessions.

        Args:
            lifetime: For how long; None for no end.
        """
        request = pb.UpdateNotificationsRequest(muted=True)
        if lifetime is not None:
            request.mute_lifetime.FromTimedelta(lifetime)
        return await self._update_notifications(room, request, "muted")

    async def unmute(self, room: str) -> Notifications:
        """End :meth:`mute`."""
        return await self._update_notifications(room, pb.UpdateNotificationsRequest(), "muted")

    async def notify(self, room: str, level: AnyNotificationLevel) -> Notifications:
        """Choose which messages of a room to be notified of: ``all``, ``mentions`` of you, or ``nothing``."""
        request = pb.UpdateNotificationsRequest(level=convert.number(NotificationLevel, level, "level"))
        return await self._update_notifications(room, request, "level")

    async def _update_notifications(
        self, room: str, request: pb.UpdateNotificationsRequest, path: str
    ) -> Notifications:
        request.update_mask.paths.append(path)
        response = await self._in_room(
            room, "RoomService/UpdateNotifications", request, pb.UpdateNotificationsResponse
        )
        return convert.notifications(response.notifications)
