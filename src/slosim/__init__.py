"""slosim simulates event-driven systems and reports on their SLOs.

    import slosim
    report = slosim.run(slosim.load("orders.yaml"))
    print(report.to_text())

Names are loaded when they are first asked for: reading a scenario needs neither NumPy nor the compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slosim.version import __version__

if TYPE_CHECKING:
    from slosim.errors import EngineError, ScenarioError, UserError
    from slosim.experiments.api import compare, find_breaks, sensitivity, size, sweep
    from slosim.experiments.result import Result
    from slosim.experiments.study import Stopped
    from slosim.model import Scenario, load, loads
    from slosim.model.openslo import read_targets
    from slosim.report import Report
    from slosim.simulation import Progress, run

_HOMES = {
    "EngineError": "slosim.errors",
    "ScenarioError": "slosim.errors",
    "UserError": "slosim.errors",
    "Scenario": "slosim.model",
    "load": "slosim.model",
    "loads": "slosim.model",
    "read_targets": "slosim.model.openslo",
    "Report": "slosim.report",
    "Progress": "slosim.simulation",
    "run": "slosim.simulation",
    "Result": "slosim.experiments.result",
    "Stopped": "slosim.experiments.study",
    "compare": "slosim.experiments.api",
    "find_breaks": "slosim.experiments.api",
    "sensitivity": "slosim.experiments.api",
    "size": "slosim.experiments.api",
    "sweep": "slosim.experiments.api",
}
__all__ = [
    "EngineError",
    "Progress",
    "Report",
    "Result",
    "Scenario",
    "ScenarioError",
    "Stopped",
    "UserError",
    "__version__",
    "compare",
    "find_breaks",
    "load",
    "loads",
    "read_targets",
    "run",
    "sensitivity",
    "size",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'slosim' has no attribute '{name}'")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
