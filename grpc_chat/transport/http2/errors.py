"""Error codes and errors of HTTP/2 (RFC 9113, sections 5.4 and 7)."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (RFC 9113, section 7). Peers may send numbers that are not here."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Http2Error(Exception):
    """What a peer did wrong. Nothing of this leaves the core: a connection turns it into frames.

    Attributes:
        code: What the peer is told.
    """

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class ConnectionFailed(Http2Error):
    """A connection error (section 5.4.1): GOAWAY, and nothing is read from then on."""


class StreamFailed(Http2Error):
    """A stream error (section 5.4.2): RST_STREAM, and the connection goes on."""
