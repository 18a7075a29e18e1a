"""A database with a room of many events, made fast: as a store would, thousands to a commit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from grpc_chat.store.base import Write
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.store_writes import put_room

TEXT = "a message of usual length, as people write them"


def fill(folder: Path, *, members: Sequence[str], events: int, rooms: Sequence[str] = ("general",)) -> None:
    """Make rooms with these members, and events in the first of them, by its first member."""
    store = open_store(folder)
    try:
        roles = dict.fromkeys(members, pb.ROLE_MEMBER)
        for start in range(0, len(rooms), 500):
            puts: list[Write] = [put_room(room, room, roles) for room in rooms[start : start + 500]]
            store.commit(puts)
        for start in range(0, events, 5000):
            drafts = [_draft(rooms[0], members[0], n) for n in range(start, min(events, start + 5000))]
            store.commit([Append(drafts)])
    finally:
        store.close()


def _draft(room_id: str, user_id: str, number: int) -> Draft:
    message_id = uuid.UUID(int=number + (7 << 76))
    message = pb.Message(client_message_id=str(message_id), text=f"#{number:07d}# {TEXT}")
    event = pb.Event(room_id=room_id, user_id=user_id, message=message)
    once = Once(message_id.bytes, number.to_bytes(16, "big"))
    return Draft(event, user_id, lambda _room_id, _membership: None, once)
