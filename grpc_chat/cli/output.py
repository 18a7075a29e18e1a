"""The output of commands: tables and sentences for people, JSON lines for programs. Everything that other
people wrote passes through here on its way to the terminal, and comes out without anything that could control
it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from grpc_chat.cli.terminal import visible

T = TypeVar("T")

Column = tuple[str, Callable[[T], str]]
"""A title, and what stands below it."""

_GAP = "  "
_NARROWEST = 12


class Output:
    """Standard output, and its properties.

    Args:
        as_json: Whether a program reads it.

    Attributes:
        terminal: Whether a person reads it: relative times, columns that fit.
        colours: Whether it may be coloured.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.terminal = not as_json and _is_terminal()
        # https://no-color.org
        self.colours = self.terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """How many columns the terminal has."""
        return shutil.get_terminal_size((80, 24)).columns

    def style(self, text: str, **how: Any) -> str:
        """A text that is safe to show, with colours if they are allowed."""
        return click.style(text, **how) if self.colours and how else text

    def line(self, text: str) -> None:
        """Print a line as it is: its parts have been made safe."""
        print(text, flush=True)

    def say(self, sentence: str) -> None:
        """Print a sentence for people."""
        if not self.as_json:
            self.line(visible(sentence))

    def note(self, sentence: str) -> None:
        """Print a remark that is not a result, on standard error."""
        if not self.as_json:
            print(visible(sentence), file=sys.stderr, flush=True)

    def result(self, value: object, sentence: str, **more: object) -> None:
        """Print a result: a sentence, or the value as JSON with ``more`` beside it."""
        if self.as_json:
            self.json(value, **more)
        else:
            self.say(sentence)

    def json(self, value: object, **more: object) -> None:
        """Print a value as a line of JSON."""
        self.line(as_json(value, **more))

    def table(self, values: Sequence[T], columns: Sequence[Column[T]], *, empty: str) -> None:
        """Print a table, or a sentence if it is empty."""
        if self.as_json:
            for value in values:
                self.json(value)
        elif not values:
            self.note(empty)
        else:
            rows = [[visible(get(value)) for _, get in columns] for value in values]
            # A column that is empty everywhere is left out.
            used = [at for at in range(len(columns)) if any(row[at] for row in rows)]
            self._rows([columns[at][0].upper() for at in used], [[row[at] for at in used] for row in rows])

    def _rows(self, titles: list[str], rows: list[list[str]]) -> None:
        widths = [max(wide(row[at]) for row in [titles, *rows]) for at in range(len(titles))]
        if self.terminal:
            # The widest column shrinks first.
            while (over := sum(widths) + len(_GAP) * (len(widths) - 1) - self.width) > 0:
                at = widths.index(max(widths))
                if widths[at] <= _NARROWEST:
                    break
                widths[at] = max(widths[at] - over, _NARROWEST)
        for row in [titles, *rows]:
            cells = [padded(cut(cell, width), width) for cell, width in zip(row, widths, strict=True)]
            text = _GAP.join(cells).rstrip()
            self.line(self.style(text, dim=True) if row is titles else text)

    def fields(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Print the properties of one thing, a line for each."""
        shown = [(name, visible(value)) for name, value in pairs if value]
        width = max(wide(name) for name, _ in shown)
        for name, value in shown:
            self.line(f"{self.style(padded(name, width), dim=True)}{_GAP}{value}")

    def when(self, moment: datetime | None, *, now: datetime | None = None) -> str:
        """A time: on a terminal, how long ago or until then; otherwise the date, in local time."""
        if moment is None:
            return ""
        return relative(moment, now or datetime.now(UTC)) if self.terminal else minute(moment)


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def count(number: int, what: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def minute(moment: datetime) -> str:
    """A local time, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def relative(moment: datetime, now: datetime) -> str:
    """How long ago, or until then; the date if that is far."""
    away = moment - now
    seconds = abs(away.total_seconds())
    if seconds < 45:
        return "now"
    if seconds < 45 * 60:
        amount = f"{max(round(seconds / 60), 1)} min"
    elif seconds < 22 * 3600:
        amount = f"{round(seconds / 3600)} h"
    elif seconds < 45 * 86400:
        days = max(round(seconds / 86400), 1)
        amount = f"{days} day{'s' if days > 1 else ''}"
    else:
        return moment.astimezone().strftime("%Y-%m-%d")
    return f"in {amount}" if away > timedelta(0) else f"{amount} ago"


def wide(text: str) -> int:
    """How many columns a text takes on a terminal, as far as that can be known."""
    if text.isascii():
        return len(text)
    return sum(_wide(character) for character in text)


def _wide(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def padded(text: str, width: int) -> str:
    """A text followed by spaces up to a width."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """A text cut to a width."""
    if wide(text) <= width:
        return text
    used = 0
    for at, character in enumerate(text):
        used += _wide(character)
        if used > width - 1:
            return text[:at] + "…"
    return text


def wrapped(text: str, width: int) -> list[str]:
    """The rows of a text cut to a width, broken between words if possible."""
    rows: list[str] = []
    start = used = after_space = 0
    for at, character in enumerate(text):
        taken = 1 if character.isascii() else _wide(character)
        if used + taken > width and at > start:
            if character == " ":
                rows.append(text[start:at].rstrip(" "))
                start, used = at + 1, 0
                continue
            if text[start:after_space].strip():
                rows.append(text[start : after_space - 1].rstrip())
                start = after_space
                used = wide(text[start:at])
            else:
                rows.append(text[start:at])
                start, used = at, 0
        used += taken
        if character == " ":
            after_space = at + 1
    if start < len(text) or not rows:
        rows.append(text[start:])
    return rows


def size(size_bytes: int) -> str:
    """A number of bytes, for people."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 1_000_000:
        return f"{-(-size_bytes // 1000)} kB"
    if size_bytes < 1_000_000_000:
        return f"{size_bytes / 1_000_000:.1f} MB"
    return f"{size_bytes / 1_000_000_000:.1f} GB"


def as_json(value: object, **more: object) -> str:
    """One line of ASCII: everything else is escaped. Times are RFC 3339 in UTC, durations seconds,
    bytes hexadecimal."""
    plain = _plain(value)
    if more:
        plain = (plain if isinstance(plain, dict) else {}) | {name: _plain(m) for name, m in more.items()}
    # json leaves DEL as it is.
    return json.dumps(plain, ensure_ascii=True).replace("\x7f", "\\u007f")


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    return value
