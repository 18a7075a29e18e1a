"""Messages that users have begun to write.

A draft here is what a person sees as one. (In the store, a ``Draft`` is an event without its number.)
"""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.personal import PersonalLimits, too_many
from grpc_chat.core.user_log import tell
from grpc_chat.store.base import Transaction
from grpc_chat.store.personal import DraftKey
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb


class MessageDrafts:
    """The drafts of all users; see ``PersonalService``.

    Args:
        page_bytes: The largest page, whatever was requested.
    """

    def __init__(self, context: Context, *, limits: PersonalLimits, page_bytes: int) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._most = limits.drafts_per_user
        self._page_bytes = page_bytes

    async def save(self, caller: Caller, request: pb.SaveDraftRequest) -> pb.MessageDraft | None:
        """Keep or delete a draft; the draft as it is then, or None.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
            LimitExceeded: The caller has too many.
        """
        room_id, user_id, root = request.room_id, caller.user_id, request.thread_root

        def in_transaction(transaction: Transaction) -> pb.MessageDraft | None:
            access.require_read(transaction, room_id, user_id)
            before = transaction.message_draft(room_id, user_id, root)
            if not request.text:
                if before:
                    transaction.delete_message_draft(room_id, user_id, root)
                    tell(transaction, user_id, pb.DraftChanged(room_id=room_id, thread_root=root))
                return None
            if before and (before.text, before.reply_to) == (request.text, request.reply_to):
                return before
            if not before and transaction.message_drafts_of(user_id) >= self._most:
                raise too_many(self._most, "drafts", "delete one first")
            draft = pb.MessageDraft(
                room_id=room_id, thread_root=root, text=request.text, reply_to=request.reply_to
            )
            draft.update_time.FromMicroseconds(transaction.now_us)
            transaction.put_message_draft(user_id, draft)
            tell(transaction, user_id, pb.DraftChanged(room_id=room_id, thread_root=root))
            return draft

        return await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])

    async def list_(self, caller: Caller, request: pb.ListDraftsRequest) -> Listed[pb.MessageDraft]:
        """A page of the caller's drafts.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room that the request names.
        """
        room_id, most = request.room_id, self._page_bytes

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.MessageDraft]:
            if room_id:
                access.require_read(snapshot, room_id, caller.user_id)
            place = None
            if after:
                time_us, root, of_room = after.split(" ", 2)
                place = DraftKey(int(time_us), of_room, int(root))
            return snapshot.message_drafts(caller.user_id, room_id=room_id, after=place, limit=limit)

        page = self._pages.open(f"ListDrafts {caller.user_id} {room_id}", request)
        found = await self._readers.run_pieces(
            lambda snapshot: page.read(snapshot, some, _key, size=_size, most_bytes=most)
        )
        return page.listed(found, _key, size=_size, most_bytes=most)


def _key(draft: pb.MessageDraft) -> str:
    return f"{draft.update_time.ToMicroseconds()} {draft.thread_root} {draft.room_id}"


def _size(draft: pb.MessageDraft) -> int:
    return draft.ByteSize()
