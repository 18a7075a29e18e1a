"""What rooms and people may be called, over the API."""

from __future__ import annotations

import pytest

from grpc_chat.errors import FailedPrecondition, InvalidRequest, RoomExists
from grpc_chat.testing import PASSWORD, running_node

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


async def test_a_room_may_be_called_like_no_other_s_id() -> None:
    """Sixteen letters are a name; the id of a room is none, also of one that is gone or foreign."""
    async with running_node(accounts=True) as node:
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
                        "name is the id of a room",
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
    async with running_node(accounts=True) as node:
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


async def test_no_name_looks_blank() -> None:
    """Of whatever it is the name; nothing is changed."""
    async with running_node(accounts=True) as node:
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
