"""A prompt at the bottom of a terminal, while other lines appear above it."""

from __future__ import annotations

import asyncio
import codecs
import os
import shutil
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from grpc_chat.cli.drawing import View, lay_out
from grpc_chat.cli.editor import MOST_CHARACTERS, Completions, Editor
from grpc_chat.cli.keys import PASTE_OFF, PASTE_ON, Key, Keys, Pasted, Typed
from grpc_chat.cli.output import wide
from grpc_chat.cli.terminal import visible

_ESCAPE = 0.1
"""Seconds after which Esc counts as a key by itself, and not as the beginning of another key's sequence."""
_MOST_ROWS = 10


class Prompt:
    """Reads texts from the terminal on standard input; ``with Prompt() as prompt: await prompt.next()``.

    It edits the text itself, because others' messages would break up the line that a terminal edits.

    Args:
        mark: Returns the prompt before the text. It has been made safe.
        completions: Returns the words that Tab may complete the beginning of a word to.

    Attributes:
        changed: Called with the text whenever keys were typed.
    """

    def __init__(
        self, mark: Callable[[], str] = lambda: "> ", completions: Completions = lambda word: ()
    ) -> None:
        self._mark = mark
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._keys = Keys(MOST_CHARACTERS)
        self._editor = Editor(completions)
        self._giving_up: asyncio.TimerHandle | None = None
        self._shown: View | None = None
        self._hidden = False
        self._ours = False
        self._loop = asyncio.get_running_loop()
        self.changed: Callable[[str], None] = lambda text: None

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(0)
        self._take_terminal()
        self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
        self._loop.add_signal_handler(signal.SIGCONT, self._take_terminal)
        self._loop.add_signal_handler(signal.SIGWINCH, self.draw)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH):
            self._loop.remove_signal_handler(number)
        if self._giving_up:
            self._giving_up.cancel()
        if self._ours and self._editor.text:
            # Leaves unfinished text on the screen.
            self._editor.at = len(self._editor.text)
            self.draw()
            self._shown = None
            self._write("\r\n")
        self._leave_terminal()

    async def next(self) -> str | None:
        """The next text; None once the input has ended."""
        return await self._lines.get()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Hide the text while something is printed."""
        self._erase()
        before, self._hidden = self._hidden, True
        try:
            yield
        finally:
            self._hidden = before
            self.draw()

    def draw(self) -> None:
        """Show the text as it is now."""
        if self._hidden or not self._ours:
            return
        columns, lines = shutil.get_terminal_size()
        self._erase()
        rows = max(min(lines - 2, _MOST_ROWS), 1)
        view = lay_out(self._mark(), self._editor.text, self._editor.at, columns, rows)
        self._shown = view
        up = len(view.rows) - 1 - view.row
        back = f"\x1b[{up}A" if up else ""
        if up or view.column != wide(view.rows[-1]):
            back += "\r" + (f"\x1b[{view.column}C" if view.column else "")
        self._write("\r\n".join(view.rows) + back)

    def _erase(self) -> None:
        if not self._ours:
            return
        up = 0
        if view := self._shown:
            # If the terminal is narrower now, it has wrapped the rows.
            columns = max(shutil.get_terminal_size().columns, 1)
            up = sum(max(wide(row) - 1, 0) // columns + 1 for row in view.rows[: view.row])
            up += view.column // columns
        self._shown = None
        self._write((f"\x1b[{up}A" if up else "") + "\r\x1b[J")

    def _take_terminal(self) -> None:
        """Turn off the terminal's echo and line editing, but keep signals from keys. Called again after a
        shell had the terminal."""
        with suppress(OSError):
            if os.tcgetpgrp(0) != os.getpgrp():
                # The program runs in the background of a shell, which has the terminal now.
                self._loop.remove_reader(0)
                self._ours = False
                return
        mode = termios.tcgetattr(0)
        mode[0] &= ~termios.IXON
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(0, termios.TCSADRAIN, mode)
        self._ours = True
        self._loop.add_reader(0, self._read)
        self._write(PASTE_ON)
        self.draw()

    def _leave_terminal(self) -> None:
        self._loop.remove_reader(0)
        if not self._ours:
            return
        self._erase()
        self._ours = False
        self._write(PASTE_OFF)
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)

    def _stop(self) -> None:
        """Restore the terminal for the shell, and stop, as Ctrl-Z asks."""
        self._leave_terminal()
        self._loop.remove_signal_handler(signal.SIGTSTP)
        # Sent to this thread, so that the signal has taken effect when the call returns.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        self._loop.add_signal_handler(signal.SIGTSTP, self._stop)
        self._take_terminal()

    def _read(self) -> None:
        try:
            data = os.read(0, 65_536)
        except BlockingIOError:
            # Another process that has this terminal was quicker.
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(0)
            self._lines.put_nowait(None)
            return
        if self._giving_up:
            self._giving_up.cancel()
        self._take(self._keys.feed(self._decode.decode(data)))
        if self._keys.unfinished:
            self._giving_up = self._loop.call_later(_ESCAPE, lambda: self._take(self._keys.give_up()))

    def _take(self, keys: Iterator[Key | Typed | Pasted]) -> None:
        editor = self._editor
        for key in keys:
            if key == Key("redraw"):
                self._shown = None
                self._write("\x1b[H\x1b[2J")
            editor.take(key)
        for text in editor.done:
            self._lines.put_nowait(text)
        editor.done.clear()
        if editor.ended:
            self._lines.put_nowait(None)
            editor.ended = False
        if editor.notes:
            with self.aside():
                for note in editor.notes:
                    self._write(f"{visible(note)}\r\n")
            editor.notes.clear()
        self.draw()
        self.changed(editor.text)

    def _write(self, text: str) -> None:
        with suppress(OSError):
            sys.stdout.write(text)
            sys.stdout.flush()
