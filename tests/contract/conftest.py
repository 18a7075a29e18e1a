"""Every test here is run on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.databases import Database, postgres_database, sqlite_database
from tests.postgres import Template, template


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[Template]:
    """A PostgreSQL server with a database whose tables are empty, to be copied."""
    with template() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgres"])
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes empty databases of one kind, each with a name of its own."""
    made: list[Database] = []

    def make(name: str) -> Database:
        if request.param == "sqlite":
            made.append(sqlite_database(tmp_path / name))
        else:
            made.append(postgres_database(request.getfixturevalue("postgres_template").copy()))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(make_database: Callable[[str], Database]) -> Database:
    """An empty database."""
    return make_database("data")
