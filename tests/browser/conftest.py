"""The web client as it is built, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.browsers import Browsers, browsers, chromium, installed
from tools import web

# As long as actions wait: a machine with much to do is no failure.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pages wait for conditions; on a busy machine a browser takes long for each."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a Chromium is told what to do. All tests of a worker share it."""
    program = installed()
    if not program:
        pytest.skip("there is no Chromium; with Debian: apt-get install chromium")
    web.built()
    with chromium(program, tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
async def pages(address: str) -> AsyncIterator[Browsers]:
    """Opens pages, none of which may complain."""
    async with browsers(address) as found:
        yield found
