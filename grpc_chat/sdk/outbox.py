"""Messages on their way out: those that gather while one call is under way go together in the next."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from grpc_chat.errors import (
    AlreadyExists,
    ChatError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    SlowMode,
    Unavailable,
    Unreachable,
)
from grpc_chat.sdk import retry
from grpc_chat.sdk.models import Sent, to_datetime
from grpc_chat.wire import chat_pb2 as pb

Call = Callable[[pb.SendMessagesRequest], Awaitable[pb.SendMessagesResponse]]


def new_message_id() -> str:
    """A UUID of version 7 (RFC 9562): random, and larger than the ones before it, which databases like."""
    number = int.from_bytes((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))


@dataclass(slots=True)
class _Item:
    message: pb.OutgoingMessage
    size: int
    done: asyncio.Future[Sent]
    last_error: ChatError | None = None
    may_be_stored: bool = False
    """Whether an attempt may have reached the server, and its outcome is not known."""


class Outbox:
    """Sends messages in the order they were given, one call at a time, again until the outcome is known.

    Args:
        call: ``SendMessages``, once.
        max_messages, max_bytes: How much goes into one call.
        max_waiting: How many messages may wait; one more waits before it is taken.
    """

    def __init__(
        self,
        call: Call,
        *,
        max_messages: int = 256,
        max_bytes: int = 192 * 1024,
        max_waiting: int = 10_000,
        backoff: retry.Backoff | None = None,
    ) -> None:
        self._call = call
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._places = asyncio.Semaphore(max_waiting)
        self._backoff = backoff or retry.Backoff()
        self._waiting: deque[_Item] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._closed = False

    async def send(
        self,
        room_id: str,
        text: str,
        *,
        file_ids: Sequence[str] = (),
        reply_to: int = 0,
        thread_root: int = 0,
        parts: pb.OutgoingMessage | None = None,
        client_message_id: str,
        timeout: timedelta | None,
    ) -> Sent:
        """Send one message.

        Args:
            parts: What it has besides.

        Raises:
            ChatError: It was refused, or ``Unavailable`` when the outcome is still unknown after ``timeout``.
        """
        message = pb.OutgoingMessage(
            room_id=room_id,
            client_message_id=client_message_id,
            text=text,
            file_ids=file_ids,
            reply_to=reply_to,
            thread_root=thread_root,
        )
        if parts:
            message.MergeFrom(parts)
        # The tag and length of an entry of the request are 2 to 4 bytes.
        item = _Item(message, message.ByteSize() + 4, asyncio.get_running_loop().create_future())
        seconds = timeout.total_seconds() if timeout is not None else None
        try:
            # The wait for a place counts too.
            async with asyncio.timeout(seconds), self._places:
                self._start(item)
                # Cancelling the caller cancels the future, and the message is left out of later attempts.
                return await item.done
        except TimeoutError:
            why = f": {item.last_error}" if item.last_error else ""
            raise _unknown(client_message_id, why) from None

    def _start(self, item: _Item) -> None:
        if self._closed:
            raise Unavailable("the client is closed; the message was not sent")
        self._waiting.append(item)
        if self._pump is None:
            self._pump = asyncio.create_task(self._run(), name="outbox")

    async def close(self) -> None:
        """Stop sending; unsent messages fail with ``Unavailable``."""
        self._closed = True
        if self._pump:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        # A task that is cancelled before its first step does not get to do this itself.
        self._give_up([])

    async def _run(self) -> None:
        batch: list[_Item] = []
        try:
            while self._waiting:
                batch = self._take()
                await self._deliver(batch)
        except BaseException:
            self._give_up(batch)
            raise
        finally:
            self._pump = None

    def _give_up(self, batch: Sequence[_Item]) -> None:
        for item in [*batch, *self._waiting]:
            if not item.done.done():
                item.done.set_exception(Unavailable("the client was closed before the outcome was known"))
        self._waiting.clear()

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        size = 0
        while self._waiting and len(batch) < self._max_messages:
            if batch and size + self._waiting[0].size > self._max_bytes:
                break
            item = self._waiting.popleft()
            size += item.size
            batch.append(item)
        return batch

    async def _deliver(self, batch: Sequence[_Item]) -> None:
        """Try until all outcomes are known, or nobody waits for them."""
        while items := [item for item in batch if not item.done.done()]:
            request = pb.SendMessagesRequest(messages=[item.message for item in items])
            try:
                response = await self._call(request)
            except ChatError as error:
                if retry.worthwhile(error):
                    for item in items:
                        item.last_error = error
                        item.may_be_stored |= not (isinstance(error, Unreachable) and error.nobody_there)
                    await asyncio.sleep(self._backoff.next(error).total_seconds())
                elif len(items) == 1:
                    self._backoff.reset()
                    # Its sender may have given up while the call was under way.
                    if not items[0].done.done():
                        items[0].done.set_exception(_outcome(items[0], error))
                else:
                    # A call is all or nothing, and these have nothing to do with each other.
                    for item in items:
                        await self._deliver([item])
                continue
            self._backoff.reset()
            for item, sent in zip(items, response.messages, strict=True):
                if not item.done.done():
                    item.done.set_result(_sent(item.message, sent))


def _outcome(item: _Item, refused: ChatError) -> ChatError:
    """The error of a refused send. After an attempt whose outcome was unknown, only a refusal by a server
    that looked for the message proves that it is not there."""
    looked = isinstance(refused, InvalidRequest | AlreadyExists | NotFound | PermissionDenied | SlowMode)
    if not item.may_be_stored or looked:
        return refused
    return _unknown(item.message.client_message_id, f": {refused}")


def _unknown(client_message_id: str, why: str) -> Unavailable:
    return Unavailable(
        f"it is not known whether the message was stored{why}",
        metadata={"clientMessageId": client_message_id},
    )


def _sent(message: pb.OutgoingMessage, sent: pb.SentMessage) -> Sent:
    return Sent(
        room_id=sent.room_id,
        seq=sent.seq,
        epoch=sent.epoch,
        client_message_id=message.client_message_id,
        create_time=to_datetime(sent.create_time.seconds, sent.create_time.nanos),
    )
