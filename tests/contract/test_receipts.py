"""What a store knows of who has received and read a message."""

from __future__ import annotations

import pytest

from grpc_chat.store.base import Store
from grpc_chat.store.records import ConsumerPlace, Marker, Place, ReaderPlace, StatusRecord
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
