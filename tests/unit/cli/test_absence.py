from __future__ import annotations

import asyncio

from grpc_chat.cli.absence import Absence
from grpc_chat.errors import ShuttingDown, Unreachable


async def test_a_connection_that_is_back_at_once_is_not_worth_a_word() -> None:
    """As when a proxy, or the connection's age, ends it; also several times in a row."""
    said: list[str] = []
    absence = Absence("c:1", said.append, moment=0.02)

    for _ in range(3):
        absence.begins(Unreachable("the connection was lost", metadata={"reason": "lost"}))
        assert not absence.ends()
    await asyncio.sleep(0.04)

    assert said == []


async def test_an_absence_that_lasts_is_told_once_with_its_newest_reason() -> None:
    """And its end with it; the next one is told again."""
    said: list[str] = []
    told = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        told.set()

    absence = Absence("c:1", say, moment=0)

    for _ in range(2):
        absence.begins(ShuttingDown("the server is about to stop"))
        # The server said that it would go; that takes nothing from what is known.
        absence.begins(Unreachable("the proxy at c:1 can't reach the server (HTTP 502)"))
        absence.begins(None)
        await told.wait()
        told.clear()
        absence.begins(Unreachable("there was no answer within 10 s"))
        await asyncio.sleep(0)
        assert absence.ends()
        said.append("back")

    line = "no connection to c:1 (the proxy can't reach the server (HTTP 502)); trying again"
    assert said == [line, "back"] * 2
