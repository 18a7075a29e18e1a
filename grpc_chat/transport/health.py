"""``grpc.health.v1``: whether the server serves, for load balancers and monitoring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from grpc_chat.transport.calls import OpenCalls, write

Request = health_pb2.HealthCheckRequest
Response = health_pb2.HealthCheckResponse
Context = grpc.aio.ServicerContext[Request, Response]

NO_REQUEST = "the request must be an encoded HealthCheckRequest whose text is UTF-8"
NO_SERVICE = "there is no service of this name"


class Health(health_pb2_grpc.HealthServicer):
    """Reports the same for all services: they start and stop together.

    grpc's own servicer notifies each watcher while it holds a lock, so a watcher that does not read would
    keep the server from reporting that it stops, and so from ever stopping. Its watches have no end, so the
    server would wait for each of them.

    Args:
        services: Their full names; the server as a whole has the empty one.
        open_: Where open calls are counted, to be cut off if nobody reads them.

    Attributes:
        stopped: Set by :meth:`stop`.
    """

    def __init__(self, services: Iterable[str], open_: OpenCalls | None = None) -> None:
        self._open = open_ or OpenCalls()
        self._services = frozenset(services)
        self._serving = True
        self.stopped = asyncio.Event()

    def stop(self) -> None:
        """Report NOT_SERVING from now on, and end the watches."""
        self._serving = False
        self.stopped.set()

    def handlers(self) -> grpc.GenericRpcHandler:
        """For ``add_generic_rpc_handlers``.

        grpc's own registration answers UNKNOWN, with Python's words, if it can't decode a request.
        """

        async def check(data: bytes, context: Context) -> Response:
            self._open.begin(context)
            response = await self.Check(await _parsed(data, context), context)
            self._open.answered(context)
            return response

        async def watch(data: bytes, context: Context) -> None:
            await self.Watch(await _parsed(data, context), context)

        encode = Response.SerializeToString
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Check": grpc.unary_unary_rpc_method_handler(cast("Any", check), response_serializer=encode),
            "Watch": grpc.unary_stream_rpc_method_handler(cast("Any", watch), response_serializer=encode),
        }
        return grpc.method_handlers_generic_handler(health.SERVICE_NAME, handlers)

    def status(self, service: str) -> Response:
        """What it reports of a service."""
        if service not in self._services:
            return Response(status=Response.SERVICE_UNKNOWN)
        return Response(status=Response.SERVING if self._serving else Response.NOT_SERVING)

    async def Check(self, request: Request, context: Context) -> Response:  # noqa: N802
        """See https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
        status = self.status(request.service)
        if status.status == Response.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, NO_SERVICE)
        return status

    async def Watch(self, request: Request, context: Context) -> None:  # noqa: N802
        """See https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
        self._open.begin(context, watches=True)
        await write(context, self.status(request.service))
        await self.stopped.wait()
        await write(context, self.status(request.service))


async def _parsed(data: bytes, context: Context) -> Request:
    try:
        return Request.FromString(data)
    except DecodeError:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, NO_REQUEST)
        raise AssertionError("abort raises") from None
