"""What a client is told about consumers, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk.models import Cursor


@dataclass(frozen=True, slots=True)
class Consumer:
    """A named reader whose position in each of its user's rooms the server keeps."""

    name: str
    create_time: datetime
    last_used_time: datetime
    streaming: bool
    """Whether it has a stream open."""


@dataclass(frozen=True, slots=True)
class ConsumerPosition:
    """A consumer's position in a room."""

    cursor: Cursor
    last_seq: int
    """The number of the room's newest event."""
