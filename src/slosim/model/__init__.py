"""What a person writes: the scenario language, read, checked, and completed with its defaults.

Imports neither NumPy nor SciPy nor Numba, so that checking a file is quick.
"""

from __future__ import annotations

from slosim.model.arrivals import (
    Arrivals,
    Bernoulli,
    Bursts,
    Counts,
    Every,
    Interarrival,
    Poisson,
    ProfilePoint,
    Trace,
)
from slosim.model.distributions import Distribution
from slosim.model.faults import Effect, Fault
from slosim.model.load import load, loads
from slosim.model.promises import Flow, Objective
from slosim.model.scenario import Run, Scenario
from slosim.model.schema import schema
from slosim.model.topology import (
    Branch,
    Emit,
    Failures,
    Keys,
    PriorityShare,
    Producer,
    RateLimit,
    Retry,
    Service,
    Topic,
)

__all__ = [
    "Arrivals",
    "Bernoulli",
    "Branch",
    "Bursts",
    "Counts",
    "Distribution",
    "Effect",
    "Emit",
    "Every",
    "Failures",
    "Fault",
    "Flow",
    "Interarrival",
    "Keys",
    "Objective",
    "Poisson",
    "PriorityShare",
    "Producer",
    "ProfilePoint",
    "RateLimit",
    "Retry",
    "Run",
    "Scenario",
    "Service",
    "Topic",
    "Trace",
    "load",
    "loads",
    "schema",
]
