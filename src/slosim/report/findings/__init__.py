"""Findings: what a reader should know that the numbers alone do not say.

Each rule is a pure function from the evidence to its findings, zero or more; each finding has numbers in its
text, written so that the reader can check them by hand. `RULES` is in order of severity, and so is the
report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slosim.report.findings import (
    blocking,
    bottleneck,
    delivery,
    dependencies,
    faults,
    judgement,
    load,
    loss,
    ownership,
    partitions,
    protection,
    scaling,
    theory,
    trust,
)
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
        " published into each other's full topics; or a join waits for a message whose publisher waits for"
        " room in another topic of the join.",
        blocking.deadlock,
    ),
    Rule(
        "no_instance",
        "No instance of a service is up for at least 5% of the measured time.",
        scaling.no_instance,
    ),
    Rule(
        "saturated",
        "More work arrives at a service than its slots (on a log: its partitions) or its rate limit can do,"
        " and they are at least 95% busy; time in which finished messages wait for a topic does not count.",
        load.saturated,
    ),
    Rule(
        "dependency_saturated",
        "The servers of a dependency are at least 95% busy.",
        dependencies.dependency_saturated,
    ),
    Rule(
        "dependency_overloaded",
        "A dependency that copes on average has all its servers busy for a while, and requests wait: whose.",
        dependencies.dependency_overloaded,
    ),
    Rule(
        "uneven_partitions",
        "One partition gets at least 1.5 times its even share of the messages.",
        partitions.uneven_partitions,
    ),
    Rule(
        "overloaded",
        "A service that copes on average has all its slots busy for a while, and its lag rises meanwhile:"
        " how many instances would do, or which redrive or dependency is the cause.",
        load.overloaded,
    ),
    Rule(
        "autoscaler_lag",
        "An autoscaler added instances after the load had risen (a step of a profile, a fault of a producer;"
        " without these, the start of the worst backlog): how long after.",
        scaling.autoscaler_lag,
    ),
    Rule(
        "autoscaler_at_limit",
        "An autoscaler asks for as many instances as it may, or as its log has partitions, for at least 5% of"
        " the time.",
        scaling.autoscaler_at_limit,
    ),
    Rule(
        "autoscaler_flapping",
        "An autoscaler turns at least four times, more often than every ten minutes or four of its scale-down"
        " windows.",
        scaling.autoscaler_flapping,
    ),
    Rule(
        "retry_storm",
        "While a fault raises the failures of a service, retries bring its offered load to its slots or"
        " beyond.",
        loss.retry_storm,
    ),
    Rule(
        "not_recovered",
        "The lag did not come back after a fault in every replication; and where repeated work holds the"
        " service, or a dependency that it calls, at its limit after it (a metastable state).",
        faults.not_recovered,
    ),
    Rule(
        "circuit_breaker",
        "A circuit breaker opened: for how long, and what waited.",
        protection.circuit_breaker,
    ),
    Rule("rebalances", "Partitions of a log stood still while they changed owner.", ownership.rebalances),
    Rule(
        "prefetch_hoarding",
        "In at least 1% of the samples messages are held ahead of busy slots while other slots are free.",
        delivery.prefetch_hoarding,
    ),
    Rule(
        "early_redelivery",
        "A visibility timeout ran out while the attempt went on.",
        delivery.early_redelivery,
    ),
    Rule(
        "head_of_line",
        "Blocking retries held partitions or slots: for how much of their time.",
        delivery.head_of_line,
    ),
    Rule(
        "calls_nobody_waits_for",
        "At least 1% of the calls of a dependency time out at their callers.",
        dependencies.calls_nobody_waits_for,
    ),
    Rule(
        "dependency_refuses",
        "A dependency refuses at least 1% of the requests, its queue being full.",
        dependencies.dependency_refuses,
    ),
    Rule(
        "retry_amplification", "A service makes at least 1.05 attempts per message.", loss.retry_amplification
    ),
    Rule(
        "impatient_retries",
        "An outage lasts longer than all waits of a service's retries together, at most or on average, and"
        " more messages were dead-lettered than its own failures explain.",
        loss.impatient_retries,
    ),
    Rule(
        "retry_budget",
        "A retry budget made failures final that `retry` would repeat.",
        protection.retry_budget,
    ),
    Rule("lost_attempts", "Instances crashed and lost their attempts.", delivery.lost_attempts),
    Rule(
        "delivery_limit",
        "Messages were dead-lettered because they had been delivered as often as `maximum_attempts`.",
        delivery.delivery_limit,
    ),
    Rule("dead_lettered", "Instances of a flow were dead-lettered.", loss.dead_lettered),
    Rule("dropped", "Instances of a flow were rejected, expired, dropped or shed.", loss.dropped),
    Rule("shed", "A service dropped messages that had waited too long.", protection.shed),
    Rule("unavailable", "Publishers had to wait for a topic that was unavailable.", faults.unavailable),
    Rule(
        "join_alone",
        "At the end of the run at least 1% of a topic's messages (and 10) lack a partner to be joined with.",
        delivery.join_alone,
    ),
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
        "Burn rates that cannot reach an alert's factor, being at most 1/(1 - target); all in one finding.",
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
    Rule(
        "theory_contradicted",
        "All that an exact closed form assumes holds at a station, and the run is outside the 99.9% interval"
        " of their difference.",
        theory.theory_contradicted,
    ),
    Rule(
        "theory_differs",
        "A station waits, refuses or is busy notably more or less than its closed form says, with what the"
        " formula leaves out: the most telling ones, in one finding. Where a fault or an overload of the"
        " station is told already, this is not.",
        theory.theory_differs,
    ),
    Rule(
        "short_warmup",
        "The empty start weighs on the mean lag (on all lines, before the first fault, with a load that does"
        " not vary by design): which warm-up would leave it out.",
        trust.short_warmup,
    ),
    Rule(
        "no_interval",
        "One replication has no interval; verdicts rest on the values alone.",
        trust.no_interval,
    ),
    Rule(
        "imprecise",
        "The number of replications was limited before all intervals were as narrow as `--precision` asks"
        " for.",
        trust.imprecise,
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
    Rule("redrive", "Messages of a topic are sent back: how many, and what that did.", faults.redrive),
    Rule("hedging", "Second requests were made: how many.", dependencies.hedging),
    Rule(
        "batch_capacity", "What a service can do in full batches, and what it gets.", delivery.batch_capacity
    ),
    Rule(
        "instant_owners",
        "Instances of a service on a log come and go, and no `rebalance` says what that costs.",
        ownership.instant_owners,
    ),
    Rule("closed_loop", "A producer is a closed loop: a slow system is asked less.", trust.closed_loop),
    Rule(
        "bottleneck",
        "In a flow through several services: which takes most of the time, of all and of the slowest 1%, and"
        " in which part; unless a rule above says that it, or a dependency that it calls, is too small.",
        bottleneck.bottleneck,
    ),
    Rule(
        "headroom",
        "Which service or dependency saturates first as load grows, and at how much of it.",
        load.headroom,
    ),
)


def findings_of(evidence: Evidence) -> list[dict[str, str]]:
    """All findings, the most severe rule first, in the report's form."""
    return [
        {"rule": rule.name, "subject": finding.subject, "text": finding.text}
        for rule in RULES
        for finding in rule.find(evidence)
    ]
