"""Polls: votes, what anonymous ones tell, their end, and what is left."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import forgetting
from grpc_chat.core.caller import SYSTEM
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.testing import RunningNode, running_node
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = ("Monday", "Tuesday", "Wednesday")
QUICK = {"calls_per_second": 0, "adds_per_second": 0}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", "carol", "dan", network=False, limits=QUICK) as made:
        yield made


async def events(client: chat.Client, room: str) -> list[Any]:
    return [
        event async for event in client.events(room) if isinstance(event, chat.PollVoted | chat.PollClosed)
    ]


async def votes(client: chat.Client, room: str, seq: int) -> list[tuple[str, tuple[int, ...]]]:
    return [(vote.user_id, vote.choices) async for vote in client.poll_votes(room, seq)]


async def message(client: chat.Client, room: str, seq: int) -> chat.Message:
    [found] = [each async for each in client.history(room, after=seq - 1, limit=1)]
    return found


def rows(node: RunningNode, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(node.config.data / "chat.db")) as database:
        return database.execute(query).fetchall()


async def test_a_vote_that_is_stored_is_answered_so(node: RunningNode) -> None:
    """Also if the poll is deleted by the time of the answer, which does not say then how it stood."""
    await node.put_room("gone", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    seq = (await alice.send("gone", "When?", poll=chat.Poll(DAYS))).seq
    committer, goes_on = node.node.committer, threading.Event()
    busy = asyncio.create_task(committer.transact(SYSTEM, lambda _: goes_on.wait(20)))
    try:
        await until(lambda: committer.waiting == 1)
        vote = asyncio.create_task(bob.vote("gone", seq, 1))
        await until(lambda: committer.waiting == 2)
        deletion = asyncio.create_task(alice.delete("gone", seq))
        await until(lambda: committer.waiting == 3)
    finally:
        goes_on.set()
    await asyncio.gather(busy, deletion)

    assert await vote == chat.PollState(seq, (), 0, (1,), closed=False)
    with pytest.raises(errors.MessageNotFound):
        await bob.vote("gone", seq, 2)
    assert len(await events(bob, "gone")) == 1


async def test_a_vote_counts_once(node: RunningNode) -> None:
    """A later one takes its place; one that changes nothing stores nothing."""
    await node.put_room("once", {"alice": "owner", "bob": "member", "carol": "member", "dan": "reader"})
    alice, bob, carol, dan = map(node.client, ("alice", "bob", "carol", "dan"))
    seq = (await alice.send("once", "When?", poll=chat.Poll(DAYS))).seq
    assert (await message(dan, "once", seq)).poll == chat.Poll(DAYS)
    assert await bob.vote("once", seq, 1) == chat.PollState(seq, (0, 1, 0), 1, (1,), closed=False)
    assert await carol.vote("once", seq, 2) == chat.PollState(seq, (0, 1, 1), 2, (2,), closed=False)
    again = [await bob.vote("once", seq, 1), await bob.vote("once", seq, 0), await bob.vote("once", seq)]
    assert [(state.counts, state.choices) for state in again] == [
        ((0, 1, 1), (1,)),
        ((1, 0, 1), (0,)),
        ((0, 0, 1), ()),
    ]
    assert await alice.vote("once", seq) == chat.PollState(seq, (0, 0, 1), 1, (), closed=False)
    told = await events(dan, "once")
    assert all(isinstance(each, chat.PollVoted) for each in told)
    assert [(each.actor_id, each.choices, each.counts, each.voters, each.message_seq) for each in told] == [
        ("bob", (1,), (0, 1, 0), 1, seq),
        ("carol", (2,), (0, 1, 1), 2, seq),
        ("bob", (0,), (1, 0, 1), 2, seq),
        ("bob", (), (0, 0, 1), 1, seq),
    ]
    assert await votes(dan, "once", seq) == [("carol", (2,))]
    assert list(await dan.polls("once", seq, seq + 1, 99)) == [seq]
    with pytest.raises(errors.PermissionDenied, match="you may not vote"):
        await dan.vote("once", seq, 1)
    # The vote of somebody who leaves counts all the same.
    await carol.leave_room("once")
    assert await votes(alice, "once", seq) == [("carol", (2,))]
    assert (await alice.polls("once", seq))[seq].counts == (0, 0, 1)


async def test_several_options_where_the_poll_allows_them(node: RunningNode) -> None:
    """And what is no vote is refused, with the entry that is wrong."""
    await node.put_room("several", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    one = (await alice.send("several", "Which?", poll=chat.Poll(("a", "b")))).seq
    many = (await alice.send("several", "Which?", poll=chat.Poll(DAYS, multiple=True))).seq
    plain = (await alice.send("several", "hello")).seq
    assert (await bob.vote("several", many, 2, 0)).counts == (1, 0, 1)
    assert (await alice.vote("several", many, 0, 1)).counts == (2, 1, 1)
    assert (await bob.vote("several", many, 0, 2)).voters == 2
    before = await events(alice, "several")
    for seq, choices, why in (
        (one, (0, 1), "choices must have at most one"),
        (one, (2,), r"choices\[0\] must be less than 2"),
        (many, (0, 2**31 - 1), r"choices\[1\] must be less than 3"),
        (many, (-1,), r"choices\[0\] must be 0 or more"),
        (many, (1, 1), r"choices\[1\] must not be given twice"),
        (many, tuple(range(21)), "choices must have 0 to 20 entries"),
    ):
        with pytest.raises(errors.InvalidRequest, match=why):
            await bob.vote("several", seq, *choices)
    for call in (bob.vote, bob.close_poll):
        with pytest.raises(errors.PollNotFound, match="not a poll"):
            await call("several", plain)
        for gone in (99, before[0].seq):
            with pytest.raises(errors.MessageNotFound):
                await call("several", gone)
    assert await events(alice, "several") == before


async def test_polls_that_are_none(node: RunningNode) -> None:
    """What is wrong with a poll is said before anything is stored; one that was stored is found again."""
    await node.put_room("wrong", {"alice": "owner"})
    alice = node.client("alice")
    now = datetime.now(UTC)
    for poll, why in (
        (chat.Poll(("a",)), "poll.options must have 2 to 20 entries"),
        (chat.Poll(tuple(map(str, range(21)))), "poll.options must have 2 to 20 entries"),
        (chat.Poll(("a", "a")), r"poll.options\[1\] must not be given twice"),
        (chat.Poll(("a", "")), r"poll.options\[1\] must not be empty"),
        (chat.Poll(("a", " \t")), r"poll.options\[1\] must not be only white space"),
        (chat.Poll(("a", "x" * 201)), r"poll.options\[1\] must be at most 200 bytes"),
        (chat.Poll(("a", "\0")), r"poll.options\[1\] must not have the character U\+0000"),
        (chat.Poll(DAYS, close_time=now - timedelta(seconds=1)), "close_time must be later than now"),
        (chat.Poll(DAYS, close_time=now + timedelta(days=367)), "close_time must be later than now"),
        (chat.Poll(DAYS, close_time=datetime(1, 1, 1, tzinfo=UTC)), "close_time must be a time from 1970"),
    ):
        with pytest.raises(errors.InvalidRequest, match=why):
            await alice.send("wrong", "When?", poll=poll)
    with pytest.raises(
        errors.InvalidRequest, match="text must not be empty where the message carries no files"
    ):
        await alice.send("wrong", "", poll=chat.Poll(DAYS))
    with pytest.raises(ValueError, match="time zone"):
        await alice.send("wrong", "When?", poll=chat.Poll(DAYS, close_time=datetime(2030, 1, 1)))  # noqa: DTZ001
    assert [each async for each in alice.history("wrong")] == []

    id_ = new_message_id()
    poll = chat.Poll(DAYS, close_time=now + timedelta(hours=1))
    sent = await alice.send("wrong", "When?", poll=poll, client_message_id=id_)
    assert (await alice.send("wrong", "When?", poll=poll, client_message_id=id_)).seq == sent.seq
    for other in (None, chat.Poll(DAYS), chat.Poll(DAYS, multiple=True, close_time=poll.close_time)):
        with pytest.raises(errors.ClientMessageIdReused):
            await alice.send("wrong", "When?", poll=other, client_message_id=id_)
    # The same again, when its time has come.
    node.node.system.polls._clock = lambda: now.timestamp() + 7200
    try:
        assert (await alice.send("wrong", "When?", poll=poll, client_message_id=id_)).seq == sent.seq
    finally:
        node.node.system.polls._clock = lambda: datetime.now(UTC).timestamp()
    with pytest.raises(errors.FailedPrecondition, match="a poll, which can't be edited"):
        await alice.edit("wrong", sent.seq, "Where?")


async def test_nobody_is_told_who_voted_for_what_in_an_anonymous_poll(node: RunningNode) -> None:
    """Nor how it stands before it is closed; then what each chose is forgotten."""
    await node.put_room("secret", {"alice": "owner", "bob": "member", "carol": "member"})
    alice, bob, carol = map(node.client, ("alice", "bob", "carol"))
    seq = (await alice.send("secret", "Who?", poll=chat.Poll(DAYS, anonymous=True))).seq
    assert await bob.vote("secret", seq, 1) == chat.PollState(seq, (), 1, (1,), closed=False)
    assert await bob.vote("secret", seq, 2) == chat.PollState(seq, (), 1, (2,), closed=False)
    assert (await bob.vote("secret", seq, 2)).voters == 1
    await carol.vote("secret", seq, 2)
    assert await alice.polls("secret", seq) == {seq: chat.PollState(seq, (), 2, (), closed=False)}
    told = await events(alice, "secret")
    assert [(each.actor_id, each.choices, each.counts, each.voters) for each in told] == [
        ("", (), (), 1),
        ("", (), (), 1),
        ("", (), (), 2),
    ]
    with pytest.raises(errors.PermissionDenied, match="anonymous"):
        await votes(alice, "secret", seq)
    # Not even which session it was.
    stored = rows(node, "SELECT session_id, payload FROM events WHERE room_id = 'secret' ORDER BY seq")[1:]
    assert [session_id for session_id, _ in stored] == ["", "", ""]
    assert not any(name in payload for _, payload in stored for name in (b"bob", b"carol"))
    assert rows(node, "SELECT user_id, choices, vote_time_us FROM poll_votes WHERE room_id = 'secret'") == [
        ("bob", 4, 0),
        ("carol", 4, 0),
    ]

    closed = await alice.close_poll("secret", seq)
    assert closed.poll
    assert closed.poll.result
    assert (closed.poll.result.counts, closed.poll.result.voters) == ((0, 0, 2), 2)
    assert closed.poll.result.closed_by == "alice"
    assert await bob.polls("secret", seq) == {seq: chat.PollState(seq, (0, 0, 2), 2, (), closed=True)}
    assert rows(node, "SELECT * FROM poll_votes WHERE room_id = 'secret'") == []


async def test_a_closed_poll_stays_as_it_is(node: RunningNode) -> None:
    """Its sender closes it, or an admin; twice is once."""
    await node.put_room("closed", {"alice": "owner", "bob": "member", "carol": "member", "dan": "admin"})
    alice, bob, carol, dan = map(node.client, ("alice", "bob", "carol", "dan"))
    seq = (await bob.send("closed", "When?", poll=chat.Poll(DAYS))).seq
    await carol.vote("closed", seq, 1)
    with pytest.raises(errors.PermissionDenied, match="you may not close other people's polls"):
        await carol.close_poll("closed", seq)
    first = await bob.close_poll("closed", seq)
    assert await dan.close_poll("closed", seq) == first == await message(carol, "closed", seq)
    for choices in ((0,), (1,), ()):
        with pytest.raises(errors.VotingClosed):
            await carol.vote("closed", seq, *choices)
    assert await votes(carol, "closed", seq) == [("carol", (1,))]
    assert await carol.polls("closed", seq) == {seq: chat.PollState(seq, (0, 1, 0), 1, (1,), closed=True)}
    *_, told = await events(dan, "closed")
    assert isinstance(told, chat.PollClosed)
    assert (told.actor_id, told.counts, told.voters, told.message_seq) == ("bob", (0, 1, 0), 1, seq)
    other = (await alice.send("closed", "Who?", poll=chat.Poll(DAYS))).seq
    with pytest.raises(errors.PermissionDenied, match="an owner of the room"):
        await dan.close_poll("closed", other)
    await carol.send("closed", "Where?", poll=chat.Poll(DAYS))
    assert (await dan.close_poll("closed", other + 1)).poll


async def test_polls_about_hidden_messages_are_hidden(node: RunningNode) -> None:
    """Live, in pages, and when asked for."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    hidden = (await alice.send(room, "hidden", poll=chat.Poll(DAYS))).seq
    await alice.vote(room, hidden, 0)
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)
    seen = (await alice.send(room, "seen", poll=chat.Poll(DAYS))).seq
    async with dan.subscribe(room, from_latest=True) as live:
        updates = live.updates()
        async with asyncio.timeout(20):
            while not isinstance(await anext(updates), chat.CaughtUp):
                pass
            await alice.vote(room, hidden, 1)
            await alice.close_poll(room, hidden)
            await alice.vote(room, seen, 2)
            while not isinstance(told := await anext(updates), chat.PollVoted | chat.PollClosed):
                pass
    assert isinstance(told, chat.PollVoted)
    assert told.message_seq == seen
    assert [each.message_seq for each in await events(dan, room)] == [seen]
    assert list(await dan.polls(room, hidden, seen)) == [seen]
    with pytest.raises(errors.MessageNotFound):
        await votes(dan, room, hidden)
    for call in (dan.vote, dan.close_poll):
        with pytest.raises(errors.MessageNotFound):
            await call(room, hidden)


async def test_a_poll_closes_when_its_time_comes() -> None:
    """Once, also if no server ran then; later votes are refused even before that is done."""
    async with running_node("alice", "bob", network=False, limits=QUICK) as node:
        await node.put_room("timed", {"alice": "owner", "bob": "member"})
        alice, bob = node.client("alice"), node.client("bob")
        soon = datetime.now(UTC) + timedelta(milliseconds=250)
        seqs = [
            (await alice.send("timed", "When?", poll=chat.Poll(DAYS, anonymous=which, close_time=soon))).seq
            for which in (False, True)
        ]
        for seq in seqs:
            await bob.vote("timed", seq, 1)
        # What is stored is told; the last to be stored is what is waited for.
        ended = "SELECT 1 FROM polls WHERE close_time_us IS NULL"
        await until(lambda: len(rows(node, ended)) == 2)
        closed = [each for each in await events(bob, "timed") if isinstance(each, chat.PollClosed)]
        assert [(each.actor_id, each.counts) for each in closed] == [("", (0, 1, 0))] * 2
        assert all(each.create_time >= soon for each in closed)

        # Nothing closes this one, but its time comes.
        store: Any = node.node.system.committer._store
        clock = store._clock
        later = datetime.now(UTC) + timedelta(hours=1)
        seq = (await alice.send("timed", "When?", poll=chat.Poll(DAYS, close_time=later))).seq
        await bob.vote("timed", seq, 0)
        store._clock = lambda: clock() + 3_700_000_000
        with pytest.raises(errors.VotingClosed):
            await bob.vote("timed", seq, 2)
        assert len(await events(alice, "timed")) == 5
        store._clock = clock
        await node.stop()
        with closing(sqlite3.connect(node.config.data / "chat.db")) as database, database:
            database.execute("UPDATE polls SET close_time_us = 1 WHERE close_time_us IS NOT NULL")
        await node.start()
        await until(lambda: len(rows(node, ended)) == 3)
        *_, last = await events(node.client("alice"), "timed")
        assert isinstance(last, chat.PollClosed)
        assert (last.message_seq, last.counts) == (seq, (1, 0, 0))
        assert await node.node.system.poll_closing.close_due() == 0
        assert len(await events(node.client("alice"), "timed")) == 6


async def test_a_poll_goes_with_its_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options, votes and counts; nothing closes it later."""
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    data = tmp_path / "data"
    secret = "an option that nobody should read again"

    def found() -> bool:
        return any(secret.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())

    async with running_node("alice", "bob", data=data, network=False, limits=QUICK) as node:
        await node.put_room("gone", {"alice": "owner", "bob": "member"})
        alice, bob = node.client("alice"), node.client("bob")
        later = datetime.now(UTC) + timedelta(hours=1)
        poll = chat.Poll((secret, "b"), close_time=later)
        seq = (await alice.send("gone", "When?", poll=poll)).seq
        await bob.vote("gone", seq, 0)
        # The write-ahead log may be written back to the database between the two being read.
        await until(found)
        await alice.delete("gone", seq)
        assert rows(node, "SELECT * FROM polls UNION ALL SELECT 1, 2, 3, 4, 5 FROM poll_votes") == []
        assert (await message(bob, "gone", seq)).poll is None
        assert await bob.polls("gone", seq) == {}
        for call in (bob.vote, bob.close_poll):
            with pytest.raises(errors.MessageNotFound):
                await call("gone", seq)
        await until(lambda: not found())
