"""Standard input, output and error that wait, whatever mode they are in.

``O_NONBLOCK`` belongs to the open file, not to a process: a program that set it before us on the same
terminal or pipe (Node.js does) leaves it on for us. A read that would have to wait then fails, which Python
takes for the end of the input, and a write takes only what fits, after which ``print`` silently drops the
rest (Python 3.11). Clearing the flag would take it from programs that share the file and rely on it, and any
of them may set it again while we run; so every read and write here waits until it can go on.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


def read(descriptor: int, size: int) -> bytes:
    """Read as soon as there is something to read; empty at the end of the input.

    Raises:
        OSError: It can't be read.
    """
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            select.select([descriptor], [], [])


def take() -> None:
    """Make ``sys.stdin``, ``sys.stdout`` and ``sys.stderr`` wait from now on. A missing one (``>&-`` in a
    shell) is replaced with one that leads nowhere: otherwise print would take another file for it. A text
    that an output can't show does not make it fail.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None and number:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _waiting(stream, number))


def _waiting(stream: io.TextIOWrapper, number: int) -> TextIO:
    errors = "backslashreplace" if number else stream.errors
    # Not the system's own, but a test's, or that of a program that uses this as a library.
    if (
        stream is not getattr(sys, f"__{('stdin', 'stdout', 'stderr')[number]}__")
        or stream.fileno() != number
    ):
        stream.reconfigure(errors=errors)
        return stream
    raw = _Waiting(number)
    buffer = io.BufferedWriter(raw) if number else io.BufferedReader(raw)
    return io.TextIOWrapper(
        buffer,
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Waiting(io.RawIOBase):
    """A descriptor, whose reads and writes wait. It stays open when this is closed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def readable(self) -> bool:
        return self._descriptor == 0

    def writable(self) -> bool:
        return self._descriptor != 0

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = read(self._descriptor, len(view))
        view[: len(data)] = data
        return len(data)

    def write(self, data: ReadableBuffer) -> int:
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
