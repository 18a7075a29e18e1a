"""The same promises, as the programs of users see them: random histories of clients with a real server.

Connections are cut, answers lost, the server restarted and old messages removed, and the clients are left to
mend it all. Every send is answered in the end, so the answers say what the log is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from grpc_chat import (
    Client,
    Connected,
    Cursor,
    Disconnected,
    Gap,
    Message,
    Sent,
    Subscription,
    new_message_id,
)
from grpc_chat.testing import FaultyProxy, running_node
from tests.property.histories import ASKED, histories
from tests.store_writes import truncate
from tests.support import until

T = TypeVar("T")

ROOM = "general"
USERS = ("ann", "ben", "cat")
PATIENCE = 20.0

# They take a few seconds, but not on a machine with other things to do; and more are asked for by HISTORIES.
pytestmark = pytest.mark.timeout(0 if ASKED else 300)

ANY = st.integers(0, 1000)

# Small, so that anyone who does not read for a while is behind, and a consumer soon has to wait.
BOUNDS = {
    "tail_bytes": 600,
    "response_bytes": 400,
    "window": 8,
    "heartbeat": 0.2,
    "reconnect_spread": 0.02,
}


class Reader:
    """What one subscription handed out, or several ones, each of which went on where the last one was."""

    def __init__(self, client: Client, user: str, consumer: str) -> None:
        self.user = user
        self.consumer = consumer
        self.subscription: Subscription | None = None
        self.got: list[tuple[int, str]] = []
        self.gaps: list[tuple[int, int]] = []
        self._client = client
        self._cursor = Cursor(ROOM)

    async def open(self, window: int = 0) -> None:
        """Begin, or come back: with a cursor that one has kept, or with the consumer's name alone."""
        if self.consumer:
            subscription = self._client.subscribe(consumer=self.consumer, max_unacknowledged=window)
        else:
            subscription = self._client.subscribe(self._cursor)
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await subscription.next(), Connected | Disconnected)
        self.subscription = subscription

    async def leave(self) -> None:
        assert self.subscription
        async with asyncio.timeout(PATIENCE):
            if self.consumer:
                await self.subscription.acknowledge()
            await self.subscription.aclose()
        self._cursor = self.subscription.cursors.get(ROOM, self._cursor)
        self.subscription = None

    async def read(self) -> None:
        """One message, or a gap."""
        assert self.subscription
        async with asyncio.timeout(PATIENCE):
            while True:
                match await self.subscription.next():
                    case Message() as message:
                        self.got.append((message.seq, message.text))
                        return
                    case Gap() as gap:
                        self.gaps.append((gap.from_seq, gap.to_seq))
                        return

    @property
    def seq(self) -> int:
        return max([seq for seq, _ in self.got] + [seq for _, seq in self.gaps], default=0)


class Clients(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.resources = AsyncExitStack()
        self.clients: dict[str, Client] = {}
        self.sending: list[asyncio.Task[Sent]] = []
        self.sent: dict[str, tuple[str, str, Sent]] = {}
        """By client_message_id: who, what, and where it is."""
        self.readers: list[Reader] = []
        self.removed = 0
        self.said = 0
        self._run(self._start())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _start(self) -> None:
        enter = self.resources.enter_async_context
        settings: dict[str, Any] = {"subscribe": BOUNDS, "stop_grace": 0.5}
        self.node = await enter(running_node(*USERS, **settings))
        self.proxy = await enter(FaultyProxy(self.node.address))
        for user in USERS:
            self.clients[user] = self.node.client(user, address=self.proxy.address)

    # Sending

    @rule(user=st.sampled_from(USERS), count=st.integers(1, 12), wait=st.booleans())
    def send(self, user: str, count: int, wait: bool) -> None:
        """Many at once; the next thing may happen before they are answered."""

        async def send() -> None:
            for _ in range(count):
                self.said += 1
                text = f"{self.said} {'x' * (self.said * 37 % 90)}"
                self.sending.append(asyncio.create_task(self._send(user, text, new_message_id())))
            await (asyncio.wait(self.sending) if wait else asyncio.sleep(0))

        self._run(send())

    async def _send(self, user: str, text: str, message_id: str) -> Sent:
        sent = await self.clients[user].send(ROOM, text, client_message_id=message_id, timeout=None)
        first = self.sent.setdefault(message_id, (user, text, sent))
        assert first == (user, text, sent), "a repeated send was stored again"
        return sent

    @precondition(lambda self: self.sent)
    @rule(at=ANY)
    def send_again(self, at: int) -> None:
        message_id = list(self.sent)[at % len(self.sent)]
        user, text, sent = self.sent[message_id]
        if sent.seq > self.removed:
            self._run(self._again(user, text, message_id))

    async def _again(self, user: str, text: str, message_id: str) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._send(user, text, message_id)

    # Reading

    @rule(
        user=st.sampled_from(USERS),
        consumer=st.sampled_from(["", "", "phone", "bot"]),
        window=st.integers(0, 3),
    )
    def follow(self, user: str, consumer: str, window: int) -> None:
        if len(self.readers) >= 5 or any((r.user, r.consumer) == (user, consumer) for r in self.readers):
            return
        self.readers.append(Reader(self.clients[user], user, consumer))
        self._run(self.readers[-1].open(window))

    @precondition(lambda self: self.readers)
    @rule(at=ANY, count=st.integers(1, 20))
    def read(self, at: int, count: int) -> None:
        """As many as there are, if there are not so many."""
        reader = self.readers[at % len(self.readers)]
        if reader.subscription is None:
            return

        async def read() -> None:
            await self._all_answered()
            for _ in range(count):
                if self._owed(reader):
                    await reader.read()

        self._run(read())

    def _owed(self, reader: Reader) -> list[int]:
        """What it must still get, unless it was removed."""
        return [s.seq for user, _, s in self.sent.values() if user != reader.user and s.seq > reader.seq]

    @precondition(lambda self: self.readers)
    @rule(at=ANY, window=st.integers(0, 3))
    def leave_or_come_back(self, at: int, window: int) -> None:
        reader = self.readers[at % len(self.readers)]
        self._run(reader.leave() if reader.subscription else reader.open(window))

    # Accidents

    @rule()
    def connections_are_cut(self) -> None:
        self.proxy.cut()

    @rule(count=st.integers(1, 3))
    def answers_are_lost(self, count: int) -> None:
        self.proxy.lose_answers(count)

    @rule()
    def server_is_restarted(self) -> None:
        self._run(self.node.restart())

    @precondition(lambda self: len(self.sent) > 10)
    @rule(keep=st.integers(0, 10))
    def old_messages_are_removed(self, keep: int) -> None:
        async def remove() -> None:
            await self._all_answered()
            self.removed = max(self.removed, len(self.sent) - keep)
            await self.node.node.committer.commit(truncate(ROOM, self.removed + 1))

        self._run(remove())

    # The end

    async def _all_answered(self) -> None:
        if self.sending:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*self.sending)
        self.sending.clear()

    def teardown(self) -> None:
        try:
            self._run(self._heal())
            self._check()
        finally:
            self._run(self.resources.aclose())
            self.runner.close()

    async def _heal(self) -> None:
        self.proxy.heal()
        await self._all_answered()
        for reader in self.readers:
            if reader.subscription is None:
                await reader.open()
            while self._owed(reader):
                await reader.read()
        history = self.clients["ann"].history(ROOM)
        self.history = [(message.seq, message.text) async for message in history]
        await until(lambda: self.node.node.committer.waiting == 0)

    def _check(self) -> None:
        """Every answer stands for one place in the log, and every reader got every place but its own."""
        log = {sent.seq: (user, text) for user, text, sent in self.sent.values()}
        assert sorted(log) == list(range(1, len(self.sent) + 1))
        assert self.history == [(seq, log[seq][1]) for seq in range(self.removed + 1, len(log) + 1)]
        for reader in self.readers:
            gone = {seq for first, last in reader.gaps for seq in range(first, last + 1)}
            assert all(seq <= self.removed for seq in gone), "a gap where nothing is gone"
            got = [seq for seq, _ in reader.got]
            others = [seq for seq in sorted(log) if log[seq][0] != reader.user and seq not in gone]
            assert got == others
            assert reader.got == [(seq, log[seq][1]) for seq in others]


TestClients = Clients.TestCase
TestClients.settings = histories(8, steps=20)
