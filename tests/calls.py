"""Calls by the names of methods, with whatever token, and everything that the answers say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

M = TypeVar("M", bound=Message)

PATIENCE = 20.0  # seconds until something that should happen counts as not happening

METHODS: dict[str, MethodDescriptor] = {
    f"{service.name}/{name}": method
    for service in pb.DESCRIPTOR.services_by_name.values()
    for name, method in service.methods_by_name.items()
}
"""Every method of chat.proto, as ``RoomService/GetRoom``."""


def names_a_room(message: Descriptor) -> bool:
    """Whether a request says which room it is about, itself or in a message inside it."""
    return any(
        field.name == "room_id"
        or (
            field.message_type is not None
            and field.message_type.file.package == pb.DESCRIPTOR.package
            and names_a_room(field.message_type)
        )
        for field in message.fields
    )


@dataclass(frozen=True)
class Reply:
    """What became of a call."""

    code: grpc.StatusCode
    text: str = ""
    details: bytes = b""
    """The encoded google.rpc.Status."""
    response: bytes = b""

    @property
    def reason(self) -> str:
        """``ErrorInfo.reason``, or OK."""
        if self.code is grpc.StatusCode.OK:
            return "OK"
        return self._detail(error_details_pb2.ErrorInfo()).reason or self.code.name

    @property
    def metadata(self) -> dict[str, str]:
        """``ErrorInfo.metadata``."""
        return dict(self._detail(error_details_pb2.ErrorInfo()).metadata)

    @property
    def field(self) -> str:
        """The field of the request that is wrong; empty where the error names none."""
        violations = self._detail(error_details_pb2.BadRequest()).field_violations
        return violations[0].field if violations else ""

    @property
    def retry_after(self) -> float | None:
        """The seconds of ``RetryInfo``."""
        info = self._detail(error_details_pb2.RetryInfo())
        return info.retry_delay.ToTimedelta().total_seconds() if info.HasField("retry_delay") else None

    @property
    def status(self) -> tuple[str, str, bytes]:
        """All that can be told apart of an error."""
        return self.code.name, self.text, self.details

    def _detail(self, wanted: Any) -> Any:
        for detail in status_pb2.Status.FromString(self.details).details:
            detail.Unpack(wanted)
        return wanted

    def read(self, kind: type[M]) -> M:
        """The response of a call that went well."""
        assert self.code is grpc.StatusCode.OK, (self.code, self.text)
        return kind.FromString(self.response)


def _refused(error: grpc.aio.AioRpcError) -> Reply:
    details = b""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            with suppress(DecodeError):
                details = value
    return Reply(error.code(), error.details() or "", details)


def _metadata(token: str, extra: dict[str, str]) -> grpc.aio.Metadata:
    pairs = [("authorization", f"Bearer {token}")] if token else []
    return grpc.aio.Metadata(*pairs, *extra.items())


class Calls:
    """Calls methods of a server on one connection, as anybody."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        )
        self._methods: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    def _method(self, name: str) -> Any:
        if name not in self._methods:
            make = self._channel.unary_unary
            if METHODS[name].server_streaming:
                make = cast("Any", self._channel.unary_stream)
            self._methods[name] = make(f"/chat.v1.{name}")
        return self._methods[name]

    async def __call__(self, name: str, request: Message, token: str = "", **metadata: str) -> Reply:
        """Call a method. Of one that streams, the first response is taken, and the stream left.

        Args:
            metadata: More of it, with ``_`` for ``-``.
        """
        given = _metadata(token, {key.replace("_", "-"): value for key, value in metadata.items()})
        call = self._method(name)(request.SerializeToString(), metadata=given, timeout=PATIENCE)
        try:
            if METHODS[name].server_streaming:
                response = await call.read()
                call.cancel()
            else:
                response = await call
        except grpc.aio.AioRpcError as error:
            return _refused(error)
        return Reply(grpc.StatusCode.OK, response=response)

    def subscribe(self, token: str, *cursors: pb.Cursor, **request: Any) -> Stream:
        """Follow rooms."""
        asked = pb.SubscribeRequest(cursors=cursors, **request)
        return Stream(lambda: self._method("SubscribeService/Subscribe"), token, asked)


class Stream:
    """A stream that reads all the time, and remembers everything that it was told.

    Attributes:
        got: By room, the events, in the order of their coming.
        left, gaps, history_changed: What the stream said of these.
        followed: By room, each time it was begun to be followed anew, the events since then.
        passed_over: The same, the gaps.
        ended: What became of the call; None while it goes on.
    """

    def __init__(self, method: Callable[[], Any], token: str, request: pb.SubscribeRequest) -> None:
        self.request = request
        self.got: dict[str, list[pb.Event]] = {}
        self.followed: dict[str, list[list[pb.Event]]] = {}
        self.passed_over: dict[str, list[list[pb.Gap]]] = {}
        self.left: list[pb.RoomLeft] = []
        self.left_at: dict[str, float] = {}
        self.gaps: list[pb.Gap] = []
        self.history_changed: list[pb.HistoryChanged] = []
        self.started = self.caught_up = False
        self.ended: Reply | None = None
        self._call = method()(request.SerializeToString(), metadata=_metadata(token, {}))
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for data in self._call:
                self._take(pb.SubscribeResponse.FromString(data))
            self.ended = Reply(grpc.StatusCode.OK)
        except grpc.aio.AioRpcError as error:
            self.ended = _refused(error)

    def _take(self, response: pb.SubscribeResponse) -> None:
        self.started |= response.HasField("started")
        self.caught_up |= response.HasField("caught_up")
        for left in response.left:
            self.left.append(left)
            self.left_at[left.room_id] = time.monotonic()
            self.followed.setdefault(left.room_id, [[]]).append([])
            self.passed_over.setdefault(left.room_id, [[]]).append([])
        self.history_changed += response.history_changed
        for gap in response.gaps:
            self.gaps.append(gap)
            self.passed_over.setdefault(gap.room_id, [[]])[-1].append(gap)
        for event in response.events:
            self.got.setdefault(event.room_id, []).append(event)
            self.followed.setdefault(event.room_id, [[]])[-1].append(event)

    def seqs(self, room_id: str) -> list[int]:
        """The numbers of a room's events, in the order of their coming."""
        return [event.seq for event in self.got.get(room_id, ())]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something, or for the stream's end, which must not come."""
        await until(lambda: condition() or self.ended is not None, timeout=PATIENCE)
        assert condition(), self.ended

    async def until_started(self) -> Self:
        """Wait until it is open."""
        await self.until(lambda: self.started)
        return self

    async def until_caught_up(self) -> Self:
        """Wait until it has told all that was there when it was opened."""
        await self.until(lambda: self.caught_up)
        return self

    async def until_left(self, room_id: str) -> float:
        """Wait until it has lost a room; when that was, by :func:`time.monotonic`."""
        await self.until(lambda: room_id in self.left_at)
        return self.left_at[room_id]

    async def until_got(self, room_id: str, seq: int) -> None:
        """Wait until it was told of an event, or one after it."""
        await self.until(lambda: any(event.seq >= seq for event in reversed(self.got.get(room_id, []))))

    async def until_ended(self) -> Reply:
        """Wait until it has ended."""
        async with asyncio.timeout(PATIENCE):
            await self._task
        assert self.ended
        return self.ended

    async def aclose(self) -> None:
        """Leave it."""
        self._call.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
