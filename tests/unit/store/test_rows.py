"""docs/topics/rows.md says of each table what bounds it."""

from __future__ import annotations

import re
from pathlib import Path

from grpc_chat.config import Config
from grpc_chat.store import schema

PAGE = Path(__file__).parents[3] / "docs" / "topics" / "rows.md"


def rows() -> dict[str, list[str]]:
    """The cells of the page's table, by the name of what each line is about."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {first.strip("`"): rest for first, *rest in cells}


def test_every_table_has_a_line_that_says_what_bounds_it() -> None:
    """Anyone who adds a table says so; one that is gone has none."""
    assert set(rows()) == set(schema.metadata.tables)
    assert all(len(rest) == 2 and all(rest) for rest in rows().values())


def test_the_settings_that_bound_rows_exist() -> None:
    """By their names in a settings file."""
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE.read_text()))
    assert len(named) >= 10
    for name in named:
        group, _, field = name.partition(".")
        assert field in type(getattr(Config(), group)).model_fields, name
