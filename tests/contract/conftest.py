"""Every test here is run on every database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.databases import Database, sqlite_database


@pytest.fixture(params=[sqlite_database], ids=["sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    made: Database = request.param(tmp_path / "data")
    yield made
    made.close()
