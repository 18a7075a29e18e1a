"""How far something is, on one line of a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from grpc_chat.cli.terminal import visible

_SECONDS_BETWEEN = 0.1
_SECONDS_BEFORE = 0.5


class ProgressLine:
    """How far a command is, on one line of a terminal; nothing if standard error is not a terminal."""

    def __init__(self, *, silent: bool) -> None:
        self._terminal = not silent and sys.stderr.isatty()
        # A command that is done at once needs no line.
        self._next = time.monotonic() + _SECONDS_BEFORE
        self._shown = False

    def __call__(self, what: str, done: float | None) -> None:
        """Show it, not too often.

        Args:
            done: From 0 to 1; None if that is not known.
        """
        if not self._terminal or (now := time.monotonic()) < self._next:
            return
        self._next, self._shown = now + _SECONDS_BETWEEN, True
        much = "" if done is None else f" {int(done * 100)} %"
        self._write(f"\r\x1b[K{visible(what)} …{much}")

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        # A terminal that is gone must not interrupt the command.
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
