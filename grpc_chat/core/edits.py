"""Changing what was said, and taking it back."""

from __future__ import annotations

from typing import cast

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.errors import ChatError, MessageNotFound, PermissionDenied
from grpc_chat.store.records import Membership
from grpc_chat.store.writes import Answer, Append, Concerns, Draft, Target
from grpc_chat.wire import chat_pb2 as pb


class Edits:
    """What becomes of messages; see ``MessageService``.

    Args:
        direct_messages: Decides who may write in direct rooms: an edit says something, too.
    """

    def __init__(self, context: Context, *, direct_messages: DirectMessages | None = None) -> None:
        self._committer = context.committer
        self._direct_messages = direct_messages or DirectMessages()

    async def edit(self, caller: Caller, request: pb.EditMessageRequest) -> pb.Event:
        """Have a message of the caller's say something else; its event as it is then.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
            PermissionDenied: It is somebody else's.
        """
        seq, text = request.seq, request.text

        def check(room_id: str, membership: Membership | None, target: Target | None) -> _Checked:
            found = access.message_that_is_read(membership, target)
            if isinstance(found, MessageNotFound):
                return found
            if found.user_id != caller.user_id:
                return PermissionDenied(
                    "you may not edit this message: only the user who sent it can",
                    metadata={"roomId": room_id},
                )
            if found.message.HasField("deleted"):
                return access.message_not_found(room_id)
            return Answer.ALREADY_SO if found.message.text == text else None

        edited = pb.MessageEdited(seq=seq, text=text)
        draft = Draft(
            pb.Event(room_id=request.room_id, user_id=caller.user_id, message_edited=edited),
            caller.session_id,
            access.to_edit,
            concerns=Concerns(seq, check),
            check_direct=self._direct_messages.to_write,
        )
        [event] = await self._append(draft)
        return event

    async def delete(self, caller: Caller, request: pb.DeleteMessagesRequest) -> list[pb.Event]:
        """Delete messages, all or none; their events as they are then.

        Raises:
            MessageNotFound: There is one of them not, or the caller may not read it.
            PermissionDenied: One is somebody else's whose messages the caller may not delete.
        """

        def check(room_id: str, membership: Membership | None, target: Target | None) -> _Checked:
            found = access.message_that_is_read(membership, target)
            if isinstance(found, MessageNotFound):
                return found
            assert membership, "the message is read"
            assert target, "the message is there"
            if error := access.forbids_deleting(membership, caller.user_id, target):
                return error
            return Answer.ALREADY_SO if found.message.HasField("deleted") else None

        def draft(seq: int) -> Draft:
            deleted = pb.MessageDeleted(seq=seq, reason=request.reason)
            return Draft(
                pb.Event(room_id=request.room_id, user_id=caller.user_id, message_deleted=deleted),
                caller.session_id,
                access.to_read,
                concerns=Concerns(seq, check, with_role=True),
            )

        return await self._append(*map(draft, request.seqs))

    async def _append(self, *drafts: Draft) -> list[pb.Event]:
        """Store drafts that concern messages; what these are then."""
        appended = await self._committer.append(Append(drafts))
        # The checks let nothing through that concerns no message.
        return cast("list[pb.Event]", appended.concerned)


_Checked = ChatError | Answer | None
