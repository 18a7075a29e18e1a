"""Reports of messages, as the store keeps them."""

from __future__ import annotations

from grpc_chat.store.base import Done, Transact, Transaction
from grpc_chat.store.writes import Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room


def test_reports_are_counted_listed_and_removed(database: Database) -> None:
    """By room or in all, without those of one's own messages; and they go with the message."""
    store = database.open()
    for room in ("r1", "r2"):
        store.commit([put_room(room, room, {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER})])
    keys = [("r1", 2, "bob"), ("r1", 10, "alice"), ("r1", 2, "alice"), ("r2", 1, "bob")]

    def insert(tx: Transaction) -> None:
        for key in keys:
            tx.insert_report(key, "bob" if key[1] == 10 else "carol", f"because of {key[1]}")

    store.commit([Transact(insert)])
    with store.snapshot() as snapshot:

        def listed(room: str | None, *, but_of: str = "", limit: int = 9) -> list[tuple[str, int, str]]:
            found = snapshot.reports(room, but_of=but_of, after=("", 0, ""), limit=limit)
            return [(each.room_id, each.seq, each.user_id) for each in found]

        assert snapshot.has_report(("r1", 2, "bob"))
        assert not snapshot.has_report(("r2", 2, "bob"))
        assert [snapshot.reports_in(room) for room in ("r1", "r2", "r3")] == [3, 1, 0]
        assert listed(None) == sorted(keys)
        assert listed("r1", limit=2) == sorted(keys)[:2]
        assert listed("r1", but_of="bob") == [("r1", 2, "alice"), ("r1", 2, "bob")]
        [last] = snapshot.reports("r1", but_of="", after=("r1", 2, "bob"), limit=9)
        assert (last.seq, last.sender_user_id, last.reason) == (10, "bob", "because of 10")

    def remove(tx: Transaction) -> list[int]:
        return [
            tx.delete_reports("r1", 10, but_of="bob"),
            tx.delete_reports("r1", 10, but_of="alice"),
            tx.delete_reports("r1", 10, but_of=""),
            tx.expire_reports(1),
            tx.expire_reports(tx.now_us + 1),
        ]

    [done] = store.commit([Transact(remove)])
    assert isinstance(done, Done)
    assert done.value == [0, 1, 0, 0, 3]

    said = pb.Event(room_id="r1", user_id="alice", message=pb.Message(text="said"))
    gone = pb.Event(room_id="r1", user_id="alice", message_deleted=pb.MessageDeleted(seq=1))
    store.commit([Append([Draft(said, "phone", lambda *_: None)])])
    store.commit([Transact(lambda tx: tx.insert_report(("r1", 1, "bob"), "alice", "why"))])
    store.commit([Append([Draft(gone, "phone", lambda *_: None)])])
    with store.snapshot() as snapshot:
        assert snapshot.reports_in("r1") == 0
