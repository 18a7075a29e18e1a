"""The interface of a bus, and the little it guarantees: nothing.

What travels are hints, "the log of this room reaches at least here", and signals, which are kept nowhere.
The log itself is in the store. Either may be lost, late, repeated or overtaken by another. When that happens
to hints, no reader may notice more than a delay: the feeds ask the store about its rooms' heads from time to
time, which covers even a lost last hint. When it happens to signals, nothing but the signals may change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

Hints = Mapping[str, int]
"""By room, a number that its log has reached."""


class Bus(Protocol):
    """One node's way to the others. ``async with`` connects it, and lets go of it.

    A bus that can't connect, or no longer, loses what it is given: none of its methods blocks or raises.
    """

    async def __aenter__(self) -> Self:
        """Begin to connect. MUST NOT wait for it, MUST NOT fail where others can't be reached."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop calling."""

    def publish(self, hints: Hints) -> None:
        """Tell the other nodes. MUST NOT block, MUST NOT raise; may do nothing."""

    def listen(self, receive: Callable[[Hints], None]) -> None:
        """Call ``receive``, on the event loop, with what other nodes publish from now on."""

    def signal(self, topic: str, data: bytes) -> None:
        """Send a few KiB to the other nodes that follow a topic.

        MUST NOT block, MUST NOT raise; may do nothing.

        Args:
            topic: Any text; an implementation spells it as its own subjects need it.
        """

    def listen_to_signals(self, receive: Callable[[str, bytes], None]) -> None:
        """Call ``receive``, on the event loop, with the topic and bytes of what other nodes signal."""

    def follow(self, topic: str) -> None:
        """Want the signals of a topic. MUST NOT block, MUST NOT raise."""

    def unfollow(self, topic: str) -> None:
        """Want them no longer. One or another may still come. MUST NOT block, MUST NOT raise."""
