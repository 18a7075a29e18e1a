"""What administrators are told, as plain values; see :mod:`grpc_chat.sdk.convert`."""

from __future__ import annotations

from collections.abc import Iterable

from grpc_chat.sdk import convert, records
from grpc_chat.sdk.choices import RoomKind
from grpc_chat.wire import chat_pb2 as pb


def record(told: pb.UserRecord) -> records.UserRecord:
    """An account, as administrators see it."""
    return records.UserRecord(
        user=convert.user(told.user),
        admin=told.admin,
        block_time=convert.time(told.block_time) if told.HasField("block_time") else None,
        create_time=convert.time(told.create_time),
        last_used_time=convert.time(told.last_used_time) if told.HasField("last_used_time") else None,
        sessions=told.sessions,
        ended_tokens=told.ended_tokens,
        blocked_itself=told.blocked_itself,
        owner_blocked=told.owner_blocked,
    )


def unowned_room(told: pb.UnownedRoom) -> records.UnownedRoom:
    """A room whose owners are all blocked."""
    return records.UnownedRoom(
        room_id=told.room_id,
        name=told.name,
        kind=convert.word(RoomKind, told.kind),
        member_count=told.member_count,
    )


def blocked(told: pb.BlockUserResponse) -> records.Blocked:
    """The result of blocking an account."""
    return records.Blocked(
        user=record(told.user),
        unowned_rooms=tuple(map(unowned_room, told.unowned_rooms)),
        unowned_room_count=told.unowned_room_count,
        stopped_bots=_stopped(told.stopped_bots),
        stopped_bot_count=told.stopped_bot_count,
    )


def unblocked(told: pb.UnblockUserResponse) -> records.Unblocked:
    """The result of unblocking an account."""
    return records.Unblocked(
        user=record(told.user),
        stopped_bots=_stopped(told.stopped_bots),
        stopped_bot_count=told.stopped_bot_count,
        blocked_bots=tuple(told.blocked_bot_user_ids),
        blocked_bot_count=told.blocked_bot_count,
    )


def _stopped(told: Iterable[pb.StoppedBot]) -> tuple[records.StoppedBot, ...]:
    return tuple(records.StoppedBot(bot.user_id, bot.tokens) for bot in told)
