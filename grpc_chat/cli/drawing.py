"""The layout of a text being typed on a terminal: rows, and where the cursor is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from grpc_chat.cli.output import cut, wide
from grpc_chat.cli.terminal import visible

_TAB = "    "


@dataclass(frozen=True, slots=True)
class View:
    """What to show: rows from the top, and the place of the cursor in them."""

    rows: list[str]
    row: int
    column: int


def lay_out(mark: str, text: str, at: int, columns: int, most_rows: int) -> View:
    """The rows around the cursor. Looks at each character of the text once.

    Args:
        mark: The prompt before the first row, safe to show and ending in ``"> "``; the other rows are
            indented as far.
        at: How many characters stand before the cursor.
        most_rows: How many rows may be shown.
    """
    if wide(mark) > columns // 2:
        mark = f"{cut(mark[:-2], max(columns // 2 - 2, 0))}> "
    margin = wide(mark)
    # The last column stays empty for the cursor after a full row.
    rows, row, column = _rows(text, at, max(columns - margin - 1, 1))
    first = min(max(row - most_rows // 2, 0), max(len(rows) - most_rows, 0))
    shown = rows[first : first + most_rows]
    last = first + len(shown)
    lines = []
    for number, part in enumerate(shown, first):
        before = " " * margin
        if not number:
            before = mark
        elif number == first:
            before = f"{mark[:-2]}↑ "
        elif number == last - 1 and last < len(rows):
            before = "↓ ".rjust(margin)
        lines.append(before + part)
    return View(lines, row - first, margin + column)


def _rows(text: str, at: int, room: int) -> tuple[list[str], int, int]:
    """All rows, and the cursor's row and column."""
    rows: list[str] = []
    row = column = 0
    start = 0
    for line in text.split("\n"):
        here = at - start if start <= at <= start + len(line) else None
        if line.isascii() and line.isprintable():
            pieces = [line[cutting : cutting + room] for cutting in range(0, len(line), room)] or [""]
            if here is not None:
                # At the end of a full row the cursor stays in it.
                row = min(here // room, len(pieces) - 1)
                row, column = row + len(rows), here - row * room
            rows += pieces
        else:
            place = _add_rows(rows, line, here, room)
            row, column = place or (row, column)
        start += len(line) + 1
    return rows, row, column


def _add_rows(rows: list[str], line: str, at: int | None, room: int) -> tuple[int, int] | None:
    place = None
    parts: list[str] = []
    used = 0
    for number, character in enumerate(line):
        shown, width = _cell(character)
        if used + width > room and parts:
            rows.append("".join(parts))
            parts, used = [], 0
        if number == at:
            place = len(rows), used
        parts.append(shown)
        used += width
    if at == len(line):
        place = len(rows), min(used, room)
    rows.append("".join(parts))
    return place


@lru_cache(maxsize=10_000)
def _cell(character: str) -> tuple[str, int]:
    shown = _TAB if character == "\t" else visible(character)
    return shown, wide(shown)
