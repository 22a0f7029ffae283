"""What services call inside their attempts: dependencies that all callers share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slosim.model.distribution_kind import DISTRIBUTION
from slosim.model.distributions import Distribution
from slosim.model.fields import Broken, relation, spec
from slosim.model.kinds import BOOLEAN, DURATION, SHARE, Count, Reference
from slosim.model.values import write_duration


@dataclass(frozen=True)
class Dependency:
    """Answers calls, as many at once as its capacity; shared by all callers, first come first served."""

    word = "dependency"
    capacity: int | None = spec(Count(1, unlimited=True), "calls that it works on at once")
    service_time: Distribution = spec(DISTRIBUTION, "how long it works on one call")
    failures: float = spec(SHARE, "chance that a call fails, which shows at its end", default="0%")
    queue_limit: int | None = spec(
        Count(0, unlimited=True), "calls that may wait; one more fails at once", default="unlimited"
    )


@dataclass(frozen=True)
class Call:
    """One call of a dependency, after the service time and inside the attempt; a failed call fails it."""

    word = "call"
    dependency: str = spec(Reference("dependencies"), "what is called")
    service_time: Distribution | None = spec(
        DISTRIBUTION,
        "how long the dependency works on this call; absent: its own service_time",
        optional=True,
    )
    timeout: float | None = spec(
        DURATION.above_zero(),
        "from the call to its answer, waiting at the dependency included; beyond it the call fails",
        optional=True,
    )
    hedge_after: float | None = spec(
        DURATION,
        "without an answer for this long, a second call is made; the first answer counts",
        optional=True,
    )
    cancel: bool = spec(
        BOOLEAN,
        "true: a call that nobody waits for any more ends; false: it goes on and holds its place",
        default="false",
    )

    def time_at(self, dependency: Dependency) -> Distribution:
        """How long the dependency works on it."""
        return self.service_time or dependency.service_time

    @relation("timeout", "hedge_after")
    def hedge_comes_in_time(self, given: set[str]) -> Iterator[Broken]:
        if self.timeout is not None and self.hedge_after is not None and self.hedge_after >= self.timeout:
            found = f"got {write_duration(self.hedge_after)} of timeout {write_duration(self.timeout)}"
            yield Broken("hedge_after", f"the call is over before the second one is made, {found}")
