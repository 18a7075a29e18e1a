"""A copy of the data folder is put back, and what was stored after it was made is gone."""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from grpc_chat.sdk.models import Sent
from grpc_chat.store.sqlite import open_store
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token
from tests.calls import Calls, Stream
from tests.memory import Mostly

ROOM = "general"
QUIET = "quiet"
BOB = trusted_token("bob")


@asynccontextmanager
async def a_node(data: Path) -> AsyncIterator[tuple[RunningNode, Calls]]:
    async with running_node("alice", "bob", data=str(data)) as node, Mostly(node) as calls:
        await node.put_room(QUIET, {"alice": "member", "bob": "member"})
        yield node, calls


async def say(node: RunningNode, first: int, last: int, words: str, room: str = ROOM) -> list[Sent]:
    client = node.client("alice")
    return await asyncio.gather(*[client.send(room, f"{words} {n}") for n in range(first, last + 1)])


def stamp(sent: Sent) -> int:
    return round(sent.create_time.timestamp() * 1_000_000)


def cursor(sent: Sent, **values: object) -> pb.Cursor:
    made = pb.Cursor(room_id=sent.room_id, seq=sent.seq, epoch=sent.epoch, stamp=stamp(sent))
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Past:
    """A server that had 100 messages, then a copy was made, then came 20 more, then the copy was put back."""

    def __init__(self, folder: Path) -> None:
        self.data, self.copy = folder / "data", folder / "copy"
        self.kept: list[Sent] = []
        self.lost: list[Sent] = []
        self.quiet: Sent

    async def happen(self) -> None:
        async with a_node(self.data) as (node, _):
            [self.quiet] = await say(node, 1, 1, "quiet", QUIET)
            self.kept = await say(node, 1, 100, "kept")
        shutil.copytree(self.data, self.copy)
        async with a_node(self.data) as (node, _):
            self.lost = await say(node, 101, 120, "lost")
        self.put_back()

    def put_back(self) -> None:
        shutil.rmtree(self.data)
        shutil.copytree(self.copy, self.data)

    def begin_epoch(self) -> None:
        store = open_store(self.data)
        store.begin_epoch()
        store.close()


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Past:
    made = Past(tmp_path_factory.mktemp("past"))
    asyncio.run(made.happen())
    return made


@pytest.fixture
def past(happened: Past, tmp_path: Path) -> Past:
    own = copy.copy(happened)
    own.data = tmp_path / "data"
    shutil.copytree(own.copy, own.data)
    return own


def texts(stream: Stream, room: str = ROOM) -> list[str]:
    return [event.message.text for event in stream.got.get(room, [])]


def changes(stream: Stream) -> list[tuple[str, int, int]]:
    return [(change.room_id, change.last_common_seq, change.stamp) for change in stream.history_changed]


NEW = [f"new {n}" for n in range(101, 131)]


@pytest.mark.parametrize("epoch", ["the same", "another"])
@pytest.mark.parametrize("new", [30, 5, 0])
async def test_client_from_the_lost_future_reads_on_where_histories_part(
    past: Past, new: int, epoch: str
) -> None:
    """It is told so, is not sent again what both know, and misses nothing, now and live."""
    if epoch == "another":
        past.begin_epoch()
    async with a_node(past.data) as (node, calls):
        await say(node, 101, 100 + new, "new")
        stream = calls.subscribe(BOB, cursor(past.lost[-1]), cursor(past.quiet))
        await stream.until_caught_up()
        await say(node, 101 + new, 130, "new")
        await stream.until_got(ROOM, 130)

        assert texts(stream) == NEW
        assert stream.seqs(ROOM) == list(range(101, 131))
        told = [(ROOM, 100, stamp(past.kept[-1]))]
        # In a new epoch all rooms are told of: what follows may be another everywhere.
        assert changes(stream) == told + [(QUIET, 1, stamp(past.quiet))] * (epoch == "another")
        assert not stream.left
        assert not stream.gaps
        await stream.aclose()


async def test_cursor_made_of_what_it_is_told_is_a_good_one(past: Past) -> None:
    """So the client is told once."""
    async with a_node(past.data) as (node, calls):
        await say(node, 101, 130, "new")
        first = calls.subscribe(BOB, cursor(past.lost[-1]))
        await first.until_caught_up()
        [change] = first.history_changed
        place = cursor(past.kept[0], seq=change.last_common_seq, stamp=change.stamp)
        second = calls.subscribe(BOB, place)
        await second.until_caught_up()

        assert not second.history_changed
        assert texts(second) == texts(first) == NEW
        for stream in (first, second):
            await stream.aclose()


async def test_client_from_before_the_copy_notices_nothing(past: Past) -> None:
    """Everything that it has seen is still there."""
    async with a_node(past.data) as (node, calls):
        await say(node, 101, 130, "new")
        for sent, old in ((past.kept[-1], []), (past.kept[59], [f"kept {n}" for n in range(61, 101)])):
            stream = calls.subscribe(BOB, cursor(sent))
            await stream.until_caught_up()
            assert texts(stream) == old + NEW
            assert not stream.history_changed
            await stream.aclose()


async def test_client_without_a_stamp_is_served_as_ever(past: Past) -> None:
    """An old one can't notice, in the same epoch; after the head and in another epoch it is refused."""
    async with a_node(past.data) as (node, calls):
        old = cursor(past.lost[-1], stamp=0)
        reply = await calls("SubscribeService/Subscribe", pb.SubscribeRequest(cursors=[old]), BOB)
        assert reply.reason == "BAD_CURSOR"
        await say(node, 101, 130, "new")
        stream = calls.subscribe(BOB, old)
        await stream.until_caught_up()
        assert texts(stream) == NEW[20:]
        assert not stream.history_changed
        await stream.aclose()
    past.begin_epoch()
    async with a_node(past.data) as (_, calls):
        reply = await calls("SubscribeService/Subscribe", pb.SubscribeRequest(cursors=[old]), BOB)
        assert reply.reason == "EPOCH_CHANGED"


async def test_cursor_without_a_stamp_beside_others_does_not_end_them(past: Past) -> None:
    """Where the client is one that is told, it reads that room from the beginning."""
    async with a_node(past.data) as (_, calls):
        stream = calls.subscribe(BOB, cursor(past.lost[-1], stamp=0), cursor(past.quiet))
        await stream.until_caught_up()
        assert changes(stream) == [(ROOM, 0, 0)]
        assert texts(stream) == [f"kept {n}" for n in range(1, 101)]
        await stream.aclose()


async def test_position_from_the_lost_future_is_not_taken(past: Past) -> None:
    """A consumer whose client stayed up would have skipped what came instead. The other rooms count."""
    async with a_node(past.data) as (node, calls):
        await say(node, 101, 130, "new")
        request = pb.AcknowledgeRequest(consumer="bot", cursors=[cursor(past.lost[-1]), cursor(past.quiet)])
        reply = await calls("SubscribeService/Acknowledge", request, BOB)
        assert reply.reason == "EPOCH_CHANGED"
        assert reply.metadata["roomId"] == ROOM
        assert reply.metadata["lastCommonSeq"] == "100"
        assert reply.metadata["lastCommonStamp"] == str(stamp(past.kept[-1]))

        # What both know is taken, whatever the epoch was called then.
        request = pb.AcknowledgeRequest(consumer="bot", cursors=[cursor(past.kept[49], epoch="before")])
        assert (await calls("SubscribeService/Acknowledge", request, BOB)).reason == "OK"
        stream = calls.subscribe(BOB, consumer="bot")
        await stream.until_caught_up()
        assert texts(stream) == [f"kept {n}" for n in range(51, 101)] + NEW
        assert not texts(stream, QUIET)
        await stream.aclose()


@pytest.mark.parametrize("acknowledged", [100, 60, 0])
async def test_consumer_whose_client_stayed_up_is_told_where_histories_part(
    past: Past, acknowledged: int
) -> None:
    """Its position went back with the log; what the client has received since did not."""
    async with a_node(past.data) as (node, calls):
        if acknowledged:
            request = pb.AcknowledgeRequest(consumer="bot", cursors=[cursor(past.kept[acknowledged - 1])])
            assert (await calls("SubscribeService/Acknowledge", request, BOB)).reason == "OK"
        await say(node, 101, 130, "new")
        stream = calls.subscribe(BOB, consumer="bot", received=[cursor(past.lost[-1]), cursor(past.quiet)])
        await stream.until_caught_up()
        assert changes(stream) == [(ROOM, 100, stamp(past.kept[-1]))]
        # From where it was acknowledged: the client drops what it knows.
        assert stream.seqs(ROOM) == list(range(acknowledged + 1, 131))
        assert texts(stream)[-30:] == NEW
        await stream.aclose()


async def test_position_of_another_history_is_put_where_they_part(past: Past) -> None:
    """Positions lie beside the logs and go back with them; should they ever not, nothing is skipped."""
    async with a_node(past.data) as (node, _):
        await say(node, 101, 130, "new")
    store = open_store(past.data)
    with store._connection.begin():
        store._connection.exec_driver_sql(
            "INSERT INTO consumers (user_id, consumer, room_id, seq, stamp) VALUES ('bob', 'bot', ?, 120, ?)",
            (ROOM, stamp(past.lost[-1])),
        )
    store.close()
    async with a_node(past.data) as (_, calls):
        first = calls.subscribe(BOB, consumer="bot")
        await first.until_caught_up()
        assert changes(first) == [(ROOM, 100, stamp(past.kept[-1]))]
        assert texts(first) == NEW
        await first.aclose()
        again = calls.subscribe(BOB, consumer="bot")
        await again.until_caught_up()
        assert not again.history_changed
        assert texts(again) == NEW
        await again.aclose()


async def test_reader_of_pages_notices(past: Past) -> None:
    """By the token of a page from before, and by the stamp of the event that it names."""
    method = "MessageService/ListMessages"
    async with a_node(past.data) as (node, calls):
        lost = await say(node, 101, 120, "lost")
        forward = (
            await calls(method, pb.ListMessagesRequest(room_id=ROOM, after_seq=90, page_size=20), BOB)
        ).read(pb.ListMessagesResponse)
        early = (
            await calls(method, pb.ListMessagesRequest(room_id=ROOM, after_seq=10, page_size=20), BOB)
        ).read(pb.ListMessagesResponse)
    past.put_back()
    async with a_node(past.data) as (node, calls):
        for new in (0, 30):
            await say(node, 101, 100 + new, "new")
            for request in (
                pb.ListMessagesRequest(room_id=ROOM, page_token=forward.next_page_token),
                pb.ListMessagesRequest(room_id=ROOM, after_seq=110, stamp=stamp(lost[9])),
                pb.ListMessagesRequest(room_id=ROOM, before_seq=110, stamp=stamp(lost[9])),
                pb.ListMessagesRequest(room_id=ROOM, around_seq=110, stamp=stamp(lost[9])),
            ):
                reply = await calls(method, request, BOB)
                assert (reply.reason, reply.metadata["lastCommonSeq"]) == ("EPOCH_CHANGED", "100")
            for request in (
                pb.ListMessagesRequest(room_id=ROOM, page_token=forward.previous_page_token),
                pb.ListMessagesRequest(room_id=ROOM, page_token=early.next_page_token),
                pb.ListMessagesRequest(room_id=ROOM, after_seq=100, stamp=stamp(past.kept[-1])),
                pb.ListMessagesRequest(room_id=ROOM, after_seq=10, stamp=stamp(past.kept[9])),
            ):
                assert (await calls(method, request, BOB)).reason == "OK"
