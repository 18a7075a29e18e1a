"""How many histories are tried, and which."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# The same histories every time, so that a change is judged by what it does and not by luck. To look for new
# ones, and to have one that fails made as short as it gets: HISTORIES=5000 pytest --timeout=0 tests/property
_ASKED = os.environ.get("HISTORIES")
# Making a history shorter takes minutes, which the one who waits for the whole suite has not asked for.
_PHASES = [Phase.explicit, Phase.generate] + ([Phase.shrink] if os.environ.get("SHRINK") else [])


def histories(count: int, *, steps: int) -> settings:
    """Settings for so many histories, each of up to so many steps."""
    return settings(
        max_examples=int(_ASKED) if _ASKED else count,
        stateful_step_count=steps,
        derandomize=not _ASKED,
        phases=_PHASES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
