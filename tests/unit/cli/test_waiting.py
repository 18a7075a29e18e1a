from __future__ import annotations

import asyncio
import threading

import pytest

from grpc_chat.cli.waiting import Answer, off_loop


async def test_an_answer_comes_from_another_thread() -> None:
    """Whatever it is, and whenever one asks."""

    def fail() -> None:
        raise OSError("no")

    assert await off_loop(threading.get_ident) != threading.get_ident()
    with pytest.raises(OSError, match="no"):
        await off_loop(fail)
    answer = Answer(int, "7")
    assert answer.get(20) == await answer.wait_on_loop() == 7


async def test_to_wait_no_longer_does_not_take_an_answer() -> None:
    """Neither on the loop nor off it, and what comes afterwards harms nobody."""
    end = threading.Event()
    waiting = asyncio.create_task(off_loop(end.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    answer = Answer(end.wait)
    with pytest.raises(TimeoutError):
        answer.get(0.01)
    assert not answer.wait(0)
    end.set()
    assert answer.get(20)
