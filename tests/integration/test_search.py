"""Search as a client uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grpc_chat.errors import FailedPrecondition, InvalidRequest
from grpc_chat.testing import running_node


async def test_a_client_finds_messages() -> None:
    async with running_node(accounts={"registration": "invite"}) as node:
        await node.register("alice")
        alice = await node.log_in("alice")
        plans, other = await alice.create_room("plans"), await alice.create_room("other")
        for number in range(3):
            await alice.send(plans.room_id, f"Das Café, Tisch {number}")
        await alice.send(other.room_id, "cafeteria \x1b[31m 東京都")

        found = [hit async for hit in alice.search("cafe")]
        assert [hit.message.text[slice(*hit.highlights[0])] for hit in found] == [
            "cafe",
            "Café",
            "Café",
            "Café",
        ]
        assert [hit.message.text[-1] async for hit in alice.search("CAFE", room="plans", limit=2)] == [
            "2",
            "1",
        ]
        assert [hit.message.room_id async for hit in alice.search("京都")] == [other.room_id]
        assert [hit async for hit in alice.search("cafe", excluded=["das"])] == found[:1]
        later = datetime.now(UTC) + timedelta(hours=1)
        assert [hit async for hit in alice.search("cafe", since=later)] == []
        assert [hit async for hit in alice.search("cafe", before=later, best=True)] == found[1:] + found[:1]
        with pytest.raises(InvalidRequest, match="terms"):
            await anext(alice.search())


async def test_a_server_can_have_no_search() -> None:
    async with running_node(accounts={"registration": "invite"}, search={"enabled": False}) as node:
        await node.register("alice")
        alice = await node.log_in("alice")
        with pytest.raises(FailedPrecondition, match="no search"):
            await anext(alice.search("x"))
