"""What events say about a message goes with it, however much that is."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from grpc_chat.errors import FailedPrecondition
from grpc_chat.store import schema, trace_rows
from grpc_chat.store.base import Done, Store, Transact, Transaction
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.writes import Append, Appended, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room

PEOPLE = {f"user-{at}": pb.ROLE_MEMBER for at in range(30)}
EMOJI = "\N{TEACUP WITHOUT HANDLE}"


def event(user_id: str, **kind: object) -> Append:
    told = pb.Event(room_id="r1", user_id=user_id, **kind)  # type: ignore[arg-type]
    return Append([Draft(told, "phone", lambda *_: None)])


def reacted(user_id: str, *, removed: bool = False, seq: int = 1) -> Append:
    return event(user_id, reaction_changed=pb.ReactionChanged(seq=seq, emoji=EMOJI, removed=removed))


def voted(user_id: str, *choices: int) -> Append:
    return event(user_id, poll_voted=pb.PollVoted(seq=1, choices=choices))


def deleted(seq: int = 1) -> Append:
    return event("user-0", message_deleted=pb.MessageDeleted(seq=seq))


def asked(*, anonymous: bool = False) -> Append:
    poll = pb.Poll(options=["a", "b", "c"], multiple=True, anonymous=anonymous)
    return event("user-0", message=pb.Message(text="?", poll=poll))


def opened(database: Database) -> Store:
    store = database.open()
    store.commit([put_room("r1", "r1", PEOPLE)])
    return store


def log(store: Store) -> list[pb.Event]:
    with store.snapshot() as snapshot:
        stored = snapshot.events_after("r1", 0, limit=1000, max_bytes=10**6)
    return [pb.Event.FromString(each.payload) for each in stored]


def said(store: Store) -> list[int]:
    """The numbers of the events that say something about a message."""
    return [
        told.seq
        for told in log(store)
        if told.reaction_changed.emoji
        or told.poll_voted.choices
        or told.poll_voted.counts
        or told.poll_voted.voter_count
        or told.poll_closed.counts
        or told.poll_closed.voter_count
    ]


def rows(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """What is noted of them."""
    assert isinstance(store, SqlStore)
    with store.snapshot() as snapshot:
        tables = (schema.traces, schema.deleted_traces)
        return {
            table.name: sorted(tuple(row) for row in snapshot._conn.execute(sa.select(table)))
            for table in tables
        }


def erase(store: Store) -> bool:
    [done] = store.commit([Transact(lambda tx: tx.erase_traces())])
    assert isinstance(done, Done)
    return bool(done.value)


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
def test_what_was_said_about_a_message_goes_with_it(
    database: Database, anonymous: bool, at_once: bool
) -> None:
    """Reactions, also those taken back, votes and the poll's end; that something happened stays, with number,
    time and user. What was said about another message stays."""
    store = opened(database)
    writes = [
        asked(anonymous=anonymous),
        event("user-0", message=pb.Message(text="other")),
        reacted("user-1"),
        reacted("user-1", removed=True),
        reacted("user-2"),
        reacted("user-2", seq=2),
        voted("user-1", 0, 2),
        voted("user-1"),
        voted("user-2", 1),
        event("user-0", pin_changed=pb.PinChanged(seq=1, pinned=True)),
        event("user-0", poll_closed=pb.PollClosed(seq=1)),
    ]
    results = store.commit([*writes, deleted()] if at_once else writes)
    if not at_once:
        before = log(store)
        assert said(store) == [3, 4, 5, 6, 7, *([] if anonymous else [8]), 9, 11]
        [result] = store.commit([deleted()])
        assert isinstance(result, Appended)
        # Streams that have the old bytes forget them.
        assert result.rewritten
        assert set(result.rewritten["r1"]) >= {1, 3, 4, 5, 7, 9, 11}
        after = log(store)
        assert [(each.seq, each.user_id, each.create_time, each.WhichOneof("kind")) for each in before] == [
            (each.seq, each.user_id, each.create_time, each.WhichOneof("kind")) for each in after[:-1]
        ]
        assert after[3].reaction_changed == pb.ReactionChanged(seq=1, removed=True)
        assert after[6].poll_voted == pb.PollVoted(seq=1)
        assert after[10].poll_closed == pb.PollClosed(seq=1)
    else:
        # Nor are they published with what they said.
        new = [each for result in results if isinstance(result, Appended) for each in result.new["r1"]]
        told = [pb.Event.FromString(each.payload) for each in new]
        assert [each.seq for each in told if each.reaction_changed.emoji] == [6]
        assert not any(each.poll_voted.counts or each.poll_closed.counts for each in told)

    assert said(store) == [6]
    assert rows(store) == {"traces": [("r1", 2, 6)], "deleted_traces": []}
    assert not erase(store)
    store.commit([deleted(2)])
    assert said(store) == []
    assert rows(store) == {"traces": [], "deleted_traces": []}


def test_what_is_too_much_for_one_transaction_goes_in_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is bounded, for all messages of a transaction together, and a restart loses none of it."""
    monkeypatch.setattr(trace_rows, "ERASED_AT_ONCE", 10)
    store = opened(database)
    store.commit([event("user-0", message=pb.Message(text="one")) for _ in range(3)])
    for user in PEOPLE:
        store.commit([reacted(user), reacted(user, seq=2), reacted(user, removed=True)])
    store.commit([reacted("user-3", seq=3)])

    gone = [
        pb.Event(room_id="r1", user_id="user-0", message_deleted=pb.MessageDeleted(seq=at)) for at in (2, 1)
    ]
    store.commit([Append([Draft(each, "phone", lambda *_: None) for each in gone])])

    assert len(said(store)) == 91 - 10
    assert rows(store)["deleted_traces"] == [("r1", 1), ("r1", 2)]
    with store.snapshot() as snapshot:
        assert snapshot.traces_left()
    store = database.open()
    left = [len(said(store))]
    while erase(store):
        left.append(len(said(store)))
    # No transaction did more, and none of them was for nothing.
    steps = [before - after for before, after in itertools.pairwise(left)]
    assert all(0 < step <= 10 for step in steps)
    assert sum(steps) == 80
    [last] = said(store)
    assert log(store)[last - 1].reaction_changed.seq == 3
    assert rows(store) == {"traces": [("r1", 3, last)], "deleted_traces": []}
    with store.snapshot() as snapshot:
        assert not snapshot.traces_left()


def test_a_deletion_that_is_undone_erases_nothing(database: Database) -> None:
    """Nor does it make the next one forget anything."""
    store = opened(database)
    store.commit([event("user-0", message=pb.Message(text="one")), reacted("user-1")])

    def in_vain(tx: Transaction) -> None:
        gone = pb.Event(room_id="r1", user_id="user-0", message_deleted=pb.MessageDeleted(seq=1))
        tx.append(gone, "phone")
        raise FailedPrecondition("not this one")

    results = store.commit([reacted("user-2"), Transact(in_vain), reacted("user-3")])

    assert [isinstance(result, FailedPrecondition) for result in results] == [False, True, False]
    assert said(store) == [2, 3, 4]
    store.commit([deleted()])
    assert said(store) == []
    assert rows(store) == {"traces": [], "deleted_traces": []}


def test_what_is_noted_of_a_room_goes_with_it(database: Database) -> None:
    """In pieces: it may be as much as the log."""
    store = opened(database)
    store.commit([event("user-0", message=pb.Message(text="one")), *map(reacted, PEOPLE)])
    store.commit([Transact(lambda tx: tx.delete_room("r1"))])

    def purge(tx: Transaction) -> bool:
        return tx.purge(7)

    steps = 0
    while store.commit([Transact(purge)])[0].value:  # type: ignore[union-attr]
        steps += 1
    assert steps > len(PEOPLE) * 2 / 7
    assert rows(store) == {"traces": [], "deleted_traces": []}
