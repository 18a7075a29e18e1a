"""The directory of people: who is in it, for whom."""

from __future__ import annotations

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

QUICK = {"calls_per_second": 0, "adds_per_second": 0}


async def found(client: chat.Client, query: str = "") -> list[str]:
    return [user.user_id async for user in client.people(query)]


async def with_people(node: RunningNode) -> tuple[chat.Client, chat.Client]:
    """Alice, who shares a room with Bob, and Carol, who shares none. Alice administers the server."""
    alice = await node.register("alice", admin=True)
    bob, carol, mallory = [await node.register(name) for name in ("bob", "carol", "mallory")]
    await alice.update_profile(display_name="Alice Élan")
    await bob.update_profile(display_name="Robert the bo'sun")
    await alice.create_bot("alice.robot")
    room = await alice.create_room("r")
    await alice.add_member(room.room_id, "alice.robot")
    for client in (bob, mallory):
        await client.join_room(invite=(await alice.create_invite(room.room_id)).code)
    await mallory.block("alice")
    return alice, carol


@pytest.mark.parametrize(
    ("settings", "sees", "stranger_sees"),
    [
        ({}, ["alice", "bob", "mallory"], ["carol"]),
        ({"directory": "anyone"}, ["alice", "bob", "carol", "mallory"], ["alice", "bob", "carol", "mallory"]),
        ({"directory": "anyone", "finding": "shared_room"}, ["alice", "bob", "mallory"], ["carol"]),
    ],
)
async def test_who_is_listed(settings: dict[str, str], sees: list[str], stranger_sees: list[str]) -> None:
    """By the server's setting; no bots, and no accounts that are blocked."""
    async with running_node(network=False, accounts=settings or True, limits=QUICK) as node:
        alice, carol = await with_people(node)
        assert await found(alice) == sees
        assert await found(carol) == stranger_sees
        await alice.admin.block_user("mallory")
        assert await found(alice) == [name for name in sees if name != "mallory"]


async def test_what_a_query_finds() -> None:
    """The beginning of an id, or of a word of a name, in any case and spelling."""
    async with running_node(network=False, accounts={"directory": "anyone"}, limits=QUICK) as node:
        alice, _ = await with_people(node)
        for query, expected in (
            ("b", ["bob"]),
            ("B", ["bob"]),
            ("ob", []),
            ("rob", ["bob"]),
            ("the", ["bob"]),
            ("bo'", ["bob"]),
            ("a", ["alice"]),
            ("ali", ["alice"]),
            ("alice e", []),
            ("%", []),
            ("_", []),
            ("nobody", []),
        ):
            assert await found(alice, query) == expected, query
        with pytest.raises(errors.InvalidRequest, match="query must"):
            await found(alice, "x" * 65)


async def test_a_server_may_have_no_directory() -> None:
    """And one that has it is not read over and over."""
    async with running_node(network=False, accounts={"directory": "nobody"}, limits=QUICK) as node:
        alice = await node.register("alice")
        with pytest.raises(errors.PermissionDenied, match="no directory"):
            await found(alice)
    few = {**QUICK, "people_per_minute": 3}
    async with running_node("alice", "bob", network=False, limits=few) as node:
        alice = node.client("alice")
        node.node.system.people._rate._buckets._clock = lambda: 0.0
        call = ("/chat.v1.AuthService/ListPeople", pb.ListPeopleRequest())
        for _ in range(3):
            await alice._link.call(*call, pb.ListPeopleResponse)
        with pytest.raises(errors.RateLimited, match="pages of the directory"):
            await alice._link.call(*call, pb.ListPeopleResponse)
