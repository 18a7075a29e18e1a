"""Replies and threads: who may answer what, and what is counted, told and left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import user_log
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    limits = {"calls_per_second": 0, "adds_per_second": 0}
    async with running_node("alice", "bob", "dan", network=False, limits=limits) as made:
        yield made


async def messages(client: chat.Client, room: str) -> list[chat.Message]:
    return [message async for message in client.history(room)]


async def test_a_message_says_what_it_answers(node: RunningNode) -> None:
    """A reply is in the thread of what it replies to; what is repeated must say the same."""
    await node.put_room("says", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("says", "root")).seq
    [said] = await messages(bob, "says")
    plain = await said.reply("plain")
    first = await said.reply_in_thread("first")
    second = await bob.reply("says", first.seq, "second")
    third = await alice.send("says", "third", thread_root=root)
    await bob.reply("says", plain.seq, "another thread", in_thread=True)

    assert [(each.text, each.reply_to, each.thread_root) for each in await messages(alice, "says")] == [
        ("root", 0, 0),
        ("plain", root, 0),
        ("first", root, root),
        ("second", first.seq, root),
        ("third", 0, root),
        ("another thread", plain.seq, plain.seq),
    ]
    again: dict[str, Any] = {"client_message_id": second.client_message_id}
    others: list[dict[str, Any]] = [
        {},
        {"thread_root": root},
        {"reply_to": first.seq},
        {"reply_to": root, "thread_root": root},
    ]
    assert await bob.send("says", "second", reply_to=first.seq, thread_root=root, **again) == second
    for other in others:
        with pytest.raises(errors.ClientMessageIdReused):
            await bob.send("says", "second", **other, **again)
    edited = await alice.edit("says", third.seq, "changed")
    assert (edited.text, edited.thread_root) == ("changed", root)


async def test_what_is_no_message_can_not_be_answered(node: RunningNode) -> None:
    """One error for all of it, which names the field; a thread has no threads, and says which one to use."""
    await node.put_room("wrong", {"alice": "owner", "bob": "member"})
    await node.put_room("other", {"alice": "owner"})
    alice, bob = node.client("alice"), node.client("bob")
    for _ in range(5):
        await alice.send("other", "x")
    root = (await alice.send("wrong", "root")).seq
    inside = (await bob.send("wrong", "in it", thread_root=root)).seq
    await alice.react("wrong", root, "👍")
    event = inside + 1
    before = await messages(bob, "wrong")

    for field in ("reply_to", "thread_root"):
        for seq in (event, event + 1, 2**62):
            wrong: dict[str, Any] = {field: seq}
            with pytest.raises(errors.MessageNotFound) as refused:
                await bob.send("wrong", "x", **wrong)
            assert refused.value.field == f"messages[0].{field}"
        below: dict[str, Any] = {field: -1}
        with pytest.raises(errors.InvalidRequest, match=f"{field} must be 0 or more"):
            await bob.send("wrong", "x", **below)
    with pytest.raises(errors.InvalidRequest, match=f"message {inside} is in the thread of message {root}"):
        await bob.send("wrong", "x", thread_root=inside)
    with pytest.raises(errors.MessageNotFound):
        await bob.reply("wrong", event, "x")

    assert await messages(bob, "wrong") == before
    assert (await bob.reply("wrong", inside, "fine")).seq == inside + 2


async def test_what_is_deleted_can_be_answered(node: RunningNode) -> None:
    """A reply to it stays readable, and a deleted reply says which thread it was in."""
    await node.put_room("gone", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("gone", "root")).seq
    reply = await bob.reply("gone", root, "a reply", in_thread=True)
    await alice.delete("gone", root)
    later = await bob.reply("gone", root, "later", in_thread=True)
    await bob.delete("gone", reply.seq)
    last = await alice.reply("gone", reply.seq, "to a deleted one")

    found = {message.seq: message for message in await messages(alice, "gone")}
    assert [found[seq].text for seq in (root, reply.seq, later.seq)] == ["", "", "later"]
    assert (found[later.seq].reply_to, found[later.seq].thread_root) == (root, root)
    assert (found[reply.seq].reply_to, found[reply.seq].thread_root) == (0, root)
    assert (found[last.seq].reply_to, found[last.seq].thread_root) == (reply.seq, root)


async def test_threads_do_not_count_in_the_room(node: RunningNode) -> None:
    """Neither what is said nor what is deleted in them; one's own there do not move the room's marker."""
    await node.put_room("counts", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    root = (await alice.send("counts", "root")).seq
    inside = [await alice.send("counts", "x", thread_root=root) for _ in range(3)]
    assert (await bob.room("counts")).unread == 1
    await alice.delete("counts", inside[0].seq)
    assert (await bob.room("counts")).unread == 1
    await bob.send("counts", "x", thread_root=root)
    assert (await bob.room("counts")).unread == 1
    assert await alice.mark_read("counts", 0, back=True) == 0
    await bob.send("counts", "outside")
    assert ((await alice.room("counts")).unread, (await bob.room("counts")).unread) == (1, 0)
    assert await bob.mark_read("counts", 0, back=True) == 1
    await alice.send("counts", "x", thread_root=root)
    assert (await bob.room("counts")).unread == 1


async def test_hidden_messages_can_not_be_answered(node: RunningNode) -> None:
    """But a thread that goes on can be, though its root is hidden: what is visible of it names the root."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("since", history="since_join")).room_id
    root = (await alice.send(room, "hidden root")).seq
    inside = (await alice.send(room, "hidden", thread_root=root)).seq
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)

    wrongs: list[dict[str, Any]] = [
        {"reply_to": root},
        {"thread_root": root},
        {"reply_to": inside},
        {"thread_root": inside},
    ]
    for wrong in wrongs:
        with pytest.raises(errors.MessageNotFound):
            await dan.send(room, "x", **wrong)
    with pytest.raises(errors.MessageNotFound):
        await dan.message(room, inside)

    seen = (await alice.send(room, "visible", thread_root=root, reply_to=inside)).seq
    answer = await dan.reply(room, seq=seen, text="I see that")
    assert [(each.seq, each.reply_to, each.thread_root) for each in await messages(dan, room)] == [
        (seen, inside, root),
        (answer.seq, seen, root),
    ]
    for wrong in (*wrongs[:1], *wrongs[2:]):
        with pytest.raises(errors.MessageNotFound):
            await dan.send(room, "x", **wrong)


async def listed(client: chat.Client, room: str | None = None, **how: bool) -> list[int]:
    return [thread.root_seq async for thread in client.threads(room, **how)]


async def waiting(client: chat.Client, room: str, **how: bool) -> list[tuple[int, int]]:
    """The threads of a room among those that a user follows anywhere, and how many messages wait."""
    found = [thread async for thread in client.threads(None, **how)]
    return [(thread.root_seq, thread.unread) for thread in found if thread.room_id == room]


async def test_threads_are_listed_and_read_in_pages(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with the newest messages first; each with its messages, both ways."""
    await node.put_room("pages", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    roots = [(await alice.send("pages", f"root {at}")).seq for at in range(4)]
    for root in roots[:3]:
        await bob.send("pages", "first", thread_root=root)
    inside = [(await bob.send("pages", f"{at}", thread_root=roots[0])).seq for at in range(4)]

    assert await listed(alice, "pages") == [roots[0], roots[2], roots[1]]
    thread = await alice.thread("pages", roots[0])
    assert (thread.replies, thread.last_seq, thread.unread, thread.following) == (5, inside[-1], 5, True)
    forth: list[int] = []
    for size in (1, 2, 3, 50):
        monkeypatch.setattr("grpc_chat.sdk.threads.PAGE", size)
        monkeypatch.setattr("grpc_chat.sdk.calls.PAGE", size)
        assert await listed(alice, "pages") == [roots[0], roots[2], roots[1]]
        assert await listed(alice, "pages", following=True) == [roots[0], roots[2], roots[1]]
        forth = [message.seq async for message in alice.thread_messages("pages", roots[0])]
        back = [message.seq async for message in alice.thread_messages("pages", roots[0], before=2**62)]
        assert forth == back[::-1] == [roots[-1] + 1, *inside]
    some = [
        message.text async for message in alice.thread_messages("pages", roots[0], after=inside[0], limit=2)
    ]
    assert some == ["1", "2"]

    async def page(**where: Any) -> pb.ListThreadMessagesResponse:
        request = pb.ListThreadMessagesRequest(room_id="pages", thread_root=roots[0], page_size=5, **where)
        method = "MessageService/ListThreadMessages"
        return await alice._repeat(method, request, pb.ListThreadMessagesResponse)

    whole = await page()
    assert len(whole.events) == 5
    assert (whole.next_page_token, whole.previous_page_token) == ("", "")
    past, start = await page(after_seq=inside[-1]), await page(before_seq=1)
    for empty, token in ((past, past.previous_page_token), (start, start.next_page_token)):
        assert not empty.events
        assert [event.seq for event in (await page(page_token=token)).events] == forth

    assert thread.root
    assert (thread.root.text, thread.root.sender_id) == ("root 0", "alice")
    assert [each.root and each.root.text async for each in alice.threads("pages")] == [
        "root 0",
        "root 2",
        "root 1",
    ]
    await alice.delete("pages", roots[1])
    assert [each.root and each.root.deleted async for each in alice.threads("pages")] == [False, False, True]
    nothing = await alice.thread("pages", roots[3])
    assert (nothing.replies, nothing.last_seq, nothing.last_time, nothing.following) == (0, 0, None, False)
    for wrong in (inside[-1] + 1, 999):
        with pytest.raises(errors.MessageNotFound) as refused:
            await alice.thread("pages", wrong)
        assert refused.value.field == "thread_root"
    with pytest.raises(errors.InvalidRequest, match=f"is in the thread of message {roots[0]}"):
        await alice.thread("pages", inside[0])


async def test_a_thread_is_followed_and_muted_by_itself(node: RunningNode) -> None:
    """In all of one's sessions, which are told; nobody else sees anything of it."""
    await node.put_room("follow", {"alice": "owner", "bob": "member", "dan": "reader"})
    alice, bob, dan = node.client("alice"), node.client("bob"), node.client("dan")
    root = (await alice.send("follow", "root")).seq
    await bob.send("follow", "first", thread_root=root)
    assert await waiting(dan, "follow") == []
    thread = await dan.follow_thread("follow", root)
    assert (thread.following, thread.unread, thread.muted) == (True, 0, False)
    await bob.send("follow", "second", thread_root=root)
    assert await waiting(dan, "follow") == await waiting(dan, "follow", unread=True) == [(root, 1)]

    told = await entries(node, "dan")
    muted = await dan.mute_thread("follow", root, lifetime=timedelta(hours=1))
    assert muted.muted
    assert muted.mute_end_time
    assert timedelta(minutes=59) < muted.mute_end_time - datetime.now(UTC) < timedelta(minutes=61)
    assert (await dan.mute_thread("follow", root)).mute_end_time is None
    assert await waiting(dan, "follow", unread=True) == []
    assert await waiting(dan, "follow") == [(root, 1)]
    assert await dan.mute_thread("follow", root) == await dan.thread("follow", root)
    assert not (await dan.unmute_thread("follow", root)).muted
    assert not (await dan.unfollow_thread("follow", root)).following
    assert not (await dan.unfollow_thread("follow", root)).following
    assert await waiting(dan, "follow") == []
    assert [bool(change.following) for change in (await entries(node, "dan"))[len(told) :]] == [
        True,
        True,
        True,
        False,
    ]
    assert (await dan.mute_thread("follow", root)).following
    # A root can be followed before anybody answers it.
    other = (await bob.send("follow", "other")).seq
    assert (await dan.follow_thread("follow", other)).following
    await alice.send("follow", "first", thread_root=other)
    assert await waiting(dan, "follow", unread=True) == [(other, 1)]
    assert await waiting(bob, "follow", unread=True) == [(other, 1)]
    with pytest.raises(errors.InvalidRequest, match="muted must not be set"):
        await dan._in_room(
            "follow",
            "MessageService/UpdateThread",
            pb.UpdateThreadRequest(
                thread_root=root, muted=True, update_mask=FieldMask(paths=["muted", "following"])
            ),
            pb.UpdateThreadResponse,
        )


async def test_other_sessions_are_told_what_changes_of_a_thread(node: RunningNode) -> None:
    """On the streams that ask for it, of the rooms that they follow; of many changes the last is enough."""
    for room in ("told", "untold"):
        await node.put_room(room, {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    roots = {room: (await alice.send(room, "root")).seq for room in ("told", "untold")}
    inside = [(await bob.send("told", "x", thread_root=roots["told"])).seq for _ in range(2)]
    async with alice.subscribe("told", from_latest=True, read_state=True) as live:
        updates = live.updates()

        async def next_thread() -> chat.Thread:
            async with asyncio.timeout(20):
                while not isinstance(told := await anext(updates), chat.Thread):
                    pass
            return told

        async with asyncio.timeout(20):
            while not isinstance(await anext(updates), chat.CaughtUp):
                pass
        await alice.follow_thread("untold", roots["untold"])
        await alice.mark_read("told", inside[0], thread_root=roots["told"])
        told = await next_thread()
        assert (told.room_id, told.root_seq, told.read_seq, told.unread) == (
            "told",
            roots["told"],
            inside[0],
            1,
        )
        await alice.mute_thread("told", roots["told"])
        assert (await next_thread()).muted
        await alice.unfollow_thread("told", roots["told"])
        assert not (await next_thread()).following
        # What one is notified of is told in the same way, also where nothing else is owed.
        await alice.mute("told")
        async with asyncio.timeout(20):
            while not isinstance(await anext(updates), chat.NotificationsChanged):
                pass


class Following:
    """A session that knows what waits in a room's threads from its stream alone, by the rules of
    docs/topics/threads.md."""

    def __init__(self, client: chat.Client, me: str, senders: dict[int, tuple[str, int]]) -> None:
        self.client, self.me, self.senders = client, me, senders
        self.threads: dict[int, chat.Thread] = {}
        self.begun: dict[int, chat.Thread] = {}
        self.roots: set[int] = set()
        # Messages of others that came after the count.
        self.later: set[int] = set()

    def unread(self) -> dict[int, tuple[int, int]]:
        """For each thread that is followed, the marker and how much is unread."""
        return {
            root: (thread.read_seq, thread.unread)
            for root, thread in self.threads.items()
            if thread.following
        }

    async def follow(self, room: str, live: asyncio.Event) -> None:
        since = (await self.client.room(room)).latest
        async for update in self.client.subscribe(since, read_state=True, include_own=True).updates():
            match update:
                case chat.Thread():
                    self.threads[update.root_seq] = update
                    if not live.is_set():
                        self.begun[update.root_seq] = update
                case chat.CaughtUp():
                    live.set()
                case chat.Message(thread_root=root) if root and not update.deleted:
                    self._count(update)
                case chat.MessageDeleted():
                    self._uncount(update)

    def _count(self, message: chat.Message) -> None:
        root, seq, mine = message.thread_root, message.seq, message.sender_id == self.me
        thread = self.threads.get(root)
        if thread is None:
            # Those that are not followed are not known.
            begins = root in self.roots and not mine
            if mine or begins:
                marker = seq if mine else root
                self.threads[root] = chat.Thread(
                    message.room_id,
                    root,
                    1,
                    seq,
                    None,
                    True,
                    False,
                    None,
                    marker,
                    int(begins),
                    counted_to=seq,
                )
        elif seq > thread.counted_to and mine:
            self.threads[root] = replace(thread, following=True, read_seq=seq, unread=0, counted_to=seq)
        elif seq > thread.counted_to and thread.following:
            self.threads[root] = replace(thread, unread=thread.unread + 1)
            self.later.add(seq)

    def _uncount(self, deletion: chat.MessageDeleted) -> None:
        sender, root = self.senders.get(deletion.message_seq, ("", 0))
        thread, seq = self.threads.get(root), deletion.message_seq
        if thread is None or sender == self.me or deletion.seq <= thread.counted_to:
            return
        if thread.read_seq < seq and (seq <= thread.counted_to or seq in self.later):
            self.threads[root] = replace(thread, unread=thread.unread - 1)


async def test_a_stream_begins_with_the_threads_that_are_followed(node: RunningNode) -> None:
    """As ListThreads has them, whatever happens while it is being opened; then it can be counted on."""
    pick = random.Random(5)
    await node.put_room("begins", {"alice": "owner", "bob": "member"})
    await node.put_room("not followed", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    elsewhere = (await alice.send("not followed", "root")).seq
    await bob.send("not followed", "x", thread_root=elsewhere)
    roots = [(await alice.send("begins", "root")).seq for _ in range(4)]
    for root in roots[1:]:
        await bob.send("begins", "x", thread_root=root)

    senders: dict[int, tuple[str, int]] = {}

    async def say(client: chat.Client, name: str, root: int) -> int:
        sent = await client.send("begins", "x", thread_root=root)
        senders[sent.seq] = (name, root)
        return sent.seq

    async def act() -> None:
        root = pick.choice(roots[1:])
        match pick.randrange(7):
            case 0 | 1:
                await say(bob, "bob", root)
            case 2:
                await say(alice, "alice", root)
            case 3:
                thread = await alice.thread("begins", root)
                await alice.mark_read("begins", pick.randint(root, thread.last_seq), thread_root=root)
            case 4:
                await alice.follow_thread("begins", root)
            case 5:
                await alice.unfollow_thread("begins", root)
            case 6 if some := [seq for seq, (_, of) in senders.items() if of == root]:
                await alice.delete("begins", pick.choice(some))

    for number in range(5):
        if number == 3:
            # It begins while somebody listens, or between two streams.
            await bob.send("begins", "the first", thread_root=roots[0])
            await bob.delete("begins", await say(bob, "bob", roots[2]))
        session, live = Following(alice, "alice", senders), asyncio.Event()
        session.roots = {roots[0]} if number < 3 else set()
        quiet = number % 2 == 0
        true = {each.root_seq: each async for each in alice.threads("begins", following=True)}
        task = asyncio.create_task(session.follow("begins", live))
        if quiet:
            await asyncio.wait_for(live.wait(), 20)
            # A stream does not say how roots begin.
            assert session.begun == {root: replace(each, root=None) for root, each in true.items()}
        for _ in range(6):
            await act()
        await asyncio.wait_for(live.wait(), 20)
        async with asyncio.timeout(20):
            while True:
                now = {each.root_seq: each async for each in alice.threads("begins", following=True)}
                if session.unread() == {root: (each.read_seq, each.unread) for root, each in now.items()}:
                    break
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def entries(node: RunningNode, user: str) -> list[pb.Thread]:
    """What the user's own log says of threads."""

    def in_snapshot(snapshot: Snapshot) -> list[pb.Thread]:
        found = snapshot.events_after(user_log(user), 0, limit=1000, max_bytes=1 << 20)
        changes = [pb.Event.FromString(event.payload).threads_changed.threads for event in found]
        return [thread for threads in changes for thread in threads]

    return await node.node.readers.run(in_snapshot)


async def test_threads_have_markers_of_their_own(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """They move as those of rooms, together with them, and only where the thread is followed."""
    monkeypatch.setattr(node.node.system.read_markers, "_follows", lambda _user_id: True)
    await node.put_room("marks", {"alice": "owner", "bob": "member", "dan": "member"})
    alice, bob, dan = node.client("alice"), node.client("bob"), node.client("dan")
    root = (await alice.send("marks", "root")).seq
    inside = [(await bob.send("marks", f"{at}", thread_root=root)).seq for at in range(4)]
    await alice.delete("marks", inside[3])
    told = await entries(node, "alice")

    assert (await alice.thread("marks", root)).unread == 3
    assert await alice.mark_read("marks", inside[1], thread_root=root) == 1
    assert await alice.mark_read("marks", inside[0], thread_root=root) == 1
    assert await alice.mark_read("marks", inside[0], thread_root=root, back=True) == 2
    mine = (await alice.send("marks", "mine", thread_root=root)).seq
    assert (await alice.thread("marks", root)).unread == 0
    assert await alice.mark_read("marks", 0, thread_root=root, back=True) == 3
    assert await bob.mark_read("marks", inside[2], thread_root=root, back=True) == 1
    await bob.send("marks", "more", thread_root=root)
    assert (await alice.thread("marks", root)).unread == 4
    assert await alice.mark_read("marks", mine, thread_root=root) == 1
    assert await alice.mark_read("marks", mine + 1, thread_root=root) == 0
    assert [
        (change.read_marker.seq, change.read_marker.unread_count) for change in await entries(node, "alice")
    ][len(told) :] == [(inside[1], 1), (inside[0], 2), (0, 3), (mine, 1), (mine + 1, 0)]

    assert await dan.mark_read("marks", mine, thread_root=root) == 0
    assert not (await dan.thread("marks", root)).following
    head = (await dan.send("marks", "outside")).seq
    assert (await alice.room("marks")).unread == 1

    async def mark(*places: tuple[int, int]) -> list[tuple[int, int, int]]:
        markers = [pb.ReadMarker(room_id="marks", thread_root=root, seq=seq) for root, seq in places]
        request = pb.MarkReadRequest(markers=markers)
        response = await alice._repeat("MessageService/MarkRead", request, pb.MarkReadResponse)
        return [(marker.thread_root, marker.seq, marker.unread_count) for marker in response.markers]

    await bob.send("marks", "again", thread_root=root)
    assert await mark((root, head + 1), (0, head)) == [(root, head + 1, 0), (0, head, 0)]
    for places, field in (
        ([(root, 1), (0, 1), (root, 2)], "markers[2].room_id"),
        ([(inside[0], 1)], "markers[0].thread_root"),
        ([(0, 1), (999, 1)], "markers[1].thread_root"),
        ([(root, 999)], "markers[0].seq"),
        ([(-1, 1)], "markers[0].thread_root"),
    ):
        with pytest.raises(errors.ChatError) as refused:
            await mark(*places)
        assert refused.value.field == field


async def test_what_is_hidden_of_a_thread_is_not_counted(node: RunningNode) -> None:
    """Who sees a thread from the middle on is told of that part alone."""
    alice, dan = node.client("alice"), node.client("dan")
    room = (await alice.create_room("middle", history="since_join")).room_id
    root, other = [(await alice.send(room, "hidden root")).seq for _ in range(2)]
    hidden = [(await alice.send(room, "hidden", thread_root=root)).seq for _ in range(3)]
    await alice.send(room, "hidden", thread_root=other)
    await alice.delete(room, hidden[0])
    invite = await alice.create_invite(room)
    await dan.join_room(invite=invite.code)
    assert await listed(dan, room) == []
    for call in (dan.thread, dan.follow_thread, dan.mute_thread, dan.unfollow_thread):
        with pytest.raises(errors.MessageNotFound):
            await call(room, root)
    with pytest.raises(errors.MessageNotFound):
        await dan.mark_read(room, 0, thread_root=root)

    seen = [(await alice.send(room, "visible", thread_root=root)).seq for _ in range(3)]
    await alice.delete(room, seen[0])
    assert await listed(dan, room) == [root]
    thread = await dan.follow_thread(room, root)
    assert (thread.replies, (await alice.thread(room, root)).replies) == (2, 4)
    assert thread.root is None
    assert [each.root async for each in dan.threads(room)] == [None]
    for messages in (dan.thread_messages(room, root), dan.thread_messages(room, root, after=hidden[0])):
        assert [message.seq async for message in messages] == seen
    assert [message.seq async for message in dan.thread_messages(room, root, before=seen[1])] == seen[:1]
    request = pb.ListThreadMessagesRequest(room_id=room, thread_root=root)
    method = "MessageService/ListThreadMessages"
    page = await dan._repeat(method, request, pb.ListThreadMessagesResponse)
    assert (page.previous_page_token, page.next_page_token) == ("", "")
    assert await dan.mark_read(room, 0, thread_root=root, back=True) == 2
    with pytest.raises(errors.MessageNotFound):
        await dan.thread(room, other)

    # What somebody followed is not listed either, once it is hidden from them.
    everything = (await alice.create_room("later", history="all")).room_id
    root = (await alice.send(everything, "root")).seq
    await alice.send(everything, "inside", thread_root=root)
    invite = await alice.create_invite(everything)
    await dan.join_room(invite=invite.code)
    await dan.follow_thread(everything, root)
    assert await listed(dan, everything, following=True) == [root]
    await alice.update_room(everything, history="since_join")
    assert await listed(dan, everything, following=True) == []


async def test_counts_of_threads_are_those_of_a_naive_count(node: RunningNode) -> None:
    """After whatever was sent, deleted, read, marked as unread, followed, left and joined again."""
    pick = random.Random(11)
    names = ["alice", "bob", "dan"]
    clients = [node.client(name) for name in names]
    alice = clients[0]
    room = (await alice.create_room("naive")).room_id
    roots = [(await alice.send(room, "root")).seq for _ in range(2)]
    followed: set[tuple[str, int]] = set()
    invite = await alice.create_invite(room)
    for client in clients[1:]:
        await client.join_room(invite=invite.code)
    others = {name: (await client.inbox()).threads for name, client in zip(names, clients, strict=True)}
    for _ in range(70):
        at = pick.randrange(3)
        client, name, root = clients[at], names[at], pick.choice(roots)
        head = (await alice.room(room)).last_seq
        log = await messages(alice, room)
        mine = [m.seq for m in log if m.sender_id == name and not m.deleted and m.seq not in roots]
        match pick.randrange(9):
            case 0 | 1 | 2:
                if not [m for m in log if m.thread_root == root]:
                    followed.add(("alice", root))
                await client.send(room, "x", thread_root=root)
                followed.add((name, root))
            case 3:
                await client.send(room, "x")
            case 4 if mine:
                await client.delete(room, pick.choice(mine))
            case 8 if gone := [m.seq for m in log if m.thread_root == root and not m.deleted]:
                # All that anybody has said in a thread.
                await alice.delete(room, *gone)
            case 5:
                back, to = pick.random() < 0.6, pick.choice((0, root))
                await client.mark_read(room, pick.randrange(head + 1), thread_root=to, back=back)
            case 6 if pick.random() < 0.5:
                if pick.random() < 0.5:
                    await client.follow_thread(room, root)
                    followed.add((name, root))
                else:
                    await client.unfollow_thread(room, root)
                    followed.discard((name, root))
            case 7 if at and pick.random() < 0.3:
                await client.leave_room(room)
                await client.join_room(invite=invite.code)
                followed -= {(name, root) for root in roots}
        log = await messages(alice, room)
        for name, client in zip(names, clients, strict=True):
            theirs = {thread.root_seq: thread async for thread in client.threads(room)}
            found = {root for root, thread in theirs.items() if thread.following}
            inside = [m for m in log if m.thread_root]
            # What is deleted altogether is listed no more.
            assert theirs.keys() == {m.thread_root for m in inside if not m.deleted}
            assert found == {root for of, root in followed if of == name} & theirs.keys()
            waiting = [each.root_seq async for each in client.threads(room, unread=True)]
            assert {*waiting} == {root for root, thread in theirs.items() if thread.unread}
            assert (await client.inbox()).threads == len(waiting) + others[name]
            for root, thread in theirs.items():
                told = [m for m in inside if m.thread_root == root]
                unread = [m for m in told if m.seq > thread.read_seq and m.sender_id != name]
                assert thread.replies == sum(not m.deleted for m in told)
                assert thread.last_seq == told[-1].seq
                assert thread.unread == (sum(not m.deleted for m in unread) if thread.following else 0)
            now = await client.room(room)
            unread = [m for m in log if m.seq > now.read_seq and m.sender_id != name and not m.thread_root]
            assert now.unread == sum(not m.deleted for m in unread)
