"""The messages of calls over HTTP, in protobuf's encoding or as JSON, and the pieces that carry them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from connectrpc.code import Code
from connectrpc.compression import Compression
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from grpc_chat.errors import InvalidRequest
from grpc_chat.wire.names import api_name

LARGE_BYTES = 8192
"""What is larger is turned into JSON on a thread: a page of history would hold up everybody for 50 ms."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A message as it travels: it is read where its call is carried out, once it is known who calls."""

    data: bytes
    is_json: bool


class AsItIs:
    """Leaves messages as they are. See :class:`connectrpc.codec.Codec`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name

    def encode(self, message: Raw) -> bytes:
        return message.data

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> Raw:
        return Raw(bytes(data), self._name == "json")


class Gzip(Compression):
    """Reads compressed requests, up to a size; answers are not compressed.

    Answers hold secrets beside what others wrote, so their sizes would tell about both (as in the attack
    BREACH). A proxy compresses pages and scripts, which hold none.
    """

    def name(self) -> str:
        return "gzip"

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        raise AssertionError("nobody is offered it")

    def decompress(self, data: bytes | bytearray | memoryview, read_max_bytes: int | None = None) -> bytes:
        most = read_max_bytes or 0
        reader = zlib.decompressobj(wbits=31)
        read = reader.decompress(data, most + 1)
        if len(read) > most:
            raise ConnectError(Code.RESOURCE_EXHAUSTED, too_large(most))
        if not reader.eof or reader.unused_data:
            raise ConnectError(Code.INVALID_ARGUMENT, "the request must be one whole gzip stream")
        return read


def too_large(most: int) -> str:
    """What a client is told whose request is too large."""
    return f"the request must be at most {most:,} bytes"


def read_binary(data: bytes, request: Message) -> None:
    """See :data:`grpc_chat.api.pipeline.Read`."""
    try:
        request.ParseFromString(data)
    except DecodeError:
        name = api_name(request.DESCRIPTOR.full_name)
        raise InvalidRequest(f"the request must be an encoded {name} whose text is UTF-8") from None


def read_json(data: bytes, request: Message) -> None:
    """See :data:`grpc_chat.api.pipeline.Read`.

    Fields that the server does not know count for nothing, as in protobuf's encoding: clients may be newer.
    """
    try:
        json_format.Parse(data.decode(), request, ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, OverflowError, RecursionError) as error:
        name = api_name(request.DESCRIPTOR.full_name)
        why = " ".join(str(error).split())[:200]
        raise InvalidRequest(f"the request must be JSON of a {name}: {why}") from None


def to_json(data: bytes, message_class: type[Message]) -> bytes:
    """A message in protobuf's encoding as JSON."""
    message = message_class.FromString(data)
    return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()


class Framed:
    """Responses of streams as they go out: as a message of Connect or gRPC-Web, in a chunk of HTTP/1.1.

    The same response often goes to many streams, one after the other.

    Args:
        to_form: What turns a response into the form that clients want; None for protobuf's encoding.
        in_chunks: Whether there are chunks; not in HTTP/1.0.
    """

    def __init__(self, to_form: Callable[[bytes], bytes] | None = None, *, in_chunks: bool = True) -> None:
        self._to_form = to_form
        self._in_chunks = in_chunks
        self._response = b""
        self._framed = b""

    def __call__(self, response: bytes) -> bytes:
        # The same object, which is kept and so is no other one meanwhile.
        if response is not self._response or not self._framed:
            self._framed = self.frame(self._to_form(response) if self._to_form else response)
            self._response = response
        return self._framed

    def frame(self, message: bytes) -> bytes:
        """A message that has its form."""
        size = len(message)
        if self._in_chunks:
            return b"%x\r\n%b%b\r\n" % (size + 5, struct.pack(">BI", 0, size), message)
        return struct.pack(">BI", 0, size) + message
