"""Rules about autoscalers: late, restless, or at the end of what they may do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from slosim.compile.topology import consumers_of, services_that_reach
from slosim.measure.measurements import Measurements, Mechanisms
from slosim.model.arrivals import Profiled
from slosim.report import statistics
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.load import overload_of
from slosim.report.findings.slots import largest_partitions, most_instances
from slosim.report.findings.spells import busiest_mean
from slosim.report.units import clock, duration, plural, share, short

if TYPE_CHECKING:
    from slosim.model import Service

STEEP_DECISIONS = 5.0
"""A profile rises steeply when it does within that many decisions of the autoscaler."""
STEEP_FACTOR = 1.2
PERIODS_MAX = 1_000
FLAPPING_TURNS = 4
FLAPPING_S = 600.0
"""Turns that come faster than this, or than four scale-down windows, do not follow any daily load."""
AT_LIMIT = 0.05


@dataclass(frozen=True)
class Rise:
    """A time when the load of a service rises, and when that is over; what: of which words tell."""

    at_s: float
    until_s: float
    what: str


@dataclass(frozen=True)
class Reaction:
    """The first scaling up after a rise, in one replication; up_s: so many instances are up, None: never."""

    rise: Rise
    at_s: float
    before: int
    after: int
    up_s: float | None

    @property
    def delay_s(self) -> float:
        return self.at_s - self.rise.at_s


NONE_UP = 0.05
"""Share of the time without an instance from which on it is worth telling."""


def autoscaler_lag(evidence: Evidence) -> Iterator[Finding]:
    first = evidence.measurements[0]
    for name, service in evidence.scenario.services.items():
        if service.autoscale is None:
            continue
        reactions = [
            reaction for rise in rises_of(evidence, name) if (reaction := reaction_to(rise, first, name))
        ]
        if not reactions:
            continue
        slowest = max(reactions, key=lambda reaction: reaction.delay_s)
        of = f" (the slowest of {len(reactions)} reactions)" if len(reactions) > 1 else ""
        up = "" if slowest.up_s is None else f", and {slowest.after} are up at {clock(slowest.up_s)}"
        yield Finding(
            f"services.{name}.autoscale",
            f"the autoscaler of {name} reacts {duration(slowest.delay_s)} after {slowest.rise.what} at"
            f" {clock(slowest.rise.at_s)}{of}: in the first replication it asks for {slowest.after} instead"
            f" of {slowest.before} instances at {clock(slowest.at_s)}{up}. It decides every"
            f" {clock(service.autoscale.interval)} on numbers that are"
            f" {clock(service.autoscale.metric_delay)} old, and a new instance takes"
            f" {duration(service.startup_time.mean())} to start.",
        )


def reaction_to(rise: Rise, one: Measurements, name: str) -> Reaction | None:
    """The first scaling up while the load is up; None without one."""
    for at, before, after in _scalings(one, name):
        if rise.at_s <= at < rise.until_s and after > before:
            up = one.sample_times_s[
                (one.sample_times_s >= at) & (one.services[name].instances_samples >= after)
            ]
            return Reaction(rise, float(at), int(before), int(after), float(up[0]) if len(up) else None)
    return None


def _scalings(one: Measurements, name: str) -> np.ndarray:
    mechanisms = one.services[name].mechanisms
    return np.zeros((0, 3)) if mechanisms is None else mechanisms.scalings


def rises_of(evidence: Evidence, name: str) -> list[Rise]:
    """Steps of the load that reaches a service: of its producers' profiles and rate faults.

    Without any: the start of its worst backlog.
    """
    scenario, found = evidence.scenario, []
    producers = _producers_of(evidence, name)
    autoscale = scenario.services[name].autoscale
    within = STEEP_DECISIONS * (autoscale.interval if autoscale is not None else 0.0)
    for producer in producers:
        arrivals = scenario.producers[producer].arrivals
        if isinstance(arrivals, Profiled):
            found += _profile_rises(arrivals, within, scenario.run.duration, producer)
    for fault in scenario.faults:
        section, _, target = fault.target.partition(".")
        if section == "producers" and target in producers and fault.effect.rate_factor > 1:
            occurrences = fault.occurrences(scenario.run.duration)
            found += [Rise(start, end, f"'{fault.name}' raises the load") for start, end in occurrences]
    if not found and (spell := overload_of(evidence, name)) is not None:
        found = [Rise(spell.first_s, scenario.run.duration, "its slots are all busy and its lag rises")]
    return sorted(found, key=lambda rise: rise.at_s)


def _producers_of(evidence: Evidence, name: str) -> list[str]:
    """Producers whose messages can lead to one for this service."""
    consumers, leading = consumers_of(evidence.scenario), services_that_reach(evidence.scenario, (name,))
    return [
        producer
        for producer, its in evidence.scenario.producers.items()
        if leading & set(consumers[its.topic])
    ]


def _profile_rises(arrivals: Profiled, within_s: float, run_s: float, producer: str) -> Iterator[Rise]:
    """Steep rises of a profile, again in each of its periods; each lasts until the factor has fallen."""
    points = [(point.at, point.factor) for point in arrivals.profile]
    period = run_s if arrivals.repeat is None else arrivals.repeat
    for index, ((start, low), (top, high)) in enumerate(pairwise(points)):
        if high < STEEP_FACTOR * low or high == low or top - start > within_s:
            continue
        falls = [at for (_, factor), (at, later) in pairwise(points[index + 1 :]) if later < factor]
        until = falls[0] if falls else period
        for repetition in range(min(PERIODS_MAX, int(run_s // period) + 1)):
            at = start + repetition * period
            if at < run_s:
                what = f"the load of {producer} rises from {low:g} to {high:g} times its rate"
                yield Rise(at, min(run_s, until + repetition * period), what)


def autoscaler_flapping(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        if service.autoscale is None:
            continue
        scalings = _scalings(evidence.measurements[0], name)
        turns = turning_points(scalings)
        slow = max(FLAPPING_S, 4 * service.autoscale.scale_down_window)
        if len(turns) < FLAPPING_TURNS or (turns[-1] - turns[0]) / (len(turns) - 1) > slow:
            continue
        fewest, most = int(scalings[:, 1:].min()), int(scalings[:, 1:].max())
        yield Finding(
            f"services.{name}.autoscale",
            f"the autoscaler of {name} flaps: in the first replication it turns from growing to shrinking or"
            f" back {len(turns)} times in {plural(len(scalings), 'change')}, every"
            f" {duration((turns[-1] - turns[0]) / (len(turns) - 1))} between {clock(turns[0])} and"
            f" {clock(turns[-1])}, from {fewest} to {plural(most, 'instance')}."
            f" {_why_it_flaps(evidence, name, turns)}",
        )


def _why_it_flaps(evidence: Evidence, name: str, turns: list[float]) -> str:
    """A backlog says how late an autoscaler is, not how many instances the load needs.

    Over a whole wave, two turns, the slots do all that comes, so their mean is what the load keeps busy.
    """
    service = evidence.scenario.services[name]
    autoscale, concurrency = service.autoscale, service.concurrency
    assert autoscale is not None
    longer = f"scale_down_window above {clock(autoscale.scale_down_window)}"
    wave_s = 2 * (turns[-1] - turns[0]) / (len(turns) - 1)
    busy = busiest_mean(evidence.service(name)["series"], "busy", turns[0], turns[-1], wave_s)
    asked = _asked_without_backlog(service, busy)
    if concurrency is None or asked is None or math.floor(busy / concurrency) + 1 <= asked:
        return f"A {longer} damps it."
    needed = math.floor(busy / concurrency) + 1
    return (
        f"While nothing waits its metric, {autoscale.metric}, asks for {plural(asked, 'instance')}, but the"
        f" load keeps {short(busy)} slots busy on average over a wave: {short(busy)} ÷ {concurrency} ="
        f" {busy / concurrency:.2f}, so {plural(needed, 'instance')}. That a backlog must build up first"
        f" makes the waves; `minimum: {needed}` or `metric: utilisation` avoids them, a {longer} only makes"
        " them rarer."
    )


def _asked_without_backlog(service: Service, busy: float) -> int | None:
    """Instances that a metric of the backlog asks for when only `busy` messages are in work; None: unknown.

    The age is then that of attempts: if it is below the target, fewer are asked for until the minimum.
    """
    autoscale = service.autoscale
    if autoscale is None or autoscale.metric == "utilisation" or math.isnan(busy):
        return None
    if autoscale.metric == "lag":
        return max(autoscale.minimum, math.ceil(busy / autoscale.target))
    return autoscale.minimum if service.service_time.mean() < autoscale.target else None


def turning_points(scalings: np.ndarray) -> list[float]:
    """Times of the changes whose direction differs from the one before, s."""
    directions = np.sign(scalings[:, 2] - scalings[:, 1])
    return scalings[1:, 0][directions[1:] != directions[:-1]].tolist()


def autoscaler_at_limit(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        if service.autoscale is None:
            continue
        limit = most_instances(evidence.scenario, name)
        ratio, lag = _at_limit(evidence, name, limit)
        if limit <= service.autoscale.minimum or ratio < AT_LIMIT:
            continue
        partitions = largest_partitions(evidence.scenario, name)
        if partitions is not None and partitions < service.autoscale.maximum:
            why = (
                f"as many as its log has partitions ({partitions}); more instances would own none, whatever"
                f" its maximum of {service.autoscale.maximum}"
            )
        else:
            why = "its maximum"
        yield Finding(
            f"services.{name}.autoscale",
            f"the autoscaler of {name} asks for {plural(limit, 'instance')}, {why}, {share(ratio, 0)} of the"
            f" time; meanwhile the lag reaches {short(lag)}.",
        )


def _at_limit(evidence: Evidence, name: str, limit: int) -> tuple[float, float]:
    """Share of the measured samples at which as many instances exist, and the largest lag at one of them."""
    inside, total, lags = 0, 0, [0.0]
    for one in evidence.measurements:
        mechanisms: Mechanisms | None = one.services[name].mechanisms
        if mechanisms is None:
            continue
        measured = statistics.measured_samples(one)
        at_limit = measured & (mechanisms.wanted.samples >= limit)
        inside, total = inside + int(at_limit.sum()), total + int(measured.sum())
        lines = [one.lines[topic, name].lag.samples for topic in evidence.scenario.services[name].consumes]
        lags += np.sum(lines, axis=0)[at_limit].tolist()
    return (inside / total if total else 0.0), max(lags)


def no_instance(evidence: Evidence) -> Iterator[Finding]:
    """Exact up to the samples; not for a service that never has mechanisms, whose instances are always up."""
    for name in evidence.scenario.services:
        samples = [
            one.services[name].instances_samples[statistics.measured_samples(one)]
            for one in evidence.measurements
            if one.services[name].mechanisms is not None
        ]
        up = np.concatenate(samples) if samples else np.ones(1)
        if len(up) and (down := float((up == 0).mean())) >= NONE_UP:
            yield Finding(
                f"services.{name}", f"no instance of {name} is up for {share(down)} of the measured time."
            )
