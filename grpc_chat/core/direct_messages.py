"""Who may write to whom directly."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.privacy import Privacy
from grpc_chat.errors import ChatError, NotAccepted, UserBlocked
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Contact
from grpc_chat.wire import chat_pb2 as pb


class DirectMessages:
    """Decides who may begin a direct room, and write in an existing one."""

    def __init__(self, privacy: Privacy | None = None) -> None:
        self._privacy = privacy or Privacy()

    def require(self, snapshot: Snapshot, caller: Caller, user_id: str) -> None:
        """Check that the caller may begin a direct room with a user whom they can find.

        Raises:
            UserBlocked: The caller has blocked them.
            NotAccepted: They take no messages from the caller.
        """
        contact = snapshot.contact(caller.user_id, user_id)
        if error := self._forbids(snapshot, caller.user_id, contact):
            raise error

    def to_write(self, snapshot: Snapshot, room_id: str, user_id: str) -> ChatError | None:
        """Why a member of a direct room may not write there, or None."""
        return self._forbids(snapshot, user_id, snapshot.contact_in(room_id, user_id))

    def _forbids(self, snapshot: Snapshot, user_id: str, contact: Contact | None) -> ChatError | None:
        if contact is None:
            return None
        other, audience = contact.user_id, self._privacy.of_direct_messages(contact.direct_messages)
        accepted = contact.of_one or audience == pb.AUDIENCE_ANYONE
        if contact.refuses or not accepted:
            # Always asked: a difference in time would reveal something.
            accepted = snapshot.meets(other, user_id) and audience == pb.AUDIENCE_SHARED_ROOM
        told = {"userId": other}
        # The caller's own block is not a secret from them. It comes first, so that it hides what the other
        # did.
        if contact.refused:
            return UserBlocked(f"you have blocked {other}; end the block to write to them", metadata=told)
        if contact.refuses or not accepted:
            return NotAccepted(f"{other} takes no direct messages from you", metadata=told)
        return None
