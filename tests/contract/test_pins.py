"""Pins, as the store keeps them."""

from __future__ import annotations

from grpc_chat.store.writes import Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room


def event(user_id: str, room_id: str = "r1", **kind: object) -> Append:
    told = pb.Event(room_id=room_id, user_id=user_id, **kind)  # type: ignore[arg-type]
    return Append([Draft(told, "phone", lambda *_: None)])


def pinned(seq: int, *, pinned: bool = True, room_id: str = "r1") -> Append:
    return event("alice", room_id, pin_changed=pb.PinChanged(seq=seq, pinned=pinned))


def test_pins_follow_from_the_log(database: Database) -> None:
    """They are listed by when they were pinned, counted from a number on, and go with the message."""
    store = database.open()
    rooms = ("r1", "r2")
    store.commit([put_room(room_id, room_id, {"alice": pb.ROLE_OWNER}) for room_id in rooms])
    said = [event("alice", room_id, message=pb.Message(text="x")) for room_id in ("r1", "r1", "r1", "r2")]
    store.commit(said)
    # What is no message, or was never pinned, changes nothing.
    store.commit([pinned(3), pinned(1), pinned(2), pinned(1, pinned=False), pinned(4), pinned(9)])
    store.commit([pinned(1), pinned(1, room_id="r2"), pinned(3, pinned=False, room_id="r2")])

    with store.snapshot() as snapshot:
        listed = snapshot.pins("r1", first_seq=0, before=None, limit=10)
        assert [each.seq for each in listed] == [1, 2, 3]
        assert snapshot.pins("r1", first_seq=0, before=listed[0].pin_seq, limit=1) == listed[1:2]
        assert snapshot.pins("r1", first_seq=3, before=None, limit=10) == listed[2:]
        assert snapshot.pin("r1", 2) == listed[1]
        assert snapshot.pin("r1", 4) is None
        assert snapshot.pin_counts({"r1": 0, "r2": 1, "r3": 0}) == {"r1": 3, "r2": 1}
        assert snapshot.pin_counts({"r2": 2, "r3": 0, "r1": 2}) == {"r1": 2}
        assert snapshot.pin_counts({}) == {}

    store.commit([event("alice", message_deleted=pb.MessageDeleted(seq=2)), pinned(2)])
    with store.snapshot() as snapshot:
        assert [each.seq for each in snapshot.pins("r1", first_seq=0, before=None, limit=10)] == [1, 3]
