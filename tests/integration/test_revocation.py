"""What happens to open streams, and to calls under way, when somebody may no longer read.

Others keep sending all the time. A user who is put out of a room may never be sent anything from the event by
which they were put out. A session that ends may be sent nothing that the server began to send after the call
returned.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import pytest
import pytest_asyncio

import grpc_chat as chat
from grpc_chat.core.reads import Readers
from grpc_chat.sdk.choices import AnyHistory
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import Calls, Reply, Stream
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = 1.0  # seconds until an open stream must have ended, or lost the room
CALLS_A_SECOND = 300  # at the least, one after the other, beside a test's sender and streams
NEW_PASSWORD = "another one, just as long"

# So small that anyone who begins at the beginning reads page after page from the store.
BOUNDS = {"tail_bytes": 2000, "response_bytes": 600, "streams_per_user": 1000}

T = TypeVar("T")


def added(member: chat.Member | chat.Invitation) -> chat.Member:
    """A member who was not asked first."""
    assert isinstance(member, chat.Member)
    return member


@dataclass
class OwnedServer:
    """A server, somebody who owns rooms on it, and an administrator."""

    node: RunningNode
    calls: Calls
    owner: chat.Client
    admin: chat.Client

    async def room(
        self, *members: str, history: AnyHistory = "all", public: bool = False, backlog: int = 0
    ) -> str:
        """A room with members, and with so many messages from before they came."""
        room = await self.owner.create_room(f"room {uuid4().hex[:8]}", history=history, public=public)
        await self.owner.set_role(room.room_id, "owner", "owner")
        if backlog:
            await asyncio.gather(*[self.owner.send(room.room_id, f"old {at}") for at in range(backlog)])
        for member in members:
            await self.owner.add_member(room.room_id, member)
        return room.room_id

    async def newcomer(self) -> Newcomer:
        """Somebody new, in a session."""
        user_id = f"user{uuid4().hex[:10]}"
        return Newcomer(user_id, await self.node.register(user_id))

    async def log(self, room_id: str) -> list[pb.Event]:
        """All that ever happened in a room."""
        events: list[pb.Event] = []
        while True:
            after = events[-1].seq if events else 0
            request = pb.ListMessagesRequest(room_id=room_id, after_seq=after, page_size=500)
            reply = await self.calls("MessageService/ListMessages", request, self.owner.token)
            page = reply.read(pb.ListMessagesResponse)
            events += page.events
            if not page.next_page_token:
                return events

    async def lost_by(self, room_id: str, user_id: str) -> int:
        """The number of the last event by which somebody stopped being a member."""
        gone = (pb.MEMBERSHIP_CHANGE_LEFT, pb.MEMBERSHIP_CHANGE_REMOVED, pb.MEMBERSHIP_CHANGE_BANNED)
        return max(
            event.seq
            for event in await self.log(room_id)
            if event.membership_changed.user_id == user_id and event.membership_changed.change in gone
        )


@dataclass
class Newcomer:
    """Somebody whom one test is about."""

    user_id: str
    client: chat.Client

    @property
    def token(self) -> str:
        return self.client.token


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OwnedServer]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(
            running_node(
                accounts={
                    "adding": "anyone",
                    "attempts_per_address": 100_000,
                    "attempts_per_account_and_address": 100_000,
                },
                limits={"calls_per_second": 0, "guest_calls_per_second": 0},
                subscribe=BOUNDS,
                grpc={"streams_per_connection": 10_000},
            )
        )
        admin = await node.register("admin", admin=True)
        owner = await node.register("owner")
        yield OwnedServer(node, await stack.enter_async_context(Calls(node.address)), owner, admin)


class Sender:
    """Somebody who sends all the time."""

    def __init__(self, server: OwnedServer, room_id: str) -> None:
        self.sent: list[tuple[float, int]] = []
        """When each was begun to be sent, and where it is."""
        self._house = server
        self._room_id = room_id

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            messages = [
                pb.OutgoingMessage(room_id=self._room_id, client_message_id=str(uuid4()), text="x" * 50)
                for _ in range(3)
            ]
            reply = await self._house.calls(
                "MessageService/SendMessages",
                pb.SendMessagesRequest(messages=messages),
                self._house.owner.token,
            )
            if reply.reason == "ROOM_NOT_FOUND":
                return
            response = reply.read(pb.SendMessagesResponse)
            self.sent += [(began, sent.seq) for sent in response.messages]

    def after(self, moment: float) -> int:
        """The first number of what was begun to be sent after a moment."""
        return min((seq for began, seq in self.sent if began > moment), default=1 << 60)

    async def until_sent_after(self, moment: float, count: int = 6) -> None:
        await until(lambda: sum(began > moment for began, _ in self.sent) >= count)


@asynccontextmanager
async def sending(server: OwnedServer, room_id: str) -> AsyncIterator[Sender]:
    sender = Sender(server, room_id)
    task = asyncio.create_task(sender.run())
    try:
        await until(lambda: len(sender.sent) >= 6 or task.done())
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def reading(*streams: Stream) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await asyncio.gather(*[stream.aclose() for stream in streams])


def streams_of_all_kinds(server: OwnedServer, token: str, room_id: str) -> list[Stream]:
    """One that is behind, one that began at the end, and those that follow everything."""
    subscribe = server.calls.subscribe
    return [
        subscribe(token, pb.Cursor(room_id=room_id)),
        subscribe(token, all_rooms=True, start=pb.START_LATEST),
        subscribe(token, all_rooms=True),
        subscribe(token, consumer=f"c{uuid4().hex[:8]}"),
        subscribe(token, consumer=f"c{uuid4().hex[:8]}", start=pb.START_LATEST),
    ]


async def promptly(server: OwnedServer, condition: Callable[[], bool]) -> None:
    """Wait for what must come about by itself within a second, measured by what a machine that is not busy
    does in it: calls, one after the other. Where calls are slow, this may be, too."""
    for _ in range(CALLS_A_SECOND):
        if condition():
            return
        reply = await server.calls("AuthService/GetMe", pb.GetMeRequest(), server.owner.token)
        assert reply.reason == "OK"
    assert condition()


def check_runs(stream: Stream, room_id: str) -> None:
    """Whatever a stream got of a room came in order, once, without a hole; each time it followed it."""
    for events in stream.followed.get(room_id, []):
        seqs = [event.seq for event in events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))) if seqs else True, seqs


# ---------------------------------------------------------------------------------------------------------
# Rooms that are lost.


async def remove(server: OwnedServer, room_id: str, bob: Newcomer) -> None:
    await server.owner.remove_member(room_id, bob.user_id)


async def ban(server: OwnedServer, room_id: str, bob: Newcomer) -> None:
    await server.owner.ban_member(room_id, bob.user_id)


async def leave(server: OwnedServer, room_id: str, bob: Newcomer) -> None:
    await bob.client.leave_room(room_id)


async def delete(server: OwnedServer, room_id: str, bob: Newcomer) -> None:
    name = (await server.owner.room(room_id)).name
    await server.owner.delete_room(room_id, confirm_name=name)


Losing = Callable[[OwnedServer, str, Newcomer], Awaitable[None]]


@pytest.mark.parametrize("lose", [remove, ban, leave, delete], ids=lambda lose: lose.__name__)
@pytest.mark.parametrize("behind", [False, True], ids=["caught up", "behind"])
async def test_streams_lose_a_room(server: OwnedServer, lose: Losing, *, behind: bool) -> None:
    """Who is no longer a member gets nothing that came after, on no stream; the streams go on."""
    for _ in range(2):
        await streams_lose_a_room(server, lose, behind=behind)


async def streams_lose_a_room(server: OwnedServer, lose: Losing, *, behind: bool) -> None:
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, backlog=60)
    other_id = await server.room(bob.user_id)
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(sending(server, room_id))
        streams = streams_of_all_kinds(server, bob.token, room_id)
        await stack.enter_async_context(reading(*streams))
        for stream in streams:
            await (stream.until_started() if behind else stream.until_caught_up())
        late = [stream for _ in range(3) for stream in streams_of_all_kinds(server, bob.token, room_id)]
        await stack.enter_async_context(reading(*late))
        await lose(server, room_id, bob)
        returned = time.monotonic()
        await promptly(server, lambda: all(room_id in stream.left_at for stream in streams))
        if lose is not delete:
            await sender.until_sent_after(returned)
        for stream in late:
            await until(lambda stream=stream: stream.ended or stream.started)  # type: ignore[misc]
        # What is said elsewhere is a mark that all of them come to, who follow it.
        mark = (await server.owner.send(other_id, "are you still there?")).seq
        for stream in [*streams, *late]:
            if not stream.request.cursors:
                await stream.until_got(other_id, mark)
                continue
            await until(lambda stream=stream: stream.ended or stream.left)  # type: ignore[misc]
            if stream.ended:
                assert stream.ended.reason == "ROOM_NOT_FOUND"
            else:
                assert stream.left_at[room_id] - returned < PROMPT

    bound = 1 << 60 if lose is delete else await server.lost_by(room_id, bob.user_id)
    for stream in [*streams, *late]:
        check_runs(stream, room_id)
        assert max(stream.seqs(room_id), default=0) < bound
        assert len(stream.left) <= 1
        for left in stream.left:
            # How it came about is not known to a stream that finds itself shut out while it reads the store.
            if left.user_id:
                assert left.deleted == (lose is delete)
                assert left.user_id == (bob.user_id if lose is leave else "owner")


async def test_many_come_while_members_come_and_go(server: OwnedServer) -> None:
    """Streams opened in the moment of a removal get nothing from it on, and lose nothing that is theirs."""
    bob = await server.newcomer()
    room_id = await server.room(backlog=20, history="since_join")
    opened: list[Stream] = []
    async with sending(server, room_id):
        for _ in range(30):
            await server.owner.add_member(room_id, bob.user_id)
            for _ in range(2):
                opened += [
                    server.calls.subscribe(bob.token, pb.Cursor(room_id=room_id)),
                    server.calls.subscribe(bob.token, all_rooms=True, start=pb.START_LATEST),
                    server.calls.subscribe(bob.token, consumer=f"c{uuid4().hex[:8]}"),
                ]
            await server.owner.remove_member(room_id, bob.user_id)
        await server.owner.add_member(room_id, bob.user_id)
        last = (await server.owner.send(room_id, "the last one")).seq
        async with reading(*opened):
            for stream in opened:
                if not stream.request.cursors:
                    await stream.until_got(room_id, last)
                    continue
                # It began as a member, or not at all; and either it lost the room or came after that.
                await until(
                    lambda stream=stream: (  # type: ignore[misc]
                        stream.ended or stream.left or last in stream.seqs(room_id)
                    )
                )

    windows = membership(await server.log(room_id), bob.user_id)
    assert len(windows) == 31
    for stream in opened:
        check_runs(stream, room_id)
        assert not stream.ended or stream.ended.reason == "ROOM_NOT_FOUND"
        for events in stream.followed.get(room_id, []):
            # All while one and the same membership lasted.
            assert not events or any(
                begin <= events[0].seq and events[-1].seq < end for begin, end in windows
            ), (events[0].seq, events[-1].seq, windows)


@pytest.mark.parametrize("lose", [remove, ban, leave, delete], ids=lambda lose: lose.__name__)
async def test_a_room_that_is_lost_while_a_stream_is_opened(server: OwnedServer, lose: Losing) -> None:
    """A stream whose user stops being a member after they were found to be one tells only that."""
    for how in ({}, {"all_rooms": True}, {"consumer": "opening"}):
        bob = await server.newcomer()
        room_id = await server.room(bob.user_id, backlog=3)
        other_id = await server.room(bob.user_id)
        with pages_kept_back(server, of="Opening.open") as keeper:
            cursors = [] if how else [pb.Cursor(room_id=room_id)]
            stream = server.calls.subscribe(bob.token, *cursors, **how)
            await keeper.until_reached()
            await lose(server, room_id, bob)
            keeper.open()
        async with reading(stream):
            await until(lambda stream=stream: stream.left)  # type: ignore[misc]
            if lose is not delete:
                await server.owner.send(room_id, "gone?")
            if how:
                await stream.until_got(other_id, (await server.owner.send(other_id, "still here")).seq)
            assert room_id not in stream.got
            [left] = stream.left
            assert (left.room_id, left.deleted) == (room_id, lose is delete)


async def test_a_room_that_is_joined_while_a_stream_is_opened(server: OwnedServer) -> None:
    """A stream whose user becomes a member after they were found to be none follows the room."""
    bob = await server.newcomer()
    room_id = await server.room(backlog=3)
    with pages_kept_back(server, of="Opening.open") as keeper:
        stream = server.calls.subscribe(bob.token, all_rooms=True)
        await keeper.until_reached()
        await server.owner.add_member(room_id, bob.user_id)
        last = (await server.owner.send(room_id, "welcome")).seq
        keeper.open()
    async with reading(stream):
        await stream.until_got(room_id, last)
        assert stream.seqs(room_id) == list(range(1, last + 1))


async def test_what_is_sent_while_a_stream_is_opened(server: OwnedServer) -> None:
    """A stream that begins at the end gets what was stored after that was read, and before it followed."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, backlog=3)
    for how in ({"all_rooms": True}, {"consumer": "late"}):
        with pages_kept_back(server, of="Opening.open") as keeper:
            stream = server.calls.subscribe(bob.token, start=pb.START_LATEST, **how)
            await keeper.until_reached()
            last = (await server.owner.send(room_id, "meanwhile")).seq
            keeper.open()
        async with reading(stream):
            await stream.until_got(room_id, last)
            assert stream.seqs(room_id) == [last]


async def test_a_stream_is_not_told_of_what_was_before_it(server: OwnedServer) -> None:
    """News of a removal that comes after a stream was opened by a newer membership takes nothing from it."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, backlog=3)
    committer: Any = server.node.node.committer
    finish, kept = committer._finish, []
    committer._finish = lambda *given: kept.append(given)
    try:
        removing = asyncio.create_task(server.owner.remove_member(room_id, bob.user_id))
        await until(lambda: len(kept) == 1)
        adding = asyncio.create_task(server.owner.add_member(room_id, bob.user_id))
        await until(lambda: len(kept) == 2)
        # Both are in the store, and nobody has been told.
        stream = await server.calls.subscribe(bob.token, pb.Cursor(room_id=room_id)).until_caught_up()
    finally:
        del committer._finish
    for given in kept:
        finish(*given)
    async with reading(stream):
        await asyncio.gather(removing, adding)
        last = (await server.owner.send(room_id, "still here")).seq
        await stream.until_got(room_id, last)
        assert not stream.left
        assert stream.seqs(room_id) == list(range(1, last + 1))


def membership(log: list[pb.Event], user_id: str) -> list[tuple[int, int]]:
    """From which number to before which somebody was a member."""
    windows: list[tuple[int, int]] = []
    begin = 0
    for event in log:
        if event.membership_changed.user_id != user_id:
            continue
        match event.membership_changed.change:
            case pb.MEMBERSHIP_CHANGE_ADDED | pb.MEMBERSHIP_CHANGE_JOINED:
                begin = event.seq
            case pb.MEMBERSHIP_CHANGE_LEFT | pb.MEMBERSHIP_CHANGE_REMOVED | pb.MEMBERSHIP_CHANGE_BANNED:
                windows.append((begin, event.seq))
                begin = 0
    if begin:
        windows.append((begin, 1 << 60))
    return windows


# ---------------------------------------------------------------------------------------------------------
# Sessions that end.


async def log_out(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    await bob.client.log_out()


async def revoke(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    assert await other.revoke_sessions((await bob.client.session()).session_id) == 1


async def revoke_all_others(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    assert await other.revoke_sessions(all_others=True) >= 1


async def revoke_as_admin(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    assert await server.admin.admin.revoke_sessions(bob.user_id, (await bob.client.session()).session_id) == 1


async def change_password(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    assert (await other.change_password(PASSWORD, NEW_PASSWORD)).revoked_sessions >= 1


async def reset_password(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    assert (await server.admin.admin.reset_password(bob.user_id, NEW_PASSWORD)).revoked_sessions >= 2


async def block(server: OwnedServer, bob: Newcomer, other: chat.Client) -> None:
    await server.admin.admin.block_user(bob.user_id)


Ending = Callable[[OwnedServer, Newcomer, chat.Client], Coroutine[Any, Any, None]]
ENDINGS: list[Ending] = [
    log_out,
    revoke,
    revoke_all_others,
    revoke_as_admin,
    change_password,
    reset_password,
    block,
]


@pytest.mark.parametrize("end", [log_out, revoke, change_password, block], ids=lambda end: end.__name__)
async def test_a_session_that_ends_while_a_stream_is_opened(server: OwnedServer, end: Ending) -> None:
    """A stream whose session ends after it was found to be there is not opened."""
    bob = await server.newcomer()
    other = await server.node.log_in(bob.user_id)
    room_id = await server.room(bob.user_id)
    with pages_kept_back(server, of="Opening.open") as keeper:
        stream = server.calls.subscribe(bob.token, pb.Cursor(room_id=room_id))
        await keeper.until_reached()
        await end(server, bob, other)
        keeper.open()
    assert (await stream.until_ended()).reason == "SESSION_ENDED"
    assert not stream.got


async def test_a_session_that_ends_while_its_token_is_looked_up(server: OwnedServer) -> None:
    """A token that was found in the store, and is none by the time that is known, stays none."""
    bob = await server.newcomer()
    other = await server.node.log_in(bob.user_id)
    session_id = (await other.session()).session_id
    unknown = await server.node.log_in(bob.user_id)
    newest = await anext(session.session_id async for session in other.sessions())
    assert newest != session_id
    with pages_kept_back(server, of="Sessions._read") as keeper:
        asking = asyncio.create_task(server.calls("AuthService/GetMe", pb.GetMeRequest(), unknown.token))
        await keeper.until_reached()
        assert await other.revoke_sessions(newest) == 1
        keeper.open()
    assert (await asking).reason == "UNAUTHENTICATED"
    again = await server.calls("AuthService/GetMe", pb.GetMeRequest(), unknown.token)
    assert again.reason == "UNAUTHENTICATED"


async def test_what_others_end_meanwhile_is_nothing_to_wait_for(
    server: OwnedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rooms that others delete have no stream opened anew, and sessions of others no token looked up again.

    Somebody who deleted rooms, or ended sessions, one after the other would keep all others out.
    """
    bob, mallory = await server.newcomer(), await server.newcomer()
    await server.room(bob.user_id)
    doomed = await mallory.client.create_room("doomed")
    other = await server.node.log_in(mallory.user_id)
    doomed_session = (await other.session()).session_id
    await bob.client.me()
    unknown = await server.node.log_in(bob.user_id)
    done: list[str] = []
    run = Readers._run

    async def counted(self: Readers, read: Callable[..., Any], **how: Any) -> Any:
        done.append(read.__qualname__.partition(".<locals>")[0])
        return await run(self, read, **how)

    monkeypatch.setattr(Readers, "_run", counted)
    with pages_kept_back(server, of="Sessions._read") as keeper:
        asking = asyncio.create_task(server.calls("AuthService/GetMe", pb.GetMeRequest(), unknown.token))
        await keeper.until_reached()
        assert await mallory.client.revoke_sessions(doomed_session) == 1
        keeper.open()
    assert (await asking).reason == "OK"
    with pages_kept_back(server, of="Opening.open") as keeper:
        stream = server.calls.subscribe(bob.token, all_rooms=True)
        await keeper.until_reached()
        await mallory.client.delete_room(doomed.room_id, confirm_name="doomed")
        keeper.open()
    async with reading(stream):
        await stream.until_caught_up()
    assert (done.count("Sessions._read"), done.count("Opening.open")) == (1, 1)


@pytest.mark.parametrize("end", ENDINGS, ids=lambda end: end.__name__)
async def test_streams_of_a_session_end_with_it(server: OwnedServer, end: Ending) -> None:
    """All streams of a session end within a second, also those being opened, and tell nothing sent later."""
    for round_ in range(2):
        await streams_end(server, end, behind=bool(round_ % 2))


async def streams_end(server: OwnedServer, end: Ending, *, behind: bool) -> None:
    bob = await server.newcomer()
    other = await server.node.log_in(bob.user_id)
    token = bob.token
    room_id = await server.room(bob.user_id, backlog=40)
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(sending(server, room_id))
        streams = streams_of_all_kinds(server, token, room_id)
        kept = server.calls.subscribe(other.token, all_rooms=True, start=pb.START_LATEST)
        await stack.enter_async_context(reading(*streams, kept))
        for stream in [*streams, kept]:
            await (stream.until_started() if behind and stream is not kept else stream.until_caught_up())
        ending = asyncio.create_task(end(server, bob, other))
        while not ending.done():
            if len(streams) < 50:
                streams.append(server.calls.subscribe(token, pb.Cursor(room_id=room_id)))
                streams.append(server.calls.subscribe(token, all_rooms=True))
            await asyncio.sleep(0.001)
        await ending
        returned = time.monotonic()
        await stack.enter_async_context(reading(*streams))
        await promptly(server, lambda: all(stream.ended for stream in streams))

        assert (await server.calls("AuthService/GetMe", pb.GetMeRequest(), token)).reason == "UNAUTHENTICATED"
        for stream in streams:
            assert (await stream.until_ended()).reason in ("SESSION_ENDED", "UNAUTHENTICATED")
        await sender.until_sent_after(returned)
        for stream in streams:
            assert max(stream.seqs(room_id), default=0) < sender.after(returned)
            check_runs(stream, room_id)
        if end in (reset_password, block):
            assert (await kept.until_ended()).reason == "SESSION_ENDED"
        else:
            await kept.until_got(room_id, sender.after(returned))


async def test_an_ended_session_makes_no_token(server: OwnedServer) -> None:
    """A call that was under way while its session ended leaves nothing with which its caller comes back."""
    committer = server.node.node.committer
    for method, request in (
        ("CreateAccessToken", pb.CreateAccessTokenRequest(name="way back", scopes=[pb.SCOPE_READ])),
        ("ChangePassword", pb.ChangePasswordRequest(current_password=PASSWORD, new_password=NEW_PASSWORD)),
        ("UpdateProfile", pb.UpdateProfileRequest(display_name="Mallory")),
        ("CreateBot", pb.CreateBotRequest(user_id=f"bot{uuid4().hex[:8]}")),
        ("RevokeSessions", pb.RevokeSessionsRequest(all_others=True)),
    ):
        bob = await server.newcomer()
        stolen, other = bob.client, await server.node.log_in(bob.user_id)
        with held_up(committer, "transact") as gate:
            name = f"AuthService/{method}"
            under_way = asyncio.create_task(server.calls(name, request, stolen.token))
            await gate.until_reached()
        assert await other.revoke_sessions((await stolen.session()).session_id) == 1
        gate.open()

        assert (await under_way).reason == "SESSION_ENDED"
        assert (await other.me()).display_name == bob.user_id
        kinds = [session.access_token async for session in other.sessions()]
        assert True not in kinds
        await server.node.log_in(bob.user_id)


class held_up:  # noqa: N801 - reads as a function
    """Have calls of a method wait before they do anything, until :meth:`open`; later ones do not."""

    def __init__(self, owner: object, name: str) -> None:
        self._owner, self._name = owner, name
        self._original: Callable[..., Awaitable[Any]] = getattr(owner, name)
        self._reached, self._opened = asyncio.Event(), asyncio.Event()

    def __enter__(self) -> held_up:
        async def wait(*arguments: Any, **named: Any) -> Any:
            self._reached.set()
            await self._opened.wait()
            return await self._original(*arguments, **named)

        setattr(self._owner, self._name, wait)
        return self

    def __exit__(self, *_: object) -> None:
        delattr(self._owner, self._name)

    async def until_reached(self) -> None:
        async with asyncio.timeout(20):
            await self._reached.wait()

    def open(self) -> None:
        self._opened.set()


# ---------------------------------------------------------------------------------------------------------
# Coming back, and rules that change.


@pytest.mark.parametrize("history", ["all", "since_join"])
async def test_who_comes_back_begins_anew(server: OwnedServer, history: AnyHistory) -> None:
    """Added again, a stream that follows everything begins the room again, by the room's history rule."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, history=history, backlog=30)
    async with sending(server, room_id):
        everything = server.calls.subscribe(bob.token, all_rooms=True)
        consumer = server.calls.subscribe(bob.token, consumer="returning")
        async with reading(everything, consumer):
            for stream in (everything, consumer):
                await stream.until_caught_up()
            for _ in range(3):
                await server.owner.remove_member(room_id, bob.user_id)
                await server.owner.add_member(room_id, bob.user_id)
            last = (await server.owner.send(room_id, "the last one")).seq
            for stream in (everything, consumer):
                await stream.until_got(room_id, last)

    windows = membership(await server.log(room_id), bob.user_id)
    for stream in (everything, consumer):
        assert len(stream.left) == 3
        check_runs(stream, room_id)
        runs = stream.followed[room_id]
        assert len(runs) == 4
        for events, (begin, end) in zip(runs, windows, strict=True):
            seqs = [event.seq for event in events]
            assert not seqs or seqs[0] == (1 if history == "all" else begin)
            assert not seqs or seqs[-1] < end
        assert last in [event.seq for event in runs[-1]]


async def test_a_page_under_way_is_not_for_who_came_back(server: OwnedServer) -> None:
    """What was being read when somebody was removed is not sent to them after they were added again."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, backlog=30)
    with pages_kept_back(server) as keeper:
        stream = server.calls.subscribe(bob.token, all_rooms=True)
        await keeper.until_reached()
        await server.owner.remove_member(room_id, bob.user_id)
        await server.owner.update_room(room_id, history="since_join")
        member = added(await server.owner.add_member(room_id, bob.user_id))
        keeper.open()
    async with reading(stream):
        last = (await server.owner.send(room_id, "welcome back")).seq
        await stream.until_got(room_id, last)
        assert stream.seqs(room_id) == list(range(member.join_seq, last + 1))
        assert len(stream.left) == 1


async def test_a_refused_page_does_not_lose_a_room_again(server: OwnedServer) -> None:
    """A read that found somebody removed says nothing about the membership that they were given since."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id, backlog=30)
    with pages_kept_back(server, before=True) as keeper:
        stream = server.calls.subscribe(bob.token, all_rooms=True)
        await keeper.until_reached()
        await server.owner.remove_member(room_id, bob.user_id)
        await keeper.read()
        await server.owner.add_member(room_id, bob.user_id)
        keeper.open()
    async with reading(stream):
        last = (await server.owner.send(room_id, "welcome back")).seq
        await stream.until_got(room_id, last)
        assert len(stream.left) == 1
        assert stream.seqs(room_id) == list(range(1, last + 1))


class pages_kept_back:  # noqa: N801 - reads as a function
    """Have the first page that a stream reads from the store come when the test says so.

    Args:
        before: Have it also be read when the test says so.
        of: Instead of pages, what is read by this function of the server.
    """

    def __init__(self, server: OwnedServer, *, before: bool = False, of: str = "CatchingUp.read") -> None:
        self._of = of
        self._readers: Any = server.node.node.readers
        self._reached, self._opened = asyncio.Event(), asyncio.Event()
        self._may_read, self._was_read = asyncio.Event(), asyncio.Event()
        if not before:
            self._may_read.set()
        self._first = True

    def __enter__(self) -> pages_kept_back:
        original = self._readers._run

        async def run(read: Callable[..., Any], **how: Any) -> Any:
            if not read.__qualname__.startswith(f"{self._of}.") or not self._first:
                return await original(read, **how)
            self._first = False
            if not self._may_read.is_set():
                self._reached.set()
                await self._may_read.wait()
            try:
                return await original(read, **how)
            finally:
                self._reached.set()
                self._was_read.set()
                await self._opened.wait()

        self._readers._run = run
        return self

    def __exit__(self, *_: object) -> None:
        del self._readers._run

    async def until_reached(self) -> None:
        async with asyncio.timeout(20):
            await self._reached.wait()

    async def read(self) -> None:
        self._may_read.set()
        async with asyncio.timeout(20):
            await self._was_read.wait()

    def open(self) -> None:
        self._opened.set()


async def test_a_new_history_rule_reaches_who_is_behind(server: OwnedServer) -> None:
    """With history since_join from now on, a stream that is behind passes over what was before the join."""
    bob = await server.newcomer()
    room_id = await server.room(backlog=400)
    member = added(await server.owner.add_member(room_id, bob.user_id))
    for number in range(3):
        async with sending(server, room_id):
            with pages_kept_back(server) as keeper:
                kinds: list[dict[str, Any]] = [
                    {"all_rooms": True},
                    {"consumer": "behind", "max_unacknowledged": 4000},
                ]
                stream = server.calls.subscribe(bob.token, **kinds[number % 2])
                await keeper.until_reached()
                await server.owner.update_room(room_id, history="since_join")
                keeper.open()
            async with reading(stream):
                last = (await server.owner.send(room_id, "the last one")).seq
                await stream.until_got(room_id, last)
            seqs = stream.seqs(room_id)
            # At most the page that was under way.
            hidden = [seq for seq in seqs if seq < member.join_seq]
            assert len(hidden) < 30
            assert seqs == hidden + list(range(member.join_seq, seqs[-1] + 1))
            assert [(gap.from_seq, gap.to_seq) for gap in stream.gaps] == [
                (len(hidden) + 1, member.join_seq - 1)
            ]
            await server.owner.update_room(room_id, history="all")


async def test_a_new_history_rule_counts_for_what_is_in_memory(server: OwnedServer) -> None:
    """What a room's rule hides is not sent to a consumer that waits, though the node has it at hand."""
    bob = await server.newcomer()
    room_id = await server.room()
    epoch = (await server.owner.room(room_id)).epoch
    # Somebody follows the room, so that its newest events are kept.
    keeping = await server.calls.subscribe(server.owner.token, all_rooms=True).until_caught_up()
    for at in range(5):
        await server.owner.send(room_id, f"hidden {at}")
    member = added(await server.owner.add_member(room_id, bob.user_id))
    stream = server.calls.subscribe(bob.token, consumer="waiting", max_unacknowledged=1)
    async with reading(keeping, stream):
        await stream.until_got(room_id, 1)
        await server.owner.update_room(room_id, history="since_join")
        last = (await server.owner.send(room_id, "shown")).seq
        while stream.seqs(room_id)[-1] < last:
            seq = stream.seqs(room_id)[-1]
            cursor = pb.Cursor(room_id=room_id, seq=seq, epoch=epoch)
            request = pb.AcknowledgeRequest(consumer="waiting", cursors=[cursor])
            reply = await server.calls("SubscribeService/Acknowledge", request, bob.token)
            assert reply.reason == "OK"
            await stream.until_got(room_id, seq + 1)
    assert stream.seqs(room_id) == [1, *range(member.join_seq, last + 1)]


async def test_an_access_token_that_expires_ends_its_stream(server: OwnedServer) -> None:
    """A stream ends when its token does, though it was opened long before."""
    bob = await server.newcomer()
    room_id = await server.room(bob.user_id)
    reply = await server.calls("AuthService/CreateAccessToken", _short_lived(), bob.token)
    made = reply.read(pb.CreateAccessTokenResponse)
    async with sending(server, room_id):
        streams = streams_of_all_kinds(server, made.token, room_id)
        async with reading(*streams):
            for stream in streams:
                ended = await stream.until_ended()
                assert stream.started
                assert ended.reason == "SESSION_ENDED"
                expired = made.session.expire_time.ToNanoseconds() / 1e9
                assert -0.1 < time.time() - expired < PROMPT
    me: Reply = await server.calls("AuthService/GetMe", pb.GetMeRequest(), made.token)
    assert me.reason in ("SESSION_ENDED", "UNAUTHENTICATED")


def _short_lived() -> pb.CreateAccessTokenRequest:
    request = pb.CreateAccessTokenRequest(name="short", scopes=[pb.SCOPE_READ])
    request.lifetime.FromMilliseconds(700)
    return request
