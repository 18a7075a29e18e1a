"""What a call of the asyncio server needs of its connection."""

from __future__ import annotations

import asyncio
from typing import Protocol

from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.unfinished import Unfinished
from grpc_chat.transport.unread import Unread


class Carrier(Protocol):
    """What a call needs of its connection, and knows its client by.

    Attributes:
        loop: The event loop.
        core: HTTP/2 itself.
        most_bytes: How large a request may be.
        unfinished: Counts what is kept of requests.
        unread_answers: Counts what is kept of answers.
    """

    loop: asyncio.AbstractEventLoop
    core: Connection
    most_bytes: int
    unfinished: Unfinished
    unread_answers: Unread

    def address(self) -> str:
        """See :class:`grpc_chat.api.pipeline.Peer`; likewise ``names``."""

    def names(self) -> tuple[str, ...]: ...

    def consumed(self, stream: int, octets: int) -> None:
        """Let the client send as much again on a stream."""

    def unsent(self, stream: int) -> int:
        """How much waits for the client to read, of a stream and of the connection."""

    def flush_soon(self) -> None:
        """Send what is there to be sent, with what else comes up at the same moment."""

    def send_alone(self, stream: int, data: bytes) -> bool:
        """Send data of an answer now, if all of it can go and hardly anything else can come up at the same
        moment; whether it did. Not while what the client sent is read."""

    def flush_if_few(self) -> None:
        """As :meth:`flush_soon`, or at once if other calls can have hardly anything to send."""

    def ended(self, stream: int) -> None:
        """Forget a call, which is over."""
