"""What both sides promise each other (RFC 9113, section 6.5), and what this side allows itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import BudgetRates
from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode

HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5
MAX_HEADER_LIST_SIZE: Final = 0x6

DEFAULT_WINDOW: Final = 65_535
"""Of each stream and of the connection before anybody said anything else (section 6.9.2)."""
MAX_WINDOW: Final = 2**31 - 1
DEFAULT_TABLE_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Http2Options:
    """What one connection may use.

    Attributes:
        max_streams: Requests at once; more are refused, so that the client tries again.
        stream_window: How many bytes of a request's body may come before :meth:`Connection.consumed`.
        connection_window: The same, for all requests together; at least 65,535.
        frame_bytes: How long a frame of the peer may be; 16,384 to 16,777,215.
        header_list_bytes: How large a request's headers may be, counted as in section 6.5.2 (each field's
            name, value and 32). The handler answers larger ones, up to twice as much; beyond that the
            connection ends.
        header_table_bytes: How large the table of a client's repeated headers may become.
        continuations: CONTINUATION frames of one block of headers.
        budgets: How many frames may come that bring nothing.
    """

    max_streams: int = 100
    stream_window: int = DEFAULT_WINDOW
    connection_window: int = 2**20
    frame_bytes: int = frames.MIN_FRAME_BYTES
    header_list_bytes: int = 8 * 1024
    header_table_bytes: int = DEFAULT_TABLE_BYTES
    continuations: int = 32
    budgets: BudgetRates = field(default_factory=BudgetRates)

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("max_streams", self.max_streams, 0, MAX_WINDOW),
            ("stream_window", self.stream_window, 1, MAX_WINDOW),
            ("connection_window", self.connection_window, DEFAULT_WINDOW, MAX_WINDOW),
            ("frame_bytes", self.frame_bytes, frames.MIN_FRAME_BYTES, frames.MAX_FRAME_BYTES),
            ("header_list_bytes", self.header_list_bytes, 1, 2**24),
            ("header_table_bytes", self.header_table_bytes, 0, 2**24),
            ("continuations", self.continuations, 1, 2**16),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {value}")

    def first_frames(self) -> bytes:
        """What a server sends first (section 3.4): its settings, and the connection's window."""
        values = [
            (MAX_CONCURRENT_STREAMS, self.max_streams),
            (MAX_HEADER_LIST_SIZE, self.header_list_bytes),
        ]
        for key, value, default in (
            (HEADER_TABLE_SIZE, self.header_table_bytes, DEFAULT_TABLE_BYTES),
            (INITIAL_WINDOW_SIZE, self.stream_window, DEFAULT_WINDOW),
            (MAX_FRAME_SIZE, self.frame_bytes, frames.MIN_FRAME_BYTES),
        ):
            if value != default:
                values.append((key, value))
        first = frames.settings(values)
        if self.connection_window > DEFAULT_WINDOW:
            first += frames.window_update(0, self.connection_window - DEFAULT_WINDOW)
        return first


def parse(payload: bytes) -> dict[int, int]:
    """A SETTINGS frame's values by identifier, checked; those that nobody knows are left out.

    Of an identifier that comes more than once the last value is kept, which is where processing them in order
    ends as well: so a frame full of window changes costs as much as one.

    Raises:
        ConnectionFailed: For what section 6.5.2 forbids.
    """
    if len(payload) % 6:
        raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a length that no settings have")
    values: dict[int, int] = {}
    for at in range(0, len(payload), 6):
        key = payload[at] << 8 | payload[at + 1]
        value: int = frames.unpack_number(payload, at + 2)[0]
        if key == ENABLE_PUSH and value > 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH must be 0 or 1, not {value}")
        if key == INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            raise ConnectionFailed(
                ErrorCode.FLOW_CONTROL_ERROR, f"INITIAL_WINDOW_SIZE must be at most {MAX_WINDOW}, not {value}"
            )
        if key == MAX_FRAME_SIZE and not frames.MIN_FRAME_BYTES <= value <= frames.MAX_FRAME_BYTES:
            raise ConnectionFailed(
                ErrorCode.PROTOCOL_ERROR,
                f"MAX_FRAME_SIZE must be {frames.MIN_FRAME_BYTES} to {frames.MAX_FRAME_BYTES}, not {value}",
            )
        if HEADER_TABLE_SIZE <= key <= MAX_HEADER_LIST_SIZE:
            values[key] = value
    return values
