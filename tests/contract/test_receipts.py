"""What a store knows of who has received and read a message."""

from __future__ import annotations

import pytest

from grpc_chat.store.base import Store
from grpc_chat.store.records import (
    ConsumerPlace,
    Marker,
    Place,
    ReaderPlace,
    ReceivedRange,
    StatusRecord,
)
from grpc_chat.store.writes import Acknowledge
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.contract.test_transactions import members_only, read, saying, transact
from tests.store_writes import change_membership, put_room


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the room r1 of ann, ben and cat, in which ann said two things."""
    opened = database.open()
    opened.commit([put_room("r1", "r1", dict.fromkeys(("ann", "ben", "cat"), pb.ROLE_MEMBER))])
    opened.commit([saying("a", user="ann"), saying("b", user="ann")])
    return opened


def test_positions_say_who_has_received_and_read_a_message(store: Store) -> None:
    """The earliest acknowledgement counts that reached it; those who joined later do not."""
    before = read(store, lambda snapshot: snapshot.room("r1")).last_event_time.ToMicroseconds()
    for consumer, seq in (("phone", 2), ("laptop", 1)):
        store.commit([Acknowledge("ben", consumer, {"r1": Place(seq)}, members_only)])
    transact(store, lambda tx: tx.move_marker("r1", "cat", Marker(1, 1)))
    transact(store, lambda tx: tx.put_status(StatusRecord("cat", hide_receipts=True, appear_offline=True)))
    added, member = pb.MEMBERSHIP_CHANGE_ADDED, pb.ROLE_MEMBER
    transact(store, lambda tx: change_membership(tx, added, "r1", "dan", role=member))

    with store.snapshot() as snapshot:
        [laptop, phone] = snapshot.consumers_in("r1", "ben")
        assert (laptop[:2], phone[:2]) == (("laptop", 1), ("phone", 2))
        assert before <= phone.time_us <= laptop.time_us
        first, second = [snapshot.readers("r1", seq, sender="ann", after="", limit=9) for seq in (1, 2)]
        cat = ReaderPlace("cat", 1, None, hides_reads=True, hides_times=False, appears_offline=True)
        assert first == [ReaderPlace("ben", 0, phone.time_us, False, False, False), cat]
        assert second == [ReaderPlace("ben", 0, phone.time_us, False, False, False), cat]
        assert snapshot.readers("r1", 2, sender="ann", after="ben", limit=9) == [cat]
        assert snapshot.readers("r1", 2, sender="ann", after="", limit=1) == second[:1]
        assert snapshot.readers("r1", 2, sender="cat", after="", limit=9)[0].user_id == "ann"
        assert snapshot.consumers_in("r1", "cat") == []
        assert snapshot.consumers_in("r9", "ben") == []
    store.commit([Acknowledge("ben", "laptop", {"r1": Place(3)}, members_only)])
    with store.snapshot() as snapshot:
        [moved, stayed] = snapshot.consumers_in("r1", "ben")
        assert moved == ConsumerPlace("laptop", 3, moved.time_us)
        assert (moved.time_us >= laptop.time_us, stayed) == (True, phone)


def test_what_was_received_is_a_range_for_each_member(store: Store) -> None:
    """What continues it extends it, what is older changes nothing, and after a gap the newer one counts; of
    those who are no members, nothing is kept."""
    store.commit([saying(f"{at}", user="ann") for at in range(8)])

    def note(user_id: str, after: int, seq: int) -> None:
        transact(store, lambda tx: tx.note_received([ReceivedRange("r1", user_id, after, seq)]))

    def known(user_id: str = "ben") -> list[tuple[int, int]]:
        with store.snapshot() as snapshot:
            return [(place.after_seq, place.seq) for place in snapshot.consumers_in("r1", user_id)]

    def received() -> list[int]:
        with store.snapshot() as snapshot:
            places = [snapshot.readers("r1", seq, sender="ann", after="", limit=1)[0] for seq in range(1, 11)]
        return [seq for seq, place in enumerate(places, 1) if place.received_us]

    for after, seq, expected in (
        (1, 3, (1, 3)),
        (2, 3, (1, 3)),
        (0, 2, (1, 3)),
        (3, 4, (1, 4)),
        (2, 5, (1, 5)),
        (0, 6, (0, 6)),
        (7, 8, (7, 8)),
        (2, 8, (7, 8)),
        (4, 9, (4, 9)),
    ):
        note("ben", after, seq)
        assert known() == [expected], (after, seq)
        assert received() == list(range(expected[0] + 1, expected[1] + 1))
    with store.snapshot() as snapshot:
        [place] = snapshot.consumers_in("r1", "ben")
        assert place.consumer == ""
    # The earliest of what is known of a message is when it was received.
    store.commit([Acknowledge("ben", "phone", {"r1": Place(10)}, members_only)])
    with store.snapshot() as snapshot:
        [ben, _] = snapshot.readers("r1", 9, sender="ann", after="", limit=9)
        assert ben.received_us == place.time_us
    assert received() == list(range(1, 11))

    note("nobody", 0, 5)
    assert known("nobody") == []
    removed = pb.MEMBERSHIP_CHANGE_REMOVED
    transact(store, lambda tx: change_membership(tx, removed, "r1", "ben", role=0))
    assert known() == []
