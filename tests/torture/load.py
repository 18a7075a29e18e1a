"""Clients that send, follow and read at random, and write down everything they do and are told."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

import grpc

from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import chat_pb2_grpc as rpc
from grpc_chat.wire.trusted import trusted_token
from tests.torture.foreign import NotTaken, OwnFault
from tests.torture.history import DEFINITE, History, body_hash
from tests.torture.items import listed

_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    # This is also how long an attempt may take.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 400),
    ("grpc.enable_retries", 0),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Each client is a machine of its own.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 8 << 20),
]
_NARROW = [
    # What a slow reader has not taken stays with the server, instead of in megabytes of buffers on the way.
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.http2.bdp_probe", 0),
]
WORDS = ["tea", "ça va", "да", "你好", "🙂", "e\u0301", "ok", "\u202eright", "line\nbreak", "\x1b[31m"]


class Stubs:
    """The methods, on a channel of their own."""

    def __init__(self, address: str, *, narrow: bool = False) -> None:
        options = _CHANNEL + (_NARROW if narrow else [])
        self.channel = grpc.aio.insecure_channel(address, options=options)
        # The generated stubs work with both kinds of channel; their types know one.
        self.messages: Any = rpc.MessageServiceStub(cast("Any", self.channel))
        self.subscribe: Any = rpc.SubscribeServiceStub(cast("Any", self.channel))
        self.auth: Any = rpc.AuthServiceStub(cast("Any", self.channel))
        self.rooms: Any = rpc.RoomServiceStub(cast("Any", self.channel))
        self.files: Any = rpc.FileServiceStub(cast("Any", self.channel))
        self.polls: Any = rpc.PollServiceStub(cast("Any", self.channel))
        self.personal: Any = rpc.PersonalServiceStub(cast("Any", self.channel))
        self.presence: Any = rpc.PresenceServiceStub(cast("Any", self.channel))

    async def close(self) -> None:
        await self.channel.close()


def metadata(user: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {trusted_token(user)}")]


class Draft(NamedTuple):
    """A message as it is sent, perhaps several times."""

    room: str
    id: str
    text: str


class Client:
    """What all have in common: a name, a user, a channel and a task."""

    narrow = False

    def __init__(self, name: str, user: str, address: str, history: History, seed: str) -> None:
        self.name = name
        self.user = user
        self.history = history
        self.random = random.Random(seed)
        self.metadata = metadata(user)
        self.stubs = self.connect(address, seed)
        self.stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def connect(self, address: str, seed: str) -> Any:
        """Its way to the server."""
        return Stubs(address, narrow=self.narrow)

    def start(self) -> None:
        self._task = asyncio.create_task(self.run(), name=self.name)

    async def run(self) -> None:
        raise NotImplementedError

    async def stop(self, seconds: float) -> bool:
        """Have it finish what it began; False if it could not in time."""
        self.stopping.set()
        assert self._task
        done, _ = await asyncio.wait([self._task], timeout=seconds)
        if not done:
            self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.stubs.close()
        return bool(done)

    async def pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)


class Sender(Client):
    """Sends batches, repeats some, and repeats what it has no answer to until it has one.

    Attributes:
        answered: When answers came, and how long each took.
        codes: How often each error came.
        dropped: Calls that ended without an answer of the server's: when they began and ended, and how.
        at_once: How many calls it has under way.
        not_taken: How many calls the server has said it did not take, and they were sent again.
    """

    at_once = 1

    def __init__(self, *args: Any, rooms: Sequence[str], batch: int, pause: float, least: int = 1) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._batch = batch
        self._least = least
        self._pause = pause
        self._pending: list[list[Draft]] = []
        self._sent: list[Draft] = []
        self.answered: list[tuple[float, float]] = []
        self.codes: dict[str, int] = {}
        self.dropped: list[tuple[float, float, str]] = []
        self.not_taken = 0

    def _new(self) -> Draft:
        pick = self.random
        text = f"{pick.choice(WORDS)} {pick.getrandbits(64):x}"
        if pick.random() < 0.02:
            text *= pick.randint(2, 100)
        return Draft(pick.choice(self._rooms), str(UUID(int=pick.getrandbits(128))), text)

    def _next(self) -> list[Draft]:
        pick = self.random
        # No more than a few at a time: in a long outage they would pile up faster than they are sent later.
        if self._pending and (self.stopping.is_set() or len(self._pending) > 4 or pick.random() < 0.8):
            drafts = self._pending.pop(0)
            if len(drafts) > 1 and pick.random() < 0.2:
                # Another client would not know what went together.
                half = len(drafts) // 2
                self._pending.append(drafts[half:])
                drafts = drafts[:half]
            return drafts
        chance = pick.random()
        if self._sent and chance < 0.01:
            first = pick.choice(self._sent)
            return [first._replace(text=first.text + " or not")]
        drafts = [self._new() for _ in range(pick.randint(self._least, self._batch))]
        if self._sent and chance < 0.1:
            drafts += [pick.choice(self._sent) for _ in range(min(3, 256 - len(drafts)))]
        elif chance < 0.11:
            # Refused for one empty text, and with it the others.
            drafts.append(self._new()._replace(text=""))
        return drafts

    async def run(self) -> None:
        while self._pending or not self.stopping.is_set():
            await self.send(self._next(), timeout=self.random.choice([1.0, 5.0, 10.0]))
            if self._pause and not self.stopping.is_set():
                await self.pause(self.random.uniform(0, 2 * self._pause))

    async def send(self, drafts: Sequence[Draft], timeout: float) -> bool:
        """One call. True when it was answered with where the messages are."""
        items = [[draft.room, draft.id, body_hash(draft.text)] for draft in drafts]
        request = pb.SendMessagesRequest(
            messages=[
                pb.OutgoingMessage(room_id=draft.room, client_message_id=draft.id, text=draft.text)
                for draft in drafts
            ]
        )
        call = self.history.invoke(self.name, self.user, items)
        began = self.history.clock()
        try:
            response = await self.stubs.messages.SendMessages(
                request, timeout=timeout, metadata=self.metadata
            )
        except grpc.aio.AioRpcError as error:
            code = error.code()
            taken = not isinstance(error, NotTaken)
            self.history.error(call, code, len(items), taken=taken)
            told = not taken or isinstance(error, OwnFault)
            if not told and not any(
                key == "grpc-status-details-bin" for key, _ in error.trailing_metadata() or ()
            ):
                self.dropped.append((began, self.history.clock(), f"{code.name}: {error.details()}"))
            self.codes[code.name] = self.codes.get(code.name, 0) + 1
            if not taken:
                self.not_taken += 1
            if code not in DEFINITE:
                self._pending.append(list(drafts))
                await self.pause(0.05)
            elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
                # Half of them are tried again; the others must never show up.
                if self.random.random() < 0.5:
                    self._pending.append(list(drafts))
                await self.pause(0.1)
            return False
        except asyncio.CancelledError:
            self.history.error(call, grpc.StatusCode.CANCELLED, len(items))
            raise
        self.history.ok(call, [(sent.epoch, sent.seq) for sent in response.messages])
        now = self.history.clock()
        self.answered.append((now, now - began))
        # A few of them, to be repeated some time.
        self._sent += drafts[:2]
        if len(self._sent) > 400:
            del self._sent[: self.random.randint(1, 200)]
        return True


class Subscriber(Client):
    """Follows rooms by cursors that it keeps, or as a consumer whose position the server keeps.

    Args:
        own: Whether it wants what its user sent.
        consumer: The consumer's name; empty for cursors.
        slow: The most seconds that it takes over a response.
        restless: How often it hangs up, for each response.
        claims: How often it says that it has received a response, and only that, without being a consumer.

    Attributes:
        at: Where it stands, by room.
        slow: As given; may be changed.
        drained: How often it was told that the server is about to stop.
        cut: How often a stream ended with an error.
        refused: Definite errors that its streams ended with.
    """

    def __init__(
        self,
        *args: Any,
        rooms: Sequence[str],
        own: bool,
        consumer: str = "",
        slow: float = 0.0,
        restless: float = 0.0,
        claims: float = 0.0,
    ) -> None:
        super().__init__(*args)
        self._own = own
        self._claims = claims
        self._consumer = consumer
        self.slow = slow
        self._restless = restless
        self._epoch = ""
        self.at = dict.fromkeys(rooms, 0)
        self._stamps: dict[str, int] = {}
        # What a consumer's client has got, which may be further than what it acknowledged.
        self._got: dict[str, int] = {}
        self.open = False
        self.drained = 0
        self.cut = 0
        self.refused: list[str] = []

    def hurry(self) -> None:
        """Read at once from now on."""
        self.slow = 0.0

    async def run(self) -> None:
        while not self.stopping.is_set():
            try:
                await self._follow()
            except grpc.aio.AioRpcError as error:
                self.cut += 1
                if error.code() in DEFINITE and error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    self.refused.append(f"{error.code().name}: {error.details()}")
                await self.pause(0.05)

    async def _follow(self) -> None:
        request = pb.SubscribeRequest(include_own=self._own)
        if self._consumer:
            request.consumer = self._consumer
            for room, seq in self._got.items():
                request.received.add(**self._cursor(room, seq))
        else:
            for room, seq in self.at.items():
                request.cursors.add(**self._cursor(room, seq))
        t0 = self.history.clock()
        stream = self.history.number()
        call = self.stubs.subscribe.Subscribe(request, metadata=self.metadata)
        code = "OK"
        stopped = asyncio.create_task(self.stopping.wait())
        stopped.add_done_callback(lambda _: call.cancel())
        try:
            async for response in call:
                await self._take(response, stream, t0)
                if self.stopping.is_set() or self.random.random() < self._restless:
                    return
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            if not self.stopping.is_set():
                raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            if not self.stopping.is_set():
                raise
        finally:
            self.open = False
            call.cancel()
            stopped.cancel()
            self.history.add("close", stream=stream, code=code)

    def _cursor(self, room: str, seq: int) -> dict[str, Any]:
        where = {"epoch": self._epoch, "stamp": self._stamps.get(room, 0)} if seq else {}
        return {"room_id": room, "seq": seq} | where

    async def _take(self, response: pb.SubscribeResponse, stream: int, t0: float) -> None:
        if response.HasField("started"):
            self._epoch = response.started.epoch
            for change in response.history_changed:
                self.at[change.room_id] = self._got[change.room_id] = change.last_common_seq
                self._stamps[change.room_id] = change.stamp
            if self._consumer:
                self.at = {cursor.room_id: cursor.seq for cursor in response.started.cursors}
                for cursor in response.started.cursors:
                    self._stamps.setdefault(cursor.room_id, cursor.stamp)
            self.open = True
            self.history.add(
                "open",
                t0=t0,
                stream=stream,
                client=self.name,
                user=self.user,
                session=self.user,
                own=self._own,
                epoch=self._epoch,
                start=dict(self.at),
                consumer=self._consumer,
                told={change.room_id: change.last_common_seq for change in response.history_changed},
            )
        t = self.history.clock()
        for gap in response.gaps:
            self.history.add(
                "gap", stream=stream, room=gap.room_id, **{"from": gap.from_seq, "to": gap.to_seq}
            )
            self._reach(gap.room_id, gap.to_seq, gap.stamp)
        rooms: dict[str, list[pb.Event]] = {}
        for event in response.events:
            rooms.setdefault(event.room_id, []).append(event)
        for room, events in rooms.items():
            self.history.add("recv", t=t, stream=stream, room=room, items=listed(events))
            self._reach(room, events[-1].seq, events[-1].create_time.ToMicroseconds())
        for cursor in response.passed:
            self.history.add("passed", t=t, stream=stream, room=cursor.room_id, seq=cursor.seq)
            if cursor.seq > self.at.get(cursor.room_id, 0):
                self._reach(cursor.room_id, cursor.seq, cursor.stamp)
        if response.HasField("draining"):
            self.drained += 1
        if self.slow:
            await self.pause(self.random.uniform(0, self.slow))
        moved = {*rooms, *(cursor.room_id for cursor in response.passed)}
        if self._consumer and moved:
            await self._acknowledge({room: self.at[room] for room in moved})
        elif rooms and self.random.random() < self._claims:
            after = {room: events[0].seq - 1 for room, events in rooms.items()}
            # It goes on reading, for example what a server says that stops, which takes no calls.
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._acknowledge({room: self.at[room] for room in rooms}, after, timeout=1)

    def _reach(self, room: str, seq: int, stamp: int) -> None:
        self.at[room] = seq
        if seq >= self._got.get(room, 0):
            self._got[room], self._stamps[room] = seq, stamp

    async def _acknowledge(
        self, positions: dict[str, int], after: Mapping[str, int] | None = None, *, timeout: float = 5
    ) -> None:
        after = after or {}
        who = {"user": self.user, "consumer": self._consumer, "after": after}
        self.history.add("ack", op="invoke", positions=positions, **who)
        request = pb.AcknowledgeRequest(consumer=self._consumer)
        for room, seq in positions.items():
            # What is given again has no stamp here: its event is older than what was got last.
            stamp = self._stamps.get(room, 0) if seq == self._got.get(room) else 0
            request.cursors.add(
                room_id=room, seq=seq, epoch=self._epoch, stamp=stamp, after_seq=after.get(room, 0)
            )
        try:
            await self.stubs.subscribe.Acknowledge(request, timeout=timeout, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                # The log went back while this was on its way; the next stream says up to where.
                return
            raise
        self.history.add("ack", op="ok", positions=positions, **who)


class Pager(Client):
    """Reads pages of history, anywhere in it.

    Attributes:
        answered: When pages came, and how long each took.
    """

    def __init__(self, *args: Any, rooms: Sequence[str], pause: float = 0.05) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._pause = pause
        self._heads = dict.fromkeys(rooms, 0)
        self.answered: list[tuple[float, float]] = []

    async def run(self) -> None:
        while not self.stopping.is_set():
            room = self.random.choice(self._rooms)
            request = pb.ListMessagesRequest(room_id=room, page_size=self.random.choice([1, 20, 100]))
            if self.random.random() < 0.6:
                request.after_seq = self.random.randint(0, self._heads[room])
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self.page(request)
            await self.pause(self._pause)

    async def page(self, request: pb.ListMessagesRequest) -> pb.ListMessagesResponse:
        t0 = self.history.clock()
        response: pb.ListMessagesResponse = await self.stubs.messages.ListMessages(
            request, timeout=5, metadata=self.metadata
        )
        t = self.history.clock()
        self.answered.append((t, t - t0))
        items = listed(response.events)
        after = request.after_seq if request.HasField("after_seq") else None
        if items:
            self._heads[request.room_id] = max(self._heads[request.room_id], items[-1][0])
        self.history.add(
            "read",
            t0=t0,
            t=t,
            client=self.name,
            user=self.user,
            room=request.room_id,
            epoch=response.epoch,
            after=after,
            items=items,
            end=not response.next_page_token,
        )
        return response


class Unreadable(Exception):
    """The server answered with bytes that are not what they should be."""


async def read_log(stubs: Stubs, user: str, room: str) -> tuple[str, list[list[Any]]]:
    """A room's whole log: its epoch and events."""
    items: list[list[Any]] = []
    while True:
        after = items[-1][0] if items else 0
        request = pb.ListMessagesRequest(room_id=room, page_size=500, after_seq=after)
        page = await stubs.messages.ListMessages(
            request, timeout=30, metadata=metadata(user), wait_for_ready=True
        )
        if page is None:
            raise Unreadable(f"what the server answers about {room} is no ListMessagesResponse")
        items += listed(page.events)
        if not page.next_page_token or not page.events:
            return page.epoch, items
