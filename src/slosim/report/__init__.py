"""The report: judges measurements. `content` is the report as data, everything else shows that data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slosim.report.report import Report, build_report

__all__ = ["Report", "build_report"]


def __getattr__(name: str) -> Any:
    """Load the report, and NumPy with it, when it is first asked for: `slosim.report.units` needs neither."""
    if name not in __all__:
        raise AttributeError(f"module 'slosim.report' has no attribute '{name}'")
    from slosim.report import report

    return getattr(report, name)
