"""Search as a client uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from grpc_chat.errors import FailedPrecondition, InvalidRequest
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb


async def test_a_client_finds_messages() -> None:
    async with running_node(accounts={"registration": "invite"}, network=False) as node:
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
    async with running_node(
        accounts={"registration": "invite"}, search={"enabled": False}, network=False
    ) as node:
        await node.register("alice")
        alice = await node.log_in("alice")
        with pytest.raises(FailedPrecondition, match="no search"):
            await anext(alice.search("x"))


async def test_pages_of_long_messages_are_short() -> None:
    """Whatever was asked for, in both orders; together they have every message once."""
    async with running_node("one", network=False, limits={"calls_per_second": 0}) as node:
        one = node.client("one")
        await node.put_room("long", {"one": "owner"})
        sent = [(await one.send("long", f"needle{at} " + "hay " * 15_000)).seq for at in range(40)]
        for order in (pb.SEARCH_ORDER_NEWEST, pb.SEARCH_ORDER_BEST):
            request = pb.SearchMessagesRequest(room_id="long", terms=["needle"], page_size=500, order=order)
            found: list[int] = []
            sizes: list[int] = []
            while True:
                page = await one._repeat("MessageService/SearchMessages", request, pb.SearchMessagesResponse)
                found += [hit.event.seq for hit in page.hits]
                sizes.append(page.ByteSize())
                assert all(list(hit.highlights) == [pb.TextRange(start=0, end=6)] for hit in page.hits)
                request.page_token = page.next_page_token
                if not request.page_token:
                    break
            assert sorted(found) == sent
            assert len(sizes) == 3
            assert max(sizes) < 1024 * 1024 + 2000
