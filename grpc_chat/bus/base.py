"""The interface of a bus, and the little it guarantees: nothing.

It carries hints ("the log of this room reaches at least here") and signals, which are not kept anywhere. The
log itself is in the store. Both may be lost, late, repeated or reordered. If that happens to hints, readers
must notice at most a delay: the feeds ask the store about their rooms' heads from time to time, which covers
even a lost last hint. If it happens to signals, nothing but the signals may change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

Hints = Mapping[str, int]
"""For each room, a number that its log has reached."""


class Bus(Protocol):
    """One node's connection to the others. ``async with`` opens and closes it.

    A bus that can't connect, or no longer can, loses what it is given: none of its methods blocks or raises.
    """

    async def __aenter__(self) -> Self:
        """Begin to connect. MUST NOT wait for it, MUST NOT fail if others can't be reached."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop calling."""

    def publish(self, hints: Hints) -> None:
        """Send hints to the other nodes. MUST NOT block, MUST NOT raise; may do nothing."""

    def listen(self, receive: Callable[[Hints], None]) -> None:
        """Call ``receive``, on the event loop, with what other nodes publish from now on."""

    def signal(self, topic: str, data: bytes) -> None:
        """Send a few KiB to the other nodes that follow a topic.

        MUST NOT block, MUST NOT raise; may do nothing.

        Args:
            topic: Any text; an implementation encodes it as its subjects require.
        """

    def listen_to_signals(self, receive: Callable[[str, bytes], None]) -> None:
        """Call ``receive``, on the event loop, with the topic and bytes of what other nodes signal."""

    def follow(self, topic: str) -> None:
        """Begin to receive the signals of a topic. MUST NOT block, MUST NOT raise."""

    def unfollow(self, topic: str) -> None:
        """Stop receiving them. Some may still arrive. MUST NOT block, MUST NOT raise."""
