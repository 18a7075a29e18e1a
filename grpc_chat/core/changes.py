"""Changes of memberships, as events."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.store.base import Transaction
from grpc_chat.wire import chat_pb2 as pb


def record(transaction: Transaction, caller: Caller, room_id: str, change: pb.MembershipChanged) -> int:
    """Add a change to the room's log; returns its number. The rows of members and bans follow from it."""
    event = pb.Event(room_id=room_id, user_id=caller.user_id, membership_changed=change)
    return transaction.append(event, caller.session_id)
