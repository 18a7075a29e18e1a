"""Having an event that is stored say something else."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from grpc_chat.errors import FailedPrecondition
from grpc_chat.store import schema
from grpc_chat.store.base import Done, Store, Transact, Transaction
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room

ALL = 1_000_000_000


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the room r1, and alice in it."""
    opened = database.open()
    opened.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
    return opened


def said(text: str) -> pb.Event:
    return pb.Event(room_id="r1", user_id="alice", message=pb.Message(text=text))


def saying(*texts: str) -> Append:
    return Append([Draft(said(text), "phone", lambda *_: None, Once(text.encode(), b"")) for text in texts])


def rewriting(seq: int, text: str) -> Transact:
    event = pb.Event(user_id="alice", message=pb.Message(text=text))
    return Transact(lambda tx: tx.rewrite("r1", seq, event))


def log(store: Store) -> list[tuple[int, str, str, int]]:
    """Number, session, text and stamp of all events."""
    with store.snapshot() as snapshot:
        found = snapshot.events_after("r1", 0, limit=ALL, max_bytes=ALL)
    events = [(event.session_id, pb.Event.FromString(event.payload)) for event in found]
    return [
        (event.seq, session, event.message.text, event.create_time.ToMicroseconds())
        for session, event in events
    ]


def test_an_event_says_something_else_in_its_place(store: Store, database: Database) -> None:
    """Its number, its session and its stamp are what they were, and so are all other events."""
    store.commit([saying("one", "two", "three")])
    before = log(store)

    [done] = store.commit([rewriting(2, "")])

    assert isinstance(done, Done)
    assert (done.value, done.new, dict(done.rewritten)) == (True, {}, {"r1": [2]})
    (first, (seq, session, _, stamp), third) = before
    assert log(store) == [first, (seq, session, "", stamp), third]
    assert log(database.open()) == [first, (seq, session, "", stamp), third]


def test_the_message_that_it_was_is_still_sent_once(store: Store) -> None:
    """Who did not hear the answer asks again, and is told where it is; nothing is said again."""
    first, _ = store.commit([saying("one"), rewriting(1, "")])

    [again] = store.commit([saying("one")])

    assert isinstance(first, Appended)
    assert isinstance(again, Appended)
    assert again.placed == first.placed
    assert [text for _, _, text, _ in log(store)] == [""]


def test_what_is_told_of_a_commit_is_what_its_events_say_in_the_end(store: Store) -> None:
    """Also of those that another write of the same commit stored."""

    def do(tx: Transaction) -> None:
        seq = tx.append(said("two"), "phone")
        tx.rewrite("r1", seq, said("2"))

    one, two, three, four = store.commit([saying("one"), Transact(do), rewriting(1, "1"), saying("three")])

    told = {}
    for result in (one, two, three, four):
        assert isinstance(result, Appended | Done)
        for event in result.new.get("r1", ()):
            told[event.seq] = pb.Event.FromString(event.payload).message.text
    assert told == {1: "1", 2: "2", 3: "three"}
    assert [text for _, _, text, _ in log(store)] == ["1", "2", "three"]


def test_a_refused_command_has_rewritten_nothing(store: Store) -> None:
    """Neither what is stored nor what is told of it."""

    def do(tx: Transaction) -> None:
        assert tx.rewrite("r1", 1, said("1"))
        raise FailedPrecondition("no")

    one, refused = store.commit([saying("one"), Transact(do)])

    assert isinstance(one, Appended)
    assert isinstance(refused, FailedPrecondition)
    assert pb.Event.FromString(one.new["r1"][0].payload).message.text == "one"
    assert [text for _, _, text, _ in log(store)] == ["one"]


def test_what_is_not_there_is_not_rewritten(store: Store) -> None:
    """No event of this number, of this room, or none that is as it was stored."""
    store.commit([saying("one", "two")])

    def spoil(tx: Transaction) -> None:
        assert isinstance(tx, SqlTransaction)
        tx._conn.execute(sa.update(schema.events).where(schema.events.c.seq == 2).values(checksum=1))

    store.commit([Transact(spoil)])

    results = store.commit([rewriting(2, ""), rewriting(3, ""), rewriting(0, "")])

    assert [isinstance(result, Done) and result.value for result in results] == [False, False, False]
    assert [text for _, _, text, _ in log(store)] == ["one"]


def test_what_other_rows_follow_from_stays_as_it_is(store: Store) -> None:
    """A log read again would give other members."""
    joined = pb.MembershipChanged(user_id="bob", change=pb.MEMBERSHIP_CHANGE_JOINED, role=pb.ROLE_MEMBER)
    event = pb.Event(room_id="r1", user_id="bob", membership_changed=joined)
    store.commit([saying("one"), Append([Draft(event, "phone", lambda *_: None)])])

    for write in (rewriting(2, ""), Transact(lambda tx: tx.rewrite("r1", 1, event))):
        with pytest.raises(ValueError, match="membership_changed"):
            store.commit([write])

    assert [text for _, _, text, _ in log(store)] == ["one", ""]
    with store.snapshot() as snapshot:
        assert snapshot.members_of("r1") == 2


def test_what_a_message_said_before_is_kept_where_its_room_wants_that(store: Store) -> None:
    """Newest first, with the time since when it was so; until the message is deleted."""
    keep = pb.Event(room_id="r1", user_id="alice", room_updated=pb.RoomUpdated(keep_edits=True))
    said_first = saying("one")
    edits = [
        pb.Event(room_id="r1", user_id="alice", message_edited=pb.MessageEdited(seq=2, text=text))
        for text in ("two", "three")
    ]
    drafts = [Draft(event, "phone", lambda *_: None) for event in (keep, *edits)]
    store.commit([Append([drafts[0]]), said_first, Append([drafts[1]]), Append([drafts[2]])])
    times = [stamp for *_, stamp in log(store)]

    with store.snapshot() as snapshot:
        kept = snapshot.edits("r1", 2, after=None, limit=10)
        older = snapshot.edits("r1", 2, after=1, limit=10)
    assert [(each.version, each.text, each.time.ToMicroseconds()) for each in kept] == [
        (1, "two", times[2]),
        (0, "one", times[1]),
    ]
    assert older == kept[1:]

    deleted = pb.Event(room_id="r1", user_id="alice", message_deleted=pb.MessageDeleted(seq=2))
    store.commit([Append([Draft(deleted, "phone", lambda *_: None)])])
    with store.snapshot() as snapshot:
        assert snapshot.edits("r1", 2, after=None, limit=10) == []
