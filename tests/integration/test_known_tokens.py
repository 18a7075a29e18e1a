"""Tokens that the server knows by heart: how many, for how long, and when they were used."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.core.sessions import Sessions
from grpc_chat.errors import StoreFull
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls
from tests.memory import Mostly

IDLE = timedelta(hours=1)


@dataclass
class Hall:
    """A server that knows three tokens by heart, and whose clock is set by hand."""

    node: RunningNode
    calls: Calls
    alice: chat.Client
    now: float
    sessions: Any
    """The server's."""
    looked_up: int = 0

    async def come_in(self, token: str) -> str:
        return (await self.calls("AuthService/GetMe", pb.GetMeRequest(), token)).reason


@pytest_asyncio.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hall]:
    made: list[Hall] = []
    servers: list[Sessions] = []
    begun = time.time()
    looks = Sessions._read

    async def counted(self: Sessions, key: bytes, now: float) -> Any:
        if made:
            made[0].looked_up += 1
        return await looks(self, key, now)

    def clock() -> float:
        return made[0].now if made else begun

    def sessions(*given: Any, **named: Any) -> Sessions:
        servers.append(Sessions(*given, **named | {"clock": clock, "max_known": 3}))
        return servers[-1]

    monkeypatch.setattr(Sessions, "_read", counted)
    monkeypatch.setattr("grpc_chat.core.system.Sessions", sessions)
    async with running_node(accounts={"session_idle": IDLE}) as node, Mostly(node) as calls:
        made.append(Hall(node, calls, await node.register("alice"), begun, servers[0]))
        yield made[0]


async def test_few_tokens_are_known_by_heart_and_none_that_has_ended(hall: Hall) -> None:
    """Those that were learnt first go, without a trace; whichever ends is refused, known or not."""
    others = [await hall.node.log_in("alice") for _ in range(5)]
    for other in (*others, others[0], hall.alice):
        assert await hall.come_in(other.token) == "OK"
        assert len(hall.sessions._known) == len(hall.sessions._tokens) <= 3
    ids = [(await other.session()).session_id for other in others]
    assert set(ids) < set(hall.sessions._used), "that somebody was there is kept, until it is saved"
    assert await hall.come_in(others[4].token) == "OK"
    assert ids[4] in hall.sessions._tokens
    assert ids[1] not in hall.sessions._tokens

    for at in (4, 1):
        assert await hall.alice.revoke_sessions(ids[at]) == 1
        assert ids[at] not in {*hall.sessions._tokens, *hall.sessions._used}
        assert await hall.come_in(others[at].token) == "UNAUTHENTICATED"
    assert len(hall.sessions._known) == len(hall.sessions._tokens)


async def test_a_use_that_could_not_be_saved_is_saved_later(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the disk full for a while, nobody is logged out for not having been there."""
    started = (await hall.alice.session()).last_used_time
    hall.now += 600
    assert await hall.come_in(hall.alice.token) == "OK"

    async def full(*_: Any, **__: Any) -> None:
        raise StoreFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(hall.sessions._committer, "transact", full)
        with pytest.raises(StoreFull):
            await hall.sessions.save()
    # A later use of another session does not take the place of the one that is to be saved.
    other = await hall.node.log_in("alice")
    assert await hall.come_in(other.token) == "OK"
    await hall.sessions.save()
    # What is kept, not what is known by heart.
    with hall.sessions._readers._store.snapshot() as snapshot:
        kept = {session.session_id: session for session in snapshot.sessions("alice", after=None, limit=9)}
    first = kept[(await hall.alice.session()).session_id]
    assert started is not None
    assert first.last_used_us >= (started.timestamp() + 500) * 1_000_000
    assert not set(hall.sessions._used) - {first.session_id}


async def test_a_token_of_a_program_stays_known_however_long_it_is_not_used(hall: Hall) -> None:
    """Logins end when they lie unused, and are looked up again; programs' tokens neither."""
    program = (await hall.alice.create_access_token("program")).token
    room = await hall.alice.create_room("room")
    stream = hall.calls.subscribe(program, pb.Cursor(room_id=room.room_id))
    await stream.until_caught_up()
    await hall.sessions.save()
    hall.looked_up = 0
    for _ in range(2):
        hall.now += 2 * IDLE.total_seconds()
        assert await hall.come_in(program) == "OK"
    assert hall.looked_up == 0
    assert await hall.come_in(hall.alice.token) == "SESSION_ENDED"
    await stream.aclose()
