"""What members want to be notified of in their rooms. The server keeps it for their clients."""

from __future__ import annotations

from collections.abc import Sequence

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.reads import Pieces
from grpc_chat.core.user_log import tell
from grpc_chat.errors import InvalidRequest
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import FOREVER, Attention
from grpc_chat.wire import chat_pb2 as pb

_ROOMS_AT_ONCE = 500


class Notifications:
    """Changes what members are notified of; see ``RoomService.UpdateNotifications``."""

    def __init__(self, context: Context) -> None:
        self._committer = context.committer

    async def update(self, caller: Caller, request: pb.UpdateNotificationsRequest) -> pb.Notifications:
        """Change what the caller is notified of in a room; returns all of it.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
        """
        room_id, paths = request.room_id, set(request.update_mask.paths)
        timed = request.HasField("mute_lifetime")
        if timed and not ("muted" in paths and request.muted):
            raise InvalidRequest(
                "mute_lifetime must be absent where the room is not muted", field="mute_lifetime"
            )

        def in_transaction(transaction: Transaction) -> pb.Notifications:
            access.require_read(transaction, room_id, caller.user_id)
            now_us = transaction.now_us
            before = transaction.attention(caller.user_id, [room_id]).get(room_id, Attention())
            level, until = before.level, before.muted_until_us if before.muted(now_us) else 0
            if "level" in paths:
                level = 0 if request.level == pb.NOTIFICATION_LEVEL_ALL else request.level
            if "muted" in paths:
                until = FOREVER if request.muted else 0
                if timed:
                    until = now_us + request.mute_lifetime.ToMicroseconds()
            after = Attention(level, until)
            told = notifications_of(after, now_us)
            if after != before:
                transaction.put_attention(room_id, caller.user_id, after)
                changed = pb.NotificationsChanged(room_id=room_id, notifications=told)
                tell(transaction, caller.user_id, changed)
            return told

        about = [(room_id, caller.user_id)]
        notifications: pb.Notifications = await self._committer.transact(caller, in_transaction, about=about)
        return notifications


def notifications_of(attention: Attention, now_us: int) -> pb.Notifications:
    """What a member is notified of, as they see it at a time."""
    told = pb.Notifications()
    put_notifications(told, attention, now_us)
    return told


def put_notifications(told: pb.Notifications, attention: Attention, now_us: int) -> None:
    """Have an empty message say the same."""
    told.level = pb.NOTIFICATION_LEVEL_ALL
    if attention.level:
        told.level = pb.NotificationLevel.ValueType(attention.level)
    if attention.muted(now_us):
        told.muted = True
        if attention.muted_until_us != FOREVER:
            told.mute_end_time.FromMicroseconds(attention.muted_until_us)


def all_notifications(
    snapshot: Snapshot, user_id: str, room_ids: Sequence[str], now_us: int
) -> Pieces[dict[str, pb.NotificationsChanged]]:
    """By room, what a member of any number of rooms is notified of; rooms with nothing special are left
    out."""
    found: dict[str, pb.NotificationsChanged] = {}
    for at in range(0, len(room_ids), _ROOMS_AT_ONCE):
        chosen = snapshot.attention(user_id, room_ids[at : at + _ROOMS_AT_ONCE])
        for room_id, attention in chosen.items():
            told = notifications_of(attention, now_us)
            found[room_id] = pb.NotificationsChanged(room_id=room_id, notifications=told)
        snapshot = yield
    return found
