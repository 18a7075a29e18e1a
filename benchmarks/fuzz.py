"""Requests that are nearly right: python -m benchmarks.fuzz [--inputs 1000000] [--live 100000] [--seed N]

Valid requests of every method are mutated and given to the parser (everything a call goes through before its
method is carried out), and to a live server. Nothing may crash or hang; every answer is one that chat.proto
knows, and says nothing of the server's inside; no task, stream or descriptor is left behind. The seed is
printed, and the same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import grpc
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Method, Pipeline, Rate, Write
from grpc_chat.core.trusted import TrustedIds
from grpc_chat.errors import ChatError
from grpc_chat.metrics import Metrics
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb

HANG_SECONDS = 60
"""How long a thousand inputs may take before all stacks are printed and the process ends."""
METADATA = (("authorization", "Bearer alice"),)
# What only the server's inside is called; an answer that holds any of it has said too much.
INTERNALS = re.compile(
    r"Traceback|Error\b|Exception|protobuf|sqlite|sqlalchemy|\.py\b|packages| at 0x|NoneType", re.IGNORECASE
)
REFUSALS = {
    "INVALID_REQUEST",
    "MESSAGE_TOO_LONG",
    "BAD_CURSOR",
    "ROOM_NOT_FOUND",
    "CLIENT_MESSAGE_ID_REUSED",
    "EPOCH_CHANGED",
    "CONSUMER_TAKEN_OVER",
    "LIMIT_EXCEEDED",
}
STATUSES = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Broken(Exception):
    """An input did what none may do; the text has all that is needed to do it again."""


def seeds(chance: random.Random) -> dict[str, list[bytes]]:
    """Valid requests by the path of their method."""

    def message(text: str) -> pb.OutgoingMessage:
        id_ = str(UUID(int=chance.getrandbits(128), version=4))
        return pb.OutgoingMessage(room_id="general", client_message_id=id_, text=text)

    cursor = pb.Cursor(room_id="general", seq=1, epoch="0123456789abcdef")
    requests: dict[str, list[Message]] = {
        "AuthService/GetMe": [pb.GetMeRequest()],
        "RoomService/ListRooms": [
            pb.ListRoomsRequest(),
            pb.ListRoomsRequest(page_size=10, page_token="eyJhIjoxfQ" * 4),
        ],
        "RoomService/GetRoom": [pb.GetRoomRequest(room_id="general"), pb.GetRoomRequest(room_id="x" * 64)],
        "RoomService/ListMembers": [pb.ListMembersRequest(room_id="general", page_size=500)],
        "MessageService/SendMessages": [
            pb.SendMessagesRequest(messages=[message("hello")]),
            pb.SendMessagesRequest(messages=[message(f"{n} äöü 👋 {'x' * 3 * n}") for n in range(12)]),
        ],
        "MessageService/ListMessages": [
            pb.ListMessagesRequest(room_id="general", page_size=5, before_seq=9),
            pb.ListMessagesRequest(room_id="general", after_seq=0),
            pb.ListMessagesRequest(room_id="general", around_seq=2**62),
            pb.ListMessagesRequest(room_id="general", page_token="bm90IG9mIHRoaXMgc2VydmVy"),
        ],
        "SubscribeService/Subscribe": [
            pb.SubscribeRequest(cursors=[pb.Cursor(room_id="general")], include_own=True),
            pb.SubscribeRequest(cursors=[cursor, pb.Cursor(room_id="other")]),
            pb.SubscribeRequest(consumer="bot", start=pb.START_LATEST, max_unacknowledged=10),
        ],
        "SubscribeService/Acknowledge": [pb.AcknowledgeRequest(consumer="bot", cursors=[cursor])],
    }
    return {
        f"/chat.v1.{name}": [request.SerializeToString() for request in each]
        for name, each in requests.items()
    }


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class Mutator:
    """Makes inputs out of valid ones; the same ones for the same seed.

    Args:
        most_bytes: How long an input may become.
    """

    def __init__(self, seed: int, *, most_bytes: int = 8192) -> None:
        self._chance = random.Random(seed)
        self._most = most_bytes
        self._seeds = seeds(self._chance)
        self._paths = list(self._seeds)
        self._kinds: Sequence[Callable[[bytes], bytes]] = (
            self._flip_bits,
            self._overwrite,
            self._truncate,
            self._repeat,
            self._splice,
            self._huge_varint,
            self._wrong_length,
            self._unknown_field,
            self._deep,
            self._noise,
        )

    def next(self) -> tuple[str, bytes]:
        """A method's path and what it is called with."""
        path = self._chance.choice(self._paths)
        data = self._chance.choice(self._seeds[path])
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 8))):
            data = self._chance.choice(self._kinds)(data)[: self._most]
        return path, data

    def _at(self, data: bytes) -> int:
        return self._chance.randint(0, len(data))

    def _span(self, data: bytes) -> tuple[int, int]:
        first, second = self._at(data), self._at(data)
        return min(first, second), max(first, second)

    def _insert(self, data: bytes, piece: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + piece + data[at:]

    def _flip_bits(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._chance.randint(1, 4) if data else 0):
            changed[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _overwrite(self, data: bytes) -> bytes:
        start, end = self._span(data)
        interesting = (0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x0B, 0x0C, 0xC0, 0xED)
        return data[:start] + bytes([self._chance.choice(interesting)]) * (end - start) + data[end:]

    def _truncate(self, data: bytes) -> bytes:
        return data[: self._at(data)]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:end] + data[start:end] * self._chance.choice((1, 2, 10, 300)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._chance.choice(self._seeds[self._chance.choice(self._paths)])
        start, end = self._span(other)
        return self._insert(data, other[start:end])

    def _huge_varint(self, data: bytes) -> bytes:
        value = self._chance.choice((2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**70, 2**77))
        return self._insert(data, bytes([self._chance.randrange(1, 16) << 3]) + _varint(value))

    def _wrong_length(self, data: bytes) -> bytes:
        length = self._chance.choice((0, 1, 127, 128, 2**14, 2**28, 2**31 - 1, 2**32 - 1))
        return self._insert(data, bytes([self._chance.randrange(1, 16) << 3 | 2]) + _varint(length))

    def _unknown_field(self, data: bytes) -> bytes:
        number = self._chance.choice((0, 20, 1000, 19_000, 2**29 - 1))
        piece = bytes(self._chance.randrange(256) for _ in range(self._chance.randrange(20)))
        return self._insert(data, _varint(number << 3 | 2) + _varint(len(piece)) + piece)

    def _deep(self, data: bytes) -> bytes:
        return self._insert(data, b"\x0b" * self._chance.choice((1, 99, 101, 4000)))

    def _noise(self, data: bytes) -> bytes:
        return self._insert(data, self._chance.randbytes(self._chance.choice((1, 8, 200))))


class _Services:
    """Stands for all services, and looks at what gets through to them."""

    async def _unary(self, caller: object, request: Message) -> bytes:
        _look(request)
        return b""

    async def _stream(self, caller: object, request: Message, write: Write) -> None:
        _look(request)
        await write(b"")

    def __getattr__(self, name: str) -> Any:
        return self._stream if name == "subscribe" else self._unary


def _look(message: Message) -> None:
    """Whether all rules hold that can be told from outside."""
    if len(UnknownFieldSet(message)):
        raise AssertionError("an unknown field got through")
    for field, value in message.ListFields():
        if field.message_type:
            for each in value:
                _look(each)
        elif isinstance(value, int):
            _expect(value >= 0, field.name)
        elif field.name == "text":
            _expect(len(value.encode()) <= 65_536 and "\0" not in value, field.name)
        elif field.name == "client_message_id":
            _expect(len(value) == 36, field.name)
        else:
            _expect(len(value.encode()) <= (256 if field.name == "page_token" else 64), field.name)


def _expect(holds: bool, name: str) -> None:
    if not holds:
        raise AssertionError(f"{name} got through")


def pipeline() -> Pipeline:
    """The server's own, up to where a method would be carried out."""
    names = pb.DESCRIPTOR.services_by_name
    return Pipeline(
        dict.fromkeys(names, _Services()),
        authenticator=TrustedIds(["alice"]),
        checker=RequestChecker(Limits()),
        rate=Rate(per_second=0, burst=1),
        metrics=Metrics(),
    )


async def _ignore(_response: bytes) -> None:
    pass


async def _parse(line: Pipeline, method: Method, data: bytes) -> str:
    try:
        if method.unary:
            await line.call(method, METADATA, data)
        else:
            await line.stream(method, METADATA, data, _ignore)
    except ChatError as error:
        _check_refusal(error.code, str(error))
        return error.code
    return "OK"


def _check_refusal(code: str, text: str) -> None:
    if code not in REFUSALS:
        raise Broken(f"answered {code}: {text}")
    if INTERNALS.search(text) or len(text) > 1024:
        raise Broken(f"says too much: {code}: {text[:2000]}")


async def fuzz_parser(inputs: int, seed: int) -> Counter[str]:
    """Give so many inputs to the parser.

    Returns:
        How many were answered how.

    Raises:
        Broken: With the input.
    """
    line = pipeline()
    methods = {method.path: method for method in line.methods}
    mutator = Mutator(seed)
    answers: Counter[str] = Counter()
    with _watching_for_hangs() as still_going:
        for number in range(inputs):
            if number % 1000 == 0:
                still_going()
                # What else runs gets its turn.
                await asyncio.sleep(0)
            path, data = mutator.next()
            try:
                answers[await _parse(line, methods[path], data)] += 1
            except Exception as exc:
                raise Broken(f"seed {seed}, input {number}: {path} {data.hex()}: {exc!r}") from exc
    return answers


async def _ask(channel: grpc.aio.Channel, path: str, data: bytes) -> grpc.StatusCode:
    try:
        if path.endswith("/Subscribe"):
            open_ = cast("grpc.aio.UnaryStreamMultiCallable[bytes, bytes]", channel.unary_stream(path))
            stream = open_(data, metadata=grpc.aio.Metadata(*METADATA), timeout=HANG_SECONDS)
            await stream.read()
            if not stream.cancel():
                # It has ended by itself; here is why.
                await stream.read()
        else:
            ask = cast("grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", channel.unary_unary(path))
            await ask(data, metadata=grpc.aio.Metadata(*METADATA), timeout=HANG_SECONDS)
    except grpc.aio.AioRpcError as error:
        text = error.details() or ""
        if INTERNALS.search(text) or len(text) > 1024:
            raise Broken(f"says too much: {error.code()}: {text[:2000]}") from error
        if error.code() not in STATUSES:
            raise Broken(f"answered {error.code()}: {text}") from error
        return error.code()
    return grpc.StatusCode.OK


async def fuzz_live(inputs: int, seed: int, *, at_once: int = 16) -> Counter[str]:
    """Give so many inputs to a server in this process, over the network.

    Raises:
        Broken: With the input; or with what was left behind.
    """
    mutator = Mutator(seed)
    answers: Counter[str] = Counter()
    number = 0
    async with (
        running_node("alice", limits={"calls_per_second": 0}) as node,
        grpc.aio.insecure_channel(node.address) as channel,
    ):
        # Whatever is made when it is first needed is there.
        await asyncio.gather(*[fuzz_some(channel, Mutator(seed + at), 10) for at in range(at_once)])
        before = await _left(node.node.metrics)

        async def work() -> None:
            nonlocal number
            while number < inputs:
                at, number = number, number + 1
                if at % 1000 == 0:
                    still_going()
                path, data = mutator.next()
                try:
                    answers[(await _ask(channel, path, data)).name] += 1
                except Exception as exc:
                    raise Broken(f"seed {seed}, input {at}: {path} {data.hex()}: {exc!r}") from exc

        with _watching_for_hangs() as still_going:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(work())
        patience = 200
        while not _within(after := await _left(node.node.metrics), before) and patience:
            patience -= 1
            await asyncio.sleep(0.05)
        if not _within(after, before):
            raise Broken(f"tasks, descriptors and streams were {before} and are {after}")
    return answers


async def fuzz_some(channel: grpc.aio.Channel, mutator: Mutator, count: int) -> None:
    """A few inputs, whose answers are looked at and not counted."""
    for _ in range(count):
        await _ask(channel, *mutator.next())


async def _left(metrics: Metrics) -> tuple[int, int, int]:
    """Tasks, descriptors and streams."""
    gc.collect()
    await asyncio.sleep(0)
    streams = metrics.registry.get_sample_value("grpc_chat_streams") or 0
    return len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd")), int(streams)


def _within(now: Sequence[int], then: Sequence[int]) -> bool:
    return all(each <= before for each, before in zip(now, then, strict=True))


@contextmanager
def _watching_for_hangs() -> Iterator[Callable[[], None]]:
    """End the process, with a traceback, when what it gives is not called for too long within the block."""
    try:
        yield lambda: faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    finally:
        # Also after an error: left running, it would end whoever called, a minute later.
        faulthandler.cancel_dump_traceback_later()


def main() -> None:
    """Run, and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for the parser")
    parser.add_argument("--live", type=int, default=100_000, help="for a live server")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    for name, fuzz, inputs in (("parser", fuzz_parser, given.inputs), ("live", fuzz_live, given.live)):
        started = time.monotonic()
        answers = asyncio.run(fuzz(inputs, given.seed))
        told = ", ".join(f"{code} {count:,}" for code, count in answers.most_common())
        print(f"{name}: {inputs:,} inputs in {time.monotonic() - started:.0f} s: {told}", flush=True)


if __name__ == "__main__":
    main()
