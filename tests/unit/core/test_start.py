"""Where a stream begins, at the size that users may have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from grpc_chat.core.reads import Pieces, at_once
from grpc_chat.core.start import find_start
from grpc_chat.errors import RoomNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Place
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.statements import statements

ROOMS = [f"room-{n:011}" for n in range(4000)]
TIME = 1_764_000_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """Bob is in 4,000 rooms with two events each; some are archived."""
    with closing(open_store(tmp_path_factory.mktemp("many") / "data")) as opened:
        event = pb.Event()
        events = []
        for room_id in ROOMS:
            for seq in (1, 2):
                event.room_id, event.seq = room_id, seq
                event.create_time.FromMicroseconds(TIME + seq)
                events.append((room_id, seq, event.SerializeToString()))
        with opened._connection.begin():
            for statement, rows in (
                (
                    "INSERT INTO rooms (room_id, name, first_seq, last_seq, create_time_us, last_event_us, "
                    "archive_time_us) VALUES (?, 'x', 1, 2, 1, ?, ?)",
                    [(room_id, TIME + 2, 1 if at % 100 == 7 else None) for at, room_id in enumerate(ROOMS)],
                ),
                (
                    "INSERT INTO members (room_id, user_id, role, join_time_us) VALUES (?, 'bob', 2, 1)",
                    [(room_id,) for room_id in ROOMS],
                ),
                ("INSERT INTO events (room_id, seq, session_id, payload) VALUES (?, ?, 's', ?)", events),
            ):
                opened._connection.exec_driver_sql(statement, rows)
        yield opened


def cursors(rooms: list[str], seq: int, off: int = 0, epoch: str = "") -> list[pb.Cursor]:
    return [pb.Cursor(room_id=room, seq=seq, epoch=epoch, stamp=TIME + seq + off) for room in rooms]


@pytest.mark.parametrize(("seq", "queries"), [(2, 9), (1, 9 + 63)])
def test_ten_of_four_thousand_rooms_are_gone(store: SqlStore, seq: int, queries: int) -> None:
    """Those are left, the others followed; it takes a query for 500 rooms, and for 64 stamps at most one."""
    gone = [f"gone-{n:011}" for n in range(10)]
    asked = cursors(ROOMS[:2000] + gone + ROOMS[2000:], seq, epoch=store.epoch)

    with store.snapshot() as snapshot, statements() as seen:
        start = at_once(
            find_start(snapshot, "bob", pb.SubscribeRequest(cursors=asked), store.epoch), snapshot
        )

    assert start.left == [pb.RoomLeft(room_id=room_id) for room_id in gone]
    assert {room.room_id: place for room, place in start.places} == dict.fromkeys(
        ROOMS, Place(seq, TIME + seq)
    )
    assert not start.history_changed
    assert len(seen) == queries


def test_four_thousand_rooms_that_went_back_are_searched_together(store: SqlStore) -> None:
    """As after a backup was put back, in every room at once."""
    asked = pb.SubscribeRequest(cursors=cursors(ROOMS, 2, -1, epoch=store.epoch))

    with store.snapshot() as snapshot, statements() as seen:
        start = at_once(find_start(snapshot, "bob", asked, store.epoch), snapshot)

    assert {room.room_id: place for room, place in start.places} == dict.fromkeys(ROOMS, Place(1, TIME + 1))
    assert len(start.history_changed) == len(ROOMS)
    assert len(seen) <= 8 + 2 * 63


def test_rooms_that_there_are_not_cost_what_others_cost(store: SqlStore) -> None:
    """4,096 names that are made up take as many statements as rooms; all of them together are an error."""
    made_up = cursors([f"none-{n:011}" for n in range(3999)], 2, epoch=store.epoch)

    def ask(snapshot: Snapshot, asked: list[pb.Cursor]) -> None:
        request = pb.SubscribeRequest(cursors=asked)
        at_once(find_start(snapshot, "bob", request, store.epoch), snapshot)

    with store.snapshot() as snapshot:
        with statements() as seen:
            ask(snapshot, cursors(ROOMS, 2, epoch=store.epoch))
        assert len(seen) == 8
        with statements() as seen:
            ask(snapshot, [*made_up, *cursors(ROOMS[:1], 2, epoch=store.epoch)])
        assert len(seen) == 8
        with statements() as seen, pytest.raises(RoomNotFound) as refused:
            ask(snapshot, made_up)
        assert len(seen) == 8 + 1
    assert refused.value.metadata == {"roomId": made_up[0].room_id}


def test_one_room_costs_no_look_at_the_others(store: SqlStore) -> None:
    """Somebody who is in 4,000 rooms and follows one reads one."""
    asked = cursors(ROOMS[:1], 2, epoch=store.epoch)
    pieces = 0

    with store.snapshot() as snapshot, statements() as seen:
        for _ in find_start(snapshot, "bob", pb.SubscribeRequest(cursors=asked), store.epoch):
            pieces += 1
            break

    assert (pieces, len(seen)) == (1, 1)


def pieces_with(pieces: Pieces[Any], snapshot: Snapshot) -> Iterator[None]:
    """The ends of the pieces, each but the first begun with this snapshot."""
    yield next(pieces)
    with suppress(StopIteration):
        while True:
            yield pieces.send(snapshot)


@pytest.mark.parametrize("all_rooms", [False, True])
def test_no_piece_of_four_thousand_rooms_is_large(store: SqlStore, all_rooms: bool) -> None:
    """Between two places where others may be served, one statement is carried out, for 500 rooms at most."""
    request = pb.SubscribeRequest(all_rooms=all_rooms)
    request.cursors.extend(cursors(ROOMS, 2, -1, epoch=store.epoch))
    each = []

    with store.snapshot() as snapshot, statements() as seen:
        pieces = find_start(snapshot, "bob", request, store.epoch)
        for _ in pieces_with(pieces, snapshot):
            each.append(len(seen))
            seen.clear()

    assert (len(each) >= 8, max(each)) == (True, 1)
