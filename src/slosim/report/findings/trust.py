"""Rules about how far the numbers can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slosim.measure.histogram import Histogram
from slosim.model.arrivals import Clients
from slosim.report.findings.blocking import deadlock
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.judgement import needed_replications
from slosim.report.precision import replications_wanted, widths
from slosim.report.units import clock, count, duration, plural, share, short, three_digits
from slosim.report.warmup import bias_of, start_of, suggested_s

MANY_IN_FLIGHT = 0.01
"""From this share on, those in flight could move the 99th percentile."""
WIDE = 0.25
WANTED_WIDTH = 0.1


def stopped(evidence: Evidence) -> Iterator[Finding]:
    if evidence.stopped is None:
        return
    ended = min(one.ended_s for one in evidence.measurements)
    run = evidence.scenario.run
    yield Finding(
        "run",
        f"the run was stopped early ({evidence.stopped}): {plural(evidence.replications, 'replication')} of"
        f" {run.replications}, the shortest up to {clock(ended)} of {clock(run.duration)}. The numbers are"
        " those of what was simulated until then.",
    )


def survivors_only(evidence: Evidence) -> Iterator[Finding]:
    for name, flow in evidence.content["flows"].items():
        in_flight, started = flow["in_flight"]["value"], flow["started"]["value"]
        if not started or in_flight < MANY_IN_FLIGHT * started:
            continue
        ages = Histogram.empty()
        for one in evidence.measurements:
            ages = ages + one.flows[name].in_flight_ages
        median, p99 = ages.quantiles([0.5])[0], flow["latency_s"]["p99"]["value"]
        if _is_closed(evidence, name) and median is not None and p99 is not None and median <= p99:
            continue  # as many clients wait at any other time
        text = (
            f"{share(in_flight / started)} of {name} ({count(in_flight)} of {count(started)} per run) is in"
            " flight at the end"
        )
        if median is not None:
            text += f", half of it older than {duration(median)}, the oldest {duration(ages.maximum)}"
        reported = "" if p99 is None else f" (p99 {duration(p99)})"
        yield Finding(
            f"flows.{name}",
            f"{text}. Latency{reported} is that of the instances that made it, so it comes out too low.",
        )


def _is_closed(evidence: Evidence, flow: str) -> bool:
    """Whether clients that wait for their answers start a flow."""
    producer = evidence.scenario.producers[evidence.scenario.flows[flow].from_]
    return isinstance(producer.arrivals, Clients)


def short_warmup(evidence: Evidence) -> Iterator[Finding]:
    """Silent with one replication: its start cannot be told from chance.

    False alarms: in 1,260 studies of ten replications without an empty start (M/M/1 at 50%, 80% and 95%, and
    a pipeline of three services) it spoke once; in 239 of 300 of that pipeline from empty.
    """
    start = start_of(evidence.scenario, evidence.measurements)
    suggested = suggested_s(start)
    if start is None or suggested is None or any(deadlock(evidence)):
        return
    warmup = evidence.scenario.run.warmup
    bias = bias_of(start, warmup, suggested)
    if bias is None or not bias.is_certain or not bias.weighs:
        return
    chosen = f"a warm-up of {clock(warmup)} is too short" if warmup else "there is no warm-up"
    measured = bias.measured
    yield Finding(
        "run.warmup",
        f"the run starts empty and {chosen}: the mean lag of all lines is {short(bias.before)} messages from"
        f" {clock(warmup)} to {clock(suggested)} and {short(bias.after)} later, so the mean of"
        f" {short(measured.value)} ({short(measured.low)} to {short(measured.high)}) comes out too low, and"
        f" others with it. `--set run.warmup={clock(suggested)}` leaves that out (MSER-5).",
    )


def no_interval(evidence: Evidence) -> Iterator[Finding]:
    if evidence.replications == 1:
        yield Finding(
            "run.replications",
            "1 replication has no interval: verdicts rest on the value alone, and chance could turn them."
            " `--replications 10` gives intervals.",
        )


def imprecise(evidence: Evidence) -> Iterator[Finding]:
    """The run ended with wider intervals than were asked for."""
    data = evidence.content
    precision = data["run"].get("precision_ratio")
    if precision is None:
        return
    wide = [one for one in widths(data) if one.ratio is None or one.ratio > precision]
    if wide:
        widest = max(wide, key=lambda one: math.inf if one.ratio is None else one.ratio)
        known = "has no interval" if widest.ratio is None else f"is known within {share(widest.ratio)}"
        yield Finding(
            widest.subject,
            f"after {plural(evidence.replications, 'replication')} {widest.name} {known},"
            f" {share(precision)} was asked"
            f" for: about {plural(replications_wanted(data, precision), 'replication')} would be needed.",
        )


def wide_interval(evidence: Evidence) -> Iterator[Finding]:
    for name, flow in evidence.content["flows"].items():
        p99 = flow["latency_s"]["p99"]
        if not p99["value"] or p99["low"] is None:
            continue
        relative = (p99["high"] - p99["low"]) / 2 / p99["value"]
        if relative >= WIDE:
            needed = needed_replications(evidence.replications, relative, WANTED_WIDTH)
            yield Finding(
                f"flows.{name}",
                f"the p99 latency of {name} is {duration(p99['value'])} ({duration(p99['low'])} to"
                f" {duration(p99['high'])}), uncertain by {share(relative, 0)}: about"
                f" {plural(needed, 'replication')} would bring that to {share(WANTED_WIDTH, 0)}.",
            )


def closed_loop(evidence: Evidence) -> Iterator[Finding]:
    """Clients that wait for their answers publish less the slower the system is."""
    for name, producer in evidence.scenario.producers.items():
        arrivals = producer.arrivals
        if not isinstance(arrivals, Clients) or not evidence.seconds:
            continue
        flows = [flow for flow, its in evidence.scenario.flows.items() if its.from_ == name]
        if not flows:
            continue
        started = evidence.content["flows"][flows[0]]["started"]["value"] / producer.copies
        thinking = arrivals.think_time.mean()
        if not started or not thinking:
            continue
        rate, most = started / evidence.seconds, arrivals.count / thinking
        answered_s = max(0.0, arrivals.count / rate - thinking)
        yield Finding(
            f"producers.{name}",
            f"{name} is a closed loop: its {plural(arrivals.count, 'client')} publish"
            f" {three_digits(rate)}/s, since each thinks {duration(thinking)} and then waits"
            f" {duration(answered_s)} for its answer; with answers at once they would publish"
            f" {three_digits(most)}/s. A slow system is asked less, so its latency looks better than under a"
            " load that does not wait (coordinated omission).",
        )
