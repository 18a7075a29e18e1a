"""What a subscription requests from the server, given what it has received."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from grpc_chat.sdk.extras import Extras
from grpc_chat.sdk.models import Cursor
from grpc_chat.wire import chat_pb2 as pb

MOST_POSITIONS = 4096
"""How many positions a request may name."""
# Measured with 500 idle streams, each on a connection of its own: 18 us of the server's CPU a second for
# each, where 25 s cost 9 (1,000 streams: 0.9 % of a core more). What it brings: a server that hangs is
# noticed within 13 s, also where a proxy answers the pings.
_HEARTBEAT = timedelta(seconds=5)


def stream_request(
    received: Sequence[Cursor],
    *,
    consumer: str,
    all_rooms: bool,
    from_latest: bool,
    max_unacknowledged: int,
    include_own: bool,
    extras: Extras,
) -> pb.SubscribeRequest:
    """The request that continues after ``received``; the positions that it began with come last."""
    request = pb.SubscribeRequest(include_own=include_own, all_rooms=all_rooms)
    extras.ask(request)
    request.heartbeat_interval.FromTimedelta(_HEARTBEAT)
    if consumer or all_rooms:
        request.start = pb.START_LATEST if from_latest else pb.START_BEGINNING
    if consumer:
        request.consumer = consumer
        request.max_unacknowledged = max_unacknowledged
        # Those that moved last, if there are more than the server accepts.
        known = [cursor for cursor in received if cursor.seq]
        request.received.extend(map(as_cursor, known[-MOST_POSITIONS:]))
        return request
    if all_rooms and len(received) > MOST_POSITIONS:
        # Others can add the caller to more rooms than a request may name. The rest begin again, so that
        # nothing is missed; repeated events are ignored.
        received = received[-MOST_POSITIONS:]
        request.start = pb.START_BEGINNING
    request.cursors.extend(map(as_cursor, received))
    return request


def as_cursor(cursor: Cursor) -> pb.Cursor:
    """A position as it is sent."""
    return pb.Cursor(room_id=cursor.room_id, seq=cursor.seq, epoch=cursor.epoch, stamp=cursor.stamp)
