"""A line to type in at the bottom of a terminal, while other lines appear above it."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shutil
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from grpc_chat.cli.output import wide
from grpc_chat.cli.terminal import visible

# What keys send: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O.|[^\[O])")
_UNFINISHED = re.compile(r"\x1b(\[[0-9;?]*[ -/]*|O)?$")
_KEYS = {
    "\x1b[D": "left",
    "\x1bOD": "left",
    "\x02": "left",
    "\x1b[C": "right",
    "\x1bOC": "right",
    "\x06": "right",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
    "\x01": "home",
    "\x1b[F": "end",
    "\x1bOF": "end",
    "\x1b[4~": "end",
    "\x05": "end",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b[3~": "delete",
    "\x15": "clear",
    "\x17": "word",
    "\x04": "end of input",
    "\r": "enter",
    "\n": "enter",
}
_MOST_CHARACTERS = 60_000


class Prompt:
    """Reads lines from the terminal on standard input; ``with Prompt() as prompt: await prompt.next()``.

    It edits by itself instead of leaving that to the terminal, whose own line others' messages would tear.

    Args:
        mark: What stands before the line.
    """

    def __init__(self, mark: str = "> ") -> None:
        self._mark = mark
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._keys = ""
        self._text = ""
        self._at = 0
        self._hidden = False
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(0)
        self._take_terminal()
        self._loop.add_reader(0, self._read)
        for number in (signal.SIGCONT, signal.SIGWINCH):
            self._loop.add_signal_handler(number, self._take_terminal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.remove_reader(0)
        for number in (signal.SIGCONT, signal.SIGWINCH):
            self._loop.remove_signal_handler(number)
        self._write("\r\x1b[K")
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    async def next(self) -> str | None:
        """The next line; None once the input has ended."""
        return await self._lines.get()

    def set_mark(self, mark: str) -> None:
        """Have something else stand before the line."""
        self._mark = mark
        self._draw()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the line away while something is printed."""
        self._write("\r\x1b[K")
        self._hidden = True
        try:
            yield
        finally:
            self._hidden = False
            self._draw()

    def _take_terminal(self) -> None:
        """No echo and no lines, but signals from keys; again after a shell had the terminal."""
        mode = termios.tcgetattr(0)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSADRAIN, mode)
        self._draw()

    def _read(self) -> None:
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            # Somebody else who has this terminal was quicker.
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(0)
            self._lines.put_nowait(None)
            return
        self._keys += self._decode.decode(data)
        for key in self._take_keys():
            self._press(key)
        self._draw()

    def _take_keys(self) -> Iterator[str]:
        while self._keys:
            if found := _SEQUENCE.match(self._keys):
                key = found.group()
            elif _UNFINISHED.match(self._keys):
                return
            else:
                key = self._keys[0]
            self._keys = self._keys[len(key) :]
            yield key

    def _press(self, key: str) -> None:
        text, at = self._text, self._at
        match _KEYS.get(key):
            case "left":
                self._at = max(at - 1, 0)
            case "right":
                self._at = min(at + 1, len(text))
            case "home":
                self._at = 0
            case "end":
                self._at = len(text)
            case "backspace" if at:
                self._text, self._at = text[: at - 1] + text[at:], at - 1
            case "delete":
                self._text = text[:at] + text[at + 1 :]
            case "clear":
                self._text, self._at = text[at:], 0
            case "word":
                start = len(re.sub(r"\S*\s*$", "", text[:at]))
                self._text, self._at = text[:start] + text[at:], start
            case "enter":
                self._text, self._at = "", 0
                self._lines.put_nowait(text)
            case "end of input" if not text:
                self._lines.put_nowait(None)
            case None if (key.isprintable() or key == "\t") and len(text) < _MOST_CHARACTERS:
                self._text, self._at = text[:at] + key + text[at:], at + len(key)
            case _:
                pass

    def _draw(self) -> None:
        if self._hidden:
            return
        before, after = visible(self._text[: self._at]), visible(self._text[self._at :])
        room = max(shutil.get_terminal_size().columns - wide(self._mark) - 1, 1)
        # Of a line that is too long, what is around the cursor.
        while wide(before) > room:
            before = before[1:]
        while wide(before) + wide(after) > room:
            after = after[:-1]
        back = f"\x1b[{wide(after)}D" if after else ""
        self._write(f"\r\x1b[K{self._mark}{before}{after}{back}")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()
