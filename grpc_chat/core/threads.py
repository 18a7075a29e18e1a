"""Messages that answer others: replies, and threads."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.errors import ChatError, MessageNotFound
from grpc_chat.store.records import Membership
from grpc_chat.store.threads import ThreadRecord
from grpc_chat.store.writes import Answers, Target
from grpc_chat.wire import chat_pb2 as pb


def answer(at: int, message: pb.OutgoingMessage) -> Answers:
    """What a message answers, and the check of whether its sender may read it.

    Args:
        at: Its place in the request.
    """
    reply_to, thread_root = message.reply_to, message.thread_root

    def check(
        room_id: str,
        membership: Membership | None,
        replied_to: Target | None,
        root: Target | None,
        thread: ThreadRecord | None,
    ) -> ChatError | None:
        if reply_to and isinstance(access.message_that_is_read(membership, replied_to), MessageNotFound):
            return access.message_not_found(room_id, f"messages[{at}].reply_to")
        if not thread_root:
            return None
        return access.thread_that_is_read(membership, root, thread, f"messages[{at}].thread_root")

    return Answers(reply_to, thread_root, check)
