"""How the number of a service's instances changes, and how partitions change hands when it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slosim.model.fields import Broken, Record, relation, spec
from slosim.model.kinds import BOOLEAN, DURATION, FACTOR, NUMBER, SHARE, SIZE, Choice, Count, KindBeside


@dataclass(frozen=True)
class Rebalance:
    """How the partitions of a log change hands when an instance comes or goes."""

    word = "rebalance"
    protocol: str = spec(
        Choice(("eager", "cooperative")),
        "eager: every instance stops taking; cooperative: only partitions that change hands stop",
        default="eager",
    )
    pause: float = spec(DURATION, "how long nothing is taken while partitions change hands", default="3s")
    session_timeout: float = spec(
        DURATION,
        "time after which a crashed instance is missed, and its partitions change hands",
        default="45s",
    )


@dataclass(frozen=True)
class ScaleUpLimit:
    """The most instances that one decision may ask for: the larger of the two."""

    word = "scale-up limit"
    factor: float = spec(FACTOR.between(1), "times as many as there are", default="2x")
    instances: int = spec(Count(0), "so many more than there are", default="4")


@dataclass(frozen=True)
class ScaleDownLimit:
    """The most instances that one decision may take away: the larger of the two."""

    word = "scale-down limit"
    share: float = spec(SHARE, "share of the instances that there are", default="100%")
    instances: int = spec(Count(0), "so many fewer than there are", default="0")


@dataclass(frozen=True, kw_only=True)
class Autoscale:
    """Changes the number of instances so that a metric comes near its target."""

    word = "autoscale"
    metric: str = spec(
        Choice(("lag", "age", "utilisation")),
        "lag: messages per instance; age: of the oldest message of the lag; utilisation: share of busy slots",
    )
    target: float = spec(
        KindBeside(
            "metric",
            {
                "lag": NUMBER.above_zero(),
                "age": DURATION.above_zero(),
                "utilisation": SHARE.above_zero(),
            },
        ),
        "value of the metric that the number of instances is chosen for",
    )
    minimum: int = spec(SIZE, "fewest instances", default="1")
    maximum: int = spec(SIZE, "most instances")
    interval: float = spec(DURATION.above_zero(), "time from one decision to the next", default="15s")
    metric_delay: float = spec(DURATION, "age of the metric when it is looked at", default="0s")
    tolerance: float = spec(
        SHARE, "distance of the metric from its target within which nothing changes", default="10%"
    )
    scale_down_window: float = spec(
        DURATION, "instances go only down to the most that was asked for within this time", default="5m"
    )
    scale_up_limit: ScaleUpLimit = spec(
        Record(ScaleUpLimit), "how fast instances may be added", default="{factor: 2x, instances: 4}"
    )
    scale_down_limit: ScaleDownLimit | None = spec(
        Record(ScaleDownLimit), "how fast instances may be taken away; absent: no limit", optional=True
    )
    even_partitions: bool = spec(
        BOOLEAN,
        "only numbers of instances that divide the partitions of the log",
        default="false",
    )

    @relation("minimum", "maximum")
    def bounds_are_in_order(self, given: set[str]) -> Iterator[Broken]:
        if self.minimum > self.maximum:
            what = f"the minimum is above the maximum, got {self.minimum} above {self.maximum}"
            yield Broken("minimum", what)
