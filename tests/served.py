"""A server for browsers that is killed and started again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.programs import Program, free_port, start
from tests.web import bearer, browser

COMMAND = Path(sys.executable).with_name("grpc-chat")
ROOM = "general"
"""The room of those whose ids it trusts."""


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[Served]:
    """A server that can be killed."""
    served = Served(data)
    await served.begin()
    try:
        yield served
    finally:
        await served.program.kill()


class Served:
    """A server in a process of its own, always at the same ports."""

    program: Program

    def __init__(self, data: Path) -> None:
        self._data = data
        self.port = free_port()
        self.grpc_port = free_port()

    @property
    def url(self) -> str:
        """Where it answers browsers."""
        return f"http://127.0.0.1:{self.port}"

    async def begin(self) -> None:
        """Start it, again after ``kill``."""
        options = ["--trusted-ids", "1,2,3", "--port", str(self.grpc_port)]
        options += ["--web-port", str(self.port)]
        self.program = await start(COMMAND, "serve", "--data", self._data, *options)
        await self.program.shows("database in")

    async def kill(self) -> None:
        """End it without a word."""
        await self.program.kill()

    async def log(self) -> list[dict[str, Any]]:
        """All events of the room."""
        events: list[dict[str, Any]] = []
        async with browser(headers=bearer("1")) as client:
            while True:
                request = {"roomId": ROOM, "pageSize": 500, "afterSeq": str(len(events))}
                answer = await client.post(f"{self.url}/chat.v1.MessageService/ListMessages", json=request)
                answer.raise_for_status()
                page = answer.json()
                events += page.get("events", ())
                if not page.get("nextPageToken"):
                    return events
