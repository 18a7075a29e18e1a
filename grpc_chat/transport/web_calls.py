"""The methods of chat.proto over Connect, gRPC-Web and JSON: what connectrpc is given to serve.

connectrpc reads the requests of these protocols and writes their answers. Who calls, and whether they may, is
the pipeline's, before anything of a request is decoded.
"""

from __future__ import annotations

import asyncio
import functools
from collections import UserDict
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import grpc
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.request import RequestContext
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from protobuf.wkt import Any as Detail

from grpc_chat.api.pipeline import Metadata, Method, Pipeline, Read
from grpc_chat.errors import ChatError, LimitExceeded, Unimplemented
from grpc_chat.transport.browser_sessions import BrowserSession
from grpc_chat.transport.calls import LAST_SECONDS
from grpc_chat.transport.web_connection import WebConnection
from grpc_chat.transport.web_messages import (
    LARGE_BYTES,
    AsItIs,
    Framed,
    Gzip,
    Raw,
    read_binary,
    read_json,
    to_json,
    too_large,
)
from grpc_chat.transport.web_stream import WebStream
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import method_path
from grpc_chat.wire.status import status_code, to_status

PACKAGE = "/chat.v1."
"""How the paths of methods begin."""

Context = RequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a call comes with.

    Attributes:
        metadata: What the pipeline is told.
        in_chunks: Whether the answer has chunks.
        session: The session that the call has by a cookie, if it does.
    """

    connection: WebConnection
    metadata: Metadata
    in_chunks: bool
    session: BrowserSession | None


ASKED: ContextVar[Asked] = ContextVar("the request of the call that is carried out")


class Calls(ConnectASGIApplication[None]):
    """An ASGI application of all methods. :data:`ASKED` says what each call is about.

    Args:
        request_bytes: How large a request may be in protobuf's encoding; JSON may be twice that, because the
            bytes in it take a third more.
    """

    path = PACKAGE

    def __init__(self, pipeline: Pipeline, *, request_bytes: int) -> None:
        self._pipeline = pipeline
        self._request_bytes = request_bytes
        self._binary = {chunks: Framed(in_chunks=chunks) for chunks in (True, False)}
        methods = {method.path: method for method in pipeline.methods}
        endpoints = _Endpoints(
            {
                path: self._endpoint(methods[path], descriptor)
                for service in pb.DESCRIPTOR.services_by_name.values()
                for descriptor in service.methods
                if (path := method_path(descriptor)) in methods
            }
        )
        super().__init__(
            service=None,
            endpoints=lambda _: endpoints,
            codecs=[AsItIs("proto"), AsItIs("json")],
            compressions=[Gzip()],
            read_max_bytes=2 * request_bytes,
        )

    def _endpoint(self, method: Method, descriptor: MethodDescriptor) -> Endpoint[Any, Any]:
        response_class: type[Message] = message_factory.GetMessageClass(descriptor.output_type)
        info = _info(descriptor.containing_service.full_name, descriptor.name, streams=not method.unary)
        if method.unary:
            return Endpoint.unary(info, functools.partial(self._unary, method, response_class))
        framed = {
            chunks: Framed(functools.partial(to_json, message_class=response_class), in_chunks=chunks)
            for chunks in (True, False)
        }
        return Endpoint.server_stream(info, functools.partial(self._stream, method, response_class, framed))

    async def _unary(self, method: Method, response_class: type[Message], raw: Raw, context: Context) -> Raw:
        asked = ASKED.get()
        session = asked.session
        read: Read | None = read_json if raw.is_json else None
        if session:
            read = session.read(method.path, read or read_binary)
        cookies: list[str] = []
        try:
            self._check(raw)
            data = await self._pipeline.call(method, asked.metadata, raw.data, asked.connection, read)
            if session:
                data, cookies = session.keep(method.path, data)
        except ChatError as error:
            cookies = session.forget(method.path) if session else []
            raise told(error) from None
        finally:
            for cookie in cookies:
                context.response_headers.add("set-cookie", cookie)
        return await _in_form(data, response_class, raw)

    async def _stream(
        self,
        method: Method,
        response_class: type[Message],
        json_framed: Mapping[bool, Framed],
        raw: Raw,
        _context: Context,
    ) -> AsyncIterator[Raw]:
        asked = ASKED.get()
        framed = (json_framed if raw.is_json else self._binary)[asked.in_chunks]
        stream = WebStream(asked.connection, framed)
        try:
            self._check(raw)
        except ChatError as error:
            raise told(error) from None
        # A task of its own: what ends a stream whose client does not read is the end of its task.
        read = read_json if raw.is_json else None
        task = asyncio.create_task(
            self._pipeline.stream(method, asked.metadata, raw.data, stream, asked.connection, read)
        )
        task.add_done_callback(stream.ended)
        try:
            first = await stream.first
            if first is not None:
                yield await _in_form(first, response_class, raw)
                stream.go_on()
            await task
        except ChatError as error:
            if stream.given_up or asked.connection.is_unread:
                # Nor would it read this. It gets a moment.
                asyncio.get_running_loop().call_later(LAST_SECONDS, _cut_off, asked.connection)
            raise told(error) from None
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    def _check(self, raw: Raw) -> None:
        if not raw.is_json and len(raw.data) > self._request_bytes:
            raise LimitExceeded(too_large(self._request_bytes))


def _cut_off(connection: WebConnection) -> None:
    if connection.is_unread:
        connection.abort()


async def _in_form(data: bytes, message_class: type[Message], raw: Raw) -> Raw:
    """A response in the form of its request."""
    if not raw.is_json:
        return Raw(data, is_json=False)
    if len(data) <= LARGE_BYTES:
        return Raw(to_json(data, message_class), is_json=True)
    return Raw(await asyncio.to_thread(to_json, data, message_class), is_json=True)


def _info(service: str, name: str, *, streams: bool) -> MethodInfo[Raw, Raw]:
    return MethodInfo(
        name=name,
        service_name=service,
        input=Raw,
        output=Raw,
        # So all are POST: no address that somebody is sent can do anything.
        idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=StreamType.SERVER_STREAM if streams else StreamType.UNARY,
    )


class _Endpoints(UserDict[str, Any]):
    """The methods by their paths; those that there are not answer that, in the protocol that asks."""

    def __missing__(self, path: str) -> Any:
        if path.startswith(PACKAGE):
            return _UNKNOWN
        raise KeyError(path)

    def get(self, path: str, default: Any = None) -> Any:
        try:
            return self[path]
        except KeyError:
            return default


async def _unknown(_raw: Raw, _context: Context) -> Raw:
    raise told(Unimplemented("this server does not know the method; it may be an older version"))


_UNKNOWN = Endpoint.unary(_info("chat.v1", "Unknown", streams=False), _unknown)

_CODES: Mapping[grpc.StatusCode, Code] = {
    status: Code["CANCELED" if status is grpc.StatusCode.CANCELLED else status.name]
    for status in grpc.StatusCode
    if status is not grpc.StatusCode.OK
}


def told(error: ChatError) -> ConnectError:
    """An error as connectrpc sends it: with the same code and details as over gRPC."""
    details = [Detail(type_url=each.type_url, value=each.value) for each in to_status(error).details]
    return ConnectError(_CODES[status_code(error)], error.message, details)
