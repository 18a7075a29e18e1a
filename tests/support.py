"""What tests of several folders use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import grpc_chat as chat
from grpc_chat.core.writing import Write
from grpc_chat.metrics import Metrics


async def until(condition: Callable[[], bool], *, timeout: float = 20) -> None:
    """Wait for something that nobody announces.

    Args:
        timeout: The longest wait, in seconds.

    Raises:
        TimeoutError: It did not come to be.
    """
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.005)


def metric(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of a metric's sample now; 0 where there is none yet.

    The registry's own way goes through all metrics, of which each method has twenty. A test that waits for a
    gauge would do little else.
    """
    for family in metrics.registry.restricted_registry([name]).collect():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return metrics.registry.get_sample_value(name, labels) or 0


async def make_owner(owner: chat.Client, heir: chat.Client, room_id: str) -> None:
    """Have a member own a room, too, which takes both of them."""
    user = await heir.me()
    await owner.set_role(room_id, user.user_id, "owner")
    await heir.accept_invitation(room_id)


class PulledResponses(AsyncIterator[bytes]):
    """What a stream of the pipeline writes, one by one; a write returns when the next one is asked for.

    Args:
        stream: The call, given the function to write with.
    """

    def __init__(self, stream: Callable[[Write], Coroutine[Any, Any, None]]) -> None:
        self._stream = stream
        self._task: asyncio.Task[None] | None = None
        self._written: asyncio.Future[bytes] | None = None
        self._taken: asyncio.Future[None] | None = None

    async def __anext__(self) -> bytes:
        self._written = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif self._taken:
            # Nobody waits for a write that was given up.
            if not self._taken.done():
                self._taken.set_result(None)
            self._taken = None
        waited: list[asyncio.Future[Any]] = [self._written, self._task]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self._written.done():
            return self._written.result()
        self._task.result()
        raise StopAsyncIteration

    async def _run(self) -> None:
        await self._stream(self._write)

    async def _write(self, response: bytes) -> None:
        assert self._written
        self._written.set_result(response)
        self._taken = asyncio.get_running_loop().create_future()
        await self._taken

    async def aclose(self) -> None:
        """Have the call end, as when its client goes away."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task


class PeerAt:
    """The other end of a connection, at an address as gRPC names it."""

    def __init__(self, address: str) -> None:
        self._address = address

    def address(self) -> str:
        return self._address

    def names(self) -> tuple[str, ...]:
        return ()
