"""Every test here is run on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.databases import Database, sqlite_database


@pytest.fixture(params=[sqlite_database], ids=["sqlite"])
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes empty databases of one kind, each with a name of its own."""
    made: list[Database] = []

    def make(name: str) -> Database:
        made.append(request.param(tmp_path / name))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(make_database: Callable[[str], Database]) -> Database:
    """An empty database."""
    return make_database("data")
