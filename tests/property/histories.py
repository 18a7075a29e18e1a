"""How many histories are tried, and which."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

from tests.scale import times

# The same histories every time, so that a change is judged by what it does and not by luck. To look for new
# ones: HISTORIES=5000 .venv/bin/pytest tests/property
# `make test` tries the first few of them.
ASKED = int(os.environ.get("HISTORIES", "0"))
# SHRINK=1 has one that fails made as short as it gets. That takes minutes, which nobody who runs all tests
# has asked for.
_PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if os.environ.get("SHRINK") else [])]


def histories(count: int, *, steps: int) -> settings:
    """Settings for so many histories, half as many in `make test`, each of up to so many steps."""
    return settings(
        max_examples=ASKED or times(count // 2, count),
        stateful_step_count=steps,
        derandomize=not ASKED,
        phases=_PHASES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
