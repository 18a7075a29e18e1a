"""What is said to the person, and asked of them, whatever standard output is for."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.terminal import visible


def say(words: str) -> None:
    """Tell the person something, whatever standard output is used for."""
    click.echo(visible(words), err=True)


def ask_password(prompt: str, *, variable: str = "CHAT_PASSWORD") -> str:
    """Ask for a password without showing it, or take it from the environment.

    Raises:
        Failure: There is no terminal to ask.
    """
    if (given := os.environ.get(variable)) is not None:
        return given
    if not sys.stdin or not sys.stdin.isatty():
        raise Failure(
            f"there is no terminal to ask for a password; give --password-stdin, or set {variable}", USAGE
        )
    return ask(prompt, hide_input=True)


def ask(question: str, **how: Any) -> str:
    """Ask for a line, on standard error: standard output may go into a file."""
    with interruptible(), _waiting_terminal():
        return str(click.prompt(question, err=True, **how))


@contextmanager
def _waiting_terminal() -> Iterator[None]:
    """Make Python's `input`, which reads through the C library, wait for an answer; see
    grpc_chat/cli/streams.py."""
    try:
        waits = os.get_blocking(0)
    except OSError:
        waits = True
    if not waits:
        os.set_blocking(0, True)
    try:
        yield
    finally:
        if not waits:
            os.set_blocking(0, False)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for input. An event loop would wait until the input comes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def passwords_from_stdin(count: int = 1) -> list[str]:
    """The first lines of standard input."""
    with interruptible():
        lines = [line.rstrip("\r\n") for line in itertools.islice(sys.stdin or (), count)]
    if len(lines) < count:
        raise Failure(f"standard input has {len(lines)} of {count} lines; each must have a password", USAGE)
    return lines
