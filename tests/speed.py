"""Costs as ratios: how much processor time something takes, in units of something else done in the same test.

Machines differ and are shared, so no test asserts a time; the time that other processes take does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable


def cost_s(work: Callable[[], object], times: int = 1) -> float:
    """Processor time of one call, s: the least of `times`."""
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)
