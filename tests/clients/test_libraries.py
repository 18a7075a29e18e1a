"""What clients of other libraries can do with the server, on both engines: ``make clients``."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.clients import capabilities, drivers
from tests.clients.capabilities import Capability
from tests.clients.drivers import Driver

# A first build fetches what it needs.
pytestmark = [pytest.mark.timeout(1200), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(
    params=drivers.ALL, ids=lambda library: library.name, scope="module", loop_scope="module"
)
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    if missing := request.param.missing():
        pytest.skip(missing)
    async with request.param.running() as driver:
        yield driver


@pytest.mark.parametrize("engine", ["grpcio", "asyncio"])
@pytest.mark.parametrize("capability", capabilities.ALL, ids=lambda capability: capability.__name__)
async def test_a_library(driver: Driver, capability: Capability, engine: str) -> None:
    await capability(driver, engine)
