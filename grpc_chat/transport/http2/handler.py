"""What a connection tells the server's side of it."""

from __future__ import annotations

from typing import Protocol

from grpc_chat.transport.http2.headers import Headers


class Handler(Protocol):
    """Gets what a peer sends, in order, during :meth:`Connection.receive` and :meth:`Connection.eof`.

    Each method MUST NOT block, and may call any method of the connection other than those two. ``stream`` is
    the stream's identifier. After :meth:`was_reset` nothing more comes for a stream, and whatever is sent on
    it goes nowhere.
    """

    def request(self, stream: int, headers: Headers, end: bool) -> None:
        """A request: its headers, which follow the rules of section 8. ``end``: it has no body."""

    def headers_too_large(self, stream: int, octets: int) -> None:
        """A request whose headers are larger than ``header_list_bytes``. It is to be answered, and is not
        read: neither data nor trailers come for it."""

    def data(self, stream: int, data: bytes, end: bool) -> None:
        """The next of a body. Call :meth:`Connection.consumed` when it is no longer kept; ``b""`` only at the
        end."""

    def trailers(self, stream: int, headers: Headers) -> None:
        """The fields after a body, which end the request."""

    def was_reset(self, stream: int, code: int) -> None:
        """The stream is over: the peer reset it, broke a rule with it, or is gone."""

    def drained(self, stream: int) -> None:
        """All that was kept of the stream is on its way: the next may be sent, or that was the end of it."""

    def answered_early(self) -> None:
        """A request was answered before its end. Call :meth:`Connection.stop_requests` some time later, and
        again as long as that says so."""

    def pinged(self, after_data: bool) -> None:
        """The peer asked for a sign of life, and the answer is queued.

        Args:
            after_data: Whether data that had been kept went out since the ping before: many clients measure
                with pings how fast it comes.
        """

    def pong(self) -> None:
        """The peer answered :meth:`Connection.ping`."""

    def went_away(self, code: int) -> None:
        """The peer opens no more streams; those that are open go on."""
