"""What generators of scenarios share: the random stream, the features that exist, and values."""

from __future__ import annotations

import random
from typing import Any


class Drawing:
    """Draws features and values. ties: every time is a whole number of seconds."""

    random: random.Random
    has: dict[str, bool]
    ties: bool

    def some(self, feature: str, probability: float = 0.5) -> bool:
        """Whether this one uses a feature that exists in this scenario."""
        return self.has[feature] and self.random.random() < probability

    def seconds(self, low: float, high: float) -> str:
        """A constant duration: whole seconds with ties, else milliseconds."""
        if self.ties:
            return f"{self.random.randint(round(low), max(round(low), round(high)))}s"
        return f"{round(self.random.uniform(low, high), 3)}s"

    def duration(self, mean: float, zero: bool = False) -> Any:
        """A distribution with about this mean, s; `zero`: it may be no time at all."""
        if zero and self.some("zero_times", 0.3):
            return "0s"
        if self.ties:
            most = max(1, round(2 * mean) - 1)
            low = self.random.randint(0 if zero else 1, most)
            if self.random.random() < 0.5:
                return f"{low}s"
            return {"integers": {"from": low, "to": self.random.randint(low, most)}}
        m = round(mean, 3)
        shapes: list[Any] = [
            f"{m}s",
            {"uniform": [f"{round(m / 2, 3)}s", f"{round(m * 1.5, 3)}s"]},
            {"exponential": f"{m}s"},
            {"quantiles": {"p50": f"{round(m / 2, 3)}s", "p90": f"{m}s", "max": f"{round(m * 3, 3)}s"}},
            {"empirical": {"file": "times.csv", "column": "seconds"}},
        ]
        if self.has["tables"]:
            shapes += [
                {"normal": {"mean": f"{m}s", "sd": f"{round(m / 2, 3)}s"}},
                {"lognormal": {"mean": f"{m}s", "p99": f"{round(m * 4, 3)}s"}},
                {"weibull": {"mean": f"{m}s", "shape": self.random.choice([0.7, 1.5])}},
                {"pareto": {"minimum": f"{round(m / 2, 3)}s", "shape": 2.5}},
                {"gamma": {"mean": f"{m}s", "cv": self.random.choice([0.5, 2])}},
                {"erlang": {"mean": f"{m}s", "stages": 3}},
                {"hyperexponential": {"mean": f"{m}s", "cv": 2}},
                {
                    "mixture": [
                        {"share": "90%", "value": f"{m}s"},
                        {"share": "10%", "value": {"exponential": "2s"}},
                    ]
                },
            ]
        shape = self.random.choice(shapes)
        if isinstance(shape, dict) and self.random.random() < 0.3:
            shape |= {"shift": "0.1s"}
        bends = "quantiles" in shape and not self.has["tables"]  # a cap on them is a kink, found to 0.1%
        if isinstance(shape, dict) and not bends and self.random.random() < 0.3:
            shape |= {"cap": f"{round(m * 2 + 0.2, 3)}s"}
        return shape

    def share(self, low: int, high: int) -> str:
        return f"{self.random.randint(low, high)}%"
