"""Reports of messages: who makes them, who sees them, what becomes of them."""

from __future__ import annotations

import time
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import reports
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb

QUICK = {"calls_per_second": 0, "adds_per_second": 0, "reports_per_hour": 0}
Seen = list[tuple[int, str, str, str]]


async def seen(client: chat.Client, room: str) -> Seen:
    return [
        (each.message_seq, each.sender_id, each.user_id, each.reason) async for each in client.reports(room)
    ]


async def all_seen(client: chat.Client) -> list[tuple[str, int, str]]:
    return [(each.room_id, each.message_seq, each.user_id) async for each in client.server_reports()]


async def test_reports_reach_those_who_run_the_room() -> None:
    """Nobody else sees them, and no sender sees those of their own messages."""
    people = ("olga", "adam", "mia", "rob", "sam")
    async with running_node(*people, network=False, limits=QUICK) as node:
        roles = dict(zip(people, ("owner", "admin", "member", "reader", "member"), strict=True))
        await node.put_room("r", roles)
        olga, adam, mia, rob, sam = map(node.client, people)
        spam = (await sam.send("r", "spam")).seq
        worse = (await adam.send("r", "worse")).seq
        head = (await olga.room("r")).last_seq
        await mia.report("r", spam, "spam")
        await rob.report("r", spam)
        await mia.report("r", spam, "again")
        await mia.report("r", worse, "rude")
        assert await seen(olga, "r") == [
            (spam, "sam", "mia", "spam"),
            (spam, "sam", "rob", ""),
            (worse, "adam", "mia", "rude"),
        ]
        assert await seen(adam, "r") == (await seen(olga, "r"))[:2]
        for client in (mia, rob, sam):
            with pytest.raises(errors.PermissionDenied):
                await seen(client, "r")
            with pytest.raises(errors.PermissionDenied):
                await client.resolve_report("r", spam)
        # Nothing of it is in the log.
        assert (await olga.room("r")).last_seq == head
        assert await adam.resolve_report("r", worse) == 0
        assert await adam.resolve_report("r", spam) == 2
        assert await adam.resolve_report("r", spam) == 0
        assert await seen(olga, "r") == [(worse, "adam", "mia", "rude")]
        await olga.delete("r", worse)
        assert await seen(olga, "r") == []
        with pytest.raises(errors.InvalidRequest, match="of your own"):
            await sam.report("r", spam)
        for wrong in (worse, worse + 1, 999):
            with pytest.raises(errors.MessageNotFound):
                await mia.report("r", wrong)
        with pytest.raises(errors.InvalidRequest, match="reason must be at most 512 bytes"):
            await mia.report("r", spam, "x" * 513)


async def test_a_hidden_message_is_not_found_by_reporting_it() -> None:
    """It looks like none."""
    async with running_node("olga", "mia", network=False, limits=QUICK) as node:
        olga, mia = node.client("olga"), node.client("mia")
        room = (await olga.create_room("since", history="since_join")).room_id
        hidden = (await olga.send(room, "hidden")).seq
        await mia.join_room(invite=(await olga.create_invite(room)).code)
        for seq in (hidden, 999):
            with pytest.raises(errors.MessageNotFound, match="no such message in this room"):
                await mia.report(room, seq)


async def test_administrators_see_that_there_are_reports() -> None:
    """Of all rooms, direct ones too, without what was said; not of their own messages."""
    async with running_node(network=False, accounts=True, limits=QUICK) as node:
        root = await node.register("root", admin=True)
        mia, sam = await node.register("mia"), await node.register("sam")
        room = (await sam.create_room("r")).room_id
        for client in (mia, root):
            await client.join_room(invite=(await sam.create_invite(room)).code)
        said = (await sam.send(room, "said")).seq
        own = (await root.send(room, "own")).seq
        direct = await sam.send("@mia", "direct")
        await mia.report(room, said)
        await mia.report(room, own)
        await mia.report("@sam", direct.seq, "in private")
        expected = sorted([(room, said, "mia"), (direct.room_id, direct.seq, "mia")])
        assert await all_seen(root) == expected
        for client in (mia, sam):
            with pytest.raises(errors.PermissionDenied):
                await all_seen(client)
        with pytest.raises(errors.RoomNotFound):
            await root.room(direct.room_id)
        assert await root.resolve_server_report(direct.room_id, direct.seq) == 1
        assert await root.resolve_server_report(room, own) == 0
        assert await all_seen(root) == [(room, said, "mia")]


async def test_reports_are_few_and_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a room, of a user in an hour, and for so long."""
    monkeypatch.setattr(reports, "MOST_OF_ROOM", 2)
    limits = QUICK | {"reports_per_hour": 20}
    async with running_node("olga", "mia", "sam", network=False, limits=limits) as node:
        await node.put_room("r", {"olga": "owner", "mia": "member", "sam": "member"})
        olga, mia, sam = map(node.client, ("olga", "mia", "sam"))
        seqs = [(await olga.send("r", f"{at}")).seq for at in range(3)]
        for seq in seqs[:2]:
            await mia.report("r", seq)
        with pytest.raises(errors.LimitExceeded, match="2 reports"):
            await sam.report("r", seqs[2])
        for _ in range(17):
            await mia.report("r", seqs[0])
        call = (
            "/chat.v1.ModerationService/ReportMessage",
            pb.ReportMessageRequest(room_id="r", seq=seqs[0]),
            pb.ReportMessageResponse,
        )
        # Of the 20 that mia may make, one is left. The client would wait for more.
        await mia._link.call(*call)
        with pytest.raises(errors.RateLimited, match="reports"):
            await mia._link.call(*call)
        store: Any = node.node.system.committer._store
        clock = store._clock
        assert await node.node.system.reports.expire() == 0
        store._clock = lambda: clock() + 91 * 86_400 * 1_000_000
        monkeypatch.setattr(node.node.system.reports, "_clock", lambda: time.time() + 91 * 86_400)
        assert await node.node.system.reports.expire() == 2
