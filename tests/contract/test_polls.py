"""Polls, as the store keeps them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from grpc_chat.store.polls import Tally
from grpc_chat.store.writes import Answer, Append, Appended, Concerns, Draft, Target
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.contract.test_batches import NOW, dump, opened
from tests.statements import statements
from tests.store_writes import put_room

PEOPLE = {f"user-{at}": pb.ROLE_MEMBER for at in range(30)}


def event(user_id: str, **kind: object) -> Append:
    told = pb.Event(room_id="r1", user_id=user_id, **kind)  # type: ignore[arg-type]
    return Append([Draft(told, "phone", lambda *_: None)])


def asked(*, anonymous: bool = False, close_us: int = 0) -> Append:
    poll = pb.Poll(options=["a", "b", "c"], multiple=True, anonymous=anonymous)
    if close_us:
        poll.close_time.FromMicroseconds(close_us)
    return event("user-0", message=pb.Message(text="?", poll=poll))


def voted(user_id: str, *choices: int, seq: int = 1) -> Append:
    return event(user_id, poll_voted=pb.PollVoted(seq=seq, choices=choices))


def closed(*, seq: int = 1) -> Append:
    return event("user-0", poll_closed=pb.PollClosed(seq=seq))


@pytest.mark.parametrize("anonymous", [False, True])
def test_votes_are_counted_where_they_get_their_numbers(database: Database, anonymous: bool) -> None:
    """In one transaction or in several; and the log read again says the same, as far as it may."""
    store = database.open()
    store.commit([put_room("r1", "r1", PEOPLE)])
    store.commit([asked(anonymous=anonymous), voted("user-1", 0, 2), voted("user-2", 1), voted("user-1", 2)])
    store.commit([voted("user-3", 0), voted("user-2"), voted("user-3", 1, 2), voted("user-4", 9)])

    with store.snapshot() as snapshot:
        assert snapshot.poll_tally("r1", 1) == Tally((0, 1, 2), 2, None)
        assert snapshot.poll_vote("r1", 1, "user-3") == 0b110
        assert snapshot.poll_vote("r1", 1, "user-2") == 0
        first = snapshot.poll_votes("r1", 1, after="", limit=1)
        rest = snapshot.poll_votes("r1", 1, after="user-1", limit=10)
        log = snapshot.events_after("r1", 1, limit=100, max_bytes=10**6)
    assert [(vote.user_id, list(vote.choices)) for vote in first + rest] == [
        ("user-1", [2]),
        ("user-3", [1, 2]),
    ]
    told = [pb.Event.FromString(each.payload) for each in log]
    assert [each.poll_voted.voter_count for each in told] == [1, 2, 2, 3, 2, 2, 2]
    if anonymous:
        assert {
            (each.user_id, len(each.poll_voted.choices), len(each.poll_voted.counts)) for each in told
        } == {("", 0, 0)}
        assert {each.session_id for each in log} == {""}
        assert all(vote.vote_time.ToMicroseconds() == 0 for vote in first + rest)
    else:
        assert list(told[-1].poll_voted.counts) == [0, 1, 2]
        assert {each.session_id for each in log} == {"phone"}

    store.commit([closed()])
    with store.snapshot() as snapshot:
        assert snapshot.poll_tally("r1", 1) == Tally((0, 1, 2), 2, None)
        assert len(snapshot.poll_votes("r1", 1, after="", limit=10)) == (0 if anonymous else 2)
        [message] = snapshot.events_after("r1", 0, limit=1, max_bytes=1)
    result = pb.Event.FromString(message.payload).message.poll.result
    assert (list(result.counts), result.voter_count, result.user_id) == ([0, 1, 2], 2, "user-0")


def test_a_log_with_polls_read_again_gives_the_same_rows(make_database: Callable[[str], Database]) -> None:
    """Of polls that are open, closed, deleted and, once they are closed, anonymous."""
    now = [NOW]
    store = opened(make_database("first"), now)
    store.commit([asked(), asked(close_us=NOW + 10**9), asked(), asked(anonymous=True)])
    for seq in range(1, 5):
        store.commit([voted("bob", 1, seq=seq), voted("alice", 0, 2, seq=seq), voted("bob", 2, seq=seq)])
        now[0] += 1000
    store.commit([closed(seq=2), event("user-0", message_deleted=pb.MessageDeleted(seq=3)), closed(seq=4)])
    here = dump(store)
    assert [row[1:4] for row in here["polls"]] == [(1, "1,0,2", 2), (2, "1,0,2", 2), (4, "1,0,2", 2)]
    assert {row[1] for row in here["poll_votes"]} == {1, 2}

    again_at = [NOW]
    again = opened(make_database("again"), again_at)
    with store.snapshot() as snapshot:
        log = snapshot.events_after("r1", 0, limit=100, max_bytes=10**6)
    for stored in log:
        told = pb.Event.FromString(stored.payload)
        again_at[0] = told.create_time.ToMicroseconds()
        again.commit([Append([Draft(told, stored.session_id, lambda *_: None)])])
    there = dump(again)
    for name, rows in here.items():
        assert rows == there[name], name


def test_polls_that_are_due(database: Database) -> None:
    """Those whose time has come, and when the next one's does; none that is closed or deleted."""
    store = database.open()
    store.commit([put_room("r1", "r1", PEOPLE)])
    with store.snapshot() as snapshot:
        assert snapshot.next_poll_close_us() is None
    times = (3_000_000, 1_000_000, 2_000_000, 0)
    store.commit([asked(close_us=time) for time in times])
    with store.snapshot() as snapshot:
        assert snapshot.next_poll_close_us() == 1_000_000
        assert snapshot.due_polls(2_000_000, limit=10) == [("r1", 2), ("r1", 3)]
        assert snapshot.due_polls(2_000_000, limit=1) == [("r1", 2)]
    store.commit([closed(seq=2), event("user-0", message_deleted=pb.MessageDeleted(seq=3))])
    with store.snapshot() as snapshot:
        assert snapshot.due_polls(10**15, limit=10) == [("r1", 1)]


def test_many_votes_at_once_cost_a_few_statements(database: Database) -> None:
    """As many for thirty as for three."""
    store = database.open()
    store.commit([put_room("r1", "r1", PEOPLE), asked()])

    def check(_room: str, _membership: object, target: Target | None) -> Answer | None:
        return Answer.ALREADY_SO if target and target.vote == 0b10 else None

    def votes(count: int) -> list[Append]:
        told = [
            pb.Event(room_id="r1", user_id=user, poll_voted=pb.PollVoted(seq=1, choices=[1]))
            for user in PEOPLE
        ]
        return [
            Append([Draft(each, "phone", lambda *_: None, concerns=Concerns(1, check, with_vote=True))])
            for each in told[:count]
        ]

    with statements() as few:
        store.commit(votes(3))
    with statements() as many:
        results = store.commit(votes(30))
    # Rows are inserted with as many to a statement as there are.
    assert len([sql for sql in many if "INSERT" not in sql]) == len(
        [sql for sql in few if "INSERT" not in sql]
    )
    placed = [result.placed[0].seq for result in results if isinstance(result, Appended)]
    assert placed == [0, 0, 0, *range(5, 32)]
    with store.snapshot() as snapshot:
        assert snapshot.poll_tally("r1", 1) == Tally((0, 30, 0), 30, None)
