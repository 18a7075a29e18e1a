"""Calls over HTTP, as programs in browsers make them."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from grpc_chat.testing import RunningNode
from grpc_chat.wire.status import DOMAIN

Json = dict[str, Any]

WEB: dict[str, Any] = {"port": 0}
"""Settings of a server that has the port."""


def url(node: RunningNode, path: str = "") -> str:
    """Where a node answers browsers."""
    scheme = "https" if node.node.certificates else "http"
    return f"{scheme}://127.0.0.1:{node.node.web_port}{path}"


def bearer(token: str) -> dict[str, str]:
    """The header that says who calls."""
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def browser(**options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """What sends requests; it keeps cookies.

    It trusts no certificate without ``verify``: the system's authorities, which no test needs, would take
    20 ms to read for each client.
    """
    given: dict[str, Any] = {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "timeout": 30} | options
    async with httpx.AsyncClient(trust_env=False, **given) as client:
        yield client


async def post(
    client: httpx.AsyncClient,
    node: RunningNode,
    method: str,
    request: Json | bytes | Message,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Call a method, ``Service/Method``: with JSON, or in protobuf's encoding."""
    as_json = not isinstance(request, Message)
    kind = {"Content-Type": f"application/{'json' if as_json else 'proto'}"}
    if isinstance(request, Message):
        content = request.SerializeToString()
    else:
        content = request if isinstance(request, bytes) else json.dumps(request).encode()
    return await client.post(
        url(node, f"/chat.v1.{method}"), content=content, headers=kind | dict(headers or {})
    )


def reason(response: httpx.Response) -> str:
    """The reason of an error, which is the same as over gRPC; empty if it has none."""
    for detail in response.json().get("details", []):
        if detail["type"] == "google.rpc.ErrorInfo":
            value = base64.b64decode(detail["value"] + "===")
            info = error_details_pb2.ErrorInfo.FromString(value)
            assert info.domain == DOMAIN
            return str(info.reason)
    return ""


def enveloped(data: bytes, flags: int = 0) -> bytes:
    """A message in a stream."""
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


async def envelopes(response: httpx.Response) -> AsyncGenerator[tuple[int, bytes]]:
    """The messages of a stream, with their flags."""
    buffer = b""
    async for data in response.aiter_raw():
        buffer += data
        while len(buffer) >= 5 and len(buffer) >= 5 + (size := int.from_bytes(buffer[1:5], "big")):
            yield buffer[0], buffer[5 : 5 + size]
            buffer = buffer[5 + size :]
