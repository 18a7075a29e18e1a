"""Which engine the servers of tests run on, where a test does not say: see ``make test-all``."""

from __future__ import annotations

import pytest

from grpc_chat.config import Config

ENGINE: str = Config.load().grpc.engine


def of_grpcio(why: str) -> pytest.MarkDecorator:
    """Marks tests of what only grpcio does.

    Args:
        why: What the other engine has in its place.
    """
    return pytest.mark.skipif(ENGINE != "grpcio", reason=why)
