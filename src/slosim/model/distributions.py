"""Distributions of durations, in seconds: mean, squared coefficient of variation, quantile function, range.

Every class carries `shift` (added first) and `cap` (the largest value, None for none): value = min(cap, raw +
shift). `quantile(p, q)` takes the lower probability p and the upper one q = 1 - p as two arrays, so that both
tails are exact. NumPy is imported when a quantile is asked for, SciPy only for gamma and Erlang quantiles and
for mixtures of normals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from slosim.model.fields import spec
from slosim.model.kinds import DURATION, NUMBER, Count

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_STANDARD = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution of durations in seconds, never negative."""

    shift: float = 0.0
    cap: float | None = None

    # --- what a class of distributions defines, without shift and cap ---

    def _moments(self) -> tuple[float, float]:
        """(mean, variance); infinity where a moment does not exist."""
        raise NotImplementedError

    def _quantile(self, p: Array, q: Array) -> Array:
        raise NotImplementedError

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        """(P(X <= x), P(X > x)), each exact in its own tail."""
        raise NotImplementedError

    def _range(self) -> tuple[float, float]:
        return 0.0, math.inf

    def kinks(self) -> list[float]:
        """Lower probabilities at which the quantile function bends or jumps."""
        return []

    # --- what everybody uses ---

    def mean(self) -> float:
        """Mean in seconds, infinite where it does not exist."""
        return self._capped_moments[0] if self._cap_bites() else self._moments()[0] + self.shift

    def squared_cv(self) -> float:
        """Variance over squared mean; 0 for a mean of 0, infinite where the variance does not exist."""
        mean, variance = self._capped_moments if self._cap_bites() else (self.mean(), self._moments()[1])
        return variance / mean**2 if mean > 0 and math.isfinite(mean) else (0.0 if mean == 0 else math.inf)

    def quantile(self, p: Array, q: Array) -> Array:
        """Smallest x (s) with P(X <= x) >= p, elementwise over arrays of p and q = 1 - p in [0, 1]."""
        import numpy as np

        p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
        value = self._quantile(p, q) + self.shift
        return value if self.cap is None else np.minimum(value, self.cap)

    def cdf(self, x: Array) -> tuple[Array, Array]:
        """(P(X <= x), P(X > x)) elementwise over an array of seconds."""
        import numpy as np

        x = np.asarray(x, dtype=float)
        lower, upper = self._cdf(x - self.shift)
        if self.cap is None:
            return lower, upper
        return np.where(x >= self.cap, 1.0, lower), np.where(x >= self.cap, 0.0, upper)

    def minimum(self) -> float:
        low = self._range()[0] + self.shift
        return low if self.cap is None else min(low, self.cap)

    def maximum(self) -> float:
        """Largest possible value in seconds, infinite where there is none."""
        high = self._range()[1] + self.shift
        return high if self.cap is None else min(high, self.cap)

    def _cap_bites(self) -> bool:
        return self.cap is not None and self.cap < self._range()[1] + self.shift

    @cached_property
    def _capped_moments(self) -> tuple[float, float]:
        """(mean, variance) of min(cap, raw + shift): the quantile function integrated up to the cap."""
        import numpy as np

        assert self.cap is not None
        if self.cap <= self.minimum():
            return self.cap, 0.0
        lower, upper = (float(part) for part in self._cdf(np.array(self.cap - self.shift)))
        # the atom at the cap counts as its upper part, whatever lies exactly there
        mean = (
            _integral(lambda p, q: self._quantile(p, q) + self.shift, lower, self.kinks()) + self.cap * upper
        )
        square = _integral(lambda p, q: (self._quantile(p, q) + self.shift - mean) ** 2, lower, self.kinks())
        return mean, square + (self.cap - mean) ** 2 * upper


def _integral(function: Callable[[Array, Array], Array], end: float, kinks: list[float]) -> float:
    """Integral over lower probabilities from 0 to `end`, by tanh-sinh quadrature between the kinks."""
    import numpy as np

    t = np.arange(-3.2, 3.2 + 1e-9, 0.05)
    reach = np.pi / 2 * np.sinh(t)
    weight = 0.05 * np.pi / 2 * np.cosh(t) / np.cosh(reach) ** 2 / 2
    left, right = (
        1 / (1 + np.exp(-2 * reach)),
        1 / (1 + np.exp(2 * reach)),
    )  # distances from both ends, adding to 1
    edges = [0.0, *sorted(kink for kink in kinks if 0 < kink < end), end]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        p = low + (high - low) * left
        q = (1 - high) + (high - low) * right
        total += float(np.sum(weight * function(p, q))) * (high - low)
    return total


# --- the forms
# ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`."""

    word = "constant"
    value: float = spec(DURATION, "the value")

    def _moments(self) -> tuple[float, float]:
        return self.value, 0.0

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        return np.full(p.shape, self.value)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        return (x >= self.value) * 1.0, (x < self.value) * 1.0

    def _range(self) -> tuple[float, float]:
        return self.value, self.value


@dataclass(frozen=True)
class Uniform(Distribution):
    """Equally likely anywhere in [low, high)."""

    word = "uniform"
    low: float
    high: float

    def _moments(self) -> tuple[float, float]:
        return (self.low + self.high) / 2, (self.high - self.low) ** 2 / 12

    def _quantile(self, p: Array, q: Array) -> Array:
        return self.low * q + self.high * p

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        if self.high == self.low:
            return (x >= self.low) * 1.0, (x < self.low) * 1.0
        width = self.high - self.low
        return np.clip((x - self.low) / width, 0, 1), np.clip((self.high - x) / width, 0, 1)

    def _range(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True)
class Integers(Distribution):
    """Whole seconds from `first` to `last`, both included, equally likely."""

    word = "integers"
    first: float = spec(DURATION, "smallest whole number of seconds", key="from")
    last: float = spec(DURATION, "largest whole number of seconds, itself included", key="to")

    def _moments(self) -> tuple[float, float]:
        count = self.last - self.first + 1
        return (self.first + self.last) / 2, (count**2 - 1) / 12

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        count = self.last - self.first + 1
        lower = np.ceil(p * count) - 1
        upper = count - 1 - np.floor(q * count)
        return self.first + np.clip(np.where(p < 0.5, lower, upper), 0, count - 1)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        count = self.last - self.first + 1
        reached = np.clip(np.floor(x - self.first) + 1, 0, count)
        return reached / count, (count - reached) / count

    def _range(self) -> tuple[float, float]:
        return self.first, self.last

    def kinks(self) -> list[float]:
        count = int(self.last - self.first) + 1
        return [index / count for index in range(1, count)]


@dataclass(frozen=True)
class Exponential(Distribution):
    """P(X > x) = e^(-x/mean)."""

    word = "exponential"
    mean_s: float = spec(DURATION.above_zero(), "mean", key="mean")

    def _moments(self) -> tuple[float, float]:
        return self.mean_s, self.mean_s**2

    def _quantile(self, p: Array, q: Array) -> Array:
        return -self.mean_s * _log_of_upper(p, q)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        rate = np.maximum(x, 0) / self.mean_s
        return -np.expm1(-rate), np.exp(-rate)


@dataclass(frozen=True)
class Normal(Distribution):
    """max(0, x) of a normal x."""

    word = "normal"
    mean_s: float = spec(DURATION, "mean before values below 0 become 0", key="mean")
    sd: float = spec(DURATION, "standard deviation before values below 0 become 0")

    def _moments(self) -> tuple[float, float]:
        if self.sd == 0:
            return self.mean_s, 0.0
        z = self.mean_s / self.sd
        above, density = _STANDARD.cdf(z), _STANDARD.pdf(z)
        mean = self.mean_s * above + self.sd * density
        square = (self.mean_s**2 + self.sd**2) * above + self.mean_s * self.sd * density
        return mean, square - mean**2

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        return np.maximum(0.0, self.mean_s + self.sd * _normal_quantile(p, q))

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        if self.sd == 0:
            return Constant(value=self.mean_s)._cdf(x)
        return _normal_cdf((x - self.mean_s) / self.sd, x >= 0)

    def kinks(self) -> list[float]:
        return [_STANDARD.cdf(-self.mean_s / self.sd)] if self.sd else []


@dataclass(frozen=True)
class LogNormal(Distribution):
    """The logarithm is normal; given by two of mean, median, sd, cv, p90, p95, p99, and of two solutions the
    narrower.

    `mu` and `sigma` are mean and standard deviation of ln(seconds).
    """

    word = "lognormal"
    mu: float
    sigma: float
    given: tuple[tuple[str, float], ...] = field(default=(), compare=False)  # the two parameters as written

    def _moments(self) -> tuple[float, float]:
        mean = math.exp(self.mu + self.sigma**2 / 2)
        return mean, mean**2 * math.expm1(self.sigma**2)

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        if self.sigma == 0:
            return np.full(p.shape, math.exp(self.mu))
        return np.exp(self.mu + self.sigma * _normal_quantile(p, q))

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        if self.sigma == 0:
            return Constant(value=math.exp(self.mu))._cdf(x)
        with np.errstate(divide="ignore"):
            return _normal_cdf((np.log(np.maximum(x, 0)) - self.mu) / self.sigma, x > 0)


@dataclass(frozen=True)
class Gamma(Distribution):
    """Gamma of shape 1/cv²."""

    word = "gamma"
    mean_s: float = spec(DURATION.above_zero(), "mean", key="mean")
    cv: float = spec(NUMBER.above_zero().between(0.01, 100), "standard deviation over mean")

    @property
    def shape(self) -> float:
        return 1 / self.cv**2

    def _moments(self) -> tuple[float, float]:
        return self.mean_s, (self.mean_s * self.cv) ** 2

    def _quantile(self, p: Array, q: Array) -> Array:
        return _gamma_quantile(self.shape, p, q) * (self.mean_s / self.shape)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        return _gamma_cdf(self.shape, x * (self.shape / self.mean_s))


@dataclass(frozen=True)
class Erlang(Distribution):
    """Sum of `stages` equal exponential stages."""

    word = "erlang"
    mean_s: float = spec(DURATION.above_zero(), "mean of the sum", key="mean")
    stages: int = spec(Count(1), "number of exponential stages")

    def _moments(self) -> tuple[float, float]:
        return self.mean_s, self.mean_s**2 / self.stages

    def _quantile(self, p: Array, q: Array) -> Array:
        return _gamma_quantile(self.stages, p, q) * (self.mean_s / self.stages)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        return _gamma_cdf(self.stages, x * (self.stages / self.mean_s))


@dataclass(frozen=True)
class Weibull(Distribution):
    """P(X > x) = e^(-(x/scale)^shape)."""

    word = "weibull"
    mean_s: float = spec(DURATION.above_zero(), "mean", key="mean")
    shape: float = spec(NUMBER.between(0.05), "below 1: a heavier tail than exponential; 1: exponential")

    @property
    def scale(self) -> float:
        return self.mean_s / math.gamma(1 + 1 / self.shape)

    def _moments(self) -> tuple[float, float]:
        ratio = math.exp(math.lgamma(1 + 2 / self.shape) - 2 * math.lgamma(1 + 1 / self.shape))
        return self.mean_s, self.mean_s**2 * (ratio - 1)

    def _quantile(self, p: Array, q: Array) -> Array:
        return self.scale * (-_log_of_upper(p, q)) ** (1 / self.shape)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        hazard = (np.maximum(x, 0) / self.scale) ** self.shape
        return -np.expm1(-hazard), np.exp(-hazard)


@dataclass(frozen=True)
class Pareto(Distribution):
    """P(X > x) = (minimum/x)^shape for x >= minimum."""

    word = "pareto"
    minimum_s: float = spec(DURATION.above_zero(), "smallest value", key="minimum")
    shape: float = spec(
        NUMBER.between(0.05), "tail index: the mean needs more than 1, the variance more than 2"
    )

    def _moments(self) -> tuple[float, float]:
        a, m = self.shape, self.minimum_s
        mean = m * a / (a - 1) if a > 1 else math.inf
        return mean, m**2 * a / ((a - 1) ** 2 * (a - 2)) if a > 2 else math.inf

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        return self.minimum_s * np.exp(-_log_of_upper(p, q) / self.shape)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        log_upper = -self.shape * np.log(np.maximum(x, self.minimum_s) / self.minimum_s)
        return -np.expm1(log_upper), np.exp(log_upper)

    def _range(self) -> tuple[float, float]:
        return self.minimum_s, math.inf


@dataclass(frozen=True)
class Hyperexponential(Distribution):
    """Two exponential phases of balanced means: each phase contributes half of the mean."""

    word = "hyperexponential"
    mean_s: float = spec(DURATION.above_zero(), "mean", key="mean")
    cv: float = spec(NUMBER.between(1.0, 1000), "standard deviation over mean")

    @property
    def phases(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """((probability, rate per second), (probability, rate per second)) of the two phases."""
        square = self.cv**2
        first = (1 + math.sqrt((square - 1) / (square + 1))) / 2
        second = 1 / ((square + 1) * 2 * first)  # 1 - first without cancellation
        return (first, 2 * first / self.mean_s), (second, 2 * second / self.mean_s)

    def _moments(self) -> tuple[float, float]:
        return self.mean_s, (self.mean_s * self.cv) ** 2

    def _quantile(self, p: Array, q: Array) -> Array:
        """Newton's method on the convex ln P(X > x), from the left, where it cannot overshoot."""
        import numpy as np

        (a, fast), (b, slow) = self.phases
        target = _log_of_upper(p, q)
        x = np.zeros(target.shape)
        finite = np.isfinite(target)
        for _ in range(200):
            lower, upper = self._cdf(x)
            log_upper = np.where(
                lower < 0.5, np.log1p(-np.minimum(lower, 0.5)), np.log(np.maximum(upper, 5e-324))
            )
            # density over upper probability, scaled by the slow phase so that neither underflows
            ratio = a * np.exp(-(fast - slow) * x)
            hazard = (ratio * fast + b * slow) / (ratio + b)
            step = np.where(finite, (log_upper - np.where(finite, target, 0.0)) / hazard, 0.0)
            x = x + np.maximum(step, 0.0)
            if np.all(np.abs(step) <= 1e-15 * x):
                break
        return np.where(finite, x, math.inf)

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        (a, fast), (b, slow) = self.phases
        x = np.maximum(x, 0)
        lower = -(a * np.expm1(-fast * x) + b * np.expm1(-slow * x))
        return lower, a * np.exp(-fast * x) + b * np.exp(-slow * x)


@dataclass(frozen=True)
class Quantiles(Distribution):
    """Straight lines through the quantiles that a dashboard shows, from `min` (0 if absent) to `max`.

    `points` are (lower probability, seconds), the first at probability 0 and the last at 1.
    """

    word = "quantiles"
    points: tuple[tuple[float, float], ...]

    def _moments(self) -> tuple[float, float]:
        mean = square = 0.0
        for (p, x), (r, y) in zip(self.points[:-1], self.points[1:], strict=True):
            mean += (r - p) * (x + y) / 2
            square += (r - p) * (x * x + x * y + y * y) / 3
        return mean, max(0.0, square - mean**2)

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        ps, xs = (np.array(column) for column in zip(*self.points, strict=True))
        return np.where(p < 0.5, np.interp(p, ps, xs), np.interp(q, (1 - ps)[::-1], xs[::-1]))

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        ps, xs = (np.array(column) for column in zip(*self.points, strict=True))
        place = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
        width = xs[place + 1] - xs[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(width > 0, (x - xs[place]) / width, 1.0)
        lower = ps[place] + np.clip(part, 0, 1) * (ps[place + 1] - ps[place])
        lower = np.where(x < xs[0], 0.0, np.where(x >= xs[-1], 1.0, lower))
        return lower, 1 - lower

    def _range(self) -> tuple[float, float]:
        return self.points[0][1], self.points[-1][1]

    def kinks(self) -> list[float]:
        return [p for p, _ in self.points[1:-1]]


@dataclass(frozen=True)
class Empirical(Distribution):
    """Values of a file, equally likely.

    `values` are sorted seconds; `file`, `column` and `content` say where they come from.
    """

    word = "empirical"
    values: tuple[float, ...] = field(repr=False)  # sorted seconds
    file: str = ""
    column: str = ""
    content: str = ""  # SHA-256 of the file

    def _moments(self) -> tuple[float, float]:
        mean = math.fsum(self.values) / len(self.values)
        return mean, math.fsum((x - mean) ** 2 for x in self.values) / len(self.values)

    def _quantile(self, p: Array, q: Array) -> Array:
        import numpy as np

        count = len(self.values)
        lower, upper = np.ceil(p * count) - 1, count - 1 - np.floor(q * count)
        place = np.clip(np.where(p < 0.5, lower, upper), 0, count - 1).astype(np.int64)
        return np.asarray(self.values, dtype=float)[place]

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        reached = np.searchsorted(np.asarray(self.values, dtype=float), x, side="right")
        return reached / len(self.values), (len(self.values) - reached) / len(self.values)

    def _range(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    @cached_property
    def _capped_moments(self) -> tuple[float, float]:
        assert self.cap is not None
        capped = tuple(min(self.cap, x + self.shift) for x in self.values)
        return Empirical(values=capped)._moments()


@dataclass(frozen=True)
class Mixture(Distribution):
    """One of several distributions, each with its share.

    `parts` are (share, distribution), the shares adding to 1.
    """

    word = "mixture"
    parts: tuple[tuple[float, Distribution], ...]

    def _moments(self) -> tuple[float, float]:
        mean = math.fsum(share * part.mean() for share, part in self.parts)
        square = math.fsum(
            share * part.mean() ** 2 * (1 + part.squared_cv()) for share, part in self.parts if share
        )
        return mean, max(0.0, square - mean**2) if math.isfinite(square) else math.inf

    def _quantile(self, p: Array, q: Array) -> Array:
        """Bisection between the quantiles of the parts until two neighbouring floats remain."""
        import numpy as np

        quantiles = [part.quantile(p, q) for share, part in self.parts if share > 0]
        low, high = np.minimum.reduce(quantiles), np.maximum.reduce(quantiles)
        low = np.nextafter(np.where(np.isfinite(low), low, high), -1.0)
        bounded = np.isfinite(high)
        for _ in range(1100):  # 64 halvings for ordinary values; more only next to 0
            middle = low + (high - low) / 2
            open_ = bounded & (middle > low) & (middle < high)
            if not open_.any():
                break
            lower, upper = self._cdf(np.where(open_, middle, 0.0))
            reached = np.where(p < 0.5, lower >= p, upper <= q)
            high = np.where(open_ & reached, middle, high)
            low = np.where(open_ & ~reached, middle, low)
        return high

    def _cdf(self, x: Array) -> tuple[Array, Array]:
        import numpy as np

        lower, upper = np.zeros(np.shape(x)), np.zeros(np.shape(x))
        for share, part in self.parts:
            one, other = part.cdf(x)
            lower, upper = lower + share * one, upper + share * other
        return lower, upper

    def _range(self) -> tuple[float, float]:
        likely = [part for share, part in self.parts if share > 0]
        return min(part.minimum() for part in likely), max(part.maximum() for part in likely)

    @cached_property
    def _capped_moments(self) -> tuple[float, float]:
        """Capping the mixture is capping its parts, whose own caps are shifted with them."""
        from dataclasses import replace

        assert self.cap is not None
        parts = []
        for share, part in self.parts:
            cap = self.cap if part.cap is None else min(self.cap, part.cap + self.shift)
            parts.append((share, replace(part, shift=part.shift + self.shift, cap=cap)))
        return Mixture(parts=tuple(parts))._moments()


# --- helpers over arrays
# ---------------------------------------------------------------------------------------------


def _log_of_upper(p: Array, q: Array) -> Array:
    """ln q, taken from p where p is the more exact of the two."""
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.where(p < 0.5, np.log1p(-np.minimum(p, 0.5)), np.log(q))


def _normal_quantile(p: Array, q: Array) -> Array:
    """Standard normal quantile, Wichura's AS241 in the standard library, each half from its own tail."""
    import numpy as np

    def one(lower: float, upper: float) -> float:
        if lower <= 0 or upper <= 0:
            return -math.inf if lower <= 0 else math.inf
        return _STANDARD.inv_cdf(lower) if lower < 0.5 else -_STANDARD.inv_cdf(upper)

    pairs = zip(p.ravel().tolist(), q.ravel().tolist(), strict=True)
    return np.array([one(lower, upper) for lower, upper in pairs]).reshape(p.shape)


def _normal_cdf(z: Array, possible: Array) -> tuple[Array, Array]:
    """Lower and upper normal probability at z; where not `possible` nothing lies below."""
    import numpy as np
    from scipy import special

    return np.where(possible, special.ndtr(z), 0.0), np.where(possible, special.ndtr(-z), 1.0)


def _gamma_quantile(shape: float, p: Array, q: Array) -> Array:
    import numpy as np
    from scipy import special

    return np.where(p < 0.5, special.gammaincinv(shape, p), special.gammainccinv(shape, q))


def _gamma_cdf(shape: float, x: Array) -> tuple[Array, Array]:
    import numpy as np
    from scipy import special

    x = np.maximum(x, 0)
    return special.gammainc(shape, x), special.gammaincc(shape, x)
