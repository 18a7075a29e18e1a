"""The statements that a store gives to its database."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import sqlalchemy as sa

from grpc_chat.store import statements as hot


@contextmanager
def noting(note: Callable[[str, Any, bool], None]) -> Iterator[None]:
    """Have every statement that any database is given meanwhile noted, by SQLAlchemy or past it.

    Args:
        note: Given the statement, its parameters, and whether those are of several rows.
    """

    def from_sqlalchemy(
        _conn: object, _cursor: object, sql: str, values: Any, _context: object, many: bool
    ) -> None:
        note(sql, values, many)

    def execute(conn: sa.Connection, sql: str, values: Sequence[Any] = (), *, many: bool = False) -> Any:
        note(sql, values, many)
        return real(conn, sql, values, many=many)

    real = hot.execute
    sa.event.listen(sa.engine.Engine, "before_cursor_execute", from_sqlalchemy)
    try:
        with ExitStack() as patches:
            for name, module in list(sys.modules.items()):
                if name.startswith("grpc_chat.store.") and getattr(module, "execute", None) is real:
                    patches.enter_context(mock.patch.object(module, "execute", execute))
            yield
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", from_sqlalchemy)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those that are given meanwhile; one for many rows is one. Numbers of savepoints are left out."""
    noted: list[str] = []
    with noting(lambda sql, _values, _many: noted.append(re.sub(r"_\d+$", "", sql))):
        yield noted
