"""The beginnings of messages, for lists."""

from __future__ import annotations

from grpc_chat.wire import chat_pb2 as pb

_PREVIEW = 200
"""How many code points of a message are shown in lists."""


def preview_of(event: pb.Event) -> pb.MessagePreview:
    """The beginning of a message, whose event this is."""
    message = event.message
    return pb.MessagePreview(
        seq=event.seq,
        create_time=event.create_time,
        user_id=event.user_id,
        text=message.text[:_PREVIEW],
        truncated=len(message.text) > _PREVIEW,
        files=len(message.files),
        deleted=message.HasField("deleted"),
    )
