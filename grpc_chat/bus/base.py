"""The interface of a bus, and the little it guarantees: nothing.

What travels are hints, "the log of this room reaches at least here". The log itself is in the store. A hint
may be lost, late, repeated or overtaken by another, and no reader may notice more than a delay: the feeds ask
the store about its rooms' heads from time to time, which covers even a lost last hint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

Hints = Mapping[str, int]
"""By room, a number that its log has reached."""


class Bus(Protocol):
    """Carries hints between nodes."""

    def publish(self, hints: Hints) -> None:
        """Tell the other nodes. MUST NOT block, MUST NOT raise; may do nothing."""

    def listen(self, receive: Callable[[Hints], None]) -> None:
        """Call ``receive``, on the event loop, with what other nodes publish from now on."""
