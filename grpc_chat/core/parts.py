"""What few messages have besides a text and files: a poll."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b

from grpc_chat.errors import ChatError
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.writes import CheckState, Draft
from grpc_chat.wire import chat_pb2 as pb

ForbidsPoll = Callable[[pb.Poll, str], ChatError | None]
"""Takes a poll that is to be sent and its path in the request. Returns the error that forbids it, or None."""


def has_parts(message: pb.OutgoingMessage) -> bool:
    """Whether a message has such a part. It is asked of every message that is sent."""
    return message.HasField("poll")


def with_parts(
    messages: Sequence[pb.OutgoingMessage], drafts: Sequence[Draft], forbids_poll: ForbidsPoll
) -> list[Draft]:
    """Drafts whose messages have the parts of those that are sent.

    What is wrong with a part is found by the draft's check: a message that was stored before is still found.
    """
    ready: list[Draft] = []
    for at, (message, draft) in enumerate(zip(messages, drafts, strict=True)):
        if has_parts(message):
            parts = _parts(message)
            draft.event.message.MergeFrom(parts)
            assert draft.once, "messages are sent once"
            said = draft.once.content_hash + parts.SerializeToString(deterministic=True)
            once = draft.once._replace(content_hash=blake2b(said, digest_size=16).digest())
            draft = draft._replace(once=once)
            if error := forbids_poll(message.poll, f"messages[{at}].poll"):
                draft = draft._replace(check_state=_refusing(error, draft.check_state))
        ready.append(draft)
    return ready


def _parts(message: pb.OutgoingMessage) -> pb.Message:
    """The parts alone, and of them only the fields that clients fill in."""
    parts = pb.Message()
    if message.HasField("poll"):
        sent, poll = message.poll, parts.poll
        poll.options[:] = sent.options
        poll.multiple, poll.anonymous = sent.multiple, sent.anonymous
        if sent.HasField("close_time"):
            poll.close_time.FromMicroseconds(sent.close_time.ToMicroseconds())
    return parts


def _refusing(error: ChatError, before: CheckState | None) -> CheckState:
    def check(snapshot: Snapshot) -> ChatError | None:
        return (before and before(snapshot)) or error

    return check
