"""What a commit means for those who are connected, as values.

A function in a transaction leaves them (:meth:`grpc_chat.store.base.Transaction.after_commit`); the chat
system applies them on the event loop once they are durable, and before anybody is told of the same commit's
events. So nothing in a transaction knows of streams, and what it leaves could be applied anywhere.

What concerns a user is also in their own log (:mod:`grpc_chat.core.user_log`), from which other nodes learn
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Told:
    """Something was added to a user's own log."""

    user_id: str
    event: pb.Event
    """The entry, with its number."""
    membership: Membership | None = None
    """Of one who joined: what the room is for them."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A room is no more, by somebody's doing."""

    room_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class HistoryChanged:
    """Members of a room may read more of its past, or less, by the event ``seq``."""

    room_id: str
    history: int
    """``chat.v1.History``."""
    seq: int


Effect = Told | Deleted | HistoryChanged
