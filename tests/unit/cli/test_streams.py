"""Descriptors that somebody left in O_NONBLOCK, over real pipes."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator

import click
import pytest

from grpc_chat.cli import main, quickstart_client, quickstart_server, streams


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe, neither of which blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def test_a_read_waits_for_what_comes_later(pipe: tuple[int, int]) -> None:
    """Nothing there yet is not the end."""
    out, into = pipe
    threading.Timer(0.05, os.write, (into, b"later\n")).start()

    assert streams.read(out, 100) == b"later\n"

    os.close(into)
    assert streams.read(out, 100) == b""


def test_lines_are_read_to_the_real_end(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """As `send --file -` and passwords from standard input read it."""
    out, into = pipe

    def type_slowly() -> None:
        for part in (b"on", b"e\ntw", b"o\n"):
            os.write(into, part)
        os.close(into)

    threading.Timer(0.05, type_slowly).start()
    monkeypatch.setattr(streams._Waiting, "readable", lambda _: True)

    assert io.TextIOWrapper(io.BufferedReader(streams._Waiting(out))).readlines() == ["one\n", "two\n"]


def test_a_write_waits_until_all_of_it_is_taken(pipe: tuple[int, int]) -> None:
    """More than a pipe holds at once is lost nowhere, however late somebody reads."""
    out, into = pipe
    received = bytearray()

    def read_late() -> None:
        while data := streams.read(out, 1000):
            received.extend(data)

    text = "".join(f"line {number}\n" for number in range(30_000))
    reader = threading.Thread(target=read_late)
    threading.Timer(0.05, reader.start).start()
    stream = io.TextIOWrapper(io.BufferedWriter(streams._Waiting(into)), write_through=True)
    print(text, end="", flush=True, file=stream)
    os.close(into)
    reader.join(10)

    assert received.decode() == text


def test_a_reader_that_goes_away_is_an_error(pipe: tuple[int, int]) -> None:
    """Not a wait without an end."""
    out, into = pipe
    os.close(out)

    with pytest.raises(BrokenPipeError):
        streams._Waiting(into).write(b"x")


def test_streams_of_tests_and_libraries_stay_theirs() -> None:
    """What is not the system's own stream is not replaced."""
    other = io.TextIOWrapper(io.BytesIO())

    assert streams._waiting(other, 1) is other


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (main.main, ["config", "default"]),
        (quickstart_client.command, ["-client_id", "1"]),
        (quickstart_server.command, ["-client_ids", " "]),
    ],
)
def test_every_program_waits(
    command: click.Command, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it does anything else: a server's lines are as easily lost as a client's."""

    class Taken(Exception):
        pass

    def take() -> None:
        raise Taken

    monkeypatch.setattr(streams, "take", take)
    with pytest.raises(Taken):
        command.main(arguments, standalone_mode=False)
