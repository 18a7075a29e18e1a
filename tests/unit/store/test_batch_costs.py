"""How many statements the writer needs for what one request may hold: everybody's messages wait for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grpc_chat.core.access import to_read
from grpc_chat.store.base import Write
from grpc_chat.store.records import Place
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Acknowledge, Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests import statements as noted
from tests.store_writes import put_room

ROOMS = [f"r{at}" for at in range(256)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with closing(open_store(tmp_path / "data")) as opened:
        opened.commit([put_room(room_id, room_id, {"alice": pb.ROLE_MEMBER}) for room_id in ROOMS])
        yield opened


def append(count: int) -> Append:
    """Messages to as many rooms, the same ones whenever it is called."""
    drafts = []
    for at, room_id in enumerate(ROOMS[:count]):
        message_id = uuid.UUID(int=at)
        message = pb.Message(client_message_id=str(message_id), text="hello")
        event = pb.Event(room_id=room_id, user_id="alice", message=message)
        drafts.append(Draft(event, "s", lambda *_: None, once=Once(message_id.bytes, b"0" * 16)))
    return Append(drafts)


def statements(store: SqlStore, write: Write) -> int:
    """How many it takes, the transaction's own and its repetition included."""
    with noted.statements() as seen:
        [result] = store.commit([write])
    assert not isinstance(result, Exception), result
    return len(seen)


def test_messages_sent_again_are_looked_up_together(store: SqlStore) -> None:
    """256 of them take as many statements as 16, and say where each was stored."""
    [first] = store.commit([append(256)])
    again = [statements(store, append(count)) for count in (16, 256)]
    [second] = store.commit([append(256)])

    assert again[0] == again[1] < 12
    assert isinstance(first, Appended)
    assert isinstance(second, Appended)
    assert (second.placed, second.new) == (first.placed, {})


def test_positions_are_stored_together(store: SqlStore) -> None:
    """256 of them take as many statements as 16, at the head of their rooms and behind it."""
    store.commit([append(256)])
    store.commit([Append([draft._replace(once=None) for draft in append(256).drafts])])
    with store.snapshot() as snapshot:
        stamps = [snapshot.stamps(dict.fromkeys(ROOMS, seq)) for seq in (1, 2)]

    def acknowledge(count: int, seq: int, stamp: dict[str, int]) -> Acknowledge:
        places = {room_id: Place(seq, stamp[room_id]) for room_id in ROOMS[:count]}
        return Acknowledge("alice", "bot", places, to_read)

    statements(store, acknowledge(1, 1, stamps[0]))
    for seq, stamp in enumerate(stamps, 1):
        assert statements(store, acknowledge(16, seq, stamp)) == statements(
            store, acknowledge(256, seq, stamp)
        )
    with store.snapshot() as snapshot:
        assert snapshot.positions("alice", "bot") == {
            room_id: Place(2, stamp) for room_id, stamp in stamps[1].items()
        }


def test_rooms_that_were_lost_can_be_left_out(store: SqlStore) -> None:
    """What was looked at before is not refused for a room that its user was put out of meanwhile."""
    places = {"r1": Place(0), "gone": Place(0), "r2": Place(0)}

    [refused] = store.commit([Acknowledge("alice", "bot", places, to_read, skip_lost=True)])

    assert refused == ["gone"]
    with store.snapshot() as snapshot:
        assert set(snapshot.positions("alice", "bot")) == {"r1", "r2"}
