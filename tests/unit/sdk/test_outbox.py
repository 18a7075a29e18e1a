from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from grpc_chat.errors import (
    ChatError,
    Internal,
    MessageTooLong,
    RateLimited,
    RoomNotFound,
    ServerNotTrusted,
    Unavailable,
)
from grpc_chat.sdk.models import Sent
from grpc_chat.sdk.network import nobody_there
from grpc_chat.sdk.outbox import Outbox, new_message_id
from grpc_chat.sdk.retry import Backoff
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

FOR_EVER = None


class Server:
    """Answers SendMessages; calls wait while :attr:`gate` is closed."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.requests: list[list[pb.OutgoingMessage]] = []
        self.stored: dict[str, int] = {}
        self.errors: list[ChatError] = []
        """What the next calls fail with, before anything is stored."""
        self.refused: dict[str, ChatError] = {}
        """By text: what a call with this message fails with."""
        self.lose_answers = 0
        """How many calls store their messages, and then fail."""
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        self.requests.append(list(request.messages))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            # A call takes some time, in which others could begin.
            await asyncio.sleep(0)
            return self._answer(request)
        finally:
            self.at_once -= 1

    def _answer(self, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        if self.errors:
            raise self.errors.pop(0)
        for message in request.messages:
            if error := self.refused.get(message.text):
                raise error
        response = pb.SendMessagesResponse()
        for message in request.messages:
            seq = self.stored.setdefault(message.client_message_id, len(self.stored) + 1)
            sent = response.messages.add(room_id=message.room_id, seq=seq, epoch="e1")
            sent.create_time.FromMicroseconds(1_700_000_000_123_456)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable("the connection was lost")
        return response

    @property
    def texts(self) -> list[list[str]]:
        """What each call held."""
        return [[message.text for message in messages] for messages in self.requests]


Make = Callable[..., Outbox]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def make(server: Server) -> AsyncIterator[Make]:
    """Makes outboxes that hardly wait between attempts, and are closed in the end."""
    made: list[Outbox] = []

    def make(**settings: Any) -> Outbox:
        settings.setdefault(
            "backoff", Backoff(first=timedelta(milliseconds=1), most=timedelta(milliseconds=1))
        )
        made.append(Outbox(server, **settings))
        return made[-1]

    yield make
    for outbox in made:
        await outbox.close()


def start(outbox: Outbox, text: str, **settings: Any) -> asyncio.Task[Sent]:
    given = {"room_id": "r1", "client_message_id": f"id of {text}", "timeout": FOR_EVER} | settings
    return asyncio.create_task(outbox.send(text=text, **given))


async def settled() -> None:
    """Whatever is scheduled has run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def hold(server: Server, outbox: Outbox, text: str = "first") -> asyncio.Task[Sent]:
    """Have a call under way, which is answered when the gate is opened."""
    server.gate.clear()
    task = start(outbox, text)
    await until(lambda: server.at_once == 1)
    return task


# Sending


async def test_lone_message_is_sent_at_once(server: Server, make: Make) -> None:
    """The answer says where it is."""
    sent = await start(make(), "hello", room_id="r9", client_message_id="id 1")

    [[message]] = server.requests
    assert message == pb.OutgoingMessage(room_id="r9", client_message_id="id 1", text="hello")
    assert (sent.room_id, sent.seq, sent.epoch, sent.client_message_id) == ("r9", 1, "e1", "id 1")
    assert sent.create_time.isoformat() == "2023-11-14T22:13:20.123456+00:00"


async def test_what_gathers_during_a_call_goes_together_in_the_next(server: Server, make: Make) -> None:
    """In the order in which it was given; each caller gets its own place."""
    outbox = make()
    first = await hold(server, outbox)
    tasks = [start(outbox, str(number), room_id=f"r{number % 3}") for number in range(100)]
    await settled()

    server.gate.set()
    sent = await asyncio.gather(first, *tasks)

    assert server.texts == [["first"], [str(number) for number in range(100)]]
    assert [place.seq for place in sent] == list(range(1, 102))
    assert [place.room_id for place in sent[1:]] == [f"r{number % 3}" for number in range(100)]


async def test_one_call_is_under_way_at_a_time(server: Server, make: Make) -> None:
    """Two could overtake each other."""
    outbox = make(max_messages=2)

    await asyncio.gather(*(start(outbox, str(number)) for number in range(11)))

    assert server.most_at_once == 1
    assert [text for texts in server.texts for text in texts] == [str(number) for number in range(11)]


async def test_call_holds_so_many_messages_at_the_most(server: Server, make: Make) -> None:
    """The rest goes with the next one."""
    outbox = make(max_messages=3)
    first = await hold(server, outbox)
    tasks = [start(outbox, str(number)) for number in range(7)]
    await settled()

    server.gate.set()
    await asyncio.gather(first, *tasks)

    assert server.texts[1:] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


async def test_call_holds_so_many_bytes_at_the_most(server: Server, make: Make) -> None:
    """A message that is larger than that goes alone."""
    outbox = make(max_bytes=1000)
    first = await hold(server, outbox)
    sizes = [300, 300, 300, 300, 5000, 10, 900, 200]
    tasks = [start(outbox, str(at) * size, client_message_id=str(at)) for at, size in enumerate(sizes)]
    await settled()

    server.gate.set()
    await asyncio.gather(first, *tasks)

    assert [[len(text) for text in texts] for texts in server.texts[1:]] == [
        [300, 300, 300],
        [300],
        [5000],
        [10, 900],
        [200],
    ]
    for messages in server.requests:
        assert len(messages) == 1 or pb.SendMessagesRequest(messages=messages).ByteSize() <= 1000


async def test_bytes_of_a_call_are_those_on_the_wire(server: Server, make: Make) -> None:
    """Many small messages are more than the sum of what is in them."""
    outbox = make(max_bytes=1000)
    first = await hold(server, outbox)
    tasks = [start(outbox, "x", client_message_id=str(number)) for number in range(250)]
    await settled()

    server.gate.set()
    await asyncio.gather(first, *tasks)

    sizes = [pb.SendMessagesRequest(messages=messages).ByteSize() for messages in server.requests[1:-1]]
    assert sizes
    assert all(800 < size <= 1000 for size in sizes)


async def test_more_than_may_wait_wait_for_a_place(server: Server, make: Make) -> None:
    """They are sent in their order all the same."""
    outbox = make(max_waiting=3)
    first = await hold(server, outbox)
    tasks = [start(outbox, str(number)) for number in range(8)]
    await settled()
    assert len(outbox._waiting) == 2

    server.gate.set()
    await asyncio.gather(first, *tasks)

    assert [text for texts in server.texts for text in texts] == ["first", *map(str, range(8))]
    assert max(map(len, server.texts)) <= 3


async def test_idle_outbox_starts_again(server: Server, make: Make) -> None:
    """One message after the other, with nothing in between."""
    outbox = make()

    for text in ("a", "b", "c"):
        await start(outbox, text)
        await settled()

    assert server.texts == [["a"], ["b"], ["c"]]


async def test_text_that_is_no_text_is_refused_at_once(server: Server, make: Make) -> None:
    """And takes nobody's place."""
    outbox = make(max_waiting=1)

    with pytest.raises(ValueError, match=r"(?i)utf-?8|surrogates"):
        await start(outbox, "a\udcffb")
    await start(outbox, "fine")

    assert server.texts == [["fine"]]


# Failing


@pytest.mark.parametrize("error", [Unavailable("away"), RateLimited("slowly"), Internal("oops")])
async def test_what_may_pass_is_tried_again_with_the_same_ids(
    server: Server, make: Make, error: ChatError
) -> None:
    """As often as it takes, before anything that came later."""
    server.errors = [error] * 4
    outbox = make()
    first = start(outbox, "first")
    await until(lambda: len(server.requests) >= 2)

    later = start(outbox, "later")
    sent = await asyncio.gather(first, later)

    assert server.texts == [["first"]] * 5 + [["later"]]
    assert len({message.client_message_id for messages in server.requests[:5] for message in messages}) == 1
    assert [place.seq for place in sent] == [1, 2]


async def test_lost_answer_stores_nothing_twice(server: Server, make: Make) -> None:
    """The second attempt is given what the first one stored."""
    server.lose_answers = 2

    outbox = make()
    first = await hold(server, outbox)
    others = [start(outbox, str(number)) for number in range(3)]
    server.gate.set()
    sent = await asyncio.gather(first, *others)

    assert len(server.stored) == 4
    assert [place.seq for place in sent] == [1, 2, 3, 4]
    assert server.texts == [["first"]] * 3 + [["0", "1", "2"]]


async def test_refusal_of_a_lone_message_is_its_own(server: Server, make: Make) -> None:
    """It is not tried again, and the next one is sent."""
    error = MessageTooLong("too long")
    server.refused["bad"] = error
    outbox = make()

    with pytest.raises(MessageTooLong) as caught:
        await start(outbox, "bad")
    await start(outbox, "good")

    assert caught.value is error
    assert server.texts == [["bad"], ["good"]]


@pytest.mark.parametrize("bad", [["2"], ["0"], ["4"], ["0", "1"], ["0", "1", "2", "3", "4"]])
async def test_refusal_in_a_call_hits_its_message_alone(server: Server, make: Make, bad: list[str]) -> None:
    """The others, which have nothing to do with it, are stored in their order."""
    server.refused = {text: RoomNotFound("no such room") for text in bad}
    outbox = make()
    first = await hold(server, outbox)
    tasks = [start(outbox, str(number)) for number in range(5)]
    await settled()
    server.gate.set()

    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    refused = [str(at) for at, result in enumerate(results[1:]) if isinstance(result, RoomNotFound)]
    stored = [result.seq for result in results if isinstance(result, Sent)]
    assert refused == bad
    assert stored == list(range(1, len(stored) + 1))
    assert len(stored) == 6 - len(bad)


async def test_failure_that_may_pass_while_a_refusal_is_looked_for_is_tried_again(
    server: Server, make: Make
) -> None:
    """Each message of the call is tried until its own outcome is known."""
    server.refused["1"] = RoomNotFound("no such room")
    outbox = make()
    first = await hold(server, outbox)
    tasks = [start(outbox, str(number)) for number in range(3)]
    await settled()
    server.gate.set()
    await until(lambda: len(server.requests) >= 3)
    server.errors = [Unavailable("away")] * 2

    results = await asyncio.gather(first, *tasks, return_exceptions=True)

    assert [type(result) for result in results] == [Sent, Sent, RoomNotFound, Sent]


async def test_attempts_are_further_and_further_apart(server: Server, make: Make) -> None:
    """As the backoff says, which a success sets back."""
    waits: list[ChatError | None] = []

    class Waits(Backoff):
        def next(self, error: ChatError | None = None) -> timedelta:
            waits.append(error)
            super().next(error)
            return timedelta(0)

    backoff = Waits()
    error = RateLimited("slowly", retry_after=timedelta(hours=1))
    server.errors = [error, error, error]
    outbox = make(backoff=backoff)

    await start(outbox, "a")

    assert waits == [error, error, error]
    assert backoff.failures == 0


async def test_a_refusal_sets_the_attempts_back(server: Server, make: Make) -> None:
    """The server is there: what goes wrong next is waited for as if for the first time."""
    backoff = Backoff(random=lambda: 0)
    server.errors = [Unavailable("away")]
    server.refused["bad"] = MessageTooLong("too long")

    with pytest.raises(MessageTooLong):
        await start(make(backoff=backoff), "bad")

    assert backoff.failures == 0


# Giving up


async def test_outcome_that_stays_unknown_is_said_to_be(server: Server, make: Make) -> None:
    """After the time-out; the error says what last went wrong, and which id to send it again with."""
    server.errors = [Unavailable("the server is away")] * 10_000
    outbox = make()

    with pytest.raises(Unavailable) as caught:
        await start(outbox, "a", client_message_id="id 7", timeout=timedelta(milliseconds=50))

    assert "not known whether the message was stored" in str(caught.value)
    assert "the server is away" in str(caught.value)
    assert caught.value.metadata == {"clientMessageId": "id 7"}
    assert not caught.value.definite


async def test_a_server_that_is_another_does_not_settle_an_outcome(server: Server, make: Make) -> None:
    """What an earlier attempt did is not known by then; a first attempt has done nothing for certain."""
    server.errors = [ServerNotTrusted("another"), Unavailable("lost"), ServerNotTrusted("another")]
    outbox = make()

    with pytest.raises(ServerNotTrusted):
        await start(outbox, "first")
    with pytest.raises(Unavailable, match="not known whether the message was stored: another") as caught:
        await start(outbox, "second")

    assert caught.value.metadata["clientMessageId"]


async def test_an_attempt_that_reached_nobody_leaves_nothing_unknown(server: Server, make: Make) -> None:
    """Without a connection no message leaves this machine, so what comes next has the last word."""
    nobody = nobody_there("it ends the connection", "refused", "recvmsg:Connection reset by peer")
    server.errors = [nobody, ServerNotTrusted("another")]

    with pytest.raises(ServerNotTrusted):
        await start(make(), "never sent")


async def test_message_that_was_given_up_is_left_out_of_later_attempts(server: Server, make: Make) -> None:
    """Its neighbours go on without it."""
    outbox = make()
    first = await hold(server, outbox)
    patient, hasty, cancelled = (
        start(outbox, "patient"),
        start(outbox, "hasty", timeout=timedelta(milliseconds=1)),
        start(outbox, "cancelled"),
    )
    await settled()
    cancelled.cancel()
    await asyncio.wait([hasty, cancelled])

    server.gate.set()
    await asyncio.gather(first, patient)
    await start(outbox, "last")

    assert isinstance(hasty.exception(), Unavailable)
    assert cancelled.cancelled()
    assert "hasty" not in server.texts[-1] + server.texts[-2]
    assert "patient" in server.texts[-2]
    assert len(server.stored) == 3


async def test_call_that_nobody_waits_for_is_not_repeated(server: Server, make: Make) -> None:
    """Messages that were all given up belong to nobody, and the next ones get their turn."""
    server.errors = [Unavailable("away")] * 3
    outbox = make(backoff=Backoff(first=timedelta(milliseconds=20), random=lambda: 1))
    given_up = start(outbox, "given up")
    await until(lambda: len(server.requests) == 1)
    server.errors = []

    given_up.cancel()
    await start(outbox, "next")

    assert server.texts[-1] == ["next"]
    assert server.texts.count(["given up"]) == 1


async def test_cancelled_sender_does_not_stop_the_call_that_is_under_way(server: Server, make: Make) -> None:
    """It is stored, and so are its neighbours."""
    outbox = make()
    first = await hold(server, outbox)

    first.cancel()
    await asyncio.wait([first])
    later = start(outbox, "later")
    server.gate.set()

    assert (await later).seq == 2
    assert server.texts == [["first"], ["later"]]


async def test_wait_for_a_place_counts_as_waiting(server: Server, make: Make) -> None:
    """A time-out is one also where so much is before it that it was never taken in; its id is free."""
    outbox = make(max_waiting=1)
    first = await hold(server, outbox)

    with pytest.raises(Unavailable) as caught:
        await start(outbox, "late", timeout=timedelta(milliseconds=1))

    assert caught.value.metadata == {"clientMessageId": "id of late"}
    server.gate.set()
    await first
    await start(outbox, "next")
    assert server.texts == [["first"], ["next"]]


# Closing


async def test_close_gives_up_what_is_not_sent(server: Server, make: Make) -> None:
    """What is under way, what waits, and what waits for a place: nobody is left waiting."""
    outbox = make(max_waiting=3)
    tasks = [await hold(server, outbox), *(start(outbox, str(number)) for number in range(5))]
    await settled()

    await outbox.close()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    assert [type(result) for result in results] == [Unavailable] * 6
    assert all("closed" in str(result) for result in results)
    assert server.texts == [["first"]]
    assert server.at_once == 0


async def test_close_gives_up_what_was_given_a_moment_ago(server: Server, make: Make) -> None:
    """Before the outbox got to look at it: the sender used to wait endlessly."""
    outbox = make()
    sending = start(outbox, "a")
    await asyncio.sleep(0)

    await outbox.close()

    with pytest.raises(Unavailable, match="closed"):
        await asyncio.wait_for(sending, 10)
    assert server.requests == []


async def test_closed_outbox_takes_nothing(server: Server, make: Make) -> None:
    """At once, and however often it is closed."""
    outbox = make()
    await start(outbox, "a")
    await outbox.close()
    await outbox.close()

    with pytest.raises(Unavailable, match="closed"):
        await start(outbox, "b")

    assert server.texts == [["a"]]


# Ids


def test_id_is_a_uuid_of_version_7() -> None:
    """In its usual form, with the time in front, so that later ones are larger."""
    ids = [new_message_id() for _ in range(100)]

    parsed = [UUID(id_) for id_ in ids]
    assert ids == [str(uuid) for uuid in parsed]
    assert {uuid.version for uuid in parsed} == {7}
    assert {uuid.variant for uuid in parsed} == {"specified in RFC 4122"}
    assert len(set(ids)) == 100
    times = [uuid.int >> 80 for uuid in parsed]
    assert times == sorted(times)
    assert 1_700_000_000_000 < times[0] < 10_000_000_000_000
