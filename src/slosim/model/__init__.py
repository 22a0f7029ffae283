"""What a person writes: the scenario language, read, checked, and completed with its defaults.

Imports neither NumPy nor SciPy nor Numba, so that checking a file is quick.
"""

from __future__ import annotations

from slosim.model.arrivals import (
    Arrivals,
    Bernoulli,
    Bursts,
    Clients,
    Counts,
    Every,
    Interarrival,
    Poisson,
    ProfilePoint,
    Trace,
)
from slosim.model.dependencies import Call, Dependency
from slosim.model.distributions import Distribution
from slosim.model.faults import Crash, Effect, Fault, Random, Redrive, RollingRestart
from slosim.model.load import load, loads
from slosim.model.promises import Flow, Objective
from slosim.model.protection import CircuitBreaker, Codel, RetryBudget, Shed
from slosim.model.redrive import REDRIVE_SUFFIX, is_redrive, with_redrives
from slosim.model.scaling import Autoscale, Rebalance, ScaleDownLimit, ScaleUpLimit
from slosim.model.scenario import Run, Scenario
from slosim.model.schema import schema
from slosim.model.topology import (
    Batch,
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
    "REDRIVE_SUFFIX",
    "Arrivals",
    "Autoscale",
    "Batch",
    "Bernoulli",
    "Branch",
    "Bursts",
    "Call",
    "CircuitBreaker",
    "Clients",
    "Codel",
    "Counts",
    "Crash",
    "Dependency",
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
    "Random",
    "RateLimit",
    "Rebalance",
    "Redrive",
    "Retry",
    "RetryBudget",
    "RollingRestart",
    "Run",
    "ScaleDownLimit",
    "ScaleUpLimit",
    "Scenario",
    "Service",
    "Shed",
    "Topic",
    "Trace",
    "is_redrive",
    "load",
    "loads",
    "schema",
    "with_redrives",
]
