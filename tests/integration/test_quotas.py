"""What one user does uses nothing up that another one needs: the table of docs/topics/quotas.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

import grpc_chat as chat
from grpc_chat.core import rooms
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls, Reply
from tests.memory import Mostly

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class SmallServer:
    """A server on which there may be few of everything."""

    node: RunningNode
    calls: Calls
    stack: AsyncExitStack
    made: int = 0

    async def people(self, *names: str) -> list[chat.Client]:
        """New ones, whose ids begin with these."""
        self.made += 1
        return [await self.node.register(f"{name}{self.made}x") for name in names]

    async def ask(self, client: chat.Client, method: str, request: Message) -> Reply:
        return await self.calls(method, request, client.token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[SmallServer]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(
            running_node(
                accounts={
                    "adding": "anyone",
                    "bots": 2,
                    "access_tokens": 2,
                    "sessions": 3,
                    "password_waiting": 4,
                },
                limits={
                    "rooms_per_user": 3,
                    "added_rooms_per_user": 2,
                    "invitations_per_user": 4,
                    "invitations_of_one": 2,
                    "invites_per_room": 2,
                },
                subscribe={"consumers_per_user": 2, "streams_per_user": 2},
            )
        )
        yield SmallServer(node, await stack.enter_async_context(Mostly(node)), stack)


async def id_of(client: chat.Client) -> str:
    return (await client.me()).user_id


async def refused(asked: Any) -> str:
    """What something is refused with."""
    with pytest.raises(chat.ChatError) as error:
        await asked
    return error.value.code


async def test_rooms_that_others_bring_one_into_are_not_ones_own(server: SmallServer) -> None:
    """Added, invited or written to by many, one makes and joins as many rooms as ever."""
    [victim] = await server.people("victim")
    victim_id = await id_of(victim)
    for _ in range(3):
        [mallory] = await server.people("mallory")
        for at in range(2):
            room = await mallory.create_room(f"trap {at}")
            await mallory.add_member(room.room_id, victim_id)
            offer = pb.SetMemberRoleRequest(room_id=room.room_id, user_id=victim_id, role=pb.ROLE_OWNER)
            offered = (await server.ask(mallory, "RoomService/SetMemberRole", offer)).reason
            # From the third on they are only invited.
            assert offered in ("OK", "USER_NOT_FOUND")
        await mallory.direct_room(victim_id)

    for at in range(3):
        await victim.create_room(f"own {at}")

    assert await refused(victim.create_room("one more")) == "LIMIT_EXCEEDED"
    for room in [room async for room in victim.rooms() if room.kind != "direct"][1:]:
        await victim.leave_room(room.room_id)
    [friend] = await server.people("friend")
    await victim.direct_room(await id_of(friend))


async def test_invitations_of_one_leave_room_for_those_of_others(server: SmallServer) -> None:
    """However many accounts somebody has, a further person's invitation reaches the one who is asked."""
    victim, friend = await server.people("victim", "friend")
    victim_id = await id_of(victim)
    await victim.update_profile(adding="nobody")
    for _ in range(3):
        [mallory] = await server.people("mallory")
        asked = []
        for at in range(3):
            room = await mallory.create_room(f"trap {at}")
            request = pb.AddMemberRequest(room_id=room.room_id, user_id=victim_id)
            asked.append((await server.ask(mallory, "RoomService/AddMember", request)).reason)
        assert asked == ["OK", "OK", "LIMIT_EXCEEDED"]

    room = await friend.create_room("welcome")
    await friend.add_member(room.room_id, victim_id)

    found = [invitation.room_id async for invitation in victim.invitations()]
    assert room.room_id in found
    assert len(found) == 4


async def test_bots_that_are_offered_are_not_ones_own(server: SmallServer) -> None:
    """Nobody's bots count for somebody who has not taken them."""
    victim, mallory = await server.people("victim", "mallory")
    victim_id = await id_of(victim)
    for at in range(2):
        await mallory.create_bot(f"gift{server.made}x{at}")
        await mallory.offer_bot(f"gift{server.made}x{at}", victim_id)

    for at in range(2):
        await victim.create_bot(f"own{server.made}x{at}")

    assert await refused(victim.accept_bot(f"gift{server.made}x0")) == "LIMIT_EXCEEDED"


async def test_what_an_account_has_of_its_own_is_its_own(server: SmallServer) -> None:
    """Sessions, tokens, consumers and streams: one at every limit, and the other does all of it."""
    people = await server.people("mallory", "victim")
    [room] = [await people[0].create_room(f"common {server.made}", public=True)]
    await people[1].join_room(room.room_id)
    cursor = pb.Cursor(room_id=room.room_id, seq=1, epoch=room.epoch)
    for client in people:
        for at in range(2):
            await client.create_access_token(f"t{at}", scopes=["read"])
            reply = await server.ask(
                client,
                "SubscribeService/Acknowledge",
                pb.AcknowledgeRequest(consumer=f"c{at}", cursors=[cursor]),
            )
            assert reply.reason == "OK"
            stream = server.calls.subscribe(client.token, all_rooms=True)
            server.stack.push_async_callback(stream.aclose)
            await stream.until_caught_up()
        assert await refused(client.create_access_token("t")) == "LIMIT_EXCEEDED"
        further = pb.AcknowledgeRequest(consumer="c", cursors=[cursor])
        assert (await server.ask(client, "SubscribeService/Acknowledge", further)).reason == "LIMIT_EXCEEDED"
        following = pb.SubscribeRequest(all_rooms=True)
        assert (await server.ask(client, "SubscribeService/Subscribe", following)).reason == "LIMIT_EXCEEDED"
    mallory_id = await id_of(people[0])
    for _ in range(4):
        await server.node.log_in(mallory_id)
    assert await id_of(people[1])


async def test_invites_and_bans_of_one_admin_are_in_no_others_way(server: SmallServer) -> None:
    """Who uses a room's invites up can be undone by every other admin; bans have no number to use up."""
    owner, mallory, friend = await server.people("owner", "mallory", "friend")
    room = await owner.create_room("common")
    for other in (mallory, friend):
        await owner.add_member(room.room_id, await id_of(other), role="admin")
    made = [await mallory.create_invite(room.room_id) for _ in range(2)]
    for at in range(5):
        [banned] = await server.people(f"banned{at}")
        await mallory.ban_member(room.room_id, await id_of(banned))

    assert await refused(friend.create_invite(room.room_id)) == "LIMIT_EXCEEDED"
    await friend.revoke_invite(room.room_id, made[0].invite_id)
    await friend.create_invite(room.room_id)
    [stranger] = await server.people("stranger")
    await friend.ban_member(room.room_id, await id_of(stranger))
    assert len([ban async for ban in owner.bans(room.room_id)]) == 6


async def test_changing_ones_password_keeps_nobody_out(server: SmallServer) -> None:
    """Many changes at once of one account take one place in the queue of all who log in."""
    mallory, victim = await server.people("mallory", "victim")
    victim_id = await id_of(victim)
    change = pb.ChangePasswordRequest(current_password=PASSWORD, new_password=PASSWORD)

    changing = [
        asyncio.create_task(server.ask(mallory, "AuthService/ChangePassword", change)) for _ in range(20)
    ]
    logins = await asyncio.gather(*[server.node.log_in(victim_id) for _ in range(2)])

    assert len(logins) == 2
    assert {(await reply).reason for reply in changing} == {"OK", "RATE_LIMITED"}
    assert (await server.ask(mallory, "AuthService/ChangePassword", change)).reason == "OK"


async def test_a_password_is_being_changed_until_the_new_one_is_stored(
    server: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right password is not called wrong because another change of it is about to be stored."""
    [mallory] = await server.people("mallory")
    change = pb.ChangePasswordRequest(current_password=PASSWORD, new_password=PASSWORD)
    committer = server.node.node.system.committer
    transact, reached, stored = committer.transact, asyncio.Event(), asyncio.Event()

    async def held(*args: Any, **options: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await stored.wait()
        return await transact(*args, **options)

    monkeypatch.setattr(committer, "transact", held)
    first = asyncio.create_task(server.ask(mallory, "AuthService/ChangePassword", change))
    await reached.wait()
    second = await server.ask(mallory, "AuthService/ChangePassword", change)
    stored.set()

    assert second.reason == "RATE_LIMITED"
    assert (await first).reason == "OK"


async def test_deleting_much_keeps_nobody_waiting(
    server: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs go in pieces, one at a time; a small room of somebody else's is gone before many long ones are."""
    mallory, victim = await server.people("mallory", "victim")
    monkeypatch.setattr(rooms, "_PURGE_EVENTS", 2)
    order: list[str] = []
    purge = SqlTransaction.purge

    def noted(self: SqlTransaction, limit: int, room_id: str = "") -> bool:
        order.append(room_id)
        return purge(self, limit, room_id)

    monkeypatch.setattr(SqlTransaction, "purge", noted)
    long = [await mallory.create_room(f"long {at}") for at in range(2)]
    for room in long:
        await asyncio.gather(*[mallory.send(room.room_id, str(at)) for at in range(30)])
    small = await victim.create_room("small")

    deleting = [
        asyncio.create_task(mallory.delete_room(room.room_id, confirm_name=room.name)) for room in long
    ]
    await asyncio.wait(deleting, return_when=asyncio.FIRST_COMPLETED, timeout=0.001)
    await victim.delete_room(small.room_id, confirm_name="small")

    assert not all(task.done() for task in deleting)
    await asyncio.gather(*deleting)
    # Its pieces came among the others', not after them.
    last = len(order) - 1 - order[::-1].index(small.room_id)
    assert last < len(order) - 10


async def test_calls_are_counted_for_who_makes_them() -> None:
    """Somebody who has used their calls up takes none of another's."""
    limits = {"calls_per_second": 0.001, "calls_burst": 12}
    async with running_node(accounts=True, limits=limits) as node, Mostly(node) as calls:
        mallory, victim = await node.register("mallory"), await node.register("victim")
        me = pb.GetMeRequest()

        answers = [(await calls("AuthService/GetMe", me, mallory.token)).reason for _ in range(15)]

        assert answers[-1] == "RATE_LIMITED"
        assert (await calls("AuthService/GetMe", me, victim.token)).reason == "OK"
