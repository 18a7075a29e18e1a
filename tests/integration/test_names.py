"""What rooms and people may be called, over the API."""

from __future__ import annotations

import pytest

from grpc_chat.errors import FailedPrecondition, InvalidRequest, RoomExists
from grpc_chat.testing import PASSWORD, running_node

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


async def test_a_room_may_be_called_like_no_other_s_id() -> None:
    """Sixteen letters are a name; the id of a room is none, also of one that is gone or foreign."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob = await node.register("alice", admin=True), await node.register("bob")
        known, gone = await alice.create_room("known"), await alice.create_room("gone")
        await alice.delete_room(gone.room_id, confirm_name="gone")

        for public in (True, False):
            made = await alice.create_room("wochenendplanung", public=public)
            assert made.name == "wochenendplanung"
            for room_id in (known.room_id, gone.room_id):
                for name in (room_id, room_id.upper()):
                    with pytest.raises(InvalidRequest) as refused:
                        await bob.create_room(name, public=public)
                    assert (refused.value.message, refused.value.field) == (
                        "name must not be the id of a room",
                        "name",
                    )
                    with pytest.raises(InvalidRequest) as refused:
                        await alice.update_room(made.room_id, name=name)
                    assert refused.value.field == "room.name"
        # It would be as confusing as another's.
        with pytest.raises(InvalidRequest):
            await alice.update_room(known.room_id, name=known.room_id)


async def test_names_are_the_same_however_an_accent_is_written() -> None:
    """They are stored as they were sent, and found, told apart and confirmed by what they look like."""
    async with running_node(accounts=True, network=False) as node:
        alice = await node.register("alice", admin=True)
        await alice.update_profile(display_name=DECOMPOSED)

        room = await alice.create_room(DECOMPOSED, public=True)
        assert room.name == DECOMPOSED
        with pytest.raises(RoomExists):
            await alice.create_room(COMPOSED, public=True)
        for written in (COMPOSED, DECOMPOSED):
            assert [found.room_id async for found in alice.public_rooms(written)] == [room.room_id]
            found_users = [entry.user.user_id async for entry in alice.admin.users(written)]
            assert found_users == ["alice"]
        with pytest.raises(FailedPrecondition):
            await alice.delete_room(room.room_id, confirm_name="Cafe")
        await alice.delete_room(room.room_id, confirm_name=COMPOSED)


async def test_no_public_room_takes_the_name_of_another_by_a_change() -> None:
    """In no other letters, no other spelling, and not while that one is archived; its own it may respell."""
    async with running_node(accounts=True, network=False) as node:
        alice, bob = await node.register("alice", admin=True), await node.register("bob")
        taken = await bob.create_room(COMPOSED, public=True)
        closed = await bob.create_room("Straße", public=True)
        await bob.archive_room(closed.room_id)
        mine = await alice.create_room("mine", public=True)

        for name in (COMPOSED, DECOMPOSED, COMPOSED.upper(), DECOMPOSED.lower(), "Straße", "STRASSE"):
            with pytest.raises(RoomExists) as refused:
                await alice.update_room(mine.room_id, name=name, topic="another")
            assert refused.value.field == "room.name"
            with pytest.raises(RoomExists) as refused:
                await alice.create_room(name, public=True)
            assert refused.value.field == "name"
        seen = await alice.room(mine.room_id)
        assert (seen.name, seen.topic, seen.last_seq) == ("mine", "", mine.last_seq)
        assert [room.room_id async for room in alice.public_rooms(COMPOSED)] == [taken.room_id]

        assert (await alice.update_room(mine.room_id, name="mine")).last_seq == mine.last_seq
        assert (await alice.update_room(mine.room_id, name="MINE")).name == "MINE"
        # Those that are not public share names as they like.
        private = await alice.create_room("private")
        assert (await alice.update_room(private.room_id, name=COMPOSED)).name == COMPOSED
        # Given up, or gone with its room, it is anybody's.
        await bob.update_room(taken.room_id, name="elsewhere")
        await bob.delete_room(closed.room_id, confirm_name="Straße")
        for name in (DECOMPOSED, "strasse"):
            assert (await alice.update_room(mine.room_id, name=name)).name == name


async def test_no_name_looks_blank() -> None:
    """Of whatever it is the name; nothing is changed."""
    async with running_node(accounts=True, network=False) as node:
        alice = await node.register("alice", admin=True)
        helper = (await alice.create_bot("helper")).user_id
        for blank in ("\u3164", "\u2800", "\u200d", " ", "\u00a0", "\u0301", "\ufe0f"):
            for attempt in (
                alice.create_room(blank),
                alice.update_profile(display_name=blank),
                alice.update_profile(display_name=blank, bot_id=helper),
                alice.create_access_token(blank),
                alice.create_bot("other", display_name=blank),
                alice.log_in("alice", PASSWORD, device_name=blank),
                alice.admin.create_user("other", PASSWORD, display_name=blank),
            ):
                with pytest.raises(InvalidRequest) as refused:
                    await attempt
                assert refused.value.field in ("name", "display_name", "device_name")
        assert (await alice.me()).display_name == "alice"
        assert [user.user.user_id async for user in alice.admin.users()] == ["alice", "helper"]
