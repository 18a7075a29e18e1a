"""The beginnings of messages, for lists."""

from __future__ import annotations

from grpc_chat.wire import chat_pb2 as pb

_PREVIEW = 200
"""How many code points of a message are shown in lists."""


def preview_of(event: pb.Event) -> pb.MessagePreview:
    """The beginning of a message, whose event this is."""
    preview = pb.MessagePreview()
    put_preview(preview, event)
    return preview


def put_preview(preview: pb.MessagePreview, event: pb.Event) -> None:
    """Have an empty preview be that of a message, whose event this is."""
    message = event.message
    text = message.text
    preview.seq, preview.user_id = event.seq, event.user_id
    preview.create_time.CopyFrom(event.create_time)
    preview.text, preview.truncated = text[:_PREVIEW], len(text) > _PREVIEW
    preview.files, preview.deleted = len(message.files), message.HasField("deleted")
