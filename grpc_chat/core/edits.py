"""Changing what was said, and taking it back."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.erasing import Erasing
from grpc_chat.core.mention_names import names_in
from grpc_chat.core.page_token import Listed
from grpc_chat.core.parts import copy_extras, forbids_images, same_extras
from grpc_chat.errors import (
    ChatError,
    FailedPrecondition,
    InvalidRequest,
    MessageNotFound,
    PermissionDenied,
)
from grpc_chat.store.reads import Snapshot
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
        self._readers = context.readers
        self._pages = context.pages
        self._direct_messages = direct_messages or DirectMessages()
        self.erasing = Erasing(context)

    async def edit(self, caller: Caller, request: pb.EditMessageRequest) -> pb.Event:
        """Have a message of the caller's say something else; its event as it is then.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
            PermissionDenied: It is somebody else's.
        """
        seq, text = request.seq, request.text

        edited = pb.MessageEdited(seq=seq, text=text, emptied=not text)
        copy_extras(request, edited)
        has_cards = bool(edited.cards)

        def check(room_id: str, membership: Membership | None, target: Target | None) -> _Checked:
            found = access.message_that_is_read(membership, target)
            if isinstance(found, MessageNotFound):
                return found
            if found.user_id != caller.user_id:
                return PermissionDenied(
                    "you may not edit this message: only the user who sent it can",
                    metadata={"roomId": room_id},
                )
            message = found.message
            if message.HasField("deleted"):
                return access.message_not_found(room_id)
            if message.HasField("poll"):
                return FailedPrecondition(
                    "this message is a poll, which can't be edited: delete it, and send another",
                    metadata={"roomId": room_id},
                )
            if has_cards and (
                error := forbids_images(edited.cards, [file.file_id for file in message.files], "")
            ):
                return error
            if message.text == text and same_extras(message, edited):
                return Answer.ALREADY_SO
            if not text and (not message.files or edited.HasField("body") or edited.cards):
                return InvalidRequest(
                    "text must not be empty where the message carries no files, or has a body or cards",
                    field="text",
                )
            assert membership, "the message is read"
            assert target, "the message is there"
            return access.forbids_late(membership, target)

        draft = Draft(
            pb.Event(room_id=request.room_id, user_id=caller.user_id, message_edited=edited),
            caller.session_id,
            access.to_edit,
            concerns=Concerns(seq, check),
            check_direct=self._direct_messages.to_write,
            names=names_in(text, access.to_mention_room),
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

        deleted = await self._append(*map(draft, request.seqs))
        # If the caller has gone away by now, it looks within a minute.
        self.erasing.look_soon()
        return deleted

    async def list_(self, caller: Caller, request: pb.ListMessageEditsRequest) -> Listed[pb.MessageVersion]:
        """A page of what a message said before; nothing of one that was deleted.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        room_id, seq = request.room_id, request.seq

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.MessageVersion]:
            room = access.require_read(snapshot, room_id, caller.user_id)
            found = snapshot.events_after(room_id, seq - 1, limit=1, max_bytes=1)
            event = pb.Event.FromString(found[0].payload) if found else pb.Event()
            target = Target(event, 0) if event.seq == seq else None
            if isinstance(error := access.message_that_is_read(room, target), MessageNotFound):
                raise error
            return snapshot.edits(room_id, seq, after=int(after) if after else None, limit=limit)

        def key(version: pb.MessageVersion) -> str:
            return str(version.version)

        page = self._pages.open(f"ListMessageEdits {room_id} {seq}", request)
        versions = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(versions, key)

    async def _append(self, *drafts: Draft) -> list[pb.Event]:
        """Store drafts that concern messages; what these are then."""
        appended = await self._committer.append(Append(drafts))
        # The checks let nothing through that concerns no message.
        return [target.event for target in appended.concerned if target]


_Checked = ChatError | Answer | None
