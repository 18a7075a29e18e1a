"""Waits for things that may never answer: a keyring whose prompt nobody sees, a disk that is far away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Answer(Generic[R]):
    """The future result of a blocking function.

    It runs in a thread that ends with the process: one that hangs must not keep a command from ending, as
    those of `asyncio.to_thread` do.
    """

    def __init__(self, function: Callable[..., R], *arguments: Any) -> None:
        self._results: list[R] = []
        self._errors: list[BaseException] = []
        self._done = threading.Event()
        self._tell: Callable[[], None] = lambda: None
        name = getattr(function, "__name__", "answer")
        threading.Thread(target=self._run, args=(function, arguments), name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for it; returns whether it is there."""
        return self._done.wait(seconds)

    def get(self, seconds: float) -> R:
        """Wait for it, and return or raise the same.

        Raises:
            TimeoutError: It is not there.
        """
        if not self._done.wait(seconds):
            raise TimeoutError
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    async def wait_on_loop(self) -> R:
        """The same, without a limit and without blocking; cancelling ends only the wait."""
        import asyncio

        loop, there = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            # The command may have ended, and its loop with it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(there.set)

        self._tell = tell
        if not self._done.is_set():
            await there.wait()
        return self.get(0)

    def _run(self, function: Callable[..., R], arguments: tuple[Any, ...]) -> None:
        try:
            self._results.append(function(*arguments))
        except BaseException as exc:
            self._errors.append(exc)
        self._done.set()
        self._tell()


async def off_loop(function: Callable[..., R], *arguments: Any) -> R:
    """Run a blocking function while the event loop, and so Ctrl-C, keeps working."""
    return await Answer(function, *arguments).wait_on_loop()
