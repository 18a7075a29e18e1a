"""The statements that a store gives to its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those that are given meanwhile; one for many rows is one."""
    noted: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        noted.append(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", note)
