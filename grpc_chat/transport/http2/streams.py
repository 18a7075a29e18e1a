"""One stream (RFC 9113, section 5.1), and what is remembered of those that are over."""

from __future__ import annotations

from typing import Final

REMEMBERED: Final = 1_000
"""How many streams that this side ended early are remembered, so that frames on their way are no error."""


class Stream:
    """A request that has not been answered, or not been read, to the end.

    Attributes:
        id: Odd, as a client's are.
        send_window: How many bytes of DATA the peer takes; negative when its settings went down (6.9.2).
        receive_window: How many bytes of DATA the peer may send.
        unread: How many bytes the handler got and did not call consumed.
        credit: How many it did consume since the last WINDOW_UPDATE.
        expected: What content-length leaves to come, or -1 without one.
        ended: Whether the peer has sent END_STREAM.
        answered: Whether END_STREAM was sent, or is kept.
        discarded: Whether nobody wants its body.
        kept: What could not be sent yet: (data or a block of headers, whether it is headers, END_STREAM).
        at: How much of the first kept data is sent.
    """

    __slots__ = (
        "answered",
        "at",
        "credit",
        "discarded",
        "ended",
        "expected",
        "id",
        "kept",
        "receive_window",
        "send_window",
        "unread",
    )

    def __init__(self, id_: int, send_window: int, receive_window: int, ended: bool) -> None:
        self.id = id_
        self.send_window = send_window
        self.receive_window = receive_window
        self.unread = 0
        self.credit = 0
        self.expected = -1
        self.ended = ended
        self.answered = False
        self.discarded = False
        self.kept: list[tuple[bytes, bool, bool]] | None = None
        self.at = 0


class Closed:
    """Which streams are over, and how: what is remembered is bounded, and is nothing for a usual connection.

    A stream that both sides ended is one below the highest that nothing else is known of.

    Attributes:
        highest: The highest identifier that a client has used.
    """

    __slots__ = ("_cut", "_forgotten", "_skipped", "highest")

    def __init__(self) -> None:
        self.highest = 0
        self._cut: dict[int, None] | None = None
        self._forgotten = 0
        self._skipped: list[range] | None = None

    def opened(self, stream: int) -> None:
        """A client has used a new, higher identifier; those that it left out are closed now (5.1.1)."""
        if stream > self.highest + 2 or (self.highest == 0 and stream > 1):
            skipped = self._skipped = self._skipped or []
            skipped.append(range(self.highest + 1 | 1, stream, 2))
            del skipped[:-16]
        self.highest = stream

    def was_skipped(self, stream: int) -> bool:
        """Whether it was never open, as far as that is remembered."""
        return self._skipped is not None and any(stream in skipped for skipped in self._skipped)

    def cut(self, stream: int) -> None:
        """This side ended it while the peer may still be sending."""
        cut = self._cut = self._cut if self._cut is not None else {}
        cut[stream] = None
        if len(cut) > REMEMBERED:
            oldest = next(iter(cut))
            del cut[oldest]
            self._forgotten = max(self._forgotten, oldest)

    def was_cut(self, stream: int) -> bool:
        """Whether frames for it may be on their way. Of very old streams nobody knows, so they may."""
        return stream <= self._forgotten or (self._cut is not None and stream in self._cut)
