"""The databases that a store is tested on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grpc_chat.store import postgres
from grpc_chat.store.base import Store
from grpc_chat.store.sqlite import open_store


class Database:
    """What outlives a store: one store at a time is opened on it."""

    program: str
    """Statements that make ``store``, for another process."""

    def __init__(self, open_: Callable[[], Store], program: str) -> None:
        self._open = open_
        self.program = program
        self._store: Store | None = None

    def open(self) -> Store:
        """A store; the one before, if any, is closed."""
        self.close()
        self._store = self._open()
        return self._store

    def close(self) -> None:
        if self._store:
            self._store.close()
            self._store = None


def sqlite_database(folder: Path) -> Database:
    program = f"""
from pathlib import Path
from grpc_chat.store.records import Membership
from grpc_chat.store.sqlite import open_store
store = open_store(Path({str(folder)!r}))
"""
    return Database(lambda: open_store(folder), program)


def postgres_database(url: str) -> Database:
    program = f"""
from grpc_chat.store.postgres import open_store
from grpc_chat.store.records import Membership
store = open_store({url!r}, require_durable=False)
"""
    return Database(lambda: postgres.open_store(url, require_durable=False), program)
