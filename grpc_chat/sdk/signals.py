"""What happens now and is not kept, from the client's side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is typing, or has stopped without sending a message."""

    room_id: str
    user_id: str
    lifetime: timedelta
    """How long to show it, unless they send a message or another :class:`Typing` comes first; 0 if they have
    stopped."""
    thread_root: int = 0
    """The number of the message that begins the thread that they write in; 0 for none."""


Signal = Typing


def signal(told: pb.Signal) -> Signal | None:
    """A signal; None for a kind that this version does not know."""
    match told.WhichOneof("kind"):
        case "typing":
            typing = told.typing
            return Typing(told.room_id, told.user_id, typing.lifetime.ToTimedelta(), typing.thread_root)
    return None
