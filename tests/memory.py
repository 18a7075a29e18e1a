"""Calls of a node that stay in its process: the same bytes, metadata and errors, and no gRPC between.

A tenth of what a call over a socket costs. For tables and lists whose every line is about what the server
decides; that each method decides so over a real socket too, a line for each shows.
"""

from __future__ import annotations

import grpc
from google.protobuf.message import Message

from grpc_chat.api.pipeline import Metadata, Pipeline
from grpc_chat.errors import ChatError
from grpc_chat.testing import RunningNode
from grpc_chat.wire.status import status_code, to_status
from tests.calls import METHODS, Calls, Reply
from tests.scale import ALL
from tests.support import PeerAt, PulledResponses

_HERE = PeerAt("ipv4:127.0.0.1:4711")


def pipeline_of(node: RunningNode) -> Pipeline:
    """What every call goes through, past the network."""
    return node.node.pipeline


class InMemory:
    """Calls methods of a node, as ``tests.calls.Calls`` does over a connection."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        self._pipeline = pipeline_of(node)
        self._methods = {method.path: method for method in self._pipeline.methods}

    async def __call__(self, name: str, request: Message, token: str = "", **metadata: str) -> Reply:
        """Call a method by its name, as ``RoomService/GetRoom``. Of a stream, the first response is taken.

        Args:
            metadata: More of it, with ``_`` for ``-``.
        """
        pairs = [("authorization", f"Bearer {token}")] if token else []
        pairs += [(key.replace("_", "-"), value) for key, value in metadata.items()]
        return await self.carry_out(f"/chat.v1.{name}", request.SerializeToString(), pairs)

    async def carry_out(self, path: str, request: bytes, metadata: Metadata) -> Reply:
        """Call a method by its path with the bytes of a request, whether they are one or not."""
        if (pipeline := pipeline_of(self._node)) is not self._pipeline:
            # The server was started again.
            self._pipeline = pipeline
            self._methods = {method.path: method for method in pipeline.methods}
        method = self._methods[path]
        try:
            if method.unary:
                response = await self._pipeline.call(method, metadata, request, _HERE)
            else:
                stream = PulledResponses(
                    lambda write: self._pipeline.stream(method, metadata, request, write, _HERE)
                )
                try:
                    response = await anext(stream)
                finally:
                    await stream.aclose()
        except ChatError as error:
            status = to_status(error)
            return Reply(status_code(error), status.message, status.SerializeToString())
        return Reply(grpc.StatusCode.OK, response=response)


class Mostly(Calls):
    """Calls that stay in the process, but for streams; in the long form of the tests none do."""

    def __init__(self, node: RunningNode) -> None:
        super().__init__(node.address)
        self._inside = InMemory(node)

    async def __call__(self, name: str, request: Message, token: str = "", **metadata: str) -> Reply:
        """As those over a connection."""
        if ALL or METHODS[name].server_streaming:
            return await super().__call__(name, request, token, **metadata)
        return await self._inside(name, request, token, **metadata)
