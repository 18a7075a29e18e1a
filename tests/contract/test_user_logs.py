"""The logs that users have of their own."""

from __future__ import annotations

import pytest

from grpc_chat.errors import InvalidRequest, SessionEnded
from grpc_chat.store import user_logs
from grpc_chat.store.base import Done, Result, Store, Transact, Transaction
from grpc_chat.store.records import SessionRecord, user_log
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import put_room

ALL = 1_000_000_000


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the room r1, and alice in it."""
    opened = database.open()
    opened.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
    return opened


def tell(transaction: Transaction, user_id: str, room_id: str = "r1") -> int:
    event = pb.Event(room_id=user_log(user_id), room_joined=pb.RoomJoined(room_id=room_id))
    return transaction.append(event, "")


def entries(store: Store, user_id: str) -> list[tuple[int, str, int]]:
    """Number, room and stamp of all entries."""
    with store.snapshot() as snapshot:
        found = snapshot.events_after(user_log(user_id), 0, limit=ALL, max_bytes=ALL)
    events = [pb.Event.FromString(stored.payload) for stored in found]
    return [(each.seq, each.room_joined.room_id, each.create_time.ToMicroseconds()) for each in events]


def heads(store: Store, *log_ids: str) -> dict[str, int]:
    with store.snapshot() as snapshot:
        return snapshot.heads(log_ids)


def test_each_log_has_numbers_of_its_own(store: Store) -> None:
    """From 1, without a gap, with stamps that grow, in the order of the commits; beside those of rooms."""
    first: Result
    first, second = store.commit(
        [
            Transact(lambda tx: [tell(tx, "alice", "a"), tell(tx, "bob", "b"), tell(tx, "alice", "c")]),
            Transact(lambda tx: tell(tx, "alice", "d")),
        ]
    )

    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert (first.value, second.value) == ([1, 1, 2], 3)
    assert {log: [event.seq for event in new] for log, new in first.new.items()} == {
        "user:alice": [1, 2],
        "user:bob": [1],
    }
    found = entries(store, "alice")
    assert [(seq, room_id) for seq, room_id, _ in found] == [(1, "a"), (2, "c"), (3, "d")]
    stamps = [stamp for *_, stamp in found]
    assert stamps == sorted(set(stamps))
    assert heads(store, "user:alice", "user:bob", "user:nobody", "r1") == {
        "user:alice": 3,
        "user:bob": 1,
        "r1": 0,
    }


def test_an_entry_is_undone_with_its_command(store: Store) -> None:
    """Its number is given to the next."""

    def fail(transaction: Transaction) -> None:
        tell(transaction, "alice", "lost")
        raise SessionEnded("no")

    store.commit([Transact(lambda tx: tell(tx, "alice", "a")), Transact(fail)])
    store.commit([Transact(fail), Transact(lambda tx: tell(tx, "alice", "b"))])

    assert [(seq, room_id) for seq, room_id, _ in entries(store, "alice")] == [(1, "a"), (2, "b")]


def test_a_log_is_kept_to_its_newest_entries(store: Store, database: Database) -> None:
    """The numbers go on, also when the database is opened again; another's log keeps all."""
    most, at_once = user_logs.KEPT + 300, 50
    store.commit([Transact(lambda tx: tell(tx, "bob", "b"))])
    for _ in range(most // at_once):
        store.commit([Transact(lambda tx: [tell(tx, "alice") for _ in range(at_once)])])
        assert len(entries(store, "alice")) <= user_logs.KEPT + 150

    kept = [seq for seq, *_ in entries(store, "alice")]
    assert kept == list(range(kept[0], most + 1))
    assert len(kept) >= user_logs.KEPT
    assert len(entries(store, "bob")) == 1
    again = database.open()
    again.commit([Transact(lambda tx: tell(tx, "alice", "last"))])
    assert entries(again, "alice")[-1][:2] == (most + 1, "last")


def test_entries_of_many_users_cost_a_few_statements(store: Store) -> None:
    """Whose heads are read together, where the commands say whom they are about."""

    def writes(prefix: str) -> list[Transact]:
        users = [f"{prefix}{number}" for number in range(300)]
        return [
            Transact(lambda tx, user=user: tell(tx, user), about=[("", user)])  # type: ignore[misc]
            for user in users
        ]

    with statements() as new:
        store.commit(writes("new"))
    with statements() as known:
        store.commit(writes("new"))

    assert len(new) < 12, new
    assert len(known) < 12, known
    assert all(len(entries(store, f"new{number}")) == 2 for number in (0, 299))


def begin(transaction: Transaction, session_id: str) -> None:
    record = SessionRecord(session_id, "alice", pb.SESSION_KIND_LOGIN, "", 2, 1, 1, None)
    transaction.insert_session(record, session_id.encode())


def saying(session_id: str, text: str) -> Append:
    event = pb.Event(room_id="r1", user_id="alice", message=pb.Message(text=text))
    return Append([Draft(event, session_id, lambda *_: None, Once(text.encode(), b""))])


@pytest.mark.parametrize("checked", [False, True])
def test_a_session_that_another_node_ended_writes_nothing(store: Store, *, checked: bool) -> None:
    """Where other nodes write to the same database, each write's session must be there."""
    store.check_sessions = checked
    store.commit([Transact(lambda tx: begin(tx, "phone"))])

    sent, refused, command, own = store.commit(
        [
            saying("phone", "one"),
            saying("elsewhere", "two"),
            Transact(lambda tx: tell(tx, "alice"), session_id="elsewhere"),
            Transact(lambda tx: tell(tx, "alice")),
        ]
    )

    assert isinstance(sent, Appended)
    assert isinstance(own, Done)
    assert isinstance(refused, SessionEnded) == checked
    assert isinstance(command, SessionEnded) == checked
    assert len(entries(store, "alice")) == (1 if checked else 2)


def test_no_room_has_the_id_of_a_users_log(store: Store) -> None:
    """Its events would be among those of the user."""
    room = pb.Room(room_id=user_log("ann"), name="ann")
    made, put = store.commit(
        [
            Transact(lambda tx: tx.insert_room(room, public_name=None, request_hash=None)),
            put_room(user_log("ann"), "ann", {"alice": pb.ROLE_MEMBER}),
        ]
    )

    assert isinstance(made, InvalidRequest)
    assert isinstance(put, InvalidRequest)
