"""Converts what chat.proto says of polls, both ways."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.sdk.models import to_datetime
from grpc_chat.sdk.poll_records import Poll, PollClosed, PollResult, PollState, PollVoted
from grpc_chat.wire import chat_pb2 as pb


def _time(stamp: Timestamp) -> datetime:
    return to_datetime(stamp.seconds, stamp.nanos)


def poll_to_send(poll: Poll) -> pb.Poll:
    """A poll as it is sent.

    Raises:
        ValueError: Its closing time has no time zone.
    """
    sent = pb.Poll(options=poll.options, multiple=poll.multiple, anonymous=poll.anonymous)
    if poll.close_time:
        if poll.close_time.tzinfo is None:
            raise ValueError("close_time must have a time zone")
        sent.close_time.FromDatetime(poll.close_time)
    return sent


def poll(told: pb.Poll) -> Poll:
    """A poll that a message is."""
    result = None
    if told.HasField("result"):
        ended = told.result
        result = PollResult(tuple(ended.counts), ended.voter_count, _time(ended.close_time), ended.user_id)
    return Poll(
        options=tuple(told.options),
        multiple=told.multiple,
        anonymous=told.anonymous,
        close_time=_time(told.close_time) if told.HasField("close_time") else None,
        result=result,
    )


def poll_state(told: pb.PollState) -> PollState:
    """How a poll stands."""
    return PollState(told.seq, tuple(told.counts), told.voter_count, tuple(told.choices), told.closed)


def poll_voted(told: pb.Event, epoch: str) -> PollVoted:
    """A vote."""
    voted = told.poll_voted
    return PollVoted(
        room_id=told.room_id,
        seq=told.seq,
        message_seq=voted.seq,
        actor_id=told.user_id,
        choices=tuple(voted.choices),
        counts=tuple(voted.counts),
        voters=voted.voter_count,
        create_time=_time(told.create_time),
        epoch=epoch,
    )


def poll_closed(told: pb.Event, epoch: str) -> PollClosed:
    """The end of a poll."""
    closed = told.poll_closed
    return PollClosed(
        room_id=told.room_id,
        seq=told.seq,
        message_seq=closed.seq,
        actor_id=told.user_id,
        counts=tuple(closed.counts),
        voters=closed.voter_count,
        create_time=_time(told.create_time),
        epoch=epoch,
    )
