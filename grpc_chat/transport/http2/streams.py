"""One stream (RFC 9113, section 5.1), and what is remembered of those that are over."""

from __future__ import annotations

from typing import Final

REMEMBERED: Final = 1_000
"""How many streams that this side ended early are remembered, so that frames on their way are no error."""

MOST_UNENDED: Final = 100
"""How many requests peers may be left to end by themselves, between two calls of :meth:`Unended.due`."""


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


class Unended:
    """The requests that were answered before their end, whose peers are yet to be told to stop.

    That needs RST_STREAM with NO_ERROR (8.1), and the answer is all that most peers need: clients of gRPC
    end their request by themselves when they have it. Proxies drop what they have of an answer when a reset
    comes with it, and pass on a failure. So the reset comes later.
    """

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._older: dict[int, None] = {}
        self._newer: dict[int, None] = {}

    def add(self, stream: int) -> int | None:
        """Let the peer end it; returns another one, which has to be reset now, where they are too many."""
        self._newer[stream] = None
        if len(self._newer) > MOST_UNENDED:
            oldest = next(iter(self._newer))
            del self._newer[oldest]
            return oldest
        return None

    def ended(self, stream: int) -> bool:
        """The peer has ended it; whether it was one of them."""
        if stream in self._newer:
            del self._newer[stream]
            return True
        return self._older.pop(stream, 0) is None

    def due(self) -> list[int]:
        """Those that were there when this was called last, which have to be reset now."""
        due = list(self._older)
        self._older, self._newer = self._newer, {}
        return due

    def __bool__(self) -> bool:
        return bool(self._older or self._newer)
