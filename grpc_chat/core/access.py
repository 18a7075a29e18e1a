"""May this user do this here? The only permission checks there are.

A room that somebody is not a member of does not exist for them: the answer is the same as for a room that
is not there, so nobody learns which rooms exist.
"""

from __future__ import annotations

from grpc_chat.errors import ChatError, PermissionDenied, RoomNotFound
from grpc_chat.store.base import Membership, Snapshot
from grpc_chat.wire import chat_pb2 as pb


def to_read(room_id: str, role: int | None) -> ChatError | None:
    """What forbids reading to somebody with this role, or None. Every member may read."""
    if role is None:
        # Whether the id itself exists must not show, so it is repeated and nothing else is said.
        return RoomNotFound(
            "there is no such room, or you are not a member of it", metadata={"roomId": room_id}
        )
    return None


def to_send(room_id: str, role: int | None) -> ChatError | None:
    """What forbids writing to somebody with this role, or None. Readers may not write."""
    if error := to_read(room_id, role):
        return error
    if role == pb.ROLE_READER:
        return PermissionDenied("readers of this room can't write to it", metadata={"roomId": room_id})
    return None


def require_read(snapshot: Snapshot, room_id: str, user_id: str) -> Membership:
    """The user's place in the room, if the user may read it in the moment of the snapshot.

    Raises:
        RoomNotFound: There is no such room, or the user is not a member.
    """
    membership = snapshot.membership(room_id, user_id)
    if error := to_read(room_id, membership.role if membership else None):
        raise error
    assert membership, "nobody else may read"
    return membership
