"""Whom a person wants nothing from, and who may reach whom: what becomes of it, and what it tells."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

import grpc_chat as chat
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.presence import Presence
from grpc_chat.sdk.choices import AnyAudience
from grpc_chat.store.base import Transaction
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls, Reply
from tests.memory import Mostly
from tests.statements import statements
from tests.store_writes import set_role

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class OpenServer:
    """A server on which everyone may write to everyone who is found by their id."""

    node: RunningNode
    calls: Calls
    stack: AsyncExitStack
    made: int = 0

    async def person(self, name: str) -> chat.Client:
        """Somebody new, whose id begins with this."""
        self.made += 1
        return await self.node.register(f"{name}{self.made:03d}x")

    async def people(self, *names: str) -> list[chat.Client]:
        return [await self.person(name) for name in names]

    async def bot(self, owner: chat.Client) -> chat.Client:
        """A new bot of somebody's."""
        self.made += 1
        name = f"bot{self.made:03d}x"
        await owner.create_bot(name)
        token = (await owner.create_access_token("run", bot_id=name)).token
        return await self.stack.enter_async_context(chat.Client(self.node.address, token=token))

    async def ask(self, client: chat.Client, method: str, request: Message) -> Reply:
        return await self.calls(method, request, client.token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OpenServer]:
    async with AsyncExitStack() as stack:
        # Nothing is read but what is asked for: some of these tests compare the statements of a call.
        stack.enter_context(mock.patch.object(Presence, "tell", mock.AsyncMock()))
        node = await stack.enter_async_context(running_node(accounts=True, search={"enabled": False}))
        await node.register("admin", admin=True)
        yield OpenServer(node, await stack.enter_async_context(Mostly(node)), stack)


async def id_of(client: chat.Client) -> str:
    return (await client.me()).user_id


def sending(room_id: str, text: str = "hello", id_: str = "") -> pb.SendMessagesRequest:
    message = pb.OutgoingMessage(room_id=room_id, client_message_id=id_ or str(uuid4()), text=text)
    return pb.SendMessagesRequest(messages=[message])


SEND = "MessageService/SendMessages"
DIRECT = "RoomService/GetDirectRoom"


async def test_one_who_is_blocked_can_neither_write_nor_begin(server: OpenServer) -> None:
    """Until the block ends; the person who made it is told so, and what was said before stays."""
    bob, mallory = await server.people("bob", "mallory")
    bob_id, mallory_id = await id_of(bob), await id_of(mallory)
    room_id = (await mallory.direct_room(bob_id)).room_id
    await mallory.send(room_id, "before")

    block = await bob.block(mallory_id)

    assert block.user.user_id == mallory_id
    assert await bob.block(mallory_id) == block
    assert [found async for found in bob.blocks()] == [block]
    assert [found async for found in mallory.blocks()] == []
    with pytest.raises(chat.NotAccepted) as refused:
        await mallory.send(room_id, "after")
    assert refused.value.metadata == {"userId": bob_id}
    with pytest.raises(chat.UserBlocked, match="end the block"):
        await bob.send(room_id, "after")
    # The room is still there for both, with what was said.
    assert (await mallory.direct_room(bob_id)).room_id == room_id
    assert [m.text async for m in mallory.history(room_id) if isinstance(m, chat.Message)] == ["before"]

    await bob.unblock(mallory_id)

    await mallory.send(room_id, "again")
    with pytest.raises(chat.UserNotFound):
        await bob.unblock(mallory_id)


async def test_a_new_direct_room_takes_that_neither_has_blocked_the_other(server: OpenServer) -> None:
    """The own block is told; it hides the other's."""
    bob, mallory = await server.people("bob", "mallory")
    bob_id, mallory_id = await id_of(bob), await id_of(mallory)
    await bob.block(mallory_id)

    with pytest.raises(chat.NotAccepted):
        await mallory.direct_room(bob_id)
    with pytest.raises(chat.UserBlocked):
        await bob.direct_room(mallory_id)
    await mallory.block(bob_id)
    with pytest.raises(chat.UserBlocked):
        await mallory.direct_room(bob_id)
    await bob.unblock(mallory_id)
    with pytest.raises(chat.NotAccepted):
        await bob.direct_room(mallory_id)
    assert not [room async for room in bob.rooms()] + [room async for room in mallory.rooms()]


async def test_a_block_can_not_be_told_from_a_setting(server: OpenServer) -> None:
    """Byte by byte and statement by statement, whatever the one who is blocked asks."""
    mallory = await server.person("mallory")
    answers: dict[str, list[tuple[Any, ...]]] = {}
    for how in ("blocked", "nobody", "both", "shared"):
        bob, carol = await server.people("bob", "bob")
        bob_id, carol_id = await id_of(bob), await id_of(carol)
        room_id = (await mallory.direct_room(bob_id)).room_id
        for client in (bob, carol):
            if how != "nobody":
                await client.block(await id_of(mallory))
            if how != "blocked":
                await client.update_profile(direct_messages="shared_room" if how == "shared" else "nobody")
        asks: list[tuple[str, Message, str]] = [
            (SEND, sending(room_id), "NOT_ACCEPTED"),
            (DIRECT, pb.GetDirectRoomRequest(user_id=carol_id), "NOT_ACCEPTED"),
            (DIRECT, pb.GetDirectRoomRequest(user_id=bob_id), "OK"),
            ("AuthService/GetUser", pb.GetUserRequest(user_id=bob_id), "OK"),
            ("RoomService/ListMembers", pb.ListMembersRequest(room_id=room_id), "OK"),
            ("RoomService/GetRoom", pb.GetRoomRequest(room_id=room_id), "OK"),
        ]
        told: list[tuple[Any, ...]] = []
        for method, request, reason in asks:
            with statements() as seen:
                reply = await server.ask(mallory, method, request)
            assert reply.reason == reason, (how, method)
            # Their names and rooms are of one length; times are not compared.
            whole = repr(reply.status).encode() + (b"" if "Room" in method else reply.response)
            for name, star in ((bob_id, b"B"), (carol_id, b"C"), (room_id, b"R")):
                whole = whole.replace(name.encode(), star)
            told.append((method, whole, seen))
        answers[how] = told
    assert answers["blocked"] == answers["nobody"] == answers["both"] == answers["shared"]


async def test_a_block_covers_the_bots_of_both(server: OpenServer) -> None:
    """Those that the one who is blocked owns now, and the blocker's own; of a bot, it alone."""
    bob, mallory, carol = await server.people("bob", "mallory", "carol")
    bots, of_bob = [await server.bot(mallory) for _ in range(2)], await server.bot(bob)
    bob_id, bots_ids, of_bob_id = await id_of(bob), [await id_of(bot) for bot in bots], await id_of(of_bob)
    await bob.block(await id_of(mallory))

    for client in (mallory, *bots):
        for other in (bob_id, of_bob_id):
            with pytest.raises(chat.NotAccepted):
                await client.direct_room(other)
    await mallory.offer_bot(bots_ids[0], await id_of(carol))
    await carol.accept_bot(bots_ids[0])
    token = (await carol.create_access_token("run", bot_id=bots_ids[0])).token
    reply = await server.calls(DIRECT, pb.GetDirectRoomRequest(user_id=bob_id), token)
    assert reply.reason == "OK"

    await bob.unblock(await id_of(mallory))
    await bob.block(bots_ids[1])
    with pytest.raises(chat.NotAccepted):
        await bots[1].direct_room(bob_id)
    await mallory.direct_room(bob_id)


async def test_what_was_sent_before_the_block_stands(server: OpenServer) -> None:
    """A message sent again with its id is answered as the first time; another content is refused."""
    bob, mallory = await server.people("bob", "mallory")
    room_id = (await mallory.direct_room(await id_of(bob))).room_id
    id_ = str(uuid4())
    first = await server.ask(mallory, SEND, sending(room_id, "once", id_))
    await bob.block(await id_of(mallory))

    again = await server.ask(mallory, SEND, sending(room_id, "once", id_))

    assert again == first
    assert (await server.ask(mallory, SEND, sending(room_id, "twice", id_))).reason == "NOT_ACCEPTED"
    # Together with something for a room that is open to them: all or nothing.
    own = await mallory.create_room("own")
    both = pb.SendMessagesRequest(messages=[*sending(own.room_id).messages, *sending(room_id).messages])
    assert (await server.ask(mallory, SEND, both)).reason == "NOT_ACCEPTED"
    assert (await mallory.room(own.room_id)).last_seq == own.last_seq


async def test_sends_and_a_block_at_once_have_one_order(server: OpenServer) -> None:
    """What is stored comes before all that is refused, also within one transaction."""
    bob, mallory = await server.people("bob", "mallory")
    room_id = (await mallory.direct_room(await id_of(bob))).room_id
    block = pb.CreateBlockRequest(user_id=await id_of(mallory))

    asked = [server.ask(mallory, SEND, sending(room_id, str(at))) for at in range(40)]
    asked.insert(20, server.ask(bob, "AuthService/CreateBlock", block))
    replies = await asyncio.gather(*asked)

    stored = [r.read(pb.SendMessagesResponse) for r in replies if r.reason == "OK" and r is not replies[20]]
    assert replies[20].reason == "OK"
    assert {r.reason for r in replies} <= {"OK", "NOT_ACCEPTED"}
    assert (await bob.room(room_id)).last_seq == 1 + len(stored)
    assert (await server.ask(mallory, SEND, sending(room_id))).reason == "NOT_ACCEPTED"


async def test_in_rooms_of_many_a_block_hides_nothing(server: OpenServer) -> None:
    """Both go on reading one another there."""
    bob, mallory = await server.people("bob", "mallory")
    room = await bob.create_room(f"together {server.made}", public=True)
    await mallory.join_room(room.room_id)
    await bob.block(await id_of(mallory))

    sent = await mallory.send(room.room_id, "to all")

    assert (await bob.send(room.room_id, "also to all")).seq == sent.seq + 1
    texts = [m.text async for m in bob.history(room.room_id) if isinstance(m, chat.Message)]
    assert texts == ["to all", "also to all"]


async def test_nobody_but_who_made_it_is_told_of_a_block(server: OpenServer) -> None:
    """No stream, no list, no log of either's rooms, and no administrator."""
    bob, mallory = await server.people("bob", "mallory")
    room = await bob.create_room(f"common {server.made}", public=True)
    await mallory.join_room(room.room_id)
    direct = await mallory.direct_room(await id_of(bob))
    stream = server.calls.subscribe(mallory.token, all_rooms=True, include_own=True)
    try:
        await stream.until_caught_up()
        await bob.block(await id_of(mallory))
        mark = (await bob.send(room.room_id, "after it")).seq
        await stream.until_got(room.room_id, mark)
        assert not stream.left
        assert (await mallory.room(direct.room_id)).last_seq == direct.last_seq
    finally:
        await stream.aclose()
    admin = await server.node.log_in("admin")
    for client, method, request in (
        (mallory, "AuthService/ListBlocks", pb.ListBlocksRequest()),
        (admin, "AuthService/ListBlocks", pb.ListBlocksRequest()),
    ):
        reply = await server.ask(client, method, request)
        assert (reply.reason, reply.response) == ("OK", b"")


async def test_a_bot_that_somebody_blocked_offers_is_no_offer(server: OpenServer) -> None:
    """It is refused as one that was never made; its owner sees what any owner of an offered bot sees."""
    bob, mallory, carol = await server.people("bob", "mallory", "carol")
    bots = [await id_of(await server.bot(mallory)) for _ in range(2)]
    await bob.block(await id_of(mallory))

    offered = await mallory.offer_bot(bots[0], await id_of(bob))

    assert offered.offered_to_id == await id_of(bob)
    assert (await mallory.offer_bot(bots[1], await id_of(carol))).offered_to_id == await id_of(carol)
    taking = [pb.AcceptBotRequest(user_id=bot) for bot in bots]
    hidden, none = [await server.ask(bob, "AuthService/AcceptBot", request) for request in taking]
    assert hidden.reason == none.reason == "USER_NOT_FOUND"
    assert hidden.details.replace(bots[0].encode(), b"") == none.details.replace(bots[1].encode(), b"")
    await bob.unblock(await id_of(mallory))
    await bob.accept_bot(bots[0])


async def test_who_may_write_is_what_the_person_says(server: OpenServer) -> None:
    """Anyone, people met in a private room, or nobody; existing direct rooms go by it, too."""
    bob, friend, stranger = await server.people("bob", "friend", "stranger")
    bob_id = await id_of(bob)
    room = await bob.create_room("private")
    invite = await bob.create_invite(room.room_id)
    await friend.join_room(invite=invite.code)
    rooms = {client: (await client.direct_room(bob_id)).room_id for client in (friend, stranger)}
    may: dict[AnyAudience | Literal[""], tuple[bool, bool]] = {
        "anyone": (True, True),
        "shared_room": (True, False),
        "nobody": (False, False),
        "": (True, True),
    }

    for chosen, expected in may.items():
        changed = await bob.update_profile(direct_messages=chosen)

        assert changed.privacy
        assert changed.privacy.direct_messages == chosen
        assert changed.privacy.effective_direct_messages == (chosen or "anyone")
        assert (await bob.me()).privacy == changed.privacy
        assert changed.display_name == bob_id
        got = [(await server.ask(c, SEND, sending(r))).reason == "OK" for c, r in rooms.items()]
        assert tuple(got) == expected
        assert (await bob.send(rooms[stranger], "mine")).seq, "the own choice is about others"


async def test_a_bots_privacy_is_its_owners_to_say(server: OpenServer) -> None:
    """Others see nothing of it. A bot and its owner reach one another whatever is chosen."""
    bob, stranger = await server.people("bob", "stranger")
    bot = await server.bot(bob)
    bot_id, bob_id = await id_of(bot), await id_of(bob)

    changed = await bob.update_profile(adding="nobody", direct_messages="nobody", bot_id=bot_id)
    await bob.update_profile(direct_messages="nobody")

    assert changed.privacy
    assert (changed.privacy.adding, changed.privacy.direct_messages) == ("nobody", "nobody")
    assert [found.privacy async for found in bob.bots()] == [changed.privacy]
    assert (await bot.me()).privacy == changed.privacy
    for seen in (
        await stranger.user(bot_id),
        await stranger.user(bob_id),
        await bob.user(await id_of(stranger)),
    ):
        assert seen.privacy is None
    with pytest.raises(chat.NotAccepted):
        await stranger.direct_room(bot_id)
    room = await bot.direct_room(bob_id)
    await bot.send(room.room_id, "done")
    await bob.send(room.room_id, "thanks")
    with pytest.raises(chat.UserNotFound):
        await stranger.update_profile(adding="anyone", bot_id=bot_id)


async def test_a_profile_is_changed_in_what_the_mask_names_alone(server: OpenServer) -> None:
    """As before, a request without a mask changes the name."""
    bob = await server.person("bob")
    await bob.update_profile(display_name="Bob", adding="nobody")

    method = "AuthService/UpdateProfile"
    unknown = pb.UpdateProfileRequest.FromString(b"\x18\x09")
    unknown.update_mask.paths.append("adding")
    for request, field in (
        (pb.UpdateProfileRequest(), "display_name"),
        (pb.UpdateProfileRequest(adding=pb.AUDIENCE_NOBODY), "display_name"),
        (pb.UpdateProfileRequest(update_mask=FieldMask(paths=["adding", "display_name"])), "display_name"),
        (pb.UpdateProfileRequest(update_mask=FieldMask(paths=["kind"])), "update_mask.paths[0]"),
        (unknown, "adding"),
    ):
        reply = await server.ask(bob, method, request)
        assert reply.reason == "INVALID_REQUEST"
        assert field.encode() in reply.details
    named = pb.UpdateProfileRequest(display_name="Bobby", adding=pb.AUDIENCE_ANYONE)
    told = (await server.ask(bob, method, named)).read(pb.UpdateProfileResponse).user
    assert (told.display_name, told.privacy.adding) == ("Bobby", pb.AUDIENCE_NOBODY)


async def test_nobody_is_found_by_blocking_them() -> None:
    """Where people are found by a shared room, who is hidden and who is not there have one answer."""
    limits = {"blocks_per_user": 2}
    async with (
        running_node(accounts={"finding": "shared_room"}, limits=limits, search={"enabled": False}) as node,
        Mostly(node) as calls,
    ):
        bob, mallory = await node.register("bob"), await node.register("mallory")
        for name in ("hidden", "missing-too"):
            await node.register(name)
        room = await bob.create_room("common", public=True)
        await mallory.join_room(room.room_id)

        async def block(user_id: str) -> tuple[Reply, list[str]]:
            with statements() as seen:
                reply = await calls(
                    "AuthService/CreateBlock", pb.CreateBlockRequest(user_id=user_id), bob.token
                )
            return reply, seen

        await block("hidden")
        (hidden, asked), (missing, asked_too) = await block("hidden"), await block("nobody")
        assert hidden.reason == missing.reason == "USER_NOT_FOUND"
        assert hidden.details.replace(b"hidden", b"") == missing.details.replace(b"nobody", b"")
        assert asked == asked_too
        assert (await block("bob"))[0].reason == "INVALID_REQUEST"

        # Who is blocked stays so, in sight or not.
        await bob.block("mallory")
        await mallory.leave_room(room.room_id)
        await bob.block("mallory")
        for name in ("one", "two"):
            other = await node.register(f"other-{name}")
            await other.join_room(room.room_id)
        await bob.block("other-one")
        with pytest.raises(chat.LimitExceeded, match="2 users"):
            await bob.block("other-two")
        await bob.block("other-one")
        await bob.unblock("mallory")
        await bob.block("other-two")


ADD = "RoomService/AddMember"


async def test_an_invitation_to_one_who_has_blocked_its_maker_looks_as_any(server: OpenServer) -> None:
    """To its maker and the room, byte by byte and statement by statement; the one who is asked has none."""
    mallory = await server.person("mallory")
    told: dict[str, list[tuple[Any, ...]]] = {}
    for how in ("blocked", "met", "nobody"):
        bob = await server.person("bob")
        bob_id = await id_of(bob)
        room_id = (await mallory.create_room("plans")).room_id
        await bob.update_profile(adding="shared_room" if how == "met" else "nobody")
        if how == "met":
            # Without the block it would happen at once.
            met = await mallory.create_room("met")
            await bob.join_room(invite=(await mallory.create_invite(met.room_id)).code)
        if how != "nobody":
            await bob.block(await id_of(mallory))
        answers: list[tuple[Any, ...]] = []
        for method, request in (
            (ADD, pb.AddMemberRequest(room_id=room_id, user_id=bob_id, reason="come")),
            (ADD, pb.AddMemberRequest(room_id=room_id, user_id=bob_id, reason="come")),
            ("RoomService/ListRoomInvitations", pb.ListRoomInvitationsRequest(room_id=room_id)),
            ("MessageService/ListMessages", pb.ListMessagesRequest(room_id=room_id)),
            ("RoomService/WithdrawInvitation", pb.WithdrawInvitationRequest(room_id=room_id, user_id=bob_id)),
            (ADD, pb.AddMemberRequest(room_id=room_id, user_id=bob_id)),
        ):
            with statements() as seen:
                reply = await server.ask(mallory, method, request)
            assert reply.reason == "OK"
            fields = _without_times(reply, method)
            for name, star in ((bob_id, "B"), (room_id, "R")):
                fields = fields.replace(name, star)
            answers.append((method, fields, seen))
        told[how] = answers
        found = [invitation async for invitation in bob.invitations()]
        assert len(found) == (how == "nobody")
        for method, answer in (
            ("RoomService/AcceptInvitation", pb.AcceptInvitationRequest(room_id=room_id)),
            ("RoomService/DeclineInvitation", pb.DeclineInvitationRequest(room_id=room_id)),
        ):
            if how != "nobody":
                assert (await server.ask(bob, method, answer)).reason == "INVITATION_NOT_FOUND"
    assert told["blocked"] == told["met"] == told["nobody"]


def _without_times(reply: Reply, method: str) -> str:
    """All that an answer says, but when."""
    response: Any = reply.read(getattr(pb, f"{method.rpartition('/')[2]}Response"))
    text = re.sub(r"create_time \{[^}]*\}", "", str(response))
    return re.sub(r'(epoch|next_page_token|previous_page_token): "[^"]*"', "", text)


async def test_invitations_that_wait_vanish_with_the_block(server: OpenServer) -> None:
    """Anyone who asks again when the block has ended is heard again."""
    bob, mallory = await server.people("bob", "mallory")
    bob_id = await id_of(bob)
    room = await mallory.create_room("plans")
    await mallory.add_member(room.room_id, bob_id)
    assert [invitation.room_id async for invitation in bob.invitations()] == [room.room_id]

    await bob.block(await id_of(mallory))

    assert [invitation async for invitation in bob.invitations()] == []
    accepting = pb.AcceptInvitationRequest(room_id=room.room_id)
    reply = await server.ask(bob, "RoomService/AcceptInvitation", accepting)
    assert reply.reason == "INVITATION_NOT_FOUND"
    listing = pb.ListRoomInvitationsRequest(room_id=room.room_id)
    told = await server.ask(mallory, "RoomService/ListRoomInvitations", listing)
    assert len(told.read(pb.ListRoomInvitationsResponse).invitations) == 1
    await bob.unblock(await id_of(mallory))
    await mallory.add_member(room.room_id, bob_id)
    assert [invitation.room_id async for invitation in bob.invitations()] == [room.room_id]


async def test_one_who_blocks_leaves_the_rooms_they_were_put_into(server: OpenServer) -> None:
    """By the one who is blocked or a bot of theirs; none that would be without an owner."""
    bob, mallory, carol = await server.people("bob", "mallory", "carol")
    bob_id, bot = await id_of(bob), await server.bot(mallory)
    await bob.update_profile(adding="anyone")
    rooms = {}
    for name, adder in (("by mallory", mallory), ("by the bot", bot), ("by carol", carol), ("kept", mallory)):
        rooms[name] = (await adder.create_room(name)).room_id
        await adder.add_member(rooms[name], bob_id)
    rooms["own"] = (await bob.create_room("own")).room_id
    rooms["by invite"] = (await mallory.create_room("by invite")).room_id
    await bob.join_room(invite=(await mallory.create_invite(rooms["by invite"])).code)
    direct = (await mallory.direct_room(bob_id)).room_id

    def make_owner(transaction: Transaction) -> None:
        set_role(transaction, rooms["kept"], bob_id, pb.ROLE_OWNER)

    await server.node.node.committer.transact(SYSTEM, make_owner)
    await carol.join_room(invite=(await mallory.create_invite(rooms["kept"])).code)
    await mallory.leave_room(rooms["kept"])

    block = await bob.block(await id_of(mallory), leave_rooms=True)

    assert (block.left_rooms, block.kept_room_ids) == (2, (rooms["kept"],))
    still = {room.room_id async for room in bob.rooms()}
    assert still == {rooms[name] for name in ("by carol", "kept", "own", "by invite")} | {direct}
    again = await bob.block(await id_of(mallory), leave_rooms=True)
    assert (again.left_rooms, again.kept_room_ids) == (0, (rooms["kept"],))


async def test_people_are_reached_at_a_rate() -> None:
    """By adding, inviting, offering and writing alike, bots included; what reaches nobody is free."""
    limits = {"adds_burst": 4, "adds_per_second": 0.001}
    async with (
        running_node(accounts={"adding": "anyone"}, limits=limits, search={"enabled": False}) as node,
        Mostly(node) as calls,
    ):
        alice, bob = await node.register("alice"), await node.register("bob")
        for name in ("carol", "dave", "erin"):
            await node.register(name)
        room = (await alice.create_room("plans")).room_id
        await alice.create_bot("robot")
        token = (await alice.create_access_token("run", bot_id="robot")).token

        async def reach(method: str, request: Message, who: str = "") -> Reply:
            return await calls(method, request, who or alice.token)

        adding = pb.AddMemberRequest(room_id=room, user_id="robot", role=pb.ROLE_ADMIN)
        assert (await reach(ADD, adding)).reason == "OK", "the own bot is nobody else"
        carol = pb.AddMemberRequest(room_id=room, user_id="carol")
        for _ in range(5):
            assert (await reach(ADD, carol)).reason == "OK"
        offer = pb.SetMemberRoleRequest(room_id=room, user_id="carol", role=pb.ROLE_OWNER)
        for _ in range(3):
            assert (await reach("RoomService/SetMemberRole", offer)).reason == "OK"
        direct = pb.GetDirectRoomRequest(user_id="bob")
        for _ in range(3):
            assert (await reach(DIRECT, direct)).reason == "OK"
        wrong = pb.AddMemberRequest(room_id=room, user_id="nobody")
        assert (await reach(ADD, wrong)).reason == "USER_NOT_FOUND"
        dave = pb.AddMemberRequest(room_id=room, user_id="dave")
        assert (await reach(ADD, dave, token)).reason == "OK"
        before = (await alice.room(room)).last_seq

        erin = pb.AddMemberRequest(room_id=room, user_id="erin")
        for who in (alice.token, token):
            refused = await reach(ADD, erin, who)
            assert refused.reason == "RATE_LIMITED"
            assert b"RetryInfo" in refused.details
            again = await reach(DIRECT, pb.GetDirectRoomRequest(user_id="erin"), who)
            assert again.reason == "RATE_LIMITED"

        # Nothing was written; whom one has reached one still reaches, and others are not concerned.
        assert (await alice.room(room)).last_seq == before
        assert (await reach(DIRECT, direct)).reason == (await reach(ADD, carol)).reason == "OK"
        demoting = pb.SetMemberRoleRequest(room_id=room, user_id="dave", role=pb.ROLE_READER)
        assert (await reach("RoomService/SetMemberRole", demoting)).reason == "OK"
        await bob.direct_room("erin")
