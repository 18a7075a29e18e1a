"""Rooms in which much was said, made fast: as a store would, thousands of messages to a commit."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence

from grpc_chat.store.writes import Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb

_WORDS = (
    "the soup",
    "is ready",
    "when",
    "all of us",
    "have found",
    "a spoon",
    "and someone",
    "tells me",
    "where",
)
_CODE = "\n\n```py\nfor spoon in drawer:\n    print(spoon)\n```\nThat is **all** of _it_, says `cook`."
_LIST = "\n- bread\n- salt\n- a spoon"


def chatter(room_id: str, users: Sequence[str], count: int) -> Iterator[Append]:
    """Messages of one line to many, by all of them: always the same, which begin with ``#0``, ``#1`` …"""
    chance = random.Random(20)
    for start in range(0, count, 5000):
        yield Append(
            [_draft(chance, room_id, users, number) for number in range(start, min(count, start + 5000))]
        )


def _draft(chance: random.Random, room_id: str, users: Sequence[str], number: int) -> Draft:
    user = chance.choice(users)
    words = chance.choices(_WORDS, k=min(200, 2 + int(chance.expovariate(1 / 14))))
    more = _CODE if number % 17 == 0 else _LIST if number % 13 == 0 else ""
    message_id = uuid.UUID(int=number + (7 << 76))
    message = pb.Message(client_message_id=str(message_id), text=f"#{number} {' '.join(words)}{more}")
    event = pb.Event(room_id=room_id, user_id=user, message=message)
    once = Once(message_id.bytes, number.to_bytes(16, "big"))
    return Draft(event, user, lambda _room_id, _membership: None, once)
