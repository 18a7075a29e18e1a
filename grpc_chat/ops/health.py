"""Asking a server whether it serves."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health, health_pb2


def check(address: str, timeout: float) -> str:
    """What the server's health service says.

    Args:
        address: ``host:port``.
        timeout: In seconds.

    Returns:
        ``SERVING``, ``NOT_SERVING``, or why there is no answer.
    """
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            f"/{health.SERVICE_NAME}/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = ask(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError as error:
            return f"no answer from {address}: {error.code().name}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
