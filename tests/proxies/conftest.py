"""Tests that take ``kind`` run with each of the four proxies that is installed."""

from __future__ import annotations

from typing import cast

import pytest

from tests.proxies.proxies import ALL, Proxy


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Proxy]:
    """Each of the four that is installed."""
    if missing := request.param.missing():
        pytest.skip(missing)
    return cast("type[Proxy]", request.param)
