"""Messages that the server sends later, in their authors' names."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.sending_later import SendingLater
from grpc_chat.errors import Internal
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.store.records import user_log
from grpc_chat.store.writes import Draft
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb

LIMIT = 3


class Clock:
    """The time by which messages are due. It stands still until it is moved."""

    def __init__(self, sending: SendingLater, schedules: Any) -> None:
        self.now = datetime.now(UTC)
        self._sending = sending
        for part in (sending, schedules):
            part._clock = lambda: self.now.timestamp()

    def later(self, **span: float) -> datetime:
        return self.now + timedelta(**span)

    def pass_(self, **span: float) -> None:
        self.now = self.later(**span)
        self._sending.look_soon()


@asynccontextmanager
async def started(**settings: Any) -> AsyncIterator[tuple[RunningNode, Clock]]:
    limits = {"calls_per_second": 0, "adds_per_second": 0, "scheduled_per_user": LIMIT, "page_bytes": 2000}
    async with running_node(accounts={"adding": "anyone"}, limits=limits, network=False, **settings) as node:
        for user in ("alice", "bob"):
            await node.register(user, admin=user == "alice")
        yield node, Clock(node.node.system.personal.sending_later, node.node.system.personal.scheduled)


async def room_of(client: chat.Client, name: str, *others: str) -> str:
    room_id = (await client.create_room(name)).room_id
    for other in others:
        await client.add_member(room_id, other)
    return room_id


async def texts(client: chat.Client, room: str) -> list[str]:
    return [message.text async for message in client.history(room)]


async def listed(client: chat.Client) -> list[chat.ScheduledMessage]:
    return [each async for each in client.scheduled_messages()]


async def states(node: RunningNode, user_id: str) -> list[tuple[int, int]]:
    """What a user's log says of scheduled messages: states and numbers."""
    found = await node.node.readers.run(
        lambda snapshot: snapshot.events_after(user_log(user_id), 0, limit=1000, max_bytes=1 << 24)
    )
    events = [pb.Event.FromString(stored.payload) for stored in found]
    return [
        (event.scheduled_changed.state, event.scheduled_changed.seq)
        for event in events
        if event.HasField("scheduled_changed")
    ]


async def test_a_message_is_sent_once_when_its_time_comes_and_not_before() -> None:
    """It comes to all members and to the author's own sessions, also the one that scheduled it; repeating
    the call later neither schedules nor sends it again."""
    async with started() as (node, clock):
        alice, bob = await node.log_in("alice"), await node.log_in("bob")
        room = await room_of(alice, "plans", "bob")
        live = alice.subscribe(room)
        while not isinstance(await live.next(), chat.CaughtUp):
            pass
        id_, when = new_message_id().upper(), clock.later(hours=2)
        made = await alice.schedule(room, "later", when, client_message_id=id_)
        assert made.scheduled_message_id == id_.lower()
        assert (made.room_id, made.text, made.send_time, made.failure) == (room, "later", when, None)
        assert await alice.schedule(room, "later", when, client_message_id=id_) == made
        assert await listed(alice) == [made]
        assert await listed(bob) == []
        for text, time in (("other", when), ("later", clock.later(hours=3))):
            with pytest.raises(errors.ClientMessageIdReused):
                await alice.schedule(room, text, time, client_message_id=id_)

        clock.pass_(hours=1, minutes=59)
        assert await node.node.system.personal.sending_later.send_due() == int(when.timestamp() * 1_000_000)
        assert await texts(bob, room) == []
        clock.pass_(minutes=1)
        message = await live.next()
        assert isinstance(message, chat.Message)
        assert (message.text, message.sender_id, message.client_message_id) == ("later", "alice", id_.lower())
        assert await listed(alice) == []
        again = await alice.schedule(room, "later", when, client_message_id=id_)
        assert again.seq == message.seq
        assert await listed(alice) == []
        assert (await alice.send(room, "later", client_message_id=id_)).seq == message.seq
        with pytest.raises(errors.ClientMessageIdReused):
            await alice.schedule(room, "another", clock.later(hours=1), client_message_id=id_)
        assert await texts(bob, room) == ["later"]
        assert await states(node, "alice") == [
            (pb.SCHEDULED_STATE_SCHEDULED, 0),
            (pb.SCHEDULED_STATE_SENT, message.seq),
        ]


async def test_what_was_due_while_the_server_was_down_is_sent_in_order() -> None:
    """As soon as it is back, the earliest first; what is not due waits."""
    async with started() as (node, clock):
        alice = await node.log_in("alice")
        room = await room_of(alice, "plans")
        for hours in (3, 1, 2):
            await alice.schedule(room, f"after {hours}", clock.later(hours=hours))
        await node.stop()
        now = clock.later(hours=2, minutes=30)
        await node.start()
        clock = Clock(node.node.system.personal.sending_later, node.node.system.personal.scheduled)
        clock.now = now
        clock.pass_(seconds=1)

        await node.node.system.personal.sending_later.send_due()
        assert await texts(alice, room) == ["after 1", "after 2"]
        assert [each.text for each in await listed(alice)] == ["after 3"]


Spoil = Callable[[RunningNode, chat.Client, str], Any]


async def _archive(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.archive_room(room)


async def _remove(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.remove_member(room, "bob")


async def _ban(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.ban_member(room, "bob")


async def _demote(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.set_role(room, "bob", "reader")


async def _admins_only(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.update_room(room, posting="admins")


async def _delete(_node: RunningNode, alice: chat.Client, room: str) -> None:
    await alice.delete_room(room, confirm_name="plans")


async def _block(node: RunningNode, _alice: chat.Client, _room: str) -> None:
    await node.node.committer.transact(SYSTEM, lambda transaction: transaction.block_account("bob"))


SPOILED: dict[str, tuple[Spoil, str]] = {
    "archived": (_archive, "ROOM_ARCHIVED"),
    "removed": (_remove, "ROOM_NOT_FOUND"),
    "banned": (_ban, "ROOM_NOT_FOUND"),
    "a reader": (_demote, "PERMISSION_DENIED"),
    "admins only": (_admins_only, "PERMISSION_DENIED"),
    "deleted": (_delete, "ROOM_NOT_FOUND"),
    "blocked": (_block, "ACCOUNT_BLOCKED"),
}


async def test_rights_are_checked_again_when_the_message_is_sent() -> None:
    """Whatever took them away, nothing is sent, and the list says why until the message is removed."""
    async with started() as (node, clock):
        alice, bob = await node.log_in("alice"), await node.log_in("bob")
        for name, (spoil, reason) in SPOILED.items():
            room = await room_of(alice, "plans", "bob")
            made = await bob.schedule(room, name, clock.later(minutes=1))
            await spoil(node, alice, room)
            clock.pass_(minutes=2)
            assert await node.node.system.personal.sending_later.send_due() is None
            if name == "blocked":
                await node.node.committer.transact(
                    SYSTEM, lambda transaction: transaction.unblock_account("bob")
                )
            [failed] = await listed(bob)
            assert failed.failure, name
            assert failed.failure.reason == reason, name
            assert failed == made.__class__(
                made.scheduled_message_id, room, name, made.send_time, failed.failure
            )
            assert (await states(node, "bob"))[-1] == (pb.SCHEDULED_STATE_FAILED, 0)
            if name != "deleted":
                assert await texts(alice, room) == []
            await bob.cancel_scheduled(made.scheduled_message_id)
        assert await listed(bob) == []


async def test_a_reply_is_checked_and_sent_like_any_other() -> None:
    """To a message that is there; and its author has read no more of the thread by it."""
    async with started() as (node, clock):
        alice, bob = await node.log_in("alice"), await node.log_in("bob")
        room = await room_of(alice, "plans", "bob")
        root = (await alice.send(room, "root")).seq
        with pytest.raises(errors.MessageNotFound):
            await alice.schedule(room, "to nothing", clock.later(hours=1), reply_to=root + 100)
        await bob.schedule(room, "later", clock.later(minutes=1), thread_root=root)
        await bob.schedule(room, "a reply", clock.later(minutes=1), reply_to=root)
        await bob.send(room, "here", thread_root=root)
        await alice.send(room, "unread", thread_root=root)
        clock.pass_(minutes=2)
        await node.node.system.personal.sending_later.send_due()
        sent = [message async for message in alice.history(room, after=root)]
        assert [(message.text, message.thread_root, message.reply_to) for message in sent][2:] == [
            ("later", root, 0),
            ("a reply", 0, root),
        ]
        with closing(sqlite3.connect(node.config.data / "chat.db")) as database:
            followers = "SELECT read_seq, read_own FROM thread_followers WHERE user_id = 'bob'"
            assert database.execute(followers).fetchall() == [(sent[0].seq, 1)]


async def test_mentions_are_those_of_the_moment_when_it_is_sent() -> None:
    """A member who has left by then is no longer mentioned, and one who has come is."""
    async with started() as (node, clock):
        alice = await node.log_in("alice")
        for user in ("carol", "dave"):
            await node.register(user)
        room = await room_of(alice, "plans", "bob", "carol")
        await alice.schedule(room, "@bob @carol @dave, ready?", clock.later(minutes=1))
        await alice.remove_member(room, "carol")
        await alice.add_member(room, "dave")
        clock.pass_(minutes=2)
        await node.node.system.personal.sending_later.send_due()
        request = pb.ListMessagesRequest(room_id=room)
        page = await alice._repeat("MessageService/ListMessages", request, pb.ListMessagesResponse)
        [message] = [event.message for event in page.events if event.HasField("message")]
        assert sorted(message.mentions.user_ids) == ["bob", "dave"]


def test_whatever_a_message_must_pass_is_asked_here_too() -> None:
    """What is new among drafts belongs into ``SendWrites``, and then into this list."""
    checks = {"check", "check_direct", "check_state", "answers"}
    other = {"event", "session_id", "once", "concerns", "names", "plain"}
    assert set(Draft._fields) == checks | other


async def test_one_that_failed_is_tried_again_when_it_is_changed() -> None:
    """And not by itself. Changing and cancelling ask for one's own messages that are still to be sent."""
    async with started() as (node, clock):
        alice, bob = await node.log_in("alice"), await node.log_in("bob")
        room = await room_of(alice, "plans", "bob")
        made = await bob.schedule(room, "first", clock.later(minutes=1))
        id_ = made.scheduled_message_id
        await alice.set_role(room, "bob", "reader")
        clock.pass_(minutes=2)
        await node.node.system.personal.sending_later.send_due()
        await alice.set_role(room, "bob", "member")
        clock.pass_(days=1)
        assert await node.node.system.personal.sending_later.send_due() is None
        for client in (alice, bob):
            for missing in (id_ if client is alice else new_message_id(),):
                with pytest.raises(errors.MessageNotFound) as refused:
                    await client.update_scheduled(missing, text="theirs")
                assert refused.value.field == "scheduled_message_id"
                with pytest.raises(errors.MessageNotFound):
                    await client.cancel_scheduled(missing)
        when = clock.later(hours=1)
        changed = await bob.update_scheduled(id_, text="second", send_time=when)
        assert (changed.text, changed.send_time, changed.failure) == ("second", when, None)
        clock.pass_(hours=2)
        await node.node.system.personal.sending_later.send_due()
        assert await texts(alice, room) == ["second"]
        with pytest.raises(errors.MessageNotFound):
            await bob.update_scheduled(id_, text="third")
        with pytest.raises(errors.MessageNotFound):
            await bob.cancel_scheduled(id_)


async def test_a_message_written_earlier_reads_nothing() -> None:
    """What came before it stays unread for its author; for the others it is one more message."""
    async with started() as (node, clock):
        alice, bob = await node.log_in("alice"), await node.log_in("bob")
        room = await room_of(alice, "plans", "bob")
        await bob.schedule(room, "good morning", clock.later(hours=8))
        for text in ("one", "two"):
            await alice.send(room, text)
        assert (await bob.room(room)).unread == 2
        clock.pass_(hours=9)
        await node.node.system.personal.sending_later.send_due()
        assert (await bob.room(room)).unread == 2
        assert (await alice.room(room)).unread == 1
        await alice.send(room, "three")
        assert (await bob.room(room)).unread == 3
        assert await bob.mark_read(room, (await bob.room(room)).last_seq) == 0
        # A member who has read everything has read their own, too.
        await bob.schedule(room, "good night", clock.later(hours=8))
        clock.pass_(hours=9)
        await node.node.system.personal.sending_later.send_due()
        found = await bob.room(room)
        assert (found.unread, found.read_seq) == (0, found.last_seq)


async def test_times_and_numbers_are_bounded() -> None:
    """One message more than allowed, one that is for now, or for never, is refused and changes nothing."""
    async with started() as (node, clock):
        alice = await node.log_in("alice")
        room = await room_of(alice, "plans")
        for when in (clock.now, clock.later(days=-1), clock.later(days=366, seconds=1)):
            with pytest.raises(errors.InvalidRequest, match="send_time must be later than now") as refused:
                await alice.schedule(room, "when?", when)
            assert refused.value.field == "send_time"
        made = [await alice.schedule(room, f"{at}" * 1500, clock.later(days=366 - at)) for at in range(LIMIT)]
        with pytest.raises(errors.LimitExceeded, match=f"you have {LIMIT} scheduled messages"):
            await alice.schedule(room, "one more", clock.later(days=1))
        with pytest.raises(errors.InvalidRequest, match="send_time must be later than now"):
            await alice.update_scheduled(made[0].scheduled_message_id, send_time=clock.now)
        assert await listed(alice) == made[::-1]
        sizes = []
        request = pb.ListScheduledMessagesRequest()
        while True:
            page = await alice._repeat(
                "PersonalService/ListScheduledMessages", request, pb.ListScheduledMessagesResponse
            )
            sizes.append(len(page.scheduled))
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        assert sizes == [1, 1, 1]


async def test_a_message_that_breaks_the_server_keeps_no_other_from_being_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A mistake in the code is noted like any other reason."""
    async with started() as (node, clock):
        alice = await node.log_in("alice")
        room = await room_of(alice, "plans")
        prepared = node.node.system.messages.prepared

        async def breaks(caller: Any, messages: Any) -> Any:
            if messages[0].text == "bad" and not caller.session_id:
                raise Internal("a mistake")
            return await prepared(caller, messages)

        monkeypatch.setattr(node.node.system.messages, "prepared", breaks)
        for text in ("bad", "good"):
            await alice.schedule(room, text, clock.later(minutes=1))
        clock.pass_(minutes=2)
        await node.node.system.personal.sending_later.send_due()
        assert await texts(alice, room) == ["good"]
        [failed] = await listed(alice)
        assert failed.failure
        assert (failed.text, failed.failure.reason) == ("bad", "INTERNAL")


async def test_two_senders_at_once_send_it_once() -> None:
    """As two nodes on one database would: the one that takes it out of the list sends it."""
    async with started() as (node, clock):
        alice = await node.log_in("alice")
        room = await room_of(alice, "plans")
        for at in range(LIMIT):
            await alice.schedule(room, f"{at}", clock.later(minutes=1 + at))
        clock.now = clock.later(hours=1)
        sending = node.node.system.personal.sending_later
        await asyncio.gather(*[sending.send_due() for _ in range(4)])
        assert await texts(alice, room) == ["0", "1", "2"]
