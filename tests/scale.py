"""How much is tried of what can be tried without end: some in `make test`, much more in `make test-all`."""

from __future__ import annotations

import os

ALL = os.environ.get("TESTS") == "all"


def times(some: int, many: int) -> int:
    """``many`` in `make test-all`, and ``some`` in `make test`."""
    return many if ALL else some
