"""What a client of grpc-js can do with the server; `make clients` has more libraries, and both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.clients import capabilities, drivers
from tests.clients.capabilities import Capability
from tests.clients.drivers import Driver
from tests.engine import ENGINE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver() -> AsyncIterator[Driver]:
    async with drivers.GRPC_JS.running() as driver:
        yield driver


@pytest.mark.parametrize("capability", capabilities.QUICK, ids=lambda capability: capability.__name__)
async def test_a_library(driver: Driver, capability: Capability) -> None:
    await capability(driver, ENGINE)
