"""Lines from standard input, without blocking the event loop and without ever holding a whole flood."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError

from grpc_chat.cli.streams import read

# Less than a request may hold by default: longer ones would be refused in grpc's words, not the server's own.
_MAX_LINE_BYTES = 190_000


class Lines:
    """Reads a descriptor on a thread and returns its lines; the thread waits while nobody takes them.

    ``await lines.next()`` gives a line without its end, ``ValueError`` for one that can't be a message, and
    None when there are no more.
    """

    def __init__(self, descriptor: int = 0, *, ahead: int = 100) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | ValueError | None] = asyncio.Queue(ahead)
        if os.isatty(descriptor):
            # In the background of a shell, reading the terminal would stop the whole process.
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        # Reads the bare descriptor: a daemon thread inside sys.stdin's buffer aborts the interpreter's exit.
        threading.Thread(target=self._run, name="lines", daemon=True).start()

    async def next(self) -> str | ValueError | None:
        """The next line."""
        return await self._queue.get()

    def _run(self) -> None:
        try:
            rest, number = b"", 1
            skipping = False
            while chunk := self._read():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if skipping:
                        skipping = False
                    else:
                        self._put(_decoded(line, number))
                    number += 1
                if len(rest) > _MAX_LINE_BYTES:
                    if not skipping:
                        self._put(
                            ValueError(f"line {number} of the input is longer than {_MAX_LINE_BYTES} bytes")
                        )
                    skipping, rest = True, b""
            if rest and not skipping:
                self._put(_decoded(rest, number))
            self._put(None)
        except (RuntimeError, CancelledError):
            # The event loop is gone or about to be, and with it everything that would read the lines.
            return

    def _read(self) -> bytes:
        while True:
            try:
                return read(self._descriptor, 65_536)
            except OSError:
                if not os.isatty(self._descriptor):
                    return b""
                # In the background the terminal is not ours to read; the shell may bring us back.
                time.sleep(1)

    def _put(self, line: str | ValueError | None) -> None:
        putting = self._queue.put(line)
        try:
            asyncio.run_coroutine_threadsafe(putting, self._loop).result()
        finally:
            # Without a loop it never began, which Python would print a warning about.
            putting.close()


def _decoded(line: bytes, number: int) -> str | ValueError:
    try:
        return line.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return ValueError(f"line {number} of the input is not UTF-8")


def stdin_is_open() -> bool:
    """Whether there is a standard input at all."""
    return sys.stdin is not None
