"""The effects of a commit on connected users, as values. A function in a transaction leaves them
(:meth:`grpc_chat.store.base.Transaction.after_commit`); the chat system applies them on the event loop once
they are durable, before anybody gets the same commit's events. So code in transactions knows nothing of
streams, and its effects could be applied anywhere.

Effects on a user are also in their own log (:mod:`grpc_chat.core.user_log`), from which other nodes learn
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb


class Told(NamedTuple):
    """An entry was added to a user's own log."""

    user_id: str
    event: pb.Event
    """The entry, with its number."""
    membership: Membership | None = None
    """For a user who joined: their membership of the room."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Somebody deleted a room."""

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
