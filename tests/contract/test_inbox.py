"""What a store knows of what waits for users, and of what they want to be notified of."""

from __future__ import annotations

import pytest

from grpc_chat.errors import NotFound
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.records import FOREVER, Attention, InboxRoom, Marker
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.contract.test_transactions import read, renamed, saying, transact
from tests.store_writes import put_room, remove

MUTED = Attention(pb.NOTIFICATION_LEVEL_MENTIONS, FOREVER)


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the rooms r1 and r2 of alice and bob, and the room r3 of alice."""
    opened = database.open()
    both = {"alice": pb.ROLE_MEMBER, "bob": pb.ROLE_MEMBER}
    opened.commit([put_room("r1", "r1", both), put_room("r2", "r2", both)])
    opened.commit([put_room("r3", "r3", {"alice": pb.ROLE_OWNER})])
    return opened


def test_the_inbox_has_what_waits_in_each_room(store: Store) -> None:
    """Without deleted messages and the user's own, in pages, with what they want to be notified of."""
    store.commit([saying("a"), saying("b"), saying("c"), saying("d", user="bob"), saying("e")])
    store.commit([saying("only alice", room="r3")])
    transact(store, lambda tx: tx.move_marker("r1", "bob", Marker(1, 1, 1)))
    deleted = pb.Event(room_id="r1", user_id="alice", message_deleted=pb.MessageDeleted(seq=3))
    transact(store, lambda tx: tx.append(deleted, "phone"))
    transact(store, lambda tx: tx.put_attention("r2", "bob", MUTED))

    [first, second] = read(store, lambda snapshot: snapshot.inbox("bob", after="", limit=9))
    assert first == InboxRoom("r1", first.last_event_us, 2, 0, Attention())
    assert first.last_event_us > 0
    assert second == InboxRoom("r2", 0, 0, 0, MUTED)
    assert read(store, lambda snapshot: snapshot.inbox("bob", after="r1", limit=9)) == [second]
    assert read(store, lambda snapshot: snapshot.inbox("bob", after="", limit=1)) == [first]
    assert read(store, lambda snapshot: snapshot.inbox("nobody", after="", limit=9)) == []
    mine = read(store, lambda snapshot: snapshot.inbox("alice", after="", limit=9))
    assert [(room.room_id, room.unread) for room in mine] == [("r1", 0), ("r2", 0), ("r3", 0)]


def test_what_to_be_notified_of_is_kept_as_long_as_the_membership(store: Store) -> None:
    """A refused command changes nothing; nothing special is not kept."""

    def refused(tx: Transaction) -> None:
        tx.put_attention("r1", "bob", Attention())
        assert tx.attention("bob", ["r1"]) == {}
        raise NotFound("no")

    def mute(tx: Transaction) -> None:
        for room in ("r1", "r2"):
            tx.put_attention(room, "bob", MUTED)

    transact(store, mute)
    assert isinstance(store.commit([Transact(refused)])[0], NotFound)
    asked = ["r1", "r2", "r3", "r9"]
    assert read(store, lambda snapshot: snapshot.attention("bob", asked)) == {"r1": MUTED, "r2": MUTED}
    assert read(store, lambda snapshot: snapshot.attention("alice", asked)) == {}
    transact(store, lambda tx: tx.put_attention("r1", "bob", Attention(0, 7)))
    assert read(store, lambda snapshot: snapshot.attention("bob", ["r1"])) == {"r1": Attention(0, 7)}
    transact(store, lambda tx: tx.put_attention("r1", "bob", Attention()))
    transact(store, lambda tx: remove(tx, "r2", "bob"))
    assert read(store, lambda snapshot: snapshot.attention("bob", asked)) == {}


def test_the_newest_message_is_found_before_what_follows_it(store: Store) -> None:
    """Where not too much does; the number may be that of something else where there is none."""

    def after(events: int) -> None:
        transact(store, lambda tx: [tx.append(renamed(f"{n}", room="r1"), "phone") for n in range(events)])

    def found() -> int | None:
        [listed] = read(store, lambda snapshot: snapshot.listed_rooms_in("bob", ["r1", "r9"]).values())
        if listed.newest:
            event = pb.Event.FromString(listed.payload)
            assert event.seq == listed.newest
            assert event.HasField("message")
        return listed.newest or None

    store.commit([saying("first")])
    assert found() == 1
    after(1)
    assert found() == 1
    store.commit([saying("second", user="bob")])
    assert found() == 3
    after(98)
    assert found() == 3
    after(1)
    assert found() is None
    store.commit([saying("third")])
    assert found() == 103


def test_a_listed_room_has_all_that_lists_show(store: Store) -> None:
    """As the single reads say it, in pages by id or for some rooms, with the other of a direct room."""

    def prepare(tx: Transaction) -> None:
        direct = pb.Room(room_id="d1", kind=pb.ROOM_KIND_DIRECT, history=pb.HISTORY_ALL)
        tx.insert_room(direct, public_name=None, request_hash=None)
        tx.append(
            pb.Event(room_id="d1", user_id="bob", room_created=pb.RoomCreated(kind=pb.ROOM_KIND_DIRECT)),
            "phone",
        )
        for user_id in ("alice", "bob"):
            tx.put_member("d1", user_id, pb.ROLE_MEMBER, join_seq=1)
        tx.put_attention("r2", "bob", MUTED)

    transact(store, prepare)
    store.commit([saying("a"), saying("b", room="r2"), saying("c", room="r2"), saying("x" * 5000, room="r3")])
    pins = [
        pb.Event(room_id="r2", user_id="alice", pin_changed=pb.PinChanged(seq=seq, pinned=True))
        for seq in (2, 1)
    ]
    transact(store, lambda tx: [tx.append(pinned, "phone") for pinned in pins])

    with store.snapshot() as snapshot:
        direct, first, second = snapshot.listed_rooms("bob", after="", limit=9)
        assert snapshot.listed_rooms("bob", after="d1", limit=1) == [first]
        assert snapshot.listed_rooms_in("bob", ["r2", "r3", "d1"]) == {"d1": direct, "r2": second}
        [alone] = snapshot.listed_rooms_in("alice", ["r3"]).values()
        for listed in (direct, first, second):
            room_id = listed.membership.room_id
            assert listed.room == snapshot.room(room_id)
            assert listed.membership == snapshot.membership(room_id, "bob")
            assert listed.peer == (snapshot.peer(room_id, "bob") if room_id == "d1" else None)
    assert (second.unread, second.mentions, second.attention) == (2, 0, MUTED)
    assert sorted(second.pinned) == [1, 2]
    assert (second.newest, first.newest, first.pinned) == (2, 1, ())
    assert direct.newest == 1
    # A long one would make a thousand rooms take too much memory.
    assert (alone.newest, alone.payload, alone.is_long) == (1, None, True)
    assert not first.is_long
