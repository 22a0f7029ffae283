"""How simulated results are held against exact values, and the small systems that most of them are about.

An estimate of each of several independent replications; the exact value must lie in their Student t interval,
and the interval must be as narrow as the test asks for (its precision, with room for twice that): an interval
that holds everything would prove nothing. Percentiles have Woodruff's interval (Confidence intervals for
medians and other position measures, Journal of the American Statistical Association 47, 1952), read off the
pooled histogram and widened by the width of its buckets.

False alarms. Seeds are fixed, so a test that passes will go on passing until a change gives the same system
other random numbers. Then each check fails without a fault with probability 1e-5 (two-sided, as far as the
estimates of long replications are normal).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev

import numpy as np
from scipy.special import stdtrit

import slosim
from slosim.compile.lower import lower
from slosim.engine.run import Run
from slosim.measure.histogram import Histogram, buckets_of, representatives
from slosim.measure.measurements import Measurements

FALSE_ALARM_RATE = 1e-5
REPLICATIONS = 24
SEED = 20_240_229
BUCKET_WIDTH = 1 / 128  # relative
ROOM = 2.0
"""Times the precision of a test that its interval may be wide: widths are random too."""


# --- how results are held against exact values


def replicate(text: str, replications: int = REPLICATIONS, seed: int = SEED) -> list[Measurements]:
    program = lower(slosim.loads(text))
    return [Run(program, seed, index).measure().measurements for index in range(replications)]


def t_factor(replications: int) -> float:
    """Half the width of the interval, in standard errors."""
    return float(stdtrit(replications - 1, 1 - FALSE_ALARM_RATE / 2))


def agrees(estimates: Sequence[float], exact: float, precision: float, what: str = "") -> None:
    """The exact value lies in the interval of the estimates; its half width is about precision x exact."""
    mean = fmean(estimates)
    half_width = t_factor(len(estimates)) * stdev(estimates) / math.sqrt(len(estimates))
    found = f"{what or 'found'}: {mean:.6g} ± {half_width:.3g}, exact {exact:.6g}"
    assert abs(mean - exact) <= half_width, found
    assert half_width <= ROOM * precision * abs(exact), f"{found}: interval too wide"


def percentile_agrees(histograms: Sequence[Histogram], share: float, exact: float, precision: float) -> None:
    """The same for the value that a share does not exceed."""
    bucket = int(buckets_of(np.array([exact]))[0])
    shares = [histogram.counts[: bucket + 1].sum() / histogram.count for histogram in histograms]
    half_width = t_factor(len(shares)) * stdev(shares) / math.sqrt(len(shares))
    assert share + half_width < 1, f"p{100 * share:g}: too few messages beyond it"
    pooled = sum(histograms, Histogram.empty())
    low, high = pooled.quantiles([share - half_width, share + half_width])
    low, high = low * (1 - BUCKET_WIDTH), high * (1 + BUCKET_WIDTH)
    found = f"p{100 * share:g}: {low:.6g} … {high:.6g}, exact {exact:.6g}"
    assert low <= exact <= high, found
    assert high - low <= 2 * (ROOM * precision + BUCKET_WIDTH) * exact, f"{found}: interval too wide"


def each(runs: Sequence[Measurements], estimate: Callable[[Measurements], float]) -> list[float]:
    return [float(estimate(run)) for run in runs]


# --- systems


def station(
    arrivals: str,
    service_time: str,
    duration_s: float,
    topic: str = "",
    producer: str = "",
    service: str = "",
    warmup_s: float | None = None,
    **sections: str,
) -> str:
    """A scenario of one producer, one topic and one service; the first twentieth is warm-up."""
    warmup_s = duration_s / 20 if warmup_s is None else warmup_s
    more = "\n".join(f"{name}: {text}" for name, text in sections.items())
    return f"""
name: station
run: {{duration: {duration_s}s, warmup: {warmup_s}s, sample_every: {duration_s}s}}
topics: {{line: {{{topic}}}}}
producers: {{source: {{topic: line, arrivals: {arrivals}, {producer}}}}}
services: {{station: {{consumes: line, service_time: {service_time}, {service}}}}}
{more}
"""


def poisson(rate_per_s: float) -> str:
    return f"{{poisson: {rate_per_s}/s}}"


def exponential(mean_s: float) -> str:
    return f"{{exponential: {mean_s}s}}"


def window_s(run: Measurements) -> float:
    return run.ended_s - run.warmup_s


def waits(runs: Sequence[Measurements]) -> list[Histogram]:
    return [run.services["station"].wait for run in runs]


def sojourns(runs: Sequence[Measurements]) -> list[Histogram]:
    return [run.services["station"].sojourn for run in runs]


def mean_wait(run: Measurements) -> float:
    return run.services["station"].wait.mean()


def wait_share(run: Measurements) -> float:
    """Share of attempts that waited at all."""
    wait = run.services["station"].wait
    return wait.counts[1:].sum() / wait.count


def share_above(seconds: float) -> Callable[[Measurements], float]:
    """Share of attempts that waited at least as long as a power of two, which is an edge of buckets."""
    bucket = int(buckets_of(np.array([seconds]))[0])

    def share(run: Measurements) -> float:
        wait = run.services["station"].wait
        return wait.counts[bucket:].sum() / wait.count

    return share


def mean_square_wait(run: Measurements) -> float:
    wait = run.services["station"].wait
    return wait.counts @ representatives() ** 2 / wait.count


def mean_present(run: Measurements) -> float:
    return run.lines["line", "station"].lag.integral / window_s(run)


def mean_waiting(run: Measurements) -> float:
    return run.lines["line", "station"].waiting.integral / window_s(run)


def mean_busy(run: Measurements) -> float:
    return run.services["station"].busy.integral / window_s(run)


def lost_share(run: Measurements) -> float:
    line = run.lines["line", "station"]
    return (line.rejected + line.dropped + line.expired) / line.published


def mean_latency(run: Measurements) -> float:
    return run.flows["source"].latency.mean()


def part(run: Measurements, flow: str, name: str) -> float:
    """Mean over the completed instances of one part of their latency, s."""
    found = run.flows[flow]
    return found.parts_by_bucket[:, found.parts.index(name)].sum() / found.finished_by_bucket.sum()


# --- closed forms that take a function


def renewal_mean_wait_s(transform: Callable[[float], float], service_time_s: float) -> float:
    """GI/M/1: σ/(μ·(1 - σ)) with σ = A*(μ·(1 - σ)), A* the Laplace transform of the gaps.

    Kleinrock (1975), Queueing Systems, volume 1, section 6.4.
    """
    sigma = 0.5
    for _ in range(2000):
        sigma = transform((1 - sigma) / service_time_s)
    return service_time_s * sigma / (1 - sigma)
