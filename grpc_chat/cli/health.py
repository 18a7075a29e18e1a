"""Asks a server whether it serves."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from grpc_health.v1 import health, health_pb2

from grpc_chat.cli.failures import in_words
from grpc_chat.cli.terminal import visible
from grpc_chat.errors import ChatError
from grpc_chat.sdk.connection import Connection
from grpc_chat.sdk.look import shown_by
from grpc_chat.sdk.tls import Tls
from grpc_chat.wire.address import host_of, is_loopback


def check(address: str, timeout: float, *, tls: Tls | None = None, insecure: bool = False) -> str:
    """Ask the server's health service.

    Args:
        address: ``host:port``.
        timeout: In seconds.
        tls: How to know the server. By default, any certificate will do on this machine.
        insecure: Whether to ask another machine without TLS.

    Returns:
        ``SERVING``, ``NOT_SERVING``, or why there is no answer.

    Raises:
        ValueError: The options exclude each other, or a file of ``tls`` has the wrong contents.
        OSError: A file of ``tls`` can't be read.
    """
    return asyncio.run(_check(address, timedelta(seconds=timeout), tls, insecure))


async def _check(address: str, timeout: timedelta, tls: Tls | None, insecure: bool) -> str:
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            try:
                return await _ask(address, timeout, tls, insecure)
            except ChatError as error:
                expects_tls = error.metadata.get("reason") == "tls"
                if not expects_tls or tls or insecure or not is_loopback(host_of(address)):
                    raise
                # Nobody is between us and a port of this machine, so any certificate will do.
                return await _ask(address, timeout, Tls(fingerprint=await shown_by(address, timeout)), False)
    except TimeoutError:
        return f"no answer from {address} within {timeout.total_seconds():g} s"
    except ChatError as error:
        return f"no answer from {address}: {visible(in_words(error))}"


async def _ask(address: str, timeout: timedelta, tls: Tls | None, insecure: bool) -> str:
    connection = Connection(address, "", timeout=timeout, tls=tls, insecure=insecure)
    try:
        answer = await connection.call(
            f"/{health.SERVICE_NAME}/Check",
            health_pb2.HealthCheckRequest(),
            health_pb2.HealthCheckResponse,
        )
    finally:
        await connection.close()
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
