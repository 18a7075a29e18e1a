"""Invites, over the API."""

from __future__ import annotations

import pytest

from grpc_chat.core.caller import Caller
from grpc_chat.core.members import Members
from grpc_chat.errors import InviteNotValid, LimitExceeded
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb


async def test_an_invite_that_is_used_up_is_no_longer_listed_and_takes_no_place() -> None:
    """A server and a room whose invites were all used can go on inviting."""
    async with running_node(accounts=True, limits={"invites_per_room": 2}, network=False) as node:
        alice = await node.register("alice", admin=True)
        room = await alice.create_room("plans")
        for name in ("bob", "carol", "dave"):
            invite = await alice.create_invite(room.room_id, max_uses=1, allows_registration=True)
            listed = [invite.invite_id async for invite in alice.invites(room.room_id)]
            await (await node.register(name)).join_room(invite=invite.code)

            assert listed == [invite.invite_id]
        assert [invite async for invite in alice.invites(room.room_id)] == []
        # Those by which everybody here has registered; the one for the first account nobody took.
        assert [invite.uses async for invite in alice.admin.invites()] == [0]

        for _ in range(2):
            await alice.create_invite(room.room_id)
        with pytest.raises(LimitExceeded):
            await alice.create_invite(room.room_id)


async def test_rooms_and_the_server_keep_no_more_invites_than_they_may_have() -> None:
    """Used up or over, the oldest make room: as many as there may be are kept, for those who ask again."""
    async with running_node(accounts=True, limits={"invites_per_room": 2}, network=False) as node:
        alice, bob = await node.register("alice", admin=True), await node.register("bob")
        room = await alice.create_room("plans")
        codes = []
        for _ in range(5):
            codes.append((await alice.create_invite(room.room_id, max_uses=1)).code)
            await bob.join_room(invite=codes[-1])
            await bob.leave_room(room.room_id)
        # Each has let in an account.
        for name in ("carol", "dave", "erin"):
            await node.register(name)

        left = await node.node.readers.run(
            lambda snapshot: [snapshot.invites_of(of) for of in (room.room_id, "")]
        )
        assert left[0] == 2
        assert left[1] <= 2
        # Those that still let somebody in are not touched.
        for _ in range(2):
            await alice.create_invite(room.room_id)
        with pytest.raises(LimitExceeded):
            await alice.create_invite(room.room_id)


async def test_joining_again_by_the_invite_that_let_one_in_is_no_error() -> None:
    """An answer that was lost is asked for again; the invite may have been used up by then."""
    async with running_node(accounts=True, network=False) as node:
        alice = await node.register("alice", admin=True)
        bob, carol = await node.register("bob"), await node.register("carol")
        room = await alice.create_room("plans")
        invite = await alice.create_invite(room.room_id, max_uses=1)

        first = await bob.join_room(invite=invite.code)
        again = await bob.join_room(invite=invite.code)
        with pytest.raises(InviteNotValid):
            await carol.join_room(invite=invite.code)

        assert first == again
        assert again.member_count == 2


async def test_who_is_removed_right_after_joining_is_told_that_they_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer is from the moment of joining: the room was there, and the join stands in its log."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob = await node.register("alice", admin=True), await node.register("bob")
        room = await alice.create_room("plans")
        invite = await alice.create_invite(room.room_id)
        join = Members.join

        async def join_and_be_removed(
            members: Members, caller: Caller, request: pb.JoinRoomRequest
        ) -> pb.Room:
            joined = await join(members, caller, request)
            await alice.remove_member(room.room_id, "bob")
            return joined

        monkeypatch.setattr(Members, "join", join_and_be_removed)

        joined = await bob.join_room(invite=invite.code)

        assert (joined.room_id, joined.name, joined.role) == (room.room_id, "plans", "member")
        assert [member.user.user_id async for member in alice.members(room.room_id)] == ["alice"]


async def test_clients_are_told_the_address_that_links_name() -> None:
    """The one that the server's settings say."""
    async with running_node(accounts=True, public_address="chat.example.org", network=False) as node:
        alice = await node.register("alice")

        info = await alice.server_info()

        assert info.public_address == f"chat.example.org:{node.node.port}"
