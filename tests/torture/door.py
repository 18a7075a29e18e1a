"""A client as browsers are: the same methods over HTTP/1.1, as Connect, as Connect with JSON and as gRPC-Web.

Like :mod:`tests.torture.foreign`, it has accidents, by a seed: its connection breaks in the middle of a
request, or when the answer begins to come, and it stands still in the middle of a stream. In HTTP/1.1 nobody
can say that a request was not taken: a client knows that only of one that it could not send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import grpc
import h11
from google.protobuf import json_format
from google.protobuf.message import Message

from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token
from tests.torture.foreign import CODES, NotTaken, OwnFault, failure

CONNECT, JSON, GRPC_WEB = "proto", "json", "grpc-web+proto"
FORMS = (CONNECT, JSON, GRPC_WEB)

_END = {CONNECT: 0x02, JSON: 0x02, GRPC_WEB: 0x80}
"""The flag of the last piece of a stream, which says how it ended."""
_CALM_SECONDS = 60.0
_STILL_SECONDS = 0.3


def _lost(why: str, kind: type[grpc.aio.AioRpcError] = grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
    return failure(grpc.StatusCode.UNAVAILABLE, why, kind=kind)


class _Connection:
    """A connection, with one request after the other.

    Attributes:
        used: Whether it has carried one.
        answered: Whether something of the answer has come.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)
        self.used = self.answered = False

    def ask(self, path: str, kind: str, user: str, body: bytes, *, half: bool = False) -> None:
        """Send a request, or half of one."""
        self.answered = False
        headers = [
            ("Host", "127.0.0.1"),
            ("Authorization", f"Bearer {trusted_token(user)}"),
            ("Content-Type", f"application/{kind}"),
            ("Content-Length", str(len(body))),
        ]
        data = self._http.send(h11.Request(method="POST", target=path, headers=headers)) or b""
        data += self._http.send(h11.Data(data=body)) or b""
        if half:
            data = data[: len(data) - 1 - len(body) // 2]
        else:
            data += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(data)

    async def begins(self) -> h11.Response:
        """The answer's beginning."""
        event = await self._next()
        assert isinstance(event, h11.Response), event
        return event

    async def pieces(self) -> AsyncIterator[bytes]:
        """The rest of it."""
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def _next(self) -> Any:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise _lost(f"half of an answer: {error}") from None
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise _lost("the connection was closed")
            if event is not h11.NEED_DATA:
                return event
            try:
                data = await self._reader.read(65_536)
            except OSError as error:
                raise _lost(f"the connection was lost: {error}") from None
            self.answered = self.answered or bool(data)
            self._http.receive_data(data)

    def is_kept(self) -> bool:
        """Get ready for the next request; whether that is possible."""
        self.used = True
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._reader.at_eof()

    @property
    def is_over(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def cut(self) -> None:
        self._writer.transport.abort()


class _Method:
    def __init__(self, door: DoorStubs, path: str, response: type[Message]) -> None:
        self._door = door
        self._path = path
        self._response = response

    def _written(self, request: Message, form: str) -> bytes:
        if form == JSON:
            return json_format.MessageToJson(request, indent=None).encode()
        return request.SerializeToString()

    def _read(self, data: bytes, form: str) -> Any:
        response = self._response()
        if form == JSON:
            json_format.Parse(data, response)
        else:
            response.ParseFromString(data)
        return response


class Unary(_Method):
    async def __call__(self, request: Message, *, timeout: float, metadata: object = None) -> Any:
        door, form = self._door, self._door.form()
        # Browsers end a call by closing its connection, and nothing else; for a new one there may be no room.
        seconds = _CALM_SECONDS if door.calm else timeout
        try:
            async with asyncio.timeout(seconds):
                connection = await door.taken()
        except TimeoutError:
            raise failure(
                grpc.StatusCode.DEADLINE_EXCEEDED, "it could not connect in time", kind=NotTaken
            ) from None
        whole = False
        try:
            async with asyncio.timeout(seconds):
                answer = await self._call(connection, request, form)
            whole = True
            return answer
        except TimeoutError:
            raise failure(
                grpc.StatusCode.DEADLINE_EXCEEDED, "its client waits no longer", kind=OwnFault
            ) from None
        except grpc.aio.AioRpcError as error:
            if connection.used and not connection.answered and not isinstance(error, OwnFault):
                # It may have been closed before the request was there; only a new one says more than that.
                raise _lost("a kept connection was closed", OwnFault) from None
            whole = bool(error.trailing_metadata())
            raise
        finally:
            if whole and connection.is_kept():
                door.give(connection)
            else:
                connection.cut()

    async def _call(self, connection: _Connection, request: Message, form: str) -> Any:
        data = self._written(request, form)
        body = _enveloped(data) if form == GRPC_WEB else data
        accident = 1.0 if self._door.calm else self._door.chance.random()
        connection.ask(self._path, form, self._door.user, body, half=accident < 0.01)
        if accident < 0.01:
            raise _lost("its client broke off in the middle of a request", OwnFault)
        begin = await connection.begins()
        if accident < 0.03:
            raise _lost("the answer was lost on its way", OwnFault)
        found = b"".join([piece async for piece in connection.pieces()])
        if form != GRPC_WEB:
            if begin.status_code != 200:
                raise _connect_error(found, begin.status_code)
            return self._read(found, form)
        headers = dict(begin.headers)
        if b"grpc-status" in headers:
            _end_of_grpc({name.decode(): value.decode() for name, value in headers.items()})
        pieces = list(_envelopes(bytearray(found)))
        if not pieces or pieces[-1][0] != _END[form]:
            raise _lost("an answer without an end")
        _end(form, pieces[-1][1])
        [(_, message)] = pieces[:-1]
        return self._read(message, form)


class Stream(_Method):
    def __call__(self, request: Message, *, metadata: object = None) -> _Responses:
        return _Responses(self, request)


class _Responses:
    """A call with many answers, on a connection of its own."""

    def __init__(self, method: Stream, request: Message) -> None:
        self._method = method
        self._request = request
        self._connection: _Connection | None = None
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        if self._connection:
            self._connection.cut()

    async def __aiter__(self) -> AsyncIterator[Any]:
        method, door = self._method, self._method._door
        form = door.form()
        connection = self._connection = await door.connected()
        if self._cancelled:
            connection.cut()
            return
        try:
            kind = form if form == GRPC_WEB else f"connect+{form}"
            body = _enveloped(method._written(self._request, form))
            connection.ask(method._path, kind, door.user, body)
            begin = await connection.begins()
            if begin.status_code != 200:
                raise _lost(f"HTTP {begin.status_code}")
            buffer = bytearray()
            async for piece in connection.pieces():
                buffer += piece
                for flags, data in _envelopes(buffer):
                    if flags == _END[form]:
                        _end(form, data)
                        return
                    yield method._read(data, form)
                    await self._perhaps_an_accident()
            raise _lost("a stream without an end")
        except grpc.aio.AioRpcError:
            if self._cancelled:
                raise failure(grpc.StatusCode.CANCELLED, "cancelled by its client", kind=OwnFault) from None
            raise
        finally:
            connection.cut()

    async def _perhaps_an_accident(self) -> None:
        door = self._method._door
        if door.calm:
            return
        accident = door.chance.random()
        if accident < 0.02:
            raise _lost("the connection broke", OwnFault)
        if accident < 0.05:
            await asyncio.sleep(door.chance.uniform(0.05, _STILL_SECONDS))


class DoorStubs:
    """The methods that senders and followers use, through the port for browsers.

    Attributes:
        calm: Whether it has no accidents, and needs no new connection for calls, for now.
    """

    def __init__(self, address: str, user: str, seed: str) -> None:
        self.chance = random.Random(f"{seed} door")
        self.calm = False
        self.user = user
        self._host, _, port = address.partition(":")
        self._port = int(port)
        self._kept: _Connection | None = None
        self.messages = self.subscribe = self
        self.SendMessages = Unary(self, "/chat.v1.MessageService/SendMessages", pb.SendMessagesResponse)
        self.Acknowledge = Unary(self, "/chat.v1.SubscribeService/Acknowledge", pb.AcknowledgeResponse)
        self.Subscribe = Stream(self, "/chat.v1.SubscribeService/Subscribe", pb.SubscribeResponse)

    def form(self) -> str:
        """That of the next call. JSON costs ten times what the others do, on both sides."""
        [form] = self.chance.choices(FORMS, (8, 1, 8))
        return form

    async def taken(self) -> _Connection:
        """A connection for one call: the one that is kept, or now and then another."""
        found, self._kept = self._kept, None
        if found and not found.is_over and (self.calm or self.chance.random() < 0.9):
            return found
        if found:
            found.cut()
        return await self.connected()

    def give(self, connection: _Connection) -> None:
        """Keep a connection for the next call."""
        if self._kept:
            self._kept.cut()
        self._kept = connection

    async def connected(self) -> _Connection:
        """A new connection.

        Raises:
            NotTaken: There is none to be had.
        """
        try:
            return _Connection(*await asyncio.open_connection(self._host, self._port))
        except OSError as error:
            raise _lost(str(error), NotTaken) from None

    async def close(self) -> None:
        if self._kept:
            self._kept.cut()


def _enveloped(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def _envelopes(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Take the whole messages, with their flags, out of what has come."""
    found = []
    while len(buffer) >= 5 and len(buffer) >= (end := 5 + int.from_bytes(buffer[1:5], "big")):
        found.append((buffer[0], bytes(buffer[5:end])))
        del buffer[:end]
    return found


def _end(form: str, data: bytes) -> None:
    """See how a call ended; raises unless well."""
    if form == GRPC_WEB:
        lines = data.decode().split("\r\n")
        _end_of_grpc(dict(line.split(": ", 1) for line in lines if ": " in line))
    elif "error" in json.loads(data):
        raise _connect_error(json.dumps(json.loads(data)["error"]).encode(), 200)


def _end_of_grpc(told: dict[str, str]) -> None:
    code = CODES[int(told["grpc-status"])]
    if code is not grpc.StatusCode.OK:
        name = "grpc-status-details-bin"
        details = b64decode(told[name] + "=" * (-len(told[name]) % 4)) if name in told else b""
        trailing = ((name, details),) if details else ()
        raise failure(code, unquote(told.get("grpc-message", "")), trailing=trailing)


def _connect_error(body: bytes, status: int) -> grpc.aio.AioRpcError:
    with contextlib.suppress(ValueError, KeyError):
        told = json.loads(body)
        code = grpc.StatusCode[told["code"].upper().replace("CANCELED", "CANCELLED")]
        trailing = (("grpc-status-details-bin", b"as JSON"),) if told.get("details") else ()
        return failure(code, told.get("message", ""), trailing=trailing)
    return _lost(f"HTTP {status}")
