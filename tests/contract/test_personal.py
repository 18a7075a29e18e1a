"""What users keep for themselves, and sending what they have scheduled, on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grpc_chat.errors import ChatError, ClientMessageIdReused, NotFound, RoomNotFound
from grpc_chat.store.base import Done, Store, Transact, Transaction
from grpc_chat.store.personal import DraftKey, SavedRecord, ScheduledRecord
from grpc_chat.store.records import Marker, Membership
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room, remove

KEY = bytes(15) + b"\1"


@pytest.fixture
def store(database: Database) -> Store:
    opened = database.open()
    members = {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER}
    opened.commit([put_room("r1", "r1", members), put_room("r2", "r2", members)])
    return opened


def members_only(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else RoomNotFound(room_id)


def message(text: str = "hello", *, user: str = "bob", key: bytes = KEY) -> Draft:
    event = pb.Event(room_id="r1", user_id=user, message=pb.Message(text=text))
    return Draft(event, "", members_only, Once(key, text.encode().ljust(16)))


def transact(store: Store, do: Callable[[Transaction], Any]) -> Any:
    [result] = store.commit([Transact(do)])
    assert isinstance(result, Done), result
    return result.value


def texts(store: Store) -> list[str]:
    with store.snapshot() as snapshot:
        found = snapshot.events_after("r1", 0, limit=100, max_bytes=1 << 20)
    return [pb.Event.FromString(stored.payload).message.text for stored in found]


def test_a_message_is_sent_within_a_transaction_and_only_once(store: Store) -> None:
    """Its key is known to every later send, in the same batch and in another one, and with other content it
    is refused."""
    made = transact(store, lambda tx: tx.send(message()))
    assert (made.room_id, made.seq) == ("r1", 1)
    assert transact(store, lambda tx: tx.send(message())) == made
    [again] = store.commit([Append([message()])])
    assert isinstance(again, Appended)
    assert again.placed == [made]
    with store.snapshot() as snapshot:
        found = snapshot.sent("r1", "bob", KEY)
        assert found
        assert (found[0].seq, found[0].stamp) == (1, made.create_time_us)
        assert snapshot.sent("r1", "alice", KEY) is None
    [refused] = store.commit([Transact(lambda tx: tx.send(message("other")))])
    assert isinstance(refused, ClientMessageIdReused)

    other = bytes(15) + b"\2"
    results = store.commit(
        [
            Append([message("a", key=other)]),
            Transact(lambda tx: tx.send(message("a", key=other))),
            Append([message("a", key=other)]),
        ]
    )
    assert [result.value if isinstance(result, Done) else result.placed[0] for result in results] == [  # type: ignore[union-attr]
        results[0].placed[0]  # type: ignore[union-attr]
    ] * 3
    third = bytes(15) + b"\3"
    results = store.commit(
        [Transact(lambda tx: tx.send(message("b", key=third))), Append([message("b", key=third)])]
    )
    assert results[1].placed == [results[0].value]  # type: ignore[union-attr]
    assert texts(store) == ["hello", "a", "b"]


def test_a_message_that_may_not_be_sent_changes_nothing(store: Store) -> None:
    """What the sender may not do now is an error that the command can deal with; and a command that is
    refused later has sent nothing."""
    transact(store, lambda tx: remove(tx, "r1", "bob"))
    error = transact(store, lambda tx: tx.refusal(message()))
    assert isinstance(error, RoomNotFound)
    assert transact(store, lambda tx: tx.refusal(message(user="alice"))) is None

    def tries(tx: Transaction) -> str:
        try:
            tx.send(message())
        except RoomNotFound as refused:
            return refused.code
        return ""

    assert transact(store, tries) == "ROOM_NOT_FOUND"

    def refused(tx: Transaction) -> None:
        tx.send(message(user="alice"))
        tx.put_scheduled_message(scheduled("s1"))
        raise NotFound("no")

    # Beside others' messages, in one batch; and later the key is as good as new.
    results = store.commit(
        [
            Append([message("x", user="alice", key=b"x" * 16)]),
            Transact(refused),
            Append([message(user="alice")]),
        ]
    )
    assert isinstance(results[1], NotFound)
    assert texts(store)[-2:] == ["x", "hello"]
    with store.snapshot() as snapshot:
        assert snapshot.scheduled_message("bob", "s1") is None


def test_a_message_that_was_written_earlier_reads_nothing(store: Store) -> None:
    """Unless its sender has read everything before it."""

    def marker() -> Marker:
        with store.snapshot() as snapshot:
            room = snapshot.membership("r1", "bob")
        assert room
        return room.marker

    transact(store, lambda tx: tx.send(message("1", key=b"1" * 16)))
    assert marker() == Marker(1, 1)
    store.commit([Append([message("2", user="alice", key=b"2" * 16)])])
    transact(store, lambda tx: tx.send(message("3", key=b"3" * 16)))
    assert marker() == Marker(1, 1, 1)
    transact(store, lambda tx: tx.send(message("4", key=b"4" * 16)))
    assert marker() == Marker(1, 1, 2)


def scheduled(id_: str, *, user: str = "bob", due: int | None = 5, made: int = 1) -> ScheduledRecord:
    return ScheduledRecord(
        user, id_, send_us=due or 9, due_us=due, payload=b"p" + id_.encode(), create_us=made
    )


def test_scheduled_messages_are_listed_by_time_and_found_when_they_are_due(store: Store) -> None:
    """By their users in pages, and by the server in the order of the times."""
    records = [
        scheduled("c", due=7),
        scheduled("a", due=7, made=2),
        scheduled("b", due=6, user="alice"),
        scheduled("failed", due=None)._replace(failure=b"why"),
        scheduled("first"),
    ]

    def put(tx: Transaction) -> None:
        for record in records:
            tx.put_scheduled_message(record)

    with store.snapshot() as snapshot:
        assert snapshot.next_due() is None
    transact(store, put)
    with store.snapshot() as snapshot:
        mine = snapshot.scheduled_messages("bob", after=None, limit=10)
        assert [record.scheduled_id for record in mine] == ["first", "a", "c", "failed"]
        assert snapshot.scheduled_messages("bob", after=(7, "a"), limit=1) == [records[0]]
        assert snapshot.scheduled_messages_of("bob") == 4
        assert snapshot.scheduled_message("bob", "b") is None
        assert snapshot.scheduled_message("alice", "b") == records[2]
        assert snapshot.next_due() == 5
        assert [record.scheduled_id for record in snapshot.due_messages(7, limit=3)] == ["first", "b", "c"]
        assert snapshot.due_messages(4, limit=3) == []
    transact(store, lambda tx: tx.delete_scheduled_message("bob", "first"))
    transact(store, lambda tx: tx.put_scheduled_message(scheduled("c", due=8)))
    with store.snapshot() as snapshot:
        assert [record.scheduled_id for record in snapshot.due_messages(9, limit=3)] == ["b", "a", "c"]
    assert "pfirst" not in repr(records)


def test_drafts_and_saved_messages_end_with_the_membership(store: Store) -> None:
    """And those elsewhere, and of others, stay; also where all of it happens in one transaction."""
    store.commit([Append([message()])])

    def keep(tx: Transaction) -> None:
        for user in ("alice", "bob"):
            for room in ("r1", "r2"):
                tx.put_message_draft(
                    user, pb.MessageDraft(room_id=room, thread_root=4, text=f"{user} {room}")
                )
                tx.put_saved_message(user, SavedRecord(room, 1, tx.now_us))

    def kept(user: str) -> tuple[list[str], list[str]]:
        with store.snapshot() as snapshot:
            drafts = snapshot.message_drafts(user, room_id="", after=None, limit=10)
            saved = snapshot.saved_messages(user, room_id="", after=None, limit=10)
            assert snapshot.message_drafts_of(user) == len(drafts)
            assert snapshot.saved_messages_of(user) == len(saved)
            for draft in drafts:
                assert snapshot.message_draft(draft.room_id, user, 4) == draft
            for record in saved:
                assert snapshot.saved_message(record.room_id, user, 1) == record
        return [draft.text for draft in drafts], [record.room_id for record in saved]

    transact(store, keep)
    assert kept("bob") == (["bob r2", "bob r1"], ["r2", "r1"])
    with store.snapshot() as snapshot:
        [newest, older] = snapshot.message_drafts("bob", room_id="", after=None, limit=10)
        key = DraftKey(newest.update_time.ToMicroseconds(), newest.room_id, newest.thread_root)
        assert snapshot.message_drafts("bob", room_id="", after=key, limit=10) == [older]
        assert snapshot.message_drafts("bob", room_id="r1", after=None, limit=10) == [older]
        [last, first] = snapshot.saved_messages("bob", room_id="", after=None, limit=10)
        assert snapshot.saved_messages("bob", room_id="", after=last, limit=10) == [first]
        assert snapshot.saved_messages("bob", room_id="r2", after=None, limit=10) == [last]

    # The second time, what is kept is yet to be written when the member is removed.
    for writes in ([Transact(lambda tx: remove(tx, "r1", "bob"))], None):
        store.commit(writes or [Transact(keep), Transact(lambda tx: remove(tx, "r1", "bob"))])
        assert kept("bob") == (["bob r2"], ["r2"])
        assert kept("alice") == (["alice r2", "alice r1"], ["r2", "r1"])
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER})])
        assert kept("bob") == (["bob r2"], ["r2"])

    deleted = pb.Event(room_id="r1", user_id="alice", message_deleted=pb.MessageDeleted(seq=1))
    transact(store, lambda tx: tx.append(deleted, ""))
    assert kept("alice") == (["alice r2", "alice r1"], ["r2"])
    transact(store, lambda tx: tx.delete_message_draft("r1", "alice", 4))
    transact(store, lambda tx: tx.delete_saved_message("r2", "alice", 1))
    assert kept("alice") == (["alice r2"], [])
