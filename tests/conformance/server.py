"""The service of Connect's conformance suite, carried by our door for browsers: its runner starts this.

All that lies between a connection and the pipeline is what a real server has; only the methods are those of
the suite, whose descriptors are in the file that is given.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from protobuf.wkt import Any as Detail

from grpc_chat.metrics import Metrics
from grpc_chat.transport import web_application, web_calls
from grpc_chat.transport.web_messages import read_binary
from grpc_chat.transport.web_options import WebOptions
from grpc_chat.transport.web_server import WebServer

PACKAGE = "connectrpc.conformance.v1"
CONTEXT: ContextVar[web_calls.Context] = ContextVar("the context of the call")


class Calls(web_calls.Calls):
    """Lets methods see the headers of a call, and add some of their own, which ours do not."""

    async def _unary(self, method: Any, response_class: Any, raw: Any, context: Any) -> Any:
        CONTEXT.set(context)
        return await super()._unary(method, response_class, raw, context)

    async def _stream(self, method: Any, response_class: Any, framed: Any, raw: Any, context: Any) -> Any:
        CONTEXT.set(context)
        async for response in super()._stream(method, response_class, framed, raw, context):
            yield response


class Service:
    """The methods that are supported, in the place of the pipeline."""

    def __init__(self, descriptors: Any) -> None:
        service = descriptors.services_by_name["ConformanceService"]
        self._method = {f"/{PACKAGE}.ConformanceService/{each.name}": each for each in service.methods}
        self.methods = [
            SimpleNamespace(path=path, unary=None if each.server_streaming else self.call)
            for path, each in self._method.items()
            if not each.client_streaming and each.name != "Unimplemented"
        ]
        self._payload = message_factory.GetMessageClass(
            descriptors.message_types_by_name["ConformancePayload"]
        )

    def _read(self, method: Any, data: bytes, read: Any) -> tuple[Any, Any, Any]:
        """The request, the definition of its response, and what the service has to say of the request."""
        request: Any = message_factory.GetMessageClass(self._method[method.path].input_type)()
        (read or read_binary)(data, request)
        context = CONTEXT.get()
        payload: Any = self._payload()
        info = payload.request_info
        for name in context.request_headers:
            info.request_headers.add(name=name, value=context.request_headers.getall(name))
        if (left := context.timeout_ms) is not None:
            info.timeout_ms = round(left)
        info.requests.add().Pack(request)
        asked = request.response_definition
        for header in asked.response_headers:
            for value in header.value:
                context.response_headers.add(header.name, value)
        for trailer in asked.response_trailers:
            for value in trailer.value:
                context.response_trailers.add(trailer.name, value)
        return asked, payload, context

    async def call(self, method: Any, _metadata: object, data: bytes, _peer: object, read: Any) -> bytes:
        asked, payload, _ = self._read(method, data, read)
        await asyncio.sleep(asked.response_delay_ms / 1000)
        if asked.HasField("error"):
            raise _error(asked.error, payload.request_info)
        payload.data = asked.response_data
        return self._answer(method, payload)

    async def stream(
        self, method: Any, _metadata: object, data: bytes, send: Any, _peer: object, read: Any
    ) -> None:
        asked, payload, _ = self._read(method, data, read)
        for piece in asked.response_data:
            await asyncio.sleep(asked.response_delay_ms / 1000)
            payload.data = piece
            await send(self._answer(method, payload))
            payload.ClearField("request_info")
        if asked.HasField("error"):
            await asyncio.sleep(0 if asked.response_data else asked.response_delay_ms / 1000)
            raise _error(asked.error, payload.request_info if not asked.response_data else None)

    def _answer(self, method: Any, payload: Message) -> bytes:
        answer: Any = message_factory.GetMessageClass(self._method[method.path].output_type)()
        answer.payload.CopyFrom(payload)
        return bytes(answer.SerializeToString())


def _error(asked: Any, info: Message | None) -> ConnectError:
    details = list(asked.details)
    if info:
        details.append(any_pb2.Any())
        details[-1].Pack(info)
    # The numbers are gRPC's.
    code = list(Code)[asked.code - 1]
    return ConnectError(
        code, asked.message, [Detail(type_url=each.type_url, value=each.value) for each in details]
    )


async def serve(files: bytes) -> None:
    """Answer the runner, and its client, until asked to stop."""
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(files).file:
        if file.package == PACKAGE:
            pool.AddSerializedFile(file.SerializeToString())
    service = pool.FindFileByName("connectrpc/conformance/v1/service.proto")
    compat = pool.FindFileByName("connectrpc/conformance/v1/server_compat.proto")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    sys.stdin.buffer.read(size)
    prefix = f"/{PACKAGE}."
    with (
        patch.object(web_calls, "pb", SimpleNamespace(DESCRIPTOR=service)),
        patch.object(web_calls, "PACKAGE", prefix),
        patch.object(Calls, "path", prefix),
        patch.object(web_application, "PACKAGE", prefix),
        patch.object(web_application, "Calls", Calls),
    ):
        pipeline: Any = Service(service)
        server = WebServer(
            pipeline,
            options=WebOptions(),
            downloads=None,  # type: ignore[arg-type]
            request_bytes=1 << 20,
            metrics=Metrics(),
        )
        port = await server.listen("127.0.0.1", 0)
        await server.start()
        answer: Any = message_factory.GetMessageClass(compat.message_types_by_name["ServerCompatResponse"])
        told = answer(host="127.0.0.1", port=port).SerializeToString()
        os.write(1, len(told).to_bytes(4, "big") + told)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).read_bytes()))
