"""How many histories are tried, and which.

Mistakes were planted one at a time, and the first of 30 histories that noticed is:

===================================================  ===============  =======
mistake                                              histories        noticed
===================================================  ===============  =======
a reader that fell behind goes on at the newest      TestOneNode      by the 3rd
a tail in memory is taken for the whole log          TestOneNode      by the 3rd
tails in memory have no bound                        TestOneNode      by the 3rd
own events are told                                  TestOneNode      by the 3rd
a repeated send is stored again                      TestOneNode      by the 3rd
users whose writes wait take turns (no mistake, but  TestOneNode      by the 24th
the model did not know of it)
a hole in a tail; old slices; a hint lowers a head   TestOneNode      by none
since_join hides one event too many                  TestMembership   by the 3rd
a stream begins a room behind its user's coming      TestMembership   by the 8th
what was owed, gaps, and an old loss of a lost room  TestMembership   by none
===================================================  ===============  =======

So most that is noticed is noticed by the first few; the rest takes many, or tests of the part itself. The two
that came late have tests of their own: ``test_users_whose_messages_wait_take_turns``, and one in
``tests/integration/test_consumers.py``; what no history noticed fails in ``tests/unit/core``. After changes
of commit or hub, try more: ``HISTORIES=100 .venv/bin/pytest tests/property``.

The numbers are from when Hypothesis still chose by what else was loaded, so which is the 8th has
changed.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from tests.scale import times

# Hypothesis mixes in constants of whatever modules of ours are loaded, so which histories are tried would
# depend on the tests that ran before. There is no setting that turns it off.
providers._get_local_constants = Constants

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
