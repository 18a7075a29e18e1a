"""What tests of several folders use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], *, timeout: float = 20) -> None:
    """Wait for something that nobody announces.

    Args:
        timeout: How many seconds at the most.

    Raises:
        TimeoutError: It did not come to be.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.005)
