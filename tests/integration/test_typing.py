"""Who is typing: told at once, to members alone, and kept nowhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat.testing import running_node
from tests.support import until

SIX = timedelta(seconds=6)


class Follower:
    """Reads a subscription all the time."""

    def __init__(self, client: chat.Client, *rooms: str, signals: bool = True) -> None:
        self.got: list[Any] = []
        self._subscription = client.subscribe(*rooms, signals=signals)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for update in self._subscription.updates():
            self.got.append(update)

    async def until(self, *updates: object) -> None:
        await until(lambda: all(update in self.got for update in updates))

    @property
    def caught_up(self) -> bool:
        return chat.CaughtUp() in self.got

    @property
    def typing(self) -> list[chat.Typing]:
        return [update for update in self.got if isinstance(update, chat.Typing)]

    async def aclose(self) -> None:
        await self._subscription.aclose()
        await self._task


async def follow(client: chat.Client, *rooms: str, signals: bool = True) -> Follower:
    follower = Follower(client, *rooms, signals=signals)
    await until(lambda: follower.caught_up)
    return follower


async def test_others_see_who_is_typing_until_they_stop_or_send() -> None:
    """As objects among the updates, for those who ask; who iterates over messages sees nothing of it."""
    async with running_node("ann", "ben", "cat", network=False) as node:
        ann, ben, cat = (node.client(user) for user in ("ann", "ben", "cat"))
        watching, plain = await follow(ben, "general"), await follow(cat, "general", signals=False)
        own = await follow(node.client("ann"), "general")

        await ann.typing("general", thread_root=7)
        await watching.until(chat.Typing("general", "ann", SIX, 7))
        await ann.typing("general", stopped=True)
        await watching.until(chat.Typing("general", "ann", timedelta(0)))
        await ann.typing("general")
        await until(lambda: len(watching.typing) == 3)
        sent = await ann.send("general", "done")
        await until(lambda: any(getattr(update, "seq", 0) == sent.seq for update in watching.got))
        await until(lambda: any(getattr(update, "seq", 0) == sent.seq for update in plain.got))
        assert plain.typing == own.typing == []

        # Nothing is kept: who comes later is told of no typing, and the log has none.
        late = await follow(node.client("ben"), "general")
        await ann.send("general", "again")
        await until(lambda: any(getattr(update, "text", "") == "again" for update in late.got))
        assert late.typing == []
        assert [event.text async for event in ann.history("general")] == ["done", "again"]


async def test_only_who_may_write_may_type() -> None:
    """With the same answer as a message; a room that one is not in does not exist."""
    async with running_node(accounts={"adding": "anyone"}, network=False) as node:
        ann, ben, eve = [await node.register(user) for user in ("ann", "ben", "eve")]
        room = await ann.create_room("plans")
        for client in (ben, eve):
            with pytest.raises(chat.RoomNotFound):
                await client.typing(room.room_id)
        await ann.add_member(room.room_id, "ben", role="reader")
        with pytest.raises(chat.PermissionDenied):
            await ben.typing(room.room_id)
        direct = await ann.direct_room("eve")
        await eve.typing(direct.room_id)
        await ann.block("eve")
        with pytest.raises(chat.NotAccepted):
            await eve.typing(direct.room_id)
        with pytest.raises(chat.UserBlocked):
            await ann.typing(direct.room_id)


async def test_a_large_room_is_not_told() -> None:
    """The call goes well: clients need not know how many members there are."""
    async with running_node("ann", "ben", "cat", network=False, limits={"signal_room_members": 2}) as node:
        ann, watching = node.client("ann"), await follow(node.client("ben"), "general")
        await ann.typing("general")
        await node.put_room("small", {"ann": "member", "ben": "member"})
        small = await follow(node.client("ben"), "small")
        await ann.typing("small")
        await small.until(chat.Typing("small", "ann", SIX))
        assert watching.typing == []


async def test_a_flood_is_refused_before_anything_is_read() -> None:
    """It costs its sender's rate; the messages of all go on, each once."""
    async with running_node("ann", "ben", network=False, limits={"signals_burst": 3}) as node:
        ann, ben = node.client("ann"), await follow(node.client("ben"), "general")
        reads = 0
        run = node.node.readers.run

        async def counting(read: Any) -> Any:
            nonlocal reads
            reads += 1
            return await run(read)

        node.node.readers.run = counting  # type: ignore[method-assign]
        refused = 0
        for number in range(100):
            try:
                await ann.typing("general")
            except chat.RateLimited:
                refused += 1
            if number % 10 == 0:
                await ann.send("general", f"message {number}")
        await until(lambda: sum(isinstance(update, chat.Message) for update in ben.got) == 10)
        assert refused >= 90
        assert reads <= 10
        # As many responses as there were messages and signals that were let pass, and the first two.
        assert node.node.metrics.totals.responses <= 10 + (100 - refused) + 2


async def test_what_a_request_must_be() -> None:
    """Named with its field."""
    async with running_node("ann", network=False) as node:
        ann = node.client("ann")
        with pytest.raises(chat.InvalidRequest) as refused:
            await ann.typing("general", thread_root=-1)
        assert refused.value.field == "thread_root"
