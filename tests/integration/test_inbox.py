"""What waits for a user across their rooms, what lists of rooms show of it, and what is muted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import inbox, room_views
from grpc_chat.core.page_token import Pages
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.memory import Mostly
from tests.statements import statements
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(
        accounts={"adding": "anyone", "direct_messages": "anyone"},
        limits={"calls_per_second": 0, "adds_per_second": 0},
        search={"enabled": False},
    ) as made:
        await made.register("alice", admin=True)
        yield made


async def room_of(
    alice: chat.Client, name: str, *others: str, history: chat.History = chat.History.ALL
) -> str:
    room = await alice.create_room(name, history=history)
    for other in others:
        await alice.add_member(room.room_id, other)
    return room.room_id


async def titles(client: chat.Client, *, include_read: bool = False) -> list[str]:
    return [room.title for room in (await client.inbox(include_read=include_read)).rooms]


async def last(client: chat.Client, room: str) -> chat.MessagePreview | None:
    """The newest message of a room, which two calls must agree on."""
    found = await client.room(room)
    [listed] = [each async for each in client.rooms() if each.room_id == room]
    assert found == listed
    return found.last_message


async def test_the_inbox_has_what_waits_the_newest_first(node: RunningNode) -> None:
    """Rooms with unread messages of others, and how much waits in all; others follow if they are wanted."""
    bob = await node.register("bob")
    alice = await node.log_in("alice")
    names = ["first", "second", "third", "quiet"]
    first, second, third, quiet = [await room_of(alice, name, "bob") for name in names]
    assert (await bob.inbox()).rooms == ()
    for room in (third, first, second, first):
        await alice.send(room, "news")
    await bob.send(quiet, "nobody but me")
    direct = (await alice.direct_room("bob")).room_id
    await alice.send(direct, "psst")

    found = await bob.inbox()
    assert [room.room_id for room in found.rooms] == [direct, first, second, third]
    assert [room.unread for room in found.rooms] == [1, 2, 1, 1]
    assert (found.waiting_rooms, found.unread, found.invitations) == (4, 5, 0)
    assert found.rooms[0].peer
    assert found.rooms[0].peer.user_id == "alice"
    assert found.rooms[1] == await bob.room(first)
    assert await titles(bob, include_read=True) == ["alice", "first", "second", "third", "quiet"]
    assert (await alice.inbox()).rooms == (await alice.room(quiet),)

    await bob.mark_read(first, found.rooms[1].last_seq)
    [sent] = [message async for message in alice.history(third)]
    await alice.delete(third, sent.seq)
    assert await titles(bob) == ["alice", "second"]
    assert (await bob.inbox(limit=1)).waiting_rooms == 2

    await alice.remove_member(second, "bob")
    assert await titles(bob) == ["alice"]


async def test_pages_of_the_inbox_have_each_room_once(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether something waits in it or not, also of somebody in more rooms than are read at once; a token is
    for one listing."""
    monkeypatch.setattr(inbox, "_ROOMS_AT_ONCE", 2)
    monkeypatch.setattr(inbox, "_SHOWN_AT_ONCE", 1)
    await node.register("carol")
    alice = await node.log_in("alice")
    rooms = [await room_of(alice, f"page {n}", "carol") for n in range(7)]
    for room in rooms[::2]:
        await alice.send(room, "news")
    token = (await node.log_in("carol"))._link.token
    async with Mostly(node) as calls:
        request, found = pb.ListInboxRequest(page_size=2, include_read=True), list[str]()
        while True:
            reply = await calls("RoomService/ListInbox", request, token)
            page = pb.ListInboxResponse.FromString(reply.response)
            found += [room.room_id for room in page.rooms]
            assert page.waiting_rooms == 4
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert found[:4] == rooms[::2][::-1]
        assert sorted(found) == sorted(rooms)
        request.include_read = False
        assert (await calls("RoomService/ListInbox", request, token)).reason == "INVALID_REQUEST"


async def test_the_newest_message_is_one_that_the_caller_may_read_as_it_is_now(node: RunningNode) -> None:
    """Not one from before they came; without the words of one that was deleted; with those of an edit."""
    alice, dave = await node.log_in("alice"), await node.register("dave")
    room = await room_of(alice, "hidden", history=chat.History.SINCE_JOIN)
    assert await last(alice, room) is None
    secret = await alice.send(room, "secret")
    await alice.add_member(room, "dave")
    assert await last(dave, room) is None
    assert (found := await last(alice, room))
    assert (found.seq, found.sender_id, found.text, found.deleted) == (secret.seq, "alice", "secret", False)

    await alice.edit(room, secret.seq, "another secret")
    assert await last(dave, room) is None
    sent = await dave.send(room, "ä" * 250)
    await alice.react(room, sent.seq, "👍")
    await alice.update_room(room, topic="what follows a message is no message")
    assert (found := await last(alice, room))
    assert (found.text, found.truncated, found.create_time) == ("ä" * 200, True, sent.create_time)
    await dave.edit(room, sent.seq, "a" + "ä" * 5000)
    assert (found := await last(alice, room))
    assert (found.text, found.truncated) == ("a" + "ä" * 199, True)
    await dave.edit(room, sent.seq, "short")
    assert (found := await last(alice, room))
    assert (found.text, found.truncated) == ("short", False)
    await dave.delete(room, sent.seq)
    assert (found := await last(alice, room))
    assert (found.seq, found.text, found.deleted) == (sent.seq, "", True)

    for number in range(105):
        await alice.update_room(room, topic=f"{number}")
    assert await last(alice, room) is None
    again = await alice.send(room, "found again")
    assert (found := await last(dave, room))
    assert found.seq == again.seq
    with pytest.raises(errors.RoomNotFound):
        await (await node.register("stranger")).room(room)


async def test_a_muted_room_does_not_wait_until_the_time_is_over(node: RunningNode) -> None:
    """Its messages are unread nevertheless. Another membership begins without it."""
    alice, erin = await node.log_in("alice"), await node.register("erin")
    room = await room_of(alice, "noise", "erin")
    await alice.send(room, "bang")
    muted = await erin.mute(room)
    assert (muted.level, muted.muted, muted.mute_end_time) == ("all", True, None)
    assert (await erin.room(room)).notifications == muted
    assert (await erin.room(room)).unread == 1
    assert (await alice.room(room)).notifications == chat.Notifications()
    found = await erin.inbox()
    assert (found.rooms, found.waiting_rooms, found.unread) == ((), 0, 0)
    assert await titles(erin, include_read=True) == ["noise"]

    # Setting one thing keeps the other.
    assert await erin.notify(room, "mentions") == chat.Notifications(chat.NotificationLevel.MENTIONS, True)
    assert await erin.unmute(room) == chat.Notifications(chat.NotificationLevel.MENTIONS)
    assert await titles(erin) == ["noise"]
    for_now = await erin.mute(room, lifetime=timedelta(days=1))
    assert for_now.mute_end_time
    assert timedelta(hours=23) < for_now.mute_end_time - datetime.now(UTC) < timedelta(hours=25)
    assert await titles(erin) == []
    await erin.mute(room, lifetime=timedelta(microseconds=1))
    assert await titles(erin) == ["noise"]
    assert not (await erin.room(room)).notifications.muted

    await erin.mute(room)
    await erin.leave_room(room)
    with pytest.raises(errors.RoomNotFound):
        await erin.mute(room)
    await alice.add_member(room, "erin")
    assert (await erin.room(room)).notifications == chat.Notifications()


async def test_a_muted_room_waits_when_somebody_mentions_the_user(node: RunningNode) -> None:
    """Also in a thread, which makes nothing unread; until it is read."""
    alice, hal = await node.log_in("alice"), await node.register("hal")
    room = await room_of(alice, "quiet please", "hal")
    await hal.mute(room)
    root = await alice.send(room, "nothing for hal")
    assert (await hal.inbox()).mentions == 0
    assert await titles(hal) == []
    await alice.send(room, "look, @hal")
    found = await hal.inbox()
    assert (found.mentions, found.waiting_rooms, found.unread) == (1, 1, 2)
    assert (found.rooms[0].unread_mentions, await titles(hal)) == (1, ["quiet please"])
    await hal.mark_read(room, found.rooms[0].last_seq)
    assert await titles(hal) == []
    sent = await alice.send(room, "and here, @hal", thread_root=root.seq)
    found = await hal.inbox()
    assert (found.mentions, found.waiting_rooms, found.unread) == (1, 1, 0)
    await hal.mark_read(room, sent.seq)
    assert (await hal.inbox()).mentions == 0


async def test_every_session_hears_of_what_was_muted_also_after_it_was_away(node: RunningNode) -> None:
    """Once for each change; when it was undone meanwhile, too."""
    alice, frank, other = await node.log_in("alice"), await node.register("frank"), await node.log_in("frank")
    rooms = [await room_of(alice, f"sessions {n}", "frank") for n in range(2)]
    await other.mute(rooms[0])
    told: list[chat.NotificationsChanged] = []
    subscription = frank.subscribe(*rooms, read_state=True)

    async def follow() -> None:
        async for update in subscription.updates():
            if isinstance(update, chat.NotificationsChanged):
                told.append(update)

    following = asyncio.create_task(follow())
    await until(lambda: len(told) == 1)
    await other.notify(rooms[1], "nothing")
    await other.notify(rooms[1], "nothing")
    await until(lambda: len(told) == 2)
    # The stream is lost; what happens before the next one is not in the log that this one follows.
    [stream] = node.node.system.streams.of_user("frank")
    node.node.system.streams.end(stream, errors.Unavailable("lost"))
    await other.unmute(rooms[0])
    await until(lambda: len(told) == 3)
    assert [(each.room_id, each.notifications.muted, str(each.notifications.level)) for each in told] == [
        (rooms[0], True, "all"),
        (rooms[1], False, "nothing"),
        (rooms[0], False, "all"),
    ]
    await subscription.aclose()
    await following


async def test_a_page_of_rooms_is_a_thousand_or_ends_at_the_largest_size(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many as of other listings, shown a few at a time; the pages together have each room once."""
    henry = await node.register("henry")
    seen: list[tuple[int, int]] = []
    names = [f"henry {number:02}" for number in range(9)]
    for name in names:
        await henry.create_room(name, topic="t" * 500)
    rooms = [room async for room in henry.rooms()]
    assert sorted(room.title for room in rooms) == names
    real = Pages.size

    def size(pages: Pages, asked: int, *, times: int = 1) -> int:
        seen.append((asked, real(pages, asked, times=times)))
        return seen[-1][1]

    monkeypatch.setattr(Pages, "size", size)
    monkeypatch.setattr(room_views, "_AT_ONCE", 2)
    monkeypatch.setattr(node.node.system.rooms, "_page_bytes", 2500)
    assert [room async for room in henry.rooms()] == rooms
    assert seen == [(1000, 1000)] * 3
    monkeypatch.setattr(node.node.system.rooms, "_page_bytes", 1)
    assert [room async for room in henry.rooms()] == rooms


async def test_however_many_rooms_there_are_a_page_costs_a_few_statements(node: RunningNode) -> None:
    """A page of rooms one, of the inbox four; direct rooms, muted ones and deleted messages included."""
    alice, gina = await node.log_in("alice"), await node.register("gina")
    noted: list[int] = []
    for _ in range(2):
        for number in range(6):
            room = await room_of(alice, f"many {number}", "gina")
            sent = await alice.send(room, "x")
            await alice.send(room, "y")
            if number % 2:
                await alice.delete(room, sent.seq)
            if number % 3 == 0:
                await gina.mute(room)
        person = await node.register(f"person-{len(noted)}")
        await person.send("@gina", "hello")
        direct = await person.direct_room("gina")
        for act in (
            lambda: gina.inbox(include_read=True),
            lambda: gina._repeat("RoomService/ListRooms", pb.ListRoomsRequest(), pb.ListRoomsResponse),
            partial(gina.room, direct.room_id),
        ):
            costs = []
            for _ in range(5):
                with statements() as given:
                    await act()
                costs.append(len([sql for sql in given if sql.lstrip().startswith(("SELECT", "WITH"))]))
            # What the server reads in the background may be among those of a call.
            noted.append(min(costs))
    assert noted == [4, 1, 3] * 2
