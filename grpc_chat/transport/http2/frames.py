"""Frames: their types, flags and layouts (RFC 9113, sections 4.1 and 6)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends first (section 3.4)."""

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_BYTES: Final = 9
MAX_STREAM: Final = 2**31 - 1
"""The highest stream identifier, and the mask that leaves out the reserved bit above it."""
MIN_FRAME_BYTES: Final = 2**14
MAX_FRAME_BYTES: Final = 2**24 - 1
"""The bounds of SETTINGS_MAX_FRAME_SIZE (section 6.5.2)."""

# Length and type are read and written as one number of 32 bits: the length is a number of 24 bits, for which
# struct has no letter.
_HEADER: Final = Struct(">IBI")
pack_header = _HEADER.pack
"""``pack_header(length << 8 | type, flags, stream)``: the nine bytes before each payload."""
unpack_header = _HEADER.unpack_from
"""``unpack_header(data, at)``: the same, backwards; the stream still has the reserved bit."""

_NUMBER: Final = Struct(">I")
unpack_number = _NUMBER.unpack_from


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame of any type."""
    return pack_header(len(payload) << 8 | kind, flags, stream) + payload


def rst_stream(stream: int, code: int) -> bytes:
    """Section 6.4."""
    return pack_header(4 << 8 | RST_STREAM, 0, stream) + code.to_bytes(4, "big")


def window_update(stream: int, octets: int) -> bytes:
    """Section 6.9; stream 0 is the connection."""
    return pack_header(4 << 8 | WINDOW_UPDATE, 0, stream) + octets.to_bytes(4, "big")


def ping(payload: bytes, *, ack: bool = False) -> bytes:
    """Section 6.7; the payload has eight bytes."""
    return frame(PING, ACK if ack else 0, 0, payload)


def goaway(last: int, code: int, debug: bytes = b"") -> bytes:
    """Section 6.8."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def settings(values: list[tuple[int, int]]) -> bytes:
    """Section 6.5: (identifier, value), in the order in which the peer applies them."""
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values)
    return frame(SETTINGS, 0, 0, payload)


SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0, b"")


def without_padding(payload: bytes, *, fixed: int = 0) -> bytes:
    """The payload of a frame that has PADDED set, without the length of the padding and the padding (6.1).

    Args:
        fixed: How many bytes of other fields (those of a priority) follow the length of the padding. They
            stay, and padding must leave room for them.

    Raises:
        ConnectionFailed: There is less than the padding that it claims.
    """
    if not payload:
        raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "a padded frame without its padding length")
    end = len(payload) - payload[0]
    if end < 1 + fixed:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "the padding is as long as the frame, or longer")
    return payload[1:end]
