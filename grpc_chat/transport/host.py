"""What the asyncio server and its connections need of each other."""

from __future__ import annotations

import asyncio
from typing import Protocol

from grpc_chat.transport.http2.budgets import Counts
from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.settings import Http2Options
from grpc_chat.transport.served import Served
from grpc_chat.transport.served_call import Call
from grpc_chat.transport.slow_lane import SlowLane
from grpc_chat.transport.unfinished import Unfinished
from grpc_chat.transport.unread import Unread


class Sending(Protocol):
    """See ``SendingConnection``."""

    def flush(self) -> None:
        """Send what is there to be sent."""

    def abort(self) -> None:
        """Close it at once."""


class Guest(Sending, Protocol):
    """See ``GrpcConnection``."""

    core: Connection
    calls: dict[int, Call]
    due: float

    def look(self, now: float) -> None:
        """See to what is due."""

    @property
    def has_arrived(self) -> bool:
        """Whether the client's machine has acknowledged all that was sent."""

    def go_on(self) -> None:
        """Take what the client has sent meanwhile."""

    def leave(self, why: bytes, cut_at: float) -> None:
        """Ask the client to leave."""

    def end(self) -> None:
        """Close it, whatever is under way; the server stops."""


class Host(Protocol):
    """See ``AsyncioServer``, which says what each is."""

    loop: asyncio.AbstractEventLoop
    http2: Http2Options
    counts: Counts
    methods: dict[str, Served]
    buffer: memoryview
    unfinished: Unfinished
    unread_answers: Unread
    slow_lane: SlowLane
    now: float
    most_bytes: int
    most_calls: int
    open_calls: int
    stopping: bool
    keepalive_seconds: float
    keepalive_timeout_seconds: float
    timeout_milliseconds: int
    client_ping_seconds: float
    handshake_seconds: float
    grace_seconds: float
    tick_seconds: float

    def age(self) -> float:
        """After how many seconds a new connection is asked to leave."""

    def joined(self, connection: Guest, address: str) -> bool:
        """Count a connection; whether it may stay."""

    def left(self, connection: Guest, address: str) -> None:
        """Forget a connection."""

    def ended_call(self) -> None:
        """A call is over."""

    def flush_soon(self, connection: Sending) -> None:
        """Have a connection send what it has, with all others that have something now."""
