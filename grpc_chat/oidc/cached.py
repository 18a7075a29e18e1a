"""A document that is fetched when needed, and kept for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from grpc_chat.errors import ChatError

T = TypeVar("T")


class Cached(Generic[T]):
    """Fetches at most once at a time, and at most every ``pause``, however many ask. Anyone may begin a
    login, so without the pause each caller could cause another request to an issuer.

    Args:
        fetch: Gets the document; raises ChatError.
        clock: Seconds, never going back.
        max_age: Seconds after which a document is fetched again. A withdrawn key, for example, is trusted no
            longer than that; an old document does not replace one that can't be fetched.
        pause: Seconds between two attempts.
        sleep: Waits for so many seconds of ``clock``.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        *,
        clock: Callable[[], float],
        max_age: float = 3600,
        pause: float = 5,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._max_age = max_age
        self._pause = pause
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None
        self._failed: tuple[float, ChatError] | None = None

    async def get(self) -> T:
        """The document.

        Raises:
            ChatError: It could not be fetched, now or less than a pause ago.
        """
        async with self._lock:
            if self._kept and self._clock() - self._kept[0] < self._max_age:
                return self._kept[1]
            return await self._fetched()

    async def newer(self, than: T) -> T:
        """The document, fetched after ``than`` was; waits where that was less than a pause ago.

        Raises:
            ChatError: As with :meth:`get`.
        """
        while True:
            async with self._lock:
                if self._kept and self._kept[1] is not than:
                    # Another caller has waited for it too.
                    return self._kept[1]
                wait = self._kept[0] + self._pause - self._clock() if self._kept else 0
                if wait <= 0:
                    return await self._fetched()
            # Callers for which the present document is enough do not wait.
            await self._sleep(wait)

    async def _fetched(self) -> T:
        if self._failed and self._clock() - self._failed[0] < self._pause:
            error = self._failed[1]
            raise type(error)(error.message, retry_after=error.retry_after) from error.__cause__
        try:
            document = await self._fetch()
        except ChatError as error:
            self._failed = self._clock(), error
            raise
        self._kept = self._clock(), document
        return document
