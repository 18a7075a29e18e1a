"""Writing to users' own logs.

Besides the rooms, each user has a log (:func:`grpc_chat.store.records.user_log`). It holds what concerns the
user wherever they are connected. An entry is written in the transaction that causes it, and applied by every
node that has a stream or a token of the user (:mod:`grpc_chat.core.user_logs`). To add a kind of entry, add a
message to chat.proto, a line to :data:`KINDS`, and its meaning to ``core/user_entries.py``.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from grpc_chat.core.effects import Told
from grpc_chat.errors import ChatError, OwnerBlocked, SessionEnded
from grpc_chat.store.base import Transaction
from grpc_chat.store.records import Membership, user_log
from grpc_chat.wire import chat_pb2 as pb

KINDS: dict[type[Message], str] = {
    pb.RoomJoined: "room_joined",
    pb.RoomLost: "room_lost",
    pb.Invited: "invited",
    pb.SessionHasEnded: "session_ended",
    pb.RightsChanged: "rights_changed",
    pb.ConsumerTaken: "consumer_taken",
    pb.ReadMarkersMoved: "read_markers_moved",
    pb.ThreadsChanged: "threads_changed",
    pb.NotificationsChanged: "notifications_changed",
    pb.DraftChanged: "draft_changed",
    pb.SavedChanged: "saved_changed",
    pb.ScheduledChanged: "scheduled_changed",
}
"""The kinds of entries, each with its field of ``chat.v1.Event``."""


def entry(user_id: str, what: Message) -> pb.Event:
    """An entry of a user's log, without its number yet."""
    # An empty one is there as well.
    kind: dict[str, Any] = {KINDS[type(what)]: what}
    return pb.Event(room_id=user_log(user_id), **kind)


def tell(
    transaction: Transaction, user_id: str, what: Message, *, membership: Membership | None = None
) -> None:
    """Add an entry to a user's log. It is applied once it is durable.

    Args:
        membership: For ``RoomJoined``: the user's new membership.
    """
    event = entry(user_id, what)
    transaction.append(event, "")
    transaction.after_commit(Told(user_id, event, membership))


def tell_of_end(transaction: Transaction, user_id: str, session_id: str, why: ChatError) -> None:
    """Add to a user's log that one of their sessions has ended."""
    what = pb.SessionHasEnded(session_id=session_id, reason=why.code, message=why.message)
    tell(transaction, user_id, what)


def why_ended(what: pb.SessionHasEnded) -> SessionEnded:
    """Why a session has ended, as it was said."""
    return _REASONS.get(what.reason, SessionEnded)(what.message)


_REASONS: dict[str, type[SessionEnded]] = {SessionEnded.code: SessionEnded, OwnerBlocked.code: OwnerBlocked}
