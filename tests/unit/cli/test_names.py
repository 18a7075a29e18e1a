from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from grpc_chat.cli.failures import NOT_FOUND, Failure
from grpc_chat.cli.names import find_room, title
from grpc_chat.errors import InvalidRequest, RoomNotFound, UserNotFound
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.models import Room

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def room(room_id: str, name: str = "", **more: Any) -> Room:
    return Room(room_id, name, "e", 1, 1, NOW, **more)


PLANS = room("r-plans", "Plans", member_count=2)
DEV1 = room("r-dev1", "dev", topic="the one with the topic", member_count=3)
DEV2 = room("r-dev2", "dev", kind="public", member_count=1)
CAFE = room("r-cafe", "Cafe\u0301")
BOB = room("r-bob", kind="direct", peer=User("bob", "Bob"))
LOBBY = room("r-lobby", "Lobby", kind="public")


class Server:
    """Knows some rooms."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def rooms(self) -> AsyncIterator[Room]:
        for room in (PLANS, DEV1, DEV2, CAFE, BOB):
            yield room

    async def public_rooms(self, query: str = "", *, archived: bool = False) -> AsyncIterator[Room]:
        assert len(query.encode()) <= 64
        for room in (DEV2, LOBBY):
            if query.casefold() in room.name.casefold():
                yield room

    async def _room_by_id(self, room_id: str) -> Room:
        if len(room_id) > 64:
            raise InvalidRequest("room_id is too long", field="room_id")
        if room_id == LOBBY.room_id:
            return LOBBY
        raise RoomNotFound("there is no such room, or you are not a member of it")

    async def direct_room(self, user_id: str) -> Room:
        if user_id == "nobody":
            raise UserNotFound("there is no such user, or you may not find them")
        self.begun.append(user_id)
        return room("r-new", kind="direct", peer=User(user_id, user_id))


async def find(name: str, **how: bool) -> Room:
    return await find_room(Server(), name, **how)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Plans", PLANS),
        ("plans", PLANS),
        ("r-plans", PLANS),
        ("@bob", BOB),
        ("CAF\u00c9", CAFE),
        ("Cafe\u0301", CAFE),
        ("r-dev1", DEV1),
        ("r-dev2", DEV2),
    ],
)
async def test_own_rooms_are_found(name: str, found: Room) -> None:
    """By name, whatever the case and encoding, by id, and as the one with somebody."""
    assert await find(name) == found


@pytest.mark.parametrize(("name", "public"), [("lobby", True), ("r-lobby", True)])
async def test_public_rooms_are_found_where_they_may_be(name: str, public: bool) -> None:
    """By name and id, when it is about finding and joining; not as one's own."""
    assert await find(name, public=True) == LOBBY
    with pytest.raises(Failure):
        await find(name)


async def test_a_room_that_is_called_like_another_has_to_be_said_by_id() -> None:
    """The error lists them with what tells them apart."""
    with pytest.raises(Failure) as ambiguous:
        await find("dev")

    assert ambiguous.value.message == (
        "2 rooms are called 'dev'; give the id of one: "
        "r-dev1 (private, 3 members, the one with the topic), r-dev2 (public, 1 member)"
    )
    assert ambiguous.value.exit_code == 1


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("plan", "did you mean Plans?"),
        ("Palns", "did you mean Plans?"),
        ("zzzzz", "`grpc-chat rooms` lists yours, `grpc-chat room public` those that you may join"),
        ("@carol", "begin one: grpc-chat send @carol TEXT"),
        ("x" * 100, "`grpc-chat rooms` lists yours"),
    ],
)
@pytest.mark.parametrize("public", [True, False])
async def test_an_unknown_room_is_told_with_what_to_do(name: str, hint: str, public: bool) -> None:
    """Names that are near, or how to find out."""
    with pytest.raises(Failure) as unknown:
        await find(name, public=public)

    assert hint in unknown.value.message
    assert unknown.value.exit_code == NOT_FOUND


async def test_talking_to_somebody_begins_their_room() -> None:
    """Only where somebody is about to talk, and only if there is such a user."""
    made = await find("@carol", make=True)

    assert title(made) == "@carol"
    with pytest.raises(UserNotFound):
        await find("@nobody", make=True)
