"""A client of another make: HTTP/2 by hand, with all that is allowed and few libraries do.

It sends requests in pieces, padded, packed and with continued headers; it opens its windows late, by bites,
or closes them while answers are on their way; it stands still and comes back, says goodbye and goes on
reading, resets calls, and is cut off in the middle of a frame. It does so by a seed, now and then, and knows
of each call whether the server has ever begun with it: what was reset as refused, or is beyond a GOAWAY, was
not carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import grpc
import hpack
from google.protobuf.message import Message

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, frame, window_update
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token
from tests.engine import ENGINE

_FIRST_WINDOW = 65_535
_PADS = ENGINE == "asyncio"
"""grpc's library takes padding in DATA for a protocol error."""
_STILL_SECONDS = 1.5
"""How long it stands still at most: less than a server waits for a reader that has stopped."""
CODES = {code.value[0]: code for code in grpc.StatusCode}


class NotTaken(grpc.aio.AioRpcError):
    """The server says that it has not carried out the call, and never will."""


class OwnFault(grpc.aio.AioRpcError):
    """The client itself has given the call up."""


def failure(
    code: grpc.StatusCode,
    details: str,
    *,
    trailing: tuple[tuple[str, str | bytes], ...] = (),
    kind: type[grpc.aio.AioRpcError] = grpc.aio.AioRpcError,
) -> grpc.aio.AioRpcError:
    return kind(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details)


class Call:
    """One call, from its headers to its end.

    Attributes:
        messages: What was answered; None after the last.
        error: How it ended, unless it ended well.
    """

    def __init__(self, connection: Connection, stream: int, window: int) -> None:
        self.connection = connection
        self.id = stream
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.error: grpc.aio.AioRpcError | None = None
        self.over = False
        self.send_window = window
        self.unsent = bytearray()
        self._partial = bytearray()

    def data(self, payload: bytes) -> None:
        self._partial += payload
        while len(self._partial) >= 5:
            end = 5 + int.from_bytes(self._partial[1:5], "big")
            if len(self._partial) < end:
                return
            self.messages.put_nowait(bytes(self._partial[5:end]))
            del self._partial[:end]

    def headers(self, given: dict[str, str]) -> None:
        if "grpc-status" not in given:
            return
        code = CODES[int(given["grpc-status"])]
        if code is grpc.StatusCode.OK and not self._partial:
            self.end()
            return
        if code is grpc.StatusCode.OK:
            self.end(failure(grpc.StatusCode.DATA_LOSS, "OK after half of a message"))
            return
        name = "grpc-status-details-bin"
        details = b64decode(given[name] + "=" * (-len(given[name]) % 4)) if name in given else b""
        trailing = ((name, details),) if details else ()
        self.end(failure(code, unquote(given.get("grpc-message", "")), trailing=trailing))

    def end(self, error: grpc.aio.AioRpcError | None = None) -> None:
        if not self.over:
            self.over = True
            self.error = error
            self.connection.ended(self.id)
            self.messages.put_nowait(None)

    def cancel(self) -> None:
        if not self.over:
            self.connection.write(frames.rst_stream(self.id, ErrorCode.CANCEL))
            self.end(failure(grpc.StatusCode.CANCELLED, "cancelled by its client", kind=OwnFault))


class Connection(asyncio.Protocol):
    """A connection.

    Attributes:
        leaving: Whether the server has asked for no more calls on it.
    """

    def __init__(self, user: str, chance: random.Random) -> None:
        self.calls: dict[int, Call] = {}
        self.leaving = self.lost = False
        self._user = user
        self._chance = chance
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._next = 1
        self._received = b""
        self._block = b""
        self._still = False
        self._ungranted: dict[int, int] = {}
        self._send_window = self._first_send_window = _FIRST_WINDOW
        self._first_window = chance.choice((500, 2_000, 20_000, _FIRST_WINDOW))
        self._held: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.write(frames.PREFACE + frames.settings([(4, self._first_window)]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_up(grpc.aio.AioRpcError)

    def _give_up(self, kind: type[grpc.aio.AioRpcError]) -> None:
        self.lost = True
        for call in list(self.calls.values()):
            call.end(failure(grpc.StatusCode.UNAVAILABLE, "the connection was lost", kind=kind))

    def write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    # Calls

    def ended(self, stream: int) -> None:
        self.calls.pop(stream, None)
        if self.leaving and not self.calls:
            self.close()

    def call(self, path: str, request: bytes, seconds: float | None) -> Call:
        chance, stream = self._chance, self._next
        self._next += 2
        call = self.calls[stream] = Call(self, stream, self._first_send_window)
        packed = chance.random() < 0.2
        fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "torture"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("authorization", f"Bearer {trusted_token(self._user)}"),
        ]
        if packed:
            fields.append(("grpc-encoding", "gzip"))
        if seconds is not None:
            fields.append(("grpc-timeout", f"{seconds * 1000:.0f}m"))
        if chance.random() < 0.05:
            # What no table has yet, and another block for the same fields from now on.
            fields.append((f"x-{chance.randrange(50)}", str(chance.random())))
        block: bytes = self._encoder.encode(fields)
        cut = chance.randrange(len(block)) if chance.random() < 0.1 else len(block)
        head = frame(frames.HEADERS, END_HEADERS if cut == len(block) else 0, stream, block[:cut])
        if cut < len(block):
            head += frame(frames.CONTINUATION, END_HEADERS, stream, block[cut:])
        if packed:
            request = gzip.compress(request, compresslevel=1)
        call.unsent += bytes((packed,)) + len(request).to_bytes(4, "big") + request
        self.write(head)
        if chance.random() < 0.3:
            # Streams begin with more room for an answer than others have.
            self._grant(stream, chance.choice((500, 40_000)))
        self._send_on(call)
        return call

    def _send_on(self, call: Call) -> None:
        """Send what there is room for, in frames of any size, some of them padded."""
        chance = self._chance
        while call.unsent and not call.over:
            room = min(call.send_window, self._send_window, 16_000)
            size = min(len(call.unsent), room)
            if size <= 0:
                return
            if size > 1 and chance.random() < 0.2:
                size = chance.randint(1, size)
            piece = bytes(call.unsent[:size])
            pads = _PADS and chance.random() < 0.1 and room > size + 100
            padding = chance.randrange(100) if pads else None
            if padding is not None:
                piece = bytes((padding,)) + piece + bytes(padding)
            del call.unsent[:size]
            call.send_window -= len(piece)
            self._send_window -= len(piece)
            flags = (0 if padding is None else frames.PADDED) | (0 if call.unsent else END_STREAM)
            self.write(frame(frames.DATA, flags, call.id, piece))

    # What it does now and then

    async def whim(self, stream: int) -> None:
        """Something that is allowed, or an accident."""
        chance = self._chance
        match chance.randrange(8):
            case 0 | 1:
                await self._stand_still()
            case 2:
                # Windows that answers are in already become negative, and wide again.
                for window in (0, chance.choice((0, 1, 100)), chance.choice((500, _FIRST_WINDOW))):
                    self._first_window = window
                    self.write(frames.settings([(4, window)]))
                    await asyncio.sleep(chance.choice((0, 0.05)))
                self._grant(stream, 20_000)
            case 3:
                self.write(frames.settings([(1, chance.choice((0, 100, 4_096)))]))
            case 4:
                self.cut()
            case 5:
                # It wants nothing more from the server's side, and goes on with what it has.
                self.leaving = True
                self.write(frames.goaway(0, ErrorCode.NO_ERROR))
            case 6:
                if call := self.calls.get(stream):
                    call.cancel()
            case _:
                self.write(frame(0xFA, 0, chance.randrange(self._next), b"of no kind that anyone knows"))

    async def _stand_still(self) -> None:
        """Neither read nor make room, and then come back for all of it."""
        if self._transport is None or self.lost:
            return
        self._still = True
        socket_too = self._chance.random() < 0.5
        with contextlib.suppress(RuntimeError):
            if socket_too:
                self._transport.pause_reading()
        await asyncio.sleep(self._chance.uniform(0.1, _STILL_SECONDS))
        self._still = False
        with contextlib.suppress(RuntimeError):
            if socket_too:
                self._transport.resume_reading()
        held, self._held = self._held, []
        for update in held:
            self.write(update)

    def cut(self) -> None:
        """The connection breaks in the middle of a frame."""
        whole = frame(frames.DATA, END_STREAM, max(1, self._next - 2), bytes(300))
        self.write(whole[: self._chance.randrange(1, len(whole))])
        if self._transport:
            self._transport.abort()
        self._give_up(OwnFault)

    # What comes

    def data_received(self, data: bytes) -> None:
        data = self._received + data
        at = 0
        while len(data) - at >= 9:
            size, flags, stream = frames.unpack_header(data, at)
            end = at + 9 + (size >> 8)
            if len(data) < end:
                break
            self._frame(size & 0xFF, flags, stream, data[at + 9 : end])
            at = end
        self._received = data[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        call = self.calls.get(stream)
        match kind:
            case frames.DATA:
                if call:
                    call.data(payload)
                self._take(stream, len(payload))
            case frames.HEADERS | frames.CONTINUATION:
                self._block += payload
                if flags & END_HEADERS:
                    fields, self._block = self._decoder.decode(self._block), b""
                    if call:
                        call.headers({str(name): str(value) for name, value in fields})
            case frames.RST_STREAM if call:
                code = int.from_bytes(payload, "big")
                kind_ = NotTaken if code == ErrorCode.REFUSED_STREAM else grpc.aio.AioRpcError
                call.end(failure(grpc.StatusCode.UNAVAILABLE, f"reset with {code}", kind=kind_))
            case frames.SETTINGS if not flags & frames.ACK:
                self._settings(payload)
            case frames.PING if not flags & frames.ACK:
                # A client that is far away takes a while, and begins calls meanwhile.
                wait = self._chance.choice((0.0, 0.0, 0.1))
                asyncio.get_running_loop().call_later(wait, self.write, frames.ping(payload, ack=True))
            case frames.WINDOW_UPDATE:
                octets = int.from_bytes(payload, "big")
                if not stream:
                    self._send_window += octets
                    for each in list(self.calls.values()):
                        self._send_on(each)
                elif call:
                    call.send_window += octets
                    self._send_on(call)
            case frames.GOAWAY:
                self._went_away(int.from_bytes(payload[:4], "big"))
            case _:
                pass

    def _settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), 6):
            if int.from_bytes(payload[at : at + 2], "big") == 4:
                window = int.from_bytes(payload[at + 2 : at + 6], "big")
                for call in self.calls.values():
                    call.send_window += window - self._first_send_window
                self._first_send_window = window
        self.write(frames.SETTINGS_ACK)
        for call in list(self.calls.values()):
            self._send_on(call)

    def _went_away(self, last: int) -> None:
        for call in [call for call in self.calls.values() if call.id > last]:
            call.end(failure(grpc.StatusCode.UNAVAILABLE, "beyond the GOAWAY", kind=NotTaken))
        if last < frames.MAX_STREAM:
            self.leaving = True
        else:
            # As if it were still on its way: that is what the first of two is for.
            wait = self._chance.choice((0.0, 0.05))
            asyncio.get_running_loop().call_later(wait, setattr, self, "leaving", True)

    def _take(self, stream: int, octets: int) -> None:
        """Make room again for what was read: at once, or when half of it is used up."""
        for of in (0, stream):
            waiting = self._ungranted.get(of, 0) + octets
            if waiting >= min(self._chance.choice((1_000, 10_000)), self._first_window):
                self._grant(of, waiting)
                waiting = 0
            self._ungranted[of] = waiting

    def _grant(self, stream: int, octets: int) -> None:
        if octets <= 0:
            return
        update = window_update(stream, octets)
        if self._still:
            self._held.append(update)
        else:
            self.write(update)


class _Method:
    def __init__(self, stubs: ForeignStubs, path: str, response: type[Message]) -> None:
        self._stubs = stubs
        self._path = path
        self._response = response

    async def _begin(self, request: Message, timeout: float | None) -> Call:
        connection = await self._stubs.connection()
        return connection.call(self._path, request.SerializeToString(), timeout)

    def _read(self, data: bytes) -> Any:
        response = self._response()
        response.ParseFromString(data)
        return response


class Unary(_Method):
    async def __call__(self, request: Message, *, timeout: float, metadata: object = None) -> Any:
        call = await self._begin(request, timeout)
        chance = 1.0 if self._stubs.calm else self._stubs.chance.random()
        if chance < 0.01:
            call.cancel()
        elif chance < 0.02:
            call.connection.cut()
        try:
            async with asyncio.timeout(timeout + 1):
                answer = await call.messages.get()
                while answer is not None and (more := await call.messages.get()) is not None:
                    raise AssertionError(f"two answers to one call: {more!r}")
        except TimeoutError:
            call.cancel()
            raise failure(
                grpc.StatusCode.DEADLINE_EXCEEDED, "its client waits no longer", kind=OwnFault
            ) from None
        except asyncio.CancelledError:
            call.cancel()
            raise
        if call.error:
            raise call.error
        if answer is None:
            raise failure(grpc.StatusCode.INTERNAL, "OK without an answer")
        return self._read(answer)


class Stream(_Method):
    def __call__(self, request: Message, *, metadata: object = None) -> _Responses:
        return _Responses(self, request)


class _Responses:
    """A call with many answers."""

    def __init__(self, method: Stream, request: Message) -> None:
        self._method = method
        self._request = request
        self._call: Call | None = None
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        if self._call:
            self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[Any]:
        if self._cancelled:
            return
        call = self._call = await self._method._begin(self._request, None)
        stubs = self._method._stubs
        while (data := await call.messages.get()) is not None:
            yield self._method._read(data)
            if not stubs.calm and stubs.chance.random() < 0.05:
                await call.connection.whim(call.id)
        if call.error:
            raise call.error


class ForeignStubs:
    """The methods that senders and followers use, on one connection after the other.

    Attributes:
        calm: Whether it does as libraries do, for now, without whims and accidents.
    """

    def __init__(self, address: str, user: str, seed: str) -> None:
        self.chance = random.Random(f"{seed} foreign")
        self.calm = False
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._user = user
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self.messages = self.subscribe = self
        self.SendMessages = Unary(self, "/chat.v1.MessageService/SendMessages", pb.SendMessagesResponse)
        self.Acknowledge = Unary(self, "/chat.v1.SubscribeService/Acknowledge", pb.AcknowledgeResponse)
        self.Subscribe = Stream(self, "/chat.v1.SubscribeService/Subscribe", pb.SubscribeResponse)

    async def connection(self) -> Connection:
        """One that takes calls.

        Raises:
            NotTaken: There is none to be had.
        """
        async with self._connecting:
            found = self._connection
            if found is None or found.leaving or found.lost:
                loop = asyncio.get_running_loop()
                try:
                    async with asyncio.timeout(5):
                        _, found = await loop.create_connection(
                            lambda: Connection(self._user, self.chance), self._host, self._port
                        )
                except (OSError, TimeoutError) as error:
                    raise failure(grpc.StatusCode.UNAVAILABLE, str(error), kind=NotTaken) from None
                if self._connection and not self._connection.calls:
                    self._connection.close()
                self._connection = found
            return found

    async def close(self) -> None:
        if self._connection:
            self._connection.close()
