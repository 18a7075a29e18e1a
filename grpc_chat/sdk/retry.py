"""When to try again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from grpc_chat.errors import ChatError


def worthwhile(error: ChatError) -> bool:
    """Whether the same call may still succeed: waiting may help, or its outcome is unknown."""
    return error.retryable or not error.definite


class Backoff:
    """Growing waits with full jitter, so that clients of a server that was away do not return together.

    See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Args:
        first: The bound of the first wait.
        most: The bound of all waits.
        random: A number from 0 to 1.
    """

    def __init__(
        self,
        *,
        first: timedelta = timedelta(milliseconds=100),
        most: timedelta = timedelta(seconds=10),
        random: Callable[[], float] = random.random,
    ) -> None:
        self._first = first
        self._most = most
        self._random = random
        self.failures = 0

    def reset(self) -> None:
        """It worked."""
        self.failures = 0

    def next(self, error: ChatError | None = None) -> timedelta:
        """It failed again; returns how long to wait now, at least as long as the server asked for."""
        bound = min(self._most, self._first * (1 << min(self.failures, 20)))
        self.failures += 1
        # Never zero: a loop that fails at once must not spin.
        wait = bound * (0.1 + 0.9 * self._random())
        asked = error.retry_after if error and error.retry_after else timedelta(0)
        return max(wait, asked)
