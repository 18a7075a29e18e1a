"""The header fields of gRPC over HTTP/2: of requests, answers, and their ends.

The format is https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

import grpc
from google.rpc import status_pb2

Fields = Sequence[tuple[bytes, bytes]]
Metadata = tuple[tuple[str, str | bytes], ...]

ANSWER: Final = ((b":status", b"200"), (b"content-type", b"application/grpc"))
"""The headers of every answer."""
OK: Final = ((b"grpc-status", b"0"),)
"""The trailers of an answer without an error."""
NOT_GRPC: Final = ((b":status", b"415"), (b"content-type", b"text/plain"))
"""The headers of the answer to a request that is not gRPC."""
NOT_GRPC_TEXT: Final = b"This server speaks gRPC, and this request is none.\n"
"""What follows them, for people."""

_TIMEOUT: Final = re.compile(rb"([0-9]{1,18})([HMSmun])").fullmatch
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_LONGEST_SECONDS: Final = 366 * 86_400.0
"""A longer time is no deadline: nobody waits for it, and event loops can't count so far."""
_CONTENT_TYPE: Final = re.compile(rb"application/grpc([+;].*)?", re.IGNORECASE | re.DOTALL).fullmatch
_ENCODINGS: Final = ("identity", "gzip", "deflate")
_NOT_METADATA: Final = frozenset((b"te", b"content-type", b"content-length", b"host", b"grpc-timeout"))
_TO_ESCAPE: Final = re.compile(rb"[^\x20-\x24\x26-\x7e]")


class Request:
    """What the headers of a call say.

    Attributes:
        path: The method, as ``/chat.v1.RoomService/GetRoom``.
        metadata: What the client added, in order.
        seconds: How long the client waits; None for without end.
        encoding: How compressed messages are compressed.
        fault: Why it can't be carried out, in words for the client; empty if it can.
        is_grpc: Whether it is a gRPC call at all.
        is_head: Whether the answer must have no body, as HTTP wants it for HEAD.
    """

    __slots__ = ("encoding", "fault", "is_grpc", "is_head", "metadata", "path", "seconds")

    def __init__(self, fields: Fields) -> None:
        self.path = ""
        self.seconds: float | None = None
        self.encoding = "identity"
        self.fault = ""
        self.is_grpc = False
        method = b""
        metadata: list[tuple[str, str | bytes]] = []
        for name, value in fields:
            if name[:1] == b":":
                if name == b":path":
                    self.path = value.decode("latin-1")
                elif name == b":method":
                    method = value
            elif name[:5] == b"grpc-" or name in _NOT_METADATA:
                self._take(name, value, metadata)
            else:
                self._keep(name, value, metadata)
        self.is_grpc = self.is_grpc and method == b"POST"
        self.is_head = method == b"HEAD"
        self.metadata: Metadata = tuple(metadata)

    def refusal(self) -> Fields:
        """The answer to a call with a ``fault``."""
        if self.encoding in _ENCODINGS:
            return trailers(grpc.StatusCode.INTERNAL, self.fault)
        # https://github.com/grpc/grpc/blob/master/doc/compression.md says so: the client may try again with
        # one of these.
        fields = trailers(grpc.StatusCode.UNIMPLEMENTED, self.fault)
        return [*fields, (b"grpc-accept-encoding", ",".join(_ENCODINGS).encode())]

    def _take(self, name: bytes, value: bytes, metadata: list[tuple[str, str | bytes]]) -> None:
        """A field that means something to gRPC."""
        if name == b"content-type":
            self.is_grpc = _CONTENT_TYPE(value) is not None
        elif name == b"grpc-timeout":
            try:
                self.seconds = seconds(value)
            except ValueError:
                self.fault = "grpc-timeout must be digits and one of H, M, S, m, u, n"
        elif name == b"grpc-encoding":
            self.encoding = value.decode("latin-1")
            if self.encoding not in _ENCODINGS:
                self.fault = "grpc-encoding must be gzip, deflate or identity"

    def _keep(self, name: bytes, value: bytes, metadata: list[tuple[str, str | bytes]]) -> None:
        key = name.decode("ascii")
        if not name.endswith(b"-bin"):
            # What is not ASCII is no text of gRPC's, and stays bytes: nobody takes it for a text.
            metadata.append((key, value.decode("ascii") if value.isascii() else value))
            return
        try:
            # Several values of one name may come as one, with commas between them.
            metadata += [(key, binary(part)) for part in value.split(b",")]
        except ValueError:
            self.fault = f"the metadata {key} must be base64"


def seconds(value: bytes) -> float | None:
    """How long a ``grpc-timeout`` is; None if that is practically without end.

    Raises:
        ValueError: It is not a timeout.
    """
    match = _TIMEOUT(value)
    if match is None:
        raise ValueError("not a timeout")
    wait = int(match[1]) * _UNITS[match[2]]
    return wait if wait <= _LONGEST_SECONDS else None


def binary(value: bytes) -> bytes:
    """The bytes of a ``-bin`` value, with or without padding.

    Raises:
        ValueError: It is not base64.
    """
    value = value.strip(b" \t").rstrip(b"=")
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def percent_encoded(message: str) -> bytes:
    """A message as ``grpc-message`` carries it: bytes other than printable ASCII, and %, are escaped."""
    data = message.encode("utf-8", "replace")
    # Space around a value would not survive.
    escaped = _TO_ESCAPE.sub(lambda found: b"%%%02X" % found[0][0], data)
    if escaped[:1] == b" ":
        escaped = b"%20" + escaped[1:]
    if escaped[-1:] == b" ":
        escaped = escaped[:-1] + b"%20"
    return escaped


def trailers(code: grpc.StatusCode, message: str, details: status_pb2.Status | None = None) -> Fields:
    """The end of an answer that is an error.

    Args:
        details: The same in full, for clients that can read it.
    """
    number: int = code.value[0]
    fields = [(b"grpc-status", b"%d" % number)]
    if message:
        fields.append((b"grpc-message", percent_encoded(message)))
    if details is not None:
        encoded = base64.b64encode(details.SerializeToString()).rstrip(b"=")
        fields.append((b"grpc-status-details-bin", encoded))
    return fields
