"""What clients of other libraries can do with the server, on both engines: ``make clients``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.clients import capabilities, drivers, lifecycles
from tests.clients.capabilities import Capability
from tests.clients.drivers import Driver

# A first build fetches what it needs.
pytestmark = [pytest.mark.timeout(1200), pytest.mark.asyncio(loop_scope="module")]
engines = pytest.mark.parametrize("engine", ["grpcio", "asyncio"])


@pytest_asyncio.fixture(
    params=drivers.ALL, ids=lambda library: library.name, scope="module", loop_scope="module"
)
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    if missing := request.param.missing():
        pytest.skip(missing)
    async with request.param.running() as driver:
        yield driver


@engines
@pytest.mark.parametrize(
    "capability", capabilities.ALL + lifecycles.ALL, ids=lambda capability: capability.__name__
)
async def test_a_library(driver: Driver, capability: Capability, engine: str) -> None:
    await capability(driver, engine)


@engines
async def test_pings_keep_connections_alive(engine: str) -> None:
    """Of all libraries at once: most of it is waiting."""
    async with AsyncExitStack() as stack:
        present = [library for library in drivers.ALL if not library.missing()]
        running = [await stack.enter_async_context(library.running()) for library in present]
        await lifecycles.keeps_alive(running, engine)
