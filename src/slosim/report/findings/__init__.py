"""Findings: what a reader should know that the numbers alone do not say.

Each rule is a pure function from the evidence to its findings, zero or more; each finding has numbers in its
text, written so that the reader can check them by hand. `RULES` is in order of severity, and so is the
report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slosim.report.findings import blocking, faults, judgement, load, loss, partitions, trust
from slosim.report.findings.evidence import Evidence, Finding


@dataclass(frozen=True)
class Rule:
    """A rule: the name that its findings carry, and what makes it speak, for docs/report.md."""

    name: str
    when: str
    find: Callable[[Evidence], Iterator[Finding]]


RULES = (
    Rule("stopped", "The run ended before its time: interrupted, or at the memory limit.", trust.stopped),
    Rule(
        "deadlock",
        "All slots of the services of a cycle are held at the end of the run by messages that wait to be"
        " published into each other's full topics.",
        blocking.deadlock,
    ),
    Rule(
        "saturated",
        "More work arrives at a service than its slots (on a log: its partitions) or its rate limit can do,"
        " and they are at least 95% busy.",
        load.saturated,
    ),
    Rule(
        "uneven_partitions",
        "One partition gets at least 1.5 times its even share of the messages.",
        partitions.uneven_partitions,
    ),
    Rule(
        "overloaded",
        "A service that copes on average has all its slots busy for a while, and its lag rises meanwhile.",
        load.overloaded,
    ),
    Rule(
        "retry_storm",
        "While a fault raises the failures of a service, retries bring its offered load to its slots or"
        " beyond.",
        loss.retry_storm,
    ),
    Rule(
        "not_recovered", "The lag did not come back after a fault in every replication.", faults.not_recovered
    ),
    Rule(
        "retry_amplification", "A service makes at least 1.05 attempts per message.", loss.retry_amplification
    ),
    Rule(
        "impatient_retries",
        "An outage lasts longer than all waits of a service's retries together, and messages were"
        " dead-lettered.",
        loss.impatient_retries,
    ),
    Rule("dead_lettered", "Instances of a flow were dead-lettered.", loss.dead_lettered),
    Rule("dropped", "Instances of a flow were rejected, expired, dropped or shed.", loss.dropped),
    Rule(
        "back_pressure",
        "Attempts or producers are held back by a full topic at the end of the run, short of a deadlock.",
        blocking.back_pressure,
    ),
    Rule(
        "nothing_counted",
        "An objective has not a single good or bad instance or sample.",
        judgement.nothing_counted,
    ),
    Rule("undecided", "The interval of an objective's indicator contains its target.", judgement.undecided),
    Rule("silent", "An objective is missed and no page alert fired in any replication.", judgement.silent),
    Rule(
        "alert_fired",
        "A burn-rate alert fired: when, and how long after a fault began.",
        judgement.alert_fired,
    ),
    Rule(
        "alert_never_fires",
        "The burn rate of an objective cannot reach an alert's factor: it is at most 1/(1 - target).",
        judgement.alert_never_fires,
    ),
    Rule(
        "coarse_samples",
        "An alert's short window is shorter than the time between two samples.",
        judgement.coarse_samples,
    ),
    Rule(
        "survivors_only",
        "At least 1% of a flow's instances are in flight at the end, so latency is that of the quick ones.",
        trust.survivors_only,
    ),
    Rule(
        "unsettled",
        "A line ends the run with far more lag than usual, though nothing is saturated.",
        load.unsettled,
    ),
    Rule("no_warmup", "Without a warm-up, the empty start weighs on the means.", trust.no_warmup),
    Rule(
        "no_interval",
        "One replication has no interval; verdicts rest on the values alone.",
        trust.no_interval,
    ),
    Rule(
        "wide_interval",
        "The 99th percentile of a flow's latency is uncertain by a quarter or more.",
        trust.wide_interval,
    ),
    Rule(
        "idle_instances",
        "A service has more instances than it has partitions to own.",
        partitions.idle_instances,
    ),
    Rule("headroom", "Which service saturates first as load grows, and at how much of it.", load.headroom),
)


def findings_of(evidence: Evidence) -> list[dict[str, str]]:
    """All findings, the most severe rule first, in the report's form."""
    return [
        {"rule": rule.name, "subject": finding.subject, "text": finding.text}
        for rule in RULES
        for finding in rule.find(evidence)
    ]
