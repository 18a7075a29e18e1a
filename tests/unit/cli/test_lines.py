from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from grpc_chat.cli.lines import Lines
from tests.support import until

MEGABYTE = 1024 * 1024


class Pipe:
    """A pipe whose reading end is what :class:`Lines` reads."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self._writers: list[threading.Thread] = []

    def write(self, data: bytes) -> None:
        """Write, as fast as it is read."""
        self._start(data, last=False)

    def finish(self, data: bytes = b"") -> None:
        """Write the last, and end."""
        self._start(data, last=True)

    def _start(self, data: bytes, *, last: bool) -> None:
        thread = threading.Thread(target=self._write, args=(data, last), daemon=True)
        self._writers.append(thread)
        thread.start()

    def _write(self, data: bytes, last: bool) -> None:
        with suppress(BrokenPipeError):
            while data:
                data = data[os.write(self.writing, data) :]
        if last:
            self.close_writing()

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        for thread in self._writers:
            thread.join(10)
        self.close_writing()
        os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


async def all_lines(pipe: Pipe, data: bytes) -> list[str | ValueError]:
    """Everything that is handed out for this input."""
    lines = Lines(pipe.reading)
    pipe.finish(data)
    found = []
    while (line := await lines.next()) is not None:
        found.append(line)
    return found


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"one\r\ntwo\r", ["one", "two"]),
        (b"one\n\n\ntwo\n", ["one", "", "", "two"]),
        (b"a\rb\r\r\n", ["a\rb\r"]),
        ("Grüße\u2028\u0085\x0b 世界 😀\n".encode(), ["Grüße\u2028\u0085\x0b 世界 😀"]),
        (b" \t spaces \t \n", [" \t spaces \t "]),
        (b"\0\x1b[31m\n", ["\0\x1b[31m"]),
    ],
)
async def test_line_is_what_stands_between_line_feeds(pipe: Pipe, data: bytes, lines: list[str]) -> None:
    """Without its end, be it of Unix or of Windows; the last one may lack it."""
    assert await all_lines(pipe, data) == lines


async def test_line_that_is_not_utf8_is_a_value_error(pipe: Pipe) -> None:
    """With its number; the others are not spoiled by it, the last included."""
    found = await all_lines(pipe, b"one\n\xff\xfe\nthree\n\xc3\nfive\n\xe4")

    assert [str(line) for line in found] == [
        "one",
        "line 2 of the input is not UTF-8",
        "three",
        "line 4 of the input is not UTF-8",
        "five",
        "line 6 of the input is not UTF-8",
    ]
    assert [type(line) for line in found] == [str, ValueError] * 3


async def test_character_that_is_split_between_two_reads_is_whole(pipe: Pipe) -> None:
    """However the input comes."""
    lines = Lines(pipe.reading)
    text = "😀 Grüße\n".encode()

    for byte in text:
        os.write(pipe.writing, bytes([byte]))
        await asyncio.sleep(0)
    pipe.finish()

    assert await lines.next() == "😀 Grüße"
    assert await lines.next() is None


async def test_line_is_handed_out_when_it_is_complete(pipe: Pipe) -> None:
    """Not when the next one comes, nor at the end."""
    lines = Lines(pipe.reading)

    pipe.write(b"one\ntw")
    assert await lines.next() == "one"
    pipe.write(b"o\n")
    assert await lines.next() == "two"
    pipe.finish()
    assert await lines.next() is None


async def test_line_may_be_long(pipe: Pipe) -> None:
    """Longer than any read, and than the pipe."""
    assert await all_lines(pipe, b"x" * 180_000 + b"\nnext\n") == ["x" * 180_000, "next"]


@pytest.mark.parametrize("end", [b"\nnext\n", b"\nnext"])
async def test_line_that_is_too_long_is_a_value_error(pipe: Pipe, end: bytes) -> None:
    """Once, with its number, and without ever being held whole; then the input goes on."""
    found = await all_lines(pipe, b"first\n" + b"x" * 3 * MEGABYTE + end)

    assert [str(line) for line in found] == [
        "first",
        "line 2 of the input is longer than 190000 bytes",
        "next",
    ]
    assert isinstance(found[1], ValueError)


async def test_flood_without_lines_ends_with_one_error(pipe: Pipe) -> None:
    """Whatever comes before the end belongs to it."""
    found = await all_lines(pipe, b"x" * 3 * MEGABYTE)

    assert [str(line) for line in found] == ["line 1 of the input is longer than 190000 bytes"]


async def test_number_of_a_line_is_right_after_one_that_was_too_long(pipe: Pipe) -> None:
    """It counts as the one line that it is."""
    found = await all_lines(pipe, b"x" * 2 * MEGABYTE + b"\nfine\n\xff\n")

    assert [str(line) for line in found[1:]] == ["fine", "line 3 of the input is not UTF-8"]


async def test_flood_waits_where_it_comes_from(pipe: Pipe) -> None:
    """As long as nobody takes lines, no more are read than a few ahead; then all arrive."""
    lines = Lines(pipe.reading, ahead=3)
    os.set_blocking(pipe.writing, False)
    written = 0

    def fill() -> int:
        """Until the pipe is full. Up to 4096 bytes go into it at once or not at all."""
        nonlocal written
        with suppress(BlockingIOError):
            while written < 10_000:
                os.write(pipe.writing, b"%d %s\n" % (written, b"x" * 1000))
                written += 1
        return written

    fill()
    await until(lambda: lines._queue.qsize() >= 3)
    full = fill()

    assert fill() == full < 10_000
    assert lines._queue.qsize() == 3
    pipe.close_writing()
    for number in range(written):
        assert await lines.next() == f"{number} {'x' * 1000}"
    assert await lines.next() is None


def join_readers(before: set[threading.Thread]) -> None:
    """Wait until no thread that was started since reads lines."""
    for thread in set(threading.enumerate()) - before:
        if thread.name == "lines":
            thread.join(10)
            assert not thread.is_alive()
    # What is never awaited is said so when it is collected.
    gc.collect()


def test_line_that_nobody_took_does_not_disturb_the_end(
    pipe: Pipe, capfd: pytest.CaptureFixture[str]
) -> None:
    """The thread that holds it ends with the event loop, quietly; it used to print a traceback."""
    before = set(threading.enumerate())

    async def leave() -> None:
        lines = Lines(pipe.reading, ahead=1)
        pipe.write(b"line\n" * 100)
        await lines.next()
        await until(lines._queue.full)

    asyncio.run(leave())
    join_readers(before)

    assert capfd.readouterr().err == ""


def test_line_that_comes_after_the_end_is_dropped(pipe: Pipe, capfd: pytest.CaptureFixture[str]) -> None:
    """Quietly too, in the moment between the event loop's end and the program's."""
    before = set(threading.enumerate())

    async def leave() -> None:
        Lines(pipe.reading)

    asyncio.run(leave())
    pipe.write(b"late\n")
    join_readers(before)

    assert capfd.readouterr().err == ""
