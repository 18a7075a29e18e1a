"""A TCP proxy that loses answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal, Self


class Proxy:
    """Between clients and a server.

    Attributes:
        answers: What becomes of bytes from the server: they "pass", they are "lost" while the connection
            stays, or the connection is "cut" when some arrive.
        lose_after: Once clients have sent these bytes, answers are lost.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.answers: Literal["pass", "lost", "cut"] = "pass"
        self.lose_after = b""
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = [writer]
        try:
            # A cancelled task would be reported by the server as one that failed.
            with suppress(OSError, asyncio.CancelledError):
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
                writers.append(up_writer)
                ways = [
                    asyncio.create_task(self._pump(reader, up_writer, answers=False)),
                    asyncio.create_task(self._pump(up_reader, writer, answers=True)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for each in writers:
                each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answers and self.answers == "lost":
                    continue
                if answers and self.answers == "cut":
                    # A small acknowledgement of the connection itself may come before the answer.
                    await asyncio.sleep(0.02)
                    return
                if not answers and self.lose_after and self.lose_after in data:
                    self.answers = "lost"
                writer.write(data)
                await writer.drain()
