"""Health and reflection, as methods of the asyncio server."""

from __future__ import annotations

import asyncio

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health

from grpc_chat.transport import health as health_
from grpc_chat.transport import reflection as reflection_
from grpc_chat.transport.health import Health
from grpc_chat.transport.reflection import VERSIONS, Reflection
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call


def health_methods(state: Health) -> dict[str, Served]:
    """``grpc.health.v1``, by path."""

    def asked(call: Call) -> str | None:
        try:
            return health_.Request.FromString(call.request).service
        except DecodeError:
            call.end_with(grpc.StatusCode.INVALID_ARGUMENT, health_.NO_REQUEST)
            return None

    async def check(call: Call) -> None:
        if (service := asked(call)) is None:
            return
        status = state.status(service)
        if status.status == health_.Response.SERVICE_UNKNOWN:
            call.end_with(grpc.StatusCode.NOT_FOUND, health_.NO_SERVICE)
        else:
            call.answer(status.SerializeToString())

    async def watch(call: Call) -> None:
        if (service := asked(call)) is None:
            return
        await call(state.status(service).SerializeToString())
        await state.stopped.wait()
        await call(state.status(service).SerializeToString())
        call.finish()

    return {
        f"/{health.SERVICE_NAME}/Check": Served(check),
        f"/{health.SERVICE_NAME}/Watch": Served(watch, watches=True),
    }


def reflection_methods(reflection: Reflection) -> dict[str, Served]:
    """``grpc.reflection``, by path."""

    async def next_of(call: Call) -> bytes | None:
        """The next question; None after the last, and when the server stops."""
        reading = asyncio.ensure_future(call.read())
        stopped = asyncio.ensure_future(reflection.stopped.wait())
        try:
            await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            reading.cancel()
            stopped.cancel()

    async def info(call: Call) -> None:
        while not reflection.stopped.is_set() and (data := await next_of(call)) is not None:
            try:
                request = reflection_.Request.FromString(data)
            except DecodeError:
                call.end_with(grpc.StatusCode.INVALID_ARGUMENT, reflection_.NO_REQUEST)
                return
            await call(reflection.answer(request).SerializeToString())
        call.finish()

    served = Served(info, streams_requests=True, watches=True)
    return {f"/{version}.ServerReflection/ServerReflectionInfo": served for version in VERSIONS}
