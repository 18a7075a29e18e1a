"""What a commit means for those who are connected, as values.

A function in a transaction leaves them (:meth:`grpc_chat.store.base.Transaction.after_commit`); the chat
system applies them on the event loop once they are durable, and before anybody is told of the same commit's
events. So nothing in a transaction knows of streams, and what it leaves could be applied anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from grpc_chat.errors import ChatError
from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Joined:
    """A user became a member of a room, by the event ``membership.join_seq``."""

    user_id: str
    membership: Membership


@dataclass(frozen=True, slots=True)
class Left:
    """A user is no longer a member of a room, by the event ``seq``."""

    user_id: str
    left: pb.RoomLeft
    seq: int


@dataclass(frozen=True, slots=True)
class Invited:
    """A user is asked to be a member of a room, or an owner."""

    user_id: str
    invitation: pb.Invitation


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


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """Sessions are no more."""

    session_ids: tuple[str, ...]
    why: ChatError


@dataclass(frozen=True, slots=True)
class RightsChanged:
    """A user may do more, or less, than what is known of their sessions."""

    user_id: str


Effect = Joined | Left | Invited | Deleted | HistoryChanged | SessionsEnded | RightsChanged
