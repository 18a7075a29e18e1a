"""Work on the disk that must not hold up the event loop, nor the database's threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from grpc_chat.core.turns import FewAtATime, share

T = TypeVar("T")


class Disk:
    """A few threads, of which each user has one at a time, whatever they do at once.

    Args:
        threads: How many are at work at once.
    """

    def __init__(self, *, threads: int = 4) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="files")
        self._turns = FewAtATime()
        self._under_way: set[asyncio.Task[Any]] = set()

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on a thread, in the turn of the user for whom this task works."""
        loop = asyncio.get_running_loop()
        async with self._turns.turn(share.get()):
            return await loop.run_in_executor(self._threads, function, *args)

    async def whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry something out to its end, also where the caller goes away: a thread can't be called back, and
        what comes after it must not begin beside it."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._threads.shutdown()
