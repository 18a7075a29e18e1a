"""What tells an event from any other that ever had its number: when it was stored."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from grpc_chat.errors import BadCursor, ChatError
from grpc_chat.store import statements
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.records import Membership, Place
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Acknowledge, Append
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.contract.test_store import add, draft
from tests.store_writes import put_room, truncate

MEMBER = pb.ROLE_MEMBER


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the rooms r1 and r2, and alice in both."""
    opened = database.open()
    opened.commit([put_room(room, room, {"alice": MEMBER}) for room in ("r1", "r2")])
    return opened


def allow(_room_id: str, _membership: Membership | None) -> ChatError | None:
    return None


def times(store: Store, room_id: str = "r1") -> list[int]:
    """When each event of a room was stored."""
    with store.snapshot() as snapshot:
        found = snapshot.events_after(room_id, 0, limit=1000, max_bytes=1_000_000)
    return [pb.Event.FromString(event.payload).create_time.ToMicroseconds() for event in found]


def position(store: Store, room_id: str = "r1") -> Place | None:
    with store.snapshot() as snapshot:
        return snapshot.positions("alice", "bot").get(room_id)


def test_events_are_stored_later_and_later_whatever_the_clock_does(tmp_path: Path) -> None:
    """Within a transaction, across them, after it was set back, and after a restart meanwhile."""
    clock = random.Random(1)
    now = [1_000_000]

    def tick() -> int:
        now[0] = max(1, now[0] + clock.choice((-5000, -1, 0, 0, 1, 700)))
        return now[0]

    def rename(tx: Transaction) -> None:
        tx.append(pb.Event(room_id="r1", user_id="alice"), "phone")

    placed: list[int] = []
    stored: list[int] = []
    for _ in range(4):
        store = open_store(tmp_path / "data")
        store._clock = tick
        store.commit([put_room("r1", "r1", {"alice": MEMBER})])
        for _ in range(10):
            placed += [each.create_time_us for each in add(store, *[draft() for _ in range(3)])]
            store.commit([Transact(rename), Append([draft(check=allow)]), Transact(rename)])
        with store.snapshot() as snapshot:
            membership = snapshot.membership("r1", "alice")
        stored = times(store)
        assert membership
        assert membership.last_event_us == stored[-1]
        store.close()

    assert stored == sorted(set(stored))
    assert len(stored) == 4 * 10 * 6
    # The sender is told the very same.
    assert set(placed) <= set(stored)


def test_time_is_the_clocks_where_that_has_moved_on(tmp_path: Path) -> None:
    """It is not made up where it need not be."""
    store = open_store(tmp_path / "data")
    store._clock = lambda: 5_000_000
    store.commit([put_room("r1", "r1", {"alice": MEMBER})])
    add(store, draft(), draft())
    store._clock = lambda: 5_000_100
    add(store, draft())

    assert times(store) == [5_000_000, 5_000_001, 5_000_100]
    store.close()


def test_stamps_of_many_rooms_are_found_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of events that are gone, or not there yet, and of rooms that are none, are left out."""
    monkeypatch.setattr(statements, "_MOST_PLACES", 64)
    rooms = [f"many-{n}" for n in range(100)]
    store.commit([put_room(room, room, {"alice": MEMBER}) for room in rooms])
    store.commit([Append([draft(room=room, check=allow), draft(room=room, check=allow)]) for room in rooms])
    store.commit([truncate("many-7", 2)])

    with store.snapshot() as snapshot:
        found = snapshot.stamps(dict.fromkeys(rooms, 1))
        assert snapshot.stamps({}) == {}
        assert snapshot.stamps({"nowhere": 1, "r1": 1, "many-3": 3, "many-4": 0}) == {}
        [second] = snapshot.stamps({"many-9": 2}).values()

    assert found.keys() == set(rooms) - {"many-7"}
    assert [found["many-9"], second] == times(store, "many-9")


def test_position_with_the_events_stamp_is_taken(store: Store) -> None:
    """At the newest event, before it, and of one of the same transaction; and it keeps the stamp."""
    add(store, draft(), draft(), draft(room="r2"))
    first, second = times(store)
    [other] = times(store, "r2")

    for at in ({"r1": Place(1, first)}, {"r1": Place(2, second), "r2": Place(1, other)}):
        assert store.commit([Acknowledge("alice", "bot", at, allow)]) == [None]
        assert position(store) == at["r1"]

    assert position(store, "r2") == Place(1, other)


@pytest.mark.parametrize("seq", [1, 2, 3, 1000])
def test_position_with_another_stamp_moves_nothing(store: Store, seq: int) -> None:
    """Before the newest event, at it and after it; the other rooms' positions count."""
    add(store, draft(), draft(), draft(room="r2"))
    [other] = times(store, "r2")
    wrong = Place(seq, times(store)[-1] + 1)

    at = {"r1": wrong, "r2": Place(1, other)}
    assert store.commit([Acknowledge("alice", "bot", at, allow)]) == [["r1"]]

    assert position(store) is None
    assert position(store, "r2") == Place(1, other)
    # Without a stamp it is served as ever.
    [result] = store.commit([Acknowledge("alice", "bot", {"r1": Place(seq)}, allow)])
    assert (position(store) == Place(seq)) is (seq <= 2)
    assert isinstance(result, BadCursor) is (seq > 2)


def test_position_on_an_event_that_is_gone_is_believed(store: Store) -> None:
    """What retention removed can't be compared."""
    add(store, draft(), draft(), draft())
    store.commit([truncate("r1", 3)])

    assert store.commit([Acknowledge("alice", "bot", {"r1": Place(2, 12345)}, allow)]) == [None]
    assert position(store) == Place(2, 12345)


def test_position_moves_back_where_it_must(store: Store) -> None:
    """And only there."""
    add(store, draft(), draft(), draft())
    at = [Place(seq, stamp) for seq, stamp in enumerate(times(store), 1)]

    store.commit([Acknowledge("alice", "bot", {"r1": at[2]}, allow)])
    store.commit([Acknowledge("alice", "bot", {"r1": at[0]}, allow)])
    assert position(store) == at[2]
    store.commit([Acknowledge("alice", "bot", {"r1": at[0]}, allow, back=True)])
    assert position(store) == at[0]
