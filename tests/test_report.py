"""The report on small made-up measurements whose numbers can be checked by hand."""

import copy
import functools
import itertools
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from made_up import (
    SCENARIO,
    changed,
    dependency,
    flow,
    line,
    mechanisms,
    outcomes,
    over_time,
    replication,
    sample_times,
    service,
)
from slosim.measure.histogram import Histogram
from slosim.measure.intervals import Estimate
from slosim.measure.measurements import TopicMeasurements
from slosim.model import loads
from slosim.outputs.tables import histograms_of, series_of
from slosim.report.alerts import WORKBOOK_RULES, SampledOutcomes, is_firing
from slosim.report.objectives import budget_of, verdict_of, verdict_of_all
from slosim.report.reference import ENTRIES, reference
from slosim.report.report import Report, build_report
from slosim.report.schema import mistake_in, text_of_schema

DOCS = Path(__file__).parent.parent / "docs"

IN_TIME = "{name: in time, flow: done, within: 5s, target: 99%, window: 1d}"
KEEPS_UP = "{name: keeps up, topic: jobs, lag_below: 5, target: 90%, window: 1d}"
FAULT = "{name: provider down, at: 300s, for: 100s, target: services.work, effect: {outage: true}}"


def scenario(objectives: str = "", faults: str = "", text: str = SCENARIO, **overrides: object):
    """SCENARIO with objectives and faults in flow form, and single values changed by path."""
    text += f"objectives: [{objectives}]\n" if objectives else ""
    text += f"faults: [{faults}]\n" if faults else ""
    loaded = loads(text)
    return (
        loaded.replace({path.replace("__", "."): value for path, value in overrides.items()})
        if overrides
        else loaded
    )


def report_of(*replications, objectives: str = "", faults: str = "", **overrides: object) -> Report:
    return build_report(scenario(objectives, faults, **overrides), replications or (replication(),))


def texts(report: Report, rule: str) -> list[str]:
    return [finding["text"] for finding in report.data["findings"] if finding["rule"] == rule]


# Verdicts and budgets


@pytest.mark.parametrize(
    ("sli", "target", "verdict", "why"),
    [
        (Estimate(0.996, 0.9955, 0.9965), 0.995, "met", "the interval lies above the target"),
        (Estimate(0.996, 0.995, 0.997), 0.995, "met", "a low end on the target keeps the promise"),
        (Estimate(0.996, 0.994, 0.998), 0.995, "undecided", "the target lies inside the interval"),
        (Estimate(0.994, 0.993, 0.995), 0.995, "undecided", "the high end reaches the target"),
        (Estimate(0.993, 0.992, 0.994), 0.995, "missed", "the interval lies below the target"),
        (Estimate(0.995), 0.995, "met", "without an interval the value decides"),
        (Estimate(0.9949999), 0.995, "missed", "and it is not rounded before it is compared"),
        (Estimate(None), 0.995, "undecided", "nothing was counted"),
        (Estimate(0.999, 0.997, 1.0), 1.0, "missed", "one bad instance breaks a promise of 100%"),
        (Estimate(1.0, 0.99, 1.0), 1.0, "undecided", "no finite run shows 100%"),
    ],
)
def test_verdict(sli, target, verdict, why):
    assert verdict_of(sli, target) == verdict, why


@pytest.mark.parametrize(
    ("verdicts", "of_all"),
    [
        ([], "no objectives"),
        (["met", "met"], "met"),
        (["met", "undecided"], "undecided"),
        (["undecided", "missed", "met"], "missed"),
    ],
)
def test_verdict_of_the_run_is_the_worst_one(verdicts, of_all):
    assert verdict_of_all(verdicts) == of_all


def test_budget_is_as_it_would_be_written():
    assert [budget_of(target) for target in (0.995, 0.9999, 0.9, 1.0)] == [0.005, 0.0001, 0.1, 0.0]


def test_objective_of_two_replications():
    """10 and 30 bad of 1000 each: 98% of 99% is twice the budget; 1000 s are 1/86.4 of a day."""
    runs = [
        replication(0, objectives={"in time": outcomes(9.9, 0.1)}),
        replication(1, objectives={"in time": outcomes(9.7, 0.3)}),
    ]

    objective = report_of(*runs, objectives=IN_TIME).objectives["in time"]

    assert objective.sli_ratio.value == pytest.approx(0.98)
    assert (objective.good.value, objective.bad.value) == pytest.approx((980, 20))
    assert objective.error_budget.budget_ratio == 0.01
    assert objective.error_budget.burn_rate.value == pytest.approx(2.0)
    assert objective.error_budget.consumed_of_window_ratio.value == pytest.approx(2.0 / 86.4)
    assert objective.error_budget.remaining_in_run_ratio.value == pytest.approx(-1.0)
    assert objective.series.bad == pytest.approx([0.2] * 100)
    assert objective.verdict == "undecided"  # t(1) = 12.7: two replications say little


def test_objective_with_one_replication_is_judged_by_its_value():
    report = report_of(replication(objectives={"in time": outcomes(9.9, 0.1)}), objectives=IN_TIME)

    assert report.verdict == "met"
    assert report.objectives[0].sli_ratio.low is None
    assert "1 replication has no interval" in texts(report, "no_interval")[0]


def test_objective_without_a_bad_one_has_the_rule_of_three():
    """2000 good ones show 1 - 3/2000 = 99.85%: enough for 99%, not for 99.9%."""
    runs = [replication(index, objectives={"in time": outcomes(10, 0)}) for index in range(2)]

    assert report_of(*runs, objectives=IN_TIME).objectives[0].sli_ratio == (1.0, 0.9985, 1.0)
    assert report_of(*runs, objectives=IN_TIME).verdict == "met"
    stricter = report_of(*runs, objectives=IN_TIME.replace("99%", "99.9%"))
    assert stricter.verdict == "undecided"
    assert "1 - 3/2,000 = 99.85%; 3 replications like these" in texts(stricter, "undecided")[0]


def test_objective_of_100_percent():
    perfect = report_of(
        replication(objectives={"in time": outcomes(10, 0)}), objectives=IN_TIME.replace("99%", "100%")
    )
    spoiled = report_of(
        replication(objectives={"in time": outcomes(10, np.eye(100)[50])}),
        objectives=IN_TIME.replace("99%", "100%"),
    )

    assert (perfect.verdict, spoiled.verdict) == ("undecided", "missed")
    assert perfect.objectives[0].error_budget.burn_rate == (None, None, None)
    assert [alert.fired_ratio for alert in perfect.objectives[0].alerts] == [0, 0, 0, 0]
    assert [alert.fired_at_s for alert in spoiled.objectives[0].alerts] == [[500.0]] * 4
    assert "no finite run shows 100%" in texts(perfect, "undecided")[0]


def test_objective_with_nothing_counted_is_undecided():
    report = report_of(replication(objectives={"in time": outcomes(0, 0)}), objectives=IN_TIME)

    assert report.verdict == "undecided"
    assert report.objectives[0].sli_ratio == (None, None, None)
    assert "0 good and 0 bad" in texts(report, "nothing_counted")[0]


def test_what_comes_after_the_last_sample_counts():
    late = changed(outcomes(10, 0), good_after=5, bad_after=20)

    objective = report_of(replication(objectives={"in time": late}), objectives=IN_TIME).objectives[0]

    assert (objective.good.value, objective.bad.value) == (1005, 20)


def test_lag_objective_counts_the_samples_strictly_below():
    """80 samples of lag 4, 15 of 5 (not below) and 5 of 6; a warm-up of 100 s leaves the first 10 out."""
    lag = np.repeat([4.0, 5.0, 6.0], [80, 15, 5])
    whole = report_of(replication(lines={("jobs", "work"): line(lag=over_time(lag))}), objectives=KEEPS_UP)
    warm = report_of(
        replication(lines={("jobs", "work"): line(lag=over_time(lag))}, warmup_s=100.0),
        objectives=KEEPS_UP,
        run__warmup="100s",
    )

    assert (whole.objectives[0].good.value, whole.objectives[0].bad.value) == (80, 20)
    assert (warm.objectives[0].good.value, warm.objectives[0].bad.value) == (70, 20)
    assert warm.objectives[0].sli_ratio.value == 70 / 90


# Alerts


def healthy_until(bad_from_s: float, warmup_s: float = 0.0) -> SampledOutcomes:
    """One instance per second, counted every 10 s from the warm-up on, all bad from `bad_from_s` on."""
    times = sample_times()
    counted = np.where(times > warmup_s, 10.0, 0.0)
    bad = np.where(times > bad_from_s, counted, 0.0)
    return SampledOutcomes(times, counted - bad, bad, 0, 0, warmup_s, 1000.0)


def first_fired(rule, sampled: SampledOutcomes, budget: float) -> float | None:
    firing = is_firing(rule, sampled, budget)
    return float(sampled.times_s[np.argmax(firing)]) if firing.any() else None


def test_alert_windows_scale_with_the_objective_window():
    """A window of 1 day instead of 30: the hour becomes 2 minutes, the 5 minutes 10 seconds; factors stay."""
    alerts = (
        report_of(replication(objectives={"in time": outcomes(10, 0)}), objectives=IN_TIME)
        .objectives[0]
        .alerts
    )

    assert [(one.severity, one.long_s, one.short_s, one.burn_rate) for one in alerts] == [
        ("page", 120.0, 10.0, 14.4),
        ("page", 720.0, 60.0, 6),
        ("ticket", 2880.0, 240.0, 3),
        ("ticket", 8640.0, 720.0, 1),
    ]


@pytest.mark.parametrize(
    ("rule", "at_s"),
    [
        (0, 520.0),  # 14.4% of 120 are 17.3: 20 bad ones are more, 10 are not
        (1, 550.0),  # 6% of 720 are 43.2
        (2, 590.0),  # 3% of 2880 are 86.4, the time before the start counted as healthy
        (3, 590.0),  # 1% of 8640 are 86.4
    ],
)
def test_alert_fires_when_both_windows_burn_too_fast(rule, at_s):
    """With a target of 99% over 1 day and one instance per second, all bad from 500 s on."""
    assert first_fired(WORKBOOK_RULES[rule].scaled(86_400.0), healthy_until(500.0), 0.01) == at_s


def test_time_before_the_warmup_counts_as_healthy():
    """Bad from the warm-up at 500 s on: what the windows hold before it is healthy."""
    assert (
        first_fired(WORKBOOK_RULES[0].scaled(86_400.0), healthy_until(500.0, warmup_s=500.0), 0.01) == 520.0
    )


def test_short_window_ends_an_alert_that_the_long_one_would_keep():
    """Bad only in (500, 560]: the long window burns until 670, the short one is clean from 570 on."""
    sampled = healthy_until(500.0)
    bad = np.where(sampled.times_s > 560.0, 0.0, sampled.bad)
    sampled = changed(sampled, bad=bad, good=10.0 - bad)

    firing = is_firing(WORKBOOK_RULES[0].scaled(86_400.0), sampled, 0.01)

    assert sampled.times_s[firing].tolist() == [520.0, 530.0, 540.0, 550.0, 560.0]


def test_alert_whose_factor_exceeds_what_can_burn_is_not_evaluable():
    """With a target of 90% the burn rate is at most 10, which 14.4 exceeds and 6 does not."""
    report = report_of(
        replication(objectives={"in time": outcomes(0, 10)}), objectives=IN_TIME.replace("99%", "90%")
    )

    alerts = report.objectives[0].alerts
    assert [one.evaluable for one in alerts] == [False, True, True, True]
    assert (alerts[0].fired_ratio, alerts[0].fired_at_s) == (None, [])
    assert texts(report, "alert_never_fires") == [
        "1 alert can never fire, as even everything being bad burns more slowly: 14.4x of 'in time' (at most"
        " 1 / (1 - 0.9) = 10.0x)."
    ]


def test_alerts_that_can_never_fire_are_listed_in_one_finding():
    lenient = IN_TIME.replace("99%", "80%")
    run = replication(objectives={"in time": outcomes(9, 1)})

    found = texts(report_of(run, objectives=f"{lenient}, {KEEPS_UP}"), "alert_never_fires")

    assert len(found) == 1
    assert found[0].startswith("3 alerts can never fire")
    assert "14.4x and 6x of 'in time' (at most 1 / (1 - 0.8) = 5.00x); 14.4x of 'keeps up' (at" in found[0]


def test_fired_ratio_counts_replications_and_times_are_those_of_the_first():
    sampled = healthy_until(500.0)
    quiet, loud = outcomes(10, 0), outcomes(sampled.good, sampled.bad)
    runs = [replication(0, objectives={"in time": loud}), replication(1, objectives={"in time": quiet})]

    alert = report_of(*runs, objectives=IN_TIME, faults=FAULT).objectives[0].alerts[0]

    assert (alert.fired_ratio, alert.fired_at_s) == (0.5, [520.0])


def test_finding_tells_how_long_after_the_fault_an_alert_fired():
    sampled = healthy_until(330.0)
    report = report_of(
        replication(objectives={"in time": outcomes(sampled.good, sampled.bad)}),
        objectives=IN_TIME,
        faults=FAULT,
    )

    assert "in the first at 5m50s, 50.0 s after 'provider down' began" in texts(report, "alert_fired")[0]


# Faults


def with_lag(*course: tuple[float, float], index: int = 0, **parts: object):
    """A replication whose lag goes through these (time, lag) points, and is the last one's until the next."""
    times = sample_times()
    lag = np.array([next(lag for at, lag in reversed(course) if at <= time) for time in times])
    return replication(index, lines={("jobs", "work"): line(lag=over_time(lag))}, **parts)


def test_fault_recovers_at_the_first_sample_that_is_normal_again():
    """Normal is a lag of up to 3; after the fault in [300, 400) it is 3 again at 460, resp. at 480."""
    first = with_lag((0, 1), (200, 3), (210, 1), (310, 20), (400, 50), (450, 4), (460, 3))
    second = with_lag((0, 3), (300, 40), (480, 2), index=1)

    fault = report_of(first, second, faults=FAULT).faults[0]

    assert (fault.start_s, fault.end_s) == (300, 400)
    assert fault.peak_lag.value == 45
    assert fault.recovered_after_s.value == 70
    assert fault.recovered_ratio == 1.0
    assert fault.bad == (None, None, None)


def test_fault_that_is_never_recovered_from():
    recovers = with_lag((0, 1), (300, 30), (500, 1))
    never = with_lag((0, 1), (300, 30), index=1)

    both, alone = report_of(recovers, never, faults=FAULT), report_of(never, faults=FAULT)

    assert (both.faults[0].recovered_after_s.value, both.faults[0].recovered_ratio) == (100, 0.5)
    assert (alone.faults[0].recovered_after_s.value, alone.faults[0].recovered_ratio) == (None, 0)
    assert (
        "never comes back after 'provider down' (5m to 6m40s): it peaks at 30"
        in texts(alone, "not_recovered")[0]
    )


def test_occurrences_of_a_fault_are_folded():
    """Of 18 occurrences from 100 s on, every 50 s, the lag comes back after none."""
    repeated = FAULT.replace("at: 300s, for: 100s", "at: 100s, for: 20s, repeat_every: 50s")

    report = report_of(
        with_lag((0, 1), *((100 + 10 * step, 10 + step) for step in range(90))), faults=repeated
    )

    found = texts(report, "not_recovered")
    assert len(found) == 1
    assert found[0].startswith(
        "the lag of jobs never comes back after 18 of 18 occurrences of 'provider down'. The first of these:"
        " the lag of jobs never comes back after 'provider down' (1m40s to 2m)"
    )
    assert report.to_text().count("provider down  ") == 8
    assert "And more occurrences like these: 10 of provider down." in report.to_text()


def test_a_fault_that_some_replications_recover_from():
    """At the end the lag is 500 on average, more than the peak of those that recovered before."""
    lag = with_lag((0, 1), (300, 30), (500, 1)).lines["jobs", "work"].lag
    lines = {("jobs", "work"): line(waiting_at_end=499, lag=lag)}
    never = with_lag((0, 1), (300, 30), index=1)

    text = texts(report_of(replication(lines=lines), never, faults=FAULT), "not_recovered")[0]

    assert text.startswith(
        "the lag of jobs comes back after 'provider down' (5m to 6m40s) in only 50.0% of the replications:"
        " it is 250 at the end of the run"
    )


def test_each_occurrence_has_its_own_normal_lag():
    """After the first occurrence [100, 150) the lag settles at 5: that is normal for the second."""
    repeated = FAULT.replace("at: 300s, for: 100s", "at: 100s, for: 50s, repeat_every: 400s")

    faults = report_of(with_lag((0, 2), (100, 10), (160, 5), (500, 20), (560, 5)), faults=repeated).faults

    assert [fault.start_s for fault in faults] == [100, 500, 900]
    assert [fault.recovered_after_s.value for fault in faults] == [None, 10, 10]


def test_bad_of_a_fault_is_counted_until_the_recovery():
    bad = np.where((sample_times() > 300) & (sample_times() <= 600), 2.0, 0.0)
    run = with_lag((0, 1), (310, 9), (460, 1), objectives={"in time": outcomes(8, bad)})

    assert (
        report_of(run, objectives=IN_TIME, faults=FAULT).faults[0].bad.value == 2 * 16
    )  # samples 310 to 460


# Statistics


def test_service_numbers_are_pooled():
    """3 of 4 slots busy, then 1; 1000 and 500 messages with 1200 and 600 attempts."""
    one = service(
        attempts=1200,
        first_attempts=1000,
        first_successes=900,
        busy=over_time(3.0),
        slot_seconds=4000.0,
        failed_by_sample=np.full(100, 8),
        retried_by_sample=np.array([2] + [0] * 99),
    )
    other = service(
        attempts=600, first_attempts=500, first_successes=500, busy=over_time(1.0), slot_seconds=4000.0
    )

    numbers = report_of(
        replication(0, services={"work": one}),
        replication(1, services={"work": other}),
        services__work__cost_per_instance_hour=0.36,
    ).services.work

    assert numbers.attempts.value == 900
    assert numbers.attempts_per_message.value == 1.2
    assert numbers.attempts_per_message.low == pytest.approx(1.2)  # the same in both
    assert numbers.utilisation_ratio.value == 0.5
    assert numbers.busy_slots.value == 2.0
    assert numbers.throughput_per_s.value == 0.7
    assert numbers.instance_hours.value == pytest.approx(1000 / 3600)
    assert numbers.cost.value == pytest.approx(0.1)
    assert numbers.series.busy == [2.0] * 100
    assert numbers.series.attempts == pytest.approx([9.0] * 100)
    assert numbers.series.failed == [4.0] * 100
    assert numbers.series.retried == [1.0, *[0.0] * 99]


def test_unlimited_concurrency_has_no_utilisation():
    assert report_of(
        replication(services={"work": service(slot_seconds=math.inf)})
    ).services.work.utilisation_ratio == (
        None,
        None,
        None,
    )


def test_lag_has_an_exact_mean_and_sampled_quantiles():
    """Integral and maximum know what happened between samples; quantiles are of those measured."""
    lag = changed(over_time(np.repeat([100.0, 2.0, 8.0], [10, 81, 9])), integral=2700.0, maximum=17.0)

    stat = report_of(
        replication(lines={("jobs", "work"): line(lag=lag)}, warmup_s=100.0), run__warmup="100s"
    ).topics.jobs.consumers.work.lag

    assert (stat.count, stat.mean.value, stat.max) == (90, 3.0, 17.0)
    assert (stat.p50.value, stat.p90.value, stat.p95.value) == (2.0, 2.0, 8.0)


def test_where_time_goes_adds_up_to_the_mean():
    """990 instances of 2 s and 10 of 40 s: the slowest 1% are the ten; a quarter of the time is wait."""
    latencies = np.repeat([2.0, 40.0], [990, 10])

    its = report_of(replication(flows={"done": flow(latencies)})).flows["done"]

    assert its.latency_s.mean.value == pytest.approx(2.38)
    assert its.where_time_goes_s.mean["work.wait"].value == pytest.approx(2.38 / 4)
    assert its.where_time_goes_s["slowest_1%"]["work.wait"].value == pytest.approx(10.0)
    assert its.where_time_goes_s["slowest_1%"]["work.service"].value == pytest.approx(30.0)


def test_slowest_share_takes_part_of_a_bucket():
    """1000 instances of 2 s: the slowest ten are like all."""
    its = report_of(replication(flows={"done": flow(np.full(1000, 2.0))})).flows["done"]

    assert its.where_time_goes_s["slowest_1%"]["work.service"].value == pytest.approx(1.5)


def test_replications_stopped_early_count_as_far_as_they_came():
    short = replication(
        1,
        ended_s=500.0,
        sample_times_s=sample_times(500.0),
        services={"work": service(busy=over_time(2.0, 500.0, 50), instances_samples=np.ones(50))},
        lines={
            ("jobs", "work"): line(
                lag=over_time(3.0, 500.0, 50), waiting=over_time(0.0, 500.0, 50), age_samples=np.zeros(50)
            )
        },
    )

    report = build_report(scenario(), [replication(0), short], stopped="interrupted")

    assert not report.complete
    assert (report.run.ended_s, report.run.stopped) == (500.0, "interrupted")
    assert report.topics.jobs.consumers.work.lag.mean.value == pytest.approx((1000 + 1500) / 1500)
    assert report.topics.jobs.consumers.work.series.lag == [2.0] * 50 + [1.0] * 50
    assert "stopped early (interrupted)" in texts(report, "stopped")[0]
    assert "Stopped early, at 8m20s: interrupted" in report.to_text()


# Findings


def test_saturated_service_with_its_arithmetic():
    """66 messages/s of 40 ms on 2 slots: 1.32. Both slots are always busy, so 50 attempts/s are made."""
    busy = service(attempts=50_000, busy=over_time(2.0))
    run = replication(
        services={"work": busy},
        topics={"jobs": TopicMeasurements(66_000, 0, 0)},
        lines={("jobs", "work"): line(published=66_000, waiting_at_end=15_998, in_work_at_end=2)},
    )

    report = report_of(run, services__work__instances=2, services__work__concurrency=1)

    assert texts(report, "saturated") == [
        "work is saturated: 66.0 messages/s × 40.0 ms ÷ 2 slots = utilisation 1.32, so its lag grows by about"
        " 16.0"
        " messages/s for as long as this load lasts (16,000 at the end of the run). 3 instances would give"
        " 0.88."
    ]


def test_attempts_that_crashes_take_ask_for_no_size():
    """3 messages/s, and 9 of 10 attempts of 1 s are lost."""
    run = replication(
        services={"work": service(attempts=2000, first_attempts=200, lost=1800, busy=over_time(2.0))},
        topics={"jobs": TopicMeasurements(3000, 0, 0)},
    )

    text = texts(report_of(run), "saturated")[0]

    assert "3.00 messages/s × 10.0 attempts × 1.00 s ÷ 2 slots = utilisation 15.00" in text
    assert text.endswith("90.0% of its attempts are lost in crashes: so would those of more instances be.")


def test_saturated_log_asks_for_partitions():
    """100 messages/s of 40 ms need 4 slots; 3 partitions have at most 3 messages in work."""
    run = replication(
        services={"work": service(attempts=75_000, busy=over_time(3.0))},
        topics={"jobs": TopicMeasurements(100_000, 0, 0)},
        lines={("jobs", "work"): line(partition_published=np.array([33_000, 33_000, 34_000]))},
    )

    text = texts(report_of(run, topics__jobs__partitions=3, services__work__concurrency=8), "saturated")[0]

    assert (
        "100 messages/s × 40.0 ms ÷ 3 partitions (one message at a time in each) = utilisation 1.33" in text
    )
    assert "5 partitions with a slot each would give 0.80" in text


def test_saturated_by_its_rate_limit():
    run = replication(
        services={"work": service(attempts=50_000, busy=over_time(0.5))},
        topics={"jobs": TopicMeasurements(60_000, 0, 0)},
    )

    text = texts(report_of(run, services__work__rate_limit={"rate": "50/s"}), "saturated")[0]

    assert "60.0 messages/s ÷ 50.0/s = 1.20" in text


def test_saturated_by_repeats_that_overload_causes():
    """Without failures of its own 1 attempt is enough: 1.8/s of 0.83 s in 2 slots, not 1.6 times that."""
    work = service(attempts=2400, first_attempts=1500, busy=over_time(2.0))
    run = replication(services={"work": work}, topics={"jobs": TopicMeasurements(1800, 0, 0)})
    more = changed(run, topics={"jobs": TopicMeasurements(2400, 0, 0)})
    gateway = {"gateway": dependency(busy=over_time(2.0))}

    text = texts(report_of(run), "saturated")[0]
    waits = report_of(changed(run, dependencies=gateway), dependencies=GATEWAY, services__work__calls=CALLS)

    assert "1.80 messages/s × 1.60 attempts × 833 ms ÷ 2 slots = utilisation 1.20" in text
    assert text.endswith("With 1 attempt per message it would be 0.75.")
    assert texts(report_of(more), "saturated")[0].endswith(
        "With 1 attempt per message it would be 1.00. 2 instances would give 0.50."
    )
    assert texts(waits, "saturated")[0].endswith(
        "Its slots wait for gateway, whose 2 servers are 100% busy: more instances would only wait there."
    )


def test_a_busy_service_that_copes_is_not_saturated_but_named_as_first():
    run = replication(services={"work": service(attempts=1000, busy=over_time(1.0))})

    report = report_of(run)

    assert not texts(report, "saturated")
    assert (
        "at 2.00 times this load: on average 1.00 messages/s × 1.00 s ÷ 2 usable slots"
        in texts(report, "headroom")[0]
    )


def test_uneven_partitions_with_their_utilisation():
    """700 of 1000 messages in partition 1 of 4: 0.7/s of 1 s each are 0.7 of what one partition can do."""
    run = replication(lines={("jobs", "work"): line(partition_published=np.array([100, 700, 100, 100]))})

    text = texts(report_of(run, topics__jobs__partitions=4), "uneven_partitions")[0]

    assert "partition 1 of jobs gets 70.0% of the messages against an even share of 25.0% (2.80 times" in text
    assert "0.700 messages/s × 1.00 s ÷ 1 slot = utilisation 0.70 at work: it saturates at 1.43 times" in text


def test_retry_amplification_dead_letters_and_drops():
    failing = service(
        attempts=1500,
        first_attempts=1000,
        succeeded=900,
        failed=600,
        timed_out=300,
        retried=500,
        dead_lettered=100,
    )
    run = replication(
        services={"work": failing},
        lines={("jobs", "work"): line(rejected=50)},
        flows={"done": flow(np.full(850, 2.0), dead_lettered=100, dropped=50, in_flight=0)},
    )

    report = report_of(run, services__work__retry={"maximum_attempts": 5})

    assert (
        "1.50 attempts per message (1,500 attempts per run): retries add 50%"
        in texts(report, "retry_amplification")[0]
    )
    assert "40.0% of its attempts fail, 50.0% of these by time-out" in texts(report, "retry_amplification")[0]
    assert "10.0% of done is dead-lettered: 100 of 1,000" in texts(report, "dead_lettered")[0]
    assert "100 at work after 5 attempts" in texts(report, "dead_lettered")[0]
    assert "5.0% of done is dropped: 50 of 1,000" in texts(report, "dropped")[0]
    assert "50 rejected in jobs before work" in texts(report, "dropped")[0]


def test_retry_storm_of_a_fault():
    """Half of the attempts fail: at most 5 make 1.94 per message, and 1.4/s of 1 s then need 2.7 slots."""
    fault = FAULT.replace("outage: true", "error_rate: 50%")
    run = replication(
        services={"work": service(attempts=1400, busy=over_time(1.4))},
        topics={"jobs": TopicMeasurements(1400, 0, 0)},
    )

    text = texts(report_of(run, faults=fault, services__work__retry={"maximum_attempts": 5}), "retry_storm")[
        0
    ]

    assert (
        "50.0% of the attempts of work fail, and 1.40 messages/s × 1.94 attempts × 1.00 s ÷ 2 usable" in text
    )
    assert "= utilisation 1.36. With 1 attempt per message it would be 0.70" in text


def test_retries_that_give_up_before_the_outage_ends():
    """Waits of 1, 2, 4 and 8 s, with full jitter half of that on average, against an outage of 100 s."""
    run = replication(services={"work": service(failed=100, dead_lettered=20)})
    retry = {"maximum_attempts": 5, "jitter": "full"}

    text = texts(report_of(run, faults=FAULT, services__work__retry=retry), "impatient_retries")[0]

    assert "the 4 waits between its 5 attempts add up to at most 15.0 s, on average 7.50 s, and the" in text
    assert "outage lasts 100 s" in text


def test_retries_that_give_up_before_the_outage_ends_on_average():
    """Waits of 1, 2, 4 ... 64 s, in all 127 s, half of it on average: half of an outage of 100 s."""
    run = replication(services={"work": service(failed=100, dead_lettered=20)})
    retry = {"maximum_attempts": 8, "jitter": "full", "maximum_interval": "1h"}

    text = texts(report_of(run, faults=FAULT, services__work__retry=retry), "impatient_retries")[0]

    assert "its 8 attempts add up to at most 2.12 min, on average 63.5 s, and the outage lasts 100 s" in text
    assert "Much of what comes early in it is dead-lettered (20 per run)" in text
    patient = retry | {"jitter": "none"}
    assert not texts(report_of(run, faults=FAULT, services__work__retry=patient), "impatient_retries")


def test_dead_letters_of_own_failures_are_not_those_of_an_outage():
    """With 20% of failures 2 attempts dead-letter 4%: 40 of 1000 messages."""
    retry = {"retry": {"maximum_attempts": 2}, "failures": "20%"}
    its = {f"services__work__{field}": value for field, value in retry.items()}

    few = report_of(replication(services={"work": service(failed=99, dead_lettered=50)}), faults=FAULT, **its)
    many = report_of(
        replication(services={"work": service(failed=99, dead_lettered=80)}), faults=FAULT, **its
    )

    assert not texts(few, "impatient_retries")
    assert "(80 per run, of which about 40.0 would be without it)" in texts(many, "impatient_retries")[0]


def test_the_rate_limit_can_be_what_saturates_first():
    run = replication(services={"work": service(attempts=1000, busy=over_time(0.5))})

    text = texts(report_of(run, services__work__rate_limit={"rate": "2/s"}), "headroom")[0]

    assert (
        "at 2.00 times this load: on average 1.00 attempts/s ÷ its rate limit of 2.00/s = utilisation 0.50"
        in text
    )


def test_overload_for_a_while_says_what_would_carry_it():
    """Both slots busy in [200, 400), the lag rising by 1 per second: 3 messages/s of 1 s need 3 slots."""
    times = sample_times()
    during = (times >= 200) & (times < 400)
    lag = np.where(during, times - 199, 1.0)
    run = replication(
        services={"work": service(busy=changed(over_time(np.where(during, 2.0, 0.5)), integral=1000.0))},
        lines={("jobs", "work"): line(lag=over_time(lag))},
    )

    text = texts(report_of(run), "overloaded")[0]

    assert (
        "all its 2 usable slots busy from 3m20s to 6m30s (3.17 min), and its lag rises from 1 to 191 by 6m30s"
        in text
    )
    assert "about 1.00 messages/s on top of the 2.00 that it can do: 1.50 times its capacity" in text
    assert "2 instances would give 0.75" in text


def overloaded(**parts: object):
    """Both slots busy in [200, 400), and the lag rising by 1 per second meanwhile."""
    busy = over_time(during(200, 400, 2.0, 0.5))
    rising = np.where(busy.samples == 2.0, sample_times() - 199, 1.0)
    return replication(
        services={"work": service(busy=changed(busy, integral=1000.0))},
        lines={("jobs", "work"): line(lag=over_time(rising))},
        **parts,
    )


def test_overload_after_an_outage_counts_with_attempts_that_take_time():
    """Attempts that failed at once in the outage made the mean attempt short: 1 s each, not 0.5 s."""
    run = overloaded()
    half = changed(run.services["work"], attempts=2000)
    outage = FAULT.replace("at: 300s", "at: 800s")

    text = texts(report_of(changed(run, services={"work": half}), faults=outage), "overloaded")[0]

    assert "about 1.00 messages/s on top of the 2.00 that it can do" in text


def test_overload_by_a_redrive_names_the_rate_that_would_fit():
    """Of 1200 messages in 1000 s 200 were sent back; 2 slots do 2/s, which leaves 1/s."""
    topics = {"jobs": TopicMeasurements(1200, 0, 0), "late": TopicMeasurements(230, 30, 0)}
    redrive = REDRIVE.replace("at: 300s", "at: 200s").replace("2/s", "20/s")

    text = texts(report_of(overloaded(topics=topics), faults=redrive, text=DEAD_LETTERS), "overloaded")[0]

    assert text.endswith(
        "That is about 1.00 messages/s more than it can do: 'replay' brings 20.0/s on top of the 1.00/s that"
        " come anyway. A redrive would fit below 2.00 - 1.00 = 1.00/s."
    )
    topics["jobs"] = TopicMeasurements(2400, 0, 0)
    full = texts(report_of(overloaded(topics=topics), faults=redrive, text=DEAD_LETTERS), "overloaded")[0]
    assert "which is all that it can do (2.00/s): no redrive would fit" in full


def test_overload_by_redrives_of_two_topics_adds_up_their_rates():
    """The second fault of `late` sends nothing on top of the first one."""
    names = ("jobs", "late", "later")
    topics = {name: TopicMeasurements(1200, 1200 * (name != "jobs"), 0) for name in names}
    text = DEAD_LETTERS.replace(
        "jobs: {}, late: {}", "jobs: {message_ttl: 1h, dead_letter: later}, late: {}, later: {}"
    )
    slow = REDRIVE.replace("at: 300s", "at: 200s").replace("2/s", "0.5/s")
    fast = slow.replace("0.5/s", "20/s").replace("topics.late", "topics.later")
    faults = ", ".join([slow, slow.replace("replay", "twice"), fast.replace("replay", "again")])

    found = texts(report_of(overloaded(topics=topics), faults=faults, text=text), "overloaded")[0]

    assert found.endswith(
        "'replay' (0.500/s) and 'again' (20.0/s) bring 20.5/s on top of the 1.20/s that come anyway. Redrives"
        " would fit together below 2.00 - 1.20 = 0.800/s."
    )


def test_overload_at_a_busy_dependency_asks_for_no_instances():
    """In [200, 400) both servers are busy; at other times the service alone is too small."""
    its = {"dependencies": GATEWAY, "services__work__calls": CALLS}
    waits = overloaded(dependencies={"gateway": dependency(busy=over_time(during(200, 400, 2.0, 0.5)))})
    idle = overloaded(dependencies={"gateway": dependency(busy=over_time(0.5))})

    assert texts(report_of(waits, **its), "overloaded")[0].endswith(
        "more than it can do while its slots wait for gateway, whose 2 servers are 100% busy: more instances"
        " would only wait there."
    )
    roomy = its | {"dependencies": {"gateway": {"capacity": 4, "service_time": "1s"}}}
    assert "2 instances would give 0.75" in texts(report_of(idle, **roomy), "overloaded")[0]
    assert (
        "No number of instances is enough: they would ask gateway for 3.00 requests/s × 1.00 s ="
        " 3.00 servers, and it has 2." in texts(report_of(idle, **its), "overloaded")[0]
    )


def test_latency_of_survivors_only():
    run = replication(
        flows={
            "done": flow(
                np.full(600, 2.0), in_flight_ages=Histogram.of(np.repeat([100.0, 400.0], [300, 100]))
            )
        }
    )

    text = texts(report_of(run), "survivors_only")[0]

    assert "40.0% of done (400 of 1,000 per run) is in flight at the end" in text
    assert "half of it older than 100 s, the oldest 6.67 min" in text


def test_latency_of_clients_is_not_only_that_of_survivors():
    """As many clients wait at any time: only those that wait longer than anybody before are stuck."""
    its = {"producers__source__arrivals": {"clients": {"count": 20, "think_time": "10s"}}}
    ages = {"steady": np.full(20, 1.0), "stuck": np.full(20, 100.0)}
    runs = {
        name: replication(flows={"done": flow(np.full(980, 2.0), in_flight_ages=Histogram.of(its_ages))})
        for name, its_ages in ages.items()
    }

    assert not texts(report_of(runs["steady"], **its), "survivors_only")
    assert len(texts(report_of(runs["stuck"], **its), "survivors_only")) == 1
    assert len(texts(report_of(runs["steady"]), "survivors_only")) == 1


RING = """
name: ring
run: {duration: 1000s, sample_every: 10s}
topics:
  there: {capacity: 5, when_full: block}
  back: {capacity: 5, when_full: block}
producers: {source: {topic: there, arrivals: {poisson: 1/s}}}
services:
  ping: {consumes: there, service_time: 1s, emits: {topic: back, probability: 50%}}
  pong: {consumes: back, service_time: 1s, emits: {topic: there, probability: 50%}}
"""


def test_deadlock_of_a_ring_of_full_topics():
    busy = over_time(np.repeat([0.0, 1.0], [42, 58]))
    stuck = line(blocked_at_end=1, in_work_at_end=1, waiting_at_end=5)
    run = replication(
        services={name: service(busy=busy) for name in ("ping", "pong")},
        topics={name: TopicMeasurements(500, 0, 0) for name in ("there", "back")},
        lines={("there", "ping"): stuck, ("back", "pong"): stuck},
        flows={},
    )

    report = build_report(loads(RING), [run])

    assert "deadlock: ping → pong → ping" in texts(report, "deadlock")[0]
    assert (
        "1 slot of ping on back and 1 slot of pong on there), since 7m, in 100% of the replications"
        in texts(report, "deadlock")[0]
    )
    assert not texts(report, "back_pressure")


def test_blocked_without_a_cycle_is_back_pressure():
    run = replication(
        services={name: service() for name in ("ping", "pong")},
        topics={"there": TopicMeasurements(500, 0, 12), "back": TopicMeasurements(500, 0, 0)},
        lines={("there", "ping"): line(blocked_at_end=1, in_work_at_end=1), ("back", "pong"): line()},
        flows={},
    )

    found = texts(build_report(loads(RING), [run]), "back_pressure")

    assert "ping ends the run with 1 of 1 slots held" in found[0]
    assert "the full topic there holds back 12 publishes" in found[1]


def test_time_spent_waiting_to_publish_is_no_lack_of_slots():
    """ping holds its slot for 10 s, 9 of them for room in back: its own work of 1 s would fit."""
    run = replication(
        services={
            "ping": service(attempts=100, busy=over_time(1.0), service=Histogram.of(np.full(100, 10.0))),
            "pong": service(attempts=1000, busy=over_time(1.0)),
        },
        topics={"there": TopicMeasurements(500, 0, 0), "back": TopicMeasurements(1000, 0, 0)},
        lines={("there", "ping"): line(blocked_at_end=1, in_work_at_end=1), ("back", "pong"): line()},
        flows={},
    )

    report = build_report(loads(RING), [run])

    assert texts(report, "saturated") == [
        "pong is saturated: 1.00 messages/s × 1.00 s ÷ 1 slot = utilisation 1.00, so what is to be published"
        " to back waits until it has room. More instances would take more of it; how much more that is"
        " cannot be seen while it waits."
    ]
    assert not texts(report, "overloaded")
    assert not texts(report, "headroom")


def test_clients_that_wait_bound_what_a_busy_service_is_asked():
    clients = {"clients": {"count": 5, "think_time": 0}}
    run = replication(services={"work": service(busy=over_time(2.0))})

    text = texts(report_of(run, producers__source__arrivals=clients), "saturated")

    assert text == [
        "work is saturated: its slots are 100% busy. Only clients that wait for their answers feed it, 5"
        " clients of source: they bound what waits for it, and more instances would be asked more."
    ]


def test_saturated_without_an_excess_does_not_speak_of_one():
    run = replication(services={"work": service(busy=over_time(2.0))})

    text = texts(report_of(run), "saturated")[0]

    assert "utilisation 1.00, so it has nothing to spare (a lag of 1 at the end of the run)" in text


JOINED = """
name: joined
run: {duration: 1000s, sample_every: 10s}
topics: {jobs: {}, a: {capacity: 2, when_full: block}, b: {capacity: 2, when_full: block}}
producers: {source: {topic: jobs, arrivals: {poisson: 1/s}}}
services:
  fork: {consumes: jobs, service_time: 0, emits: [{topic: a, copies: 3}, b]}
  merge: {consumes: [a, b], join: true, service_time: 1s}
"""


def test_deadlock_of_a_join_whose_publisher_is_held_back():
    run = replication(
        services={"fork": service(attempts=1), "merge": service(attempts=0)},
        topics={
            name: TopicMeasurements(number, 0, 0) for name, number in (("jobs", 900), ("a", 2), ("b", 0))
        },
        lines={
            ("jobs", "fork"): line(blocked_at_end=1, in_work_at_end=1, waiting_at_end=899),
            ("a", "merge"): line(published=2, waiting_at_end=2, in_work_at_end=0),
            ("b", "merge"): line(published=0, in_work_at_end=0),
        },
        flows={},
    )
    some = changed(run, lines=run.lines | {("b", "merge"): line(waiting_at_end=1, in_work_at_end=0)})

    stuck, moving = build_report(loads(JOINED), [run]), build_report(loads(JOINED), [some])

    assert texts(stuck, "deadlock") == [
        "deadlock: merge joins a with b. fork waits to publish into a, which is full with 2 messages (1 slot,"
        " since 0s), and these wait for a partner in b, which is empty and only fork publishes to; in 100% of"
        " the replications. Nothing here moves again: a needs room for all that fork publishes to it before"
        " the partners in b come."
    ]
    assert not texts(stuck, "saturated")
    assert not texts(stuck, "back_pressure")
    assert not texts(moving, "deadlock")


def test_undecided_says_how_many_more_replications_would_do():
    """The half width has to shrink from 12.7 points to 1: 12.706² = 161.4 times as many replications."""
    runs = [
        replication(0, objectives={"in time": outcomes(9.9, 0.1)}),
        replication(1, objectives={"in time": outcomes(9.7, 0.3)}),
    ]

    text = texts(report_of(*runs, objectives=IN_TIME), "undecided")[0]

    assert "98.0% (85.3% to 100%) against 99%" in text
    assert "about 321 more replications decide it" in text
    assert "±12.7 points now, 1.00 needed" in text


def test_idle_instances():
    report = report_of(replication(), topics__jobs__partitions=4, services__work__instances=6)

    assert texts(report, "idle_instances") == [
        "work has 6 instances for 4 partitions: 2 of them own none and stay idle."
    ]


def test_every_finding_has_a_number_and_a_subject():
    run = with_lag((0, 1), (300, 30), objectives={"in time": outcomes(5, 5)})

    for finding in report_of(run, objectives=f"{IN_TIME}, {KEEPS_UP}", faults=FAULT).data["findings"]:
        assert any(character.isdigit() for character in finding["text"]), finding
        assert finding["subject"].split(".")[0] in (
            "run", "services", "topics", "flows", "objectives", "faults",
        ), finding  # fmt: skip


# Mechanisms: findings


GATEWAY = {"gateway": {"capacity": 2, "service_time": "1s"}}
CALLS = [{"dependency": "gateway", "timeout": "5s"}]
TWO_TOPICS = SCENARIO.replace("topics: {jobs: {}}", "topics: {jobs: {}, late: {}}")


def mechanised(lines: object = None, numbers: dict | None = None, index: int = 0, **its: object):
    """A replication whose service `work` has mechanisms; numbers: those of the service itself."""
    work = service(mechanisms=mechanisms(**its), **(numbers or {}))
    return replication(index, services={"work": work}, lines={("jobs", "work"): lines or line()})


def during(start_s: float, end_s: float, inside: float, outside: float) -> np.ndarray:
    """Samples that are `inside` in [start, end) and `outside` before and after."""
    times = sample_times()
    return np.where((times >= start_s) & (times < end_s), inside, outside)


def test_mechanisms_are_reported_with_their_units():
    """Of 4 partitions 2 stand still for 100 s: 50 s each. The breaker is open for 30 s."""
    its = mechanised(
        starts=3,
        crashes=2,
        rebalances=6,
        partitions=4,
        stopped=over_time(during(100, 200, 2.0, 0.0)),
        held_ahead=over_time(during(0, 500, 8.0, 0.0)),
        opened=2,
        open=over_time(during(600, 630, 1.0, 0.0)),
        denied_retries=7,
        wanted=over_time(during(0, 500, 1.0, 3.0)),
        scalings=np.array([[500.0, 1.0, 3.0]]),
    )

    numbers = report_of(its).services.work.mechanisms

    assert (numbers.instance_starts.value, numbers.crashes.value, numbers.rebalances.value) == (3, 2, 6)
    assert numbers.stopped_s.value == 50
    assert (numbers.prefetched.mean.value, numbers.prefetched.max) == (4, 8)
    assert (numbers.breaker_opened.value, numbers.breaker_open_s.value) == (2, 30)
    assert numbers.denied_retries.value == 7
    assert (numbers.instances.mean.value, numbers.instances.max) == (2, 3)
    assert report_of(its).data["services"]["work"]["mechanisms"]["scalings"] == [
        {"at_s": 500.0, "from": 1, "to": 3}
    ]
    assert numbers.series.instances == [1.0] * 50 + [3.0] * 50


def test_a_service_without_mechanisms_has_none_in_the_report():
    assert "mechanisms" not in report_of(replication()).services.work


def test_a_queue_has_no_partitions_that_stand_still():
    assert report_of(mechanised()).services.work.mechanisms.stopped_s == (None, None, None)


def test_utilisation_with_instances_that_change():
    """1 instance of 2 slots for 500 s, then 3: 4000 slot seconds, of which 2000 are busy."""
    numbers = {
        "slot_seconds": 4000.0,
        "busy": over_time(2.0),
        "instances_samples": during(500, 1e9, 3.0, 1.0),
    }

    work = report_of(mechanised(numbers=numbers)).services.work

    assert work.utilisation_ratio.value == 0.5
    assert work.series.instances == [1.0] * 50 + [3.0] * 50


def test_a_service_of_several_topics_has_a_line_in_each():
    run = replication(
        topics={name: TopicMeasurements(1000, 0, 0) for name in ("jobs", "late")},
        lines={("jobs", "work"): line(finished=700), ("late", "work"): line(finished=299, shed=5)},
    )

    topics = report_of(run, text=TWO_TOPICS, services__work__consumes=["jobs", "late"]).topics

    assert topics.jobs.consumers.work.finished.value == 700
    assert topics.late.consumers.work.shed.value == 5


def test_time_in_a_redrive_is_time_at_rest_in_the_topic():
    parts = ("work.wait", "late/redrive.wait", "late/redrive.service", "work.rebalance")
    one = flow()
    quarter = one.parts_by_bucket.sum(axis=1, keepdims=True) / 4
    run = replication(
        flows={"done": changed(one, parts=parts, parts_by_bucket=np.repeat(quarter, 4, axis=1))}
    )

    where = report_of(run).flows["done"].where_time_goes_s

    assert list(where.mean) == ["work.wait", "late.resting", "work.rebalance"]
    assert where.mean["late.resting"].value == pytest.approx(1.0)
    assert where["slowest_1%"]["late.resting"].value == pytest.approx(1.0)


def test_dependency_numbers():
    """900 calls and 100 second requests, half of the 2 servers busy."""
    gateway = dependency(failed=50, answered=900, refused=30, cancelled=20, hedged=100, timed_out=10)

    numbers = report_of(replication(dependencies={"gateway": gateway}), dependencies=GATEWAY).dependencies

    assert (numbers.gateway.calls.value, numbers.gateway.failed.value) == (1000, 50)
    assert (numbers.gateway.utilisation_ratio.value, numbers.gateway.busy_servers.value) == (0.5, 1.0)
    assert numbers.gateway.wait_s.count == 1000
    assert numbers.gateway.series.busy == [1.0] * 100


def test_saturation_of_changing_instances_counts_the_slots_that_were_there():
    """2 instances of 2 slots for half of the time, then 4: 6 slots on average, and 7.2 are needed."""
    up = during(500, 1e9, 4.0, 2.0)
    run = replication(
        services={
            "work": service(
                attempts=6000,
                busy=over_time(2 * up),
                slot_seconds=6000.0,
                instances_samples=up,
                mechanisms=mechanisms(wanted=over_time(up)),
            )
        },
        topics={"jobs": TopicMeasurements(7200, 0, 0)},
    )
    autoscale = {"metric": "lag", "target": 10, "maximum": 4}

    report = report_of(run, services__work__autoscale=autoscale)

    text = texts(report, "saturated")[0]
    assert not texts(report, "headroom")
    assert "7.20 messages/s × 1.00 s ÷ 6 slots = utilisation 1.20" in text
    assert "4 instances would give 0.90; the autoscaler may ask for up to 4, but had 3.00 on average" in text


def test_saturation_beyond_an_autoscaler_says_where_it_stops():
    run = replication(
        services={
            "work": service(
                attempts=4000, busy=over_time(4.0), slot_seconds=4000.0, instances_samples=np.full(100, 2.0),
                mechanisms=mechanisms(wanted=over_time(2.0)),
            )
        },
        topics={"jobs": TopicMeasurements(5000, 0, 0)},
    )  # fmt: skip
    autoscale = {"metric": "lag", "target": 10, "maximum": 2}

    text = texts(report_of(run, services__work__autoscale=autoscale), "saturated")[0]

    assert "÷ 4 slots = utilisation 1.25" in text
    assert "3 instances would give 0.83; the autoscaler stops at 2." in text


def test_headroom_is_up_to_all_that_an_autoscaler_may_add():
    """1 message/s of 1 s on 2 instances of 2 slots at most."""
    autoscale = {"metric": "lag", "target": 10, "maximum": 2}
    up = mechanised(numbers={"instances_samples": np.ones(100)})

    text = texts(report_of(up, services__work__autoscale=autoscale), "headroom")[0]

    assert "at 4.00 times this load" in text
    assert "÷ 4 usable slots (of its most instances, 2) = utilisation 0.25" in text


def test_headroom_of_a_dependency_that_is_nearer_to_its_limit():
    gateway = dependency(busy=over_time(1.6))

    text = texts(
        report_of(
            replication(dependencies={"gateway": gateway}),
            dependencies=GATEWAY,
            services__work__calls=CALLS,
        ),
        "headroom",
    )[0]

    assert "gateway would saturate first, at 1.25 times this load" in text
    assert "1.00 requests/s × 1.60 s ÷ 2 servers = utilisation 0.80" in text


def test_dependency_saturated_names_its_callers():
    gateway = dependency(busy=over_time(2.0), wait=Histogram.of(np.full(1000, 30.0)))

    text = texts(
        report_of(
            replication(dependencies={"gateway": gateway}),
            dependencies=GATEWAY,
            services__work__calls=CALLS,
        ),
        "dependency_saturated",
    )[0]

    assert "gateway is saturated: 1.00 requests/s × 2.00 s ÷ 2 servers = utilisation 1.00" in text
    assert "inside the attempts of work (1.00 attempts/s)" in text
    assert "3 servers would give 0.67" in text


def test_dependency_saturated_by_repeats_gives_the_load_of_first_attempts():
    """3000 requests of 0.67 s by 1000 messages that need one each: 0.33 of its servers."""
    run = replication(
        services={"work": service(attempts=3000, first_attempts=1000)},
        dependencies={"gateway": dependency(requests=3000, busy=over_time(2.0))},
    )

    report = report_of(run, dependencies=GATEWAY, services__work__calls=CALLS)

    assert (
        "3.00 requests/s × 667 ms ÷ 2 servers = utilisation 1.00" in texts(report, "dependency_saturated")[0]
    )
    assert texts(report, "dependency_saturated")[0].endswith(
        "With 1 attempt per message of work (it makes 3.00) it would be 1.00 requests/s and a utilisation of"
        " 0.33."
    )


def test_calls_of_different_length_are_weighed_without_repeats():
    """Each message calls for 1 s and for 0.2 s: 2 requests/s of 0.6 s on average, when tried once."""
    calls = [*CALLS, CALLS[0] | {"service_time": "200ms"}]
    run = replication(
        services={"work": service(attempts=3000, first_attempts=1000)},
        dependencies={"gateway": dependency(requests=6000, busy=over_time(2.0))},
    )

    text = texts(report_of(run, dependencies=GATEWAY, services__work__calls=calls), "dependency_saturated")[0]

    assert text.endswith("it would be 2.00 requests/s and a utilisation of 0.60.")


def test_dependency_overloaded_for_a_while_says_whose_slots_wait():
    """Both servers busy in [200, 400), 40 requests waiting for them, of 2 slots instead of 0.5."""
    gateway = dependency(
        busy=over_time(during(200, 400, 2.0, 0.75)), waiting=over_time(during(200, 400, 40.0, 0.0))
    )
    run = replication(
        services={"work": service(busy=over_time(during(200, 400, 2.0, 0.5)))},
        dependencies={"gateway": gateway},
    )
    fault = FAULT.replace("services.work", "dependencies.gateway").replace("at: 300s", "at: 100s")

    report = report_of(run, dependencies=GATEWAY, services__work__calls=CALLS)
    after = storm_of(run, fault, {"maximum_attempts": 2}, dependencies=GATEWAY, services__work__calls=CALLS)

    assert texts(report, "dependency_overloaded") == [
        "gateway has all its 2 servers busy from 3m20s to 6m30s (3.17 min), and up to 40 requests wait for"
        " one; over the run it is 50% busy. It can do 2 servers ÷ 1.00 s = 2.00 requests/s. Busy slots of its"
        " callers meanwhile: 2 of work (0.500 at other times); more of them would only wait here."
    ]
    assert not texts(report, "headroom")
    assert "(3.17 min) after 'provider down'" in texts(after, "dependency_overloaded")[0]


def test_work_that_nobody_waits_for():
    """1000 requests are 900 calls and 100 second ones; 90 of the 900 calls time out and go on."""
    run = replication(dependencies={"gateway": dependency(hedged=100, timed_out=90, answered=1000)})

    goes_on = report_of(run, dependencies=GATEWAY, services__work__calls=CALLS)
    cancelling = report_of(
        replication(dependencies={"gateway": dependency(hedged=100, timed_out=90, cancelled=80)}),
        dependencies=GATEWAY,
        services__work__calls=[CALLS[0] | {"cancel": "true"}],
    )

    text = texts(goes_on, "calls_nobody_waits_for")[0]
    assert "90 of 900 calls of gateway (10.0%) time out" in text
    assert "at least 9.0% of its requests are in vain" in text
    assert "80 requests were cancelled" in texts(cancelling, "calls_nobody_waits_for")[0]


def test_refused_and_hedged_requests():
    gateway = dependency(refused=50, hedged=100, cancelled=60)
    declared = {"gateway": {"capacity": 2, "service_time": "1s", "queue_limit": 5}}

    report = report_of(replication(dependencies={"gateway": gateway}), dependencies=declared)

    assert texts(report, "dependency_refuses") == [
        "gateway refuses 50 of 1,000 requests (5.0%): 5 may wait, and each one more fails at once."
    ]
    assert "100 second requests for 900 calls of gateway: it adds 11.1%" in texts(report, "hedging")[0]
    assert "60 requests were cancelled" in texts(report, "hedging")[0]


def test_retry_storm_of_a_dependency_that_fails():
    """In its outage every attempt of the caller fails after its service time: 5 attempts of 1 s each."""
    fault = FAULT.replace("services.work", "dependencies.gateway")
    run = replication(
        services={"work": service(attempts=1000, busy=over_time(1.5))},
        dependencies={"gateway": dependency()},
    )
    its = {"dependencies": GATEWAY, "services__work__calls": CALLS}
    retry = {"maximum_attempts": 5}

    text = texts(storm_of(run, fault, retry, **its), "retry_storm")[0]

    assert (
        "100% of the attempts of work fail, and 1.00 messages/s × 5.00 attempts × 1.00 s ÷ 2 usable" in text
    )
    assert "= utilisation 2.50" in text


def test_retry_budget_and_circuit_breaker_prevent_a_retry_storm():
    fault = FAULT.replace("outage: true", "error_rate: 50%")
    run = replication(
        services={"work": service(attempts=1400, busy=over_time(1.4))},
        topics={"jobs": TopicMeasurements(1400, 0, 0)},
    )
    retry, budget = {"maximum_attempts": 5}, {"kind": "cap", "ratio": "10%"}

    assert texts(storm_of(run, fault, retry), "retry_storm")
    assert not texts(storm_of(run, fault, retry, services__work__retry_budget=budget), "retry_storm")
    assert not texts(storm_of(run, fault, retry, services__work__circuit_breaker={}), "retry_storm")


def test_a_dependency_that_is_only_slower_makes_no_retry_storm():
    fault = FAULT.replace("services.work", "dependencies.gateway").replace("outage: true", "slowdown: 3x")
    run = replication(services={"work": service(busy=over_time(2.0))}, dependencies={"gateway": dependency()})
    its = {"dependencies": GATEWAY, "services__work__calls": CALLS, "services__work__failures": "2%"}

    assert not texts(storm_of(run, fault, {"maximum_attempts": 5}, **its), "retry_storm")


def storm_of(run, fault: str, retry: dict, **overrides: object) -> Report:
    """Overrides first: a fault of a dependency needs its dependency."""
    text = SCENARIO + f"faults: [{fault}]\n"
    changes = {path.replace("__", "."): value for path, value in overrides.items()}
    return build_report(loads(text, overrides=[*changes.items(), ("services.work.retry", retry)]), [run])


def test_retries_that_give_up_before_the_outage_of_a_dependency_ends():
    fault = FAULT.replace("services.work", "dependencies.gateway")
    run = replication(
        services={"work": service(failed=100, dead_lettered=20)}, dependencies={"gateway": dependency()}
    )

    report = storm_of(run, fault, {"maximum_attempts": 3}, dependencies=GATEWAY, services__work__calls=CALLS)

    assert (
        "'provider down' outlasts the patience of work: the 2 waits" in texts(report, "impatient_retries")[0]
    )


def test_rebalances_with_the_time_that_partitions_stand_still():
    parts = ("work.wait", "work.rebalance")
    one = mechanised(
        rebalances=6, crashes=1, partitions=4, stopped=over_time(during(100, 200, 2.0, 0.0)),
    )  # fmt: skip
    run = changed(one, flows={"done": changed(flow(), parts=parts)})
    rebalance = {"protocol": "eager", "pause": "3s", "session_timeout": "45s"}

    text = texts(
        report_of(run, topics__jobs__partitions=4, services__work__rebalance=rebalance), "rebalances"
    )[0]

    assert "the partitions of work stand still for 50.0 s each on average, 5.0% of the time" in text
    assert (
        "6 rebalances per run (eager: all stop for 3.00 s) and 1 crash, each missed only after 45.0 s" in text
    )
    assert "That is 75.0% of the mean latency of done (1.50 s)." in text


def test_partitions_that_change_hands_at_once_are_an_assumption():
    run = mechanised(starts=2, crashes=1, partitions=4)

    text = texts(report_of(run, topics__jobs__partitions=4), "instant_owners")[0]

    assert "(2 starts and 1 crash per run), but the scenario has no `rebalance`" in text
    assert not texts(report_of(mechanised(starts=2)), "instant_owners")


def test_prefetch_keeps_messages_from_free_slots():
    """In [0, 300) 12 messages are held while one of the two slots is free; later both are busy."""
    run = mechanised(
        numbers={"busy": over_time(during(0, 300, 1.0, 2.0))}, held_ahead=over_time(during(0, 600, 12.0, 0.0))
    )

    text = texts(report_of(run, services__work__prefetch=20), "prefetch_hoarding")[0]

    assert "in 30.0% of the samples 12 messages on average (at most 12) were held ahead and 1 slots" in text
    assert not texts(
        report_of(run, services__work__prefetch=20, services__work__rate_limit={"rate": "2/s"}),
        "prefetch_hoarding",
    )


def test_visibility_timeout_shorter_than_the_work():
    """1300 attempts, 1000 first ones and 100 retries: 200 came because the time-out of 2 s ran out."""
    run = mechanised(
        numbers={
            "attempts": 1300, "first_attempts": 1000, "retried": 100, "failed": 100, "duplicates": 150,
            "service": Histogram.of(np.repeat([1.0, 8.0], [900, 100])),
        }
    )  # fmt: skip

    report = report_of(run, services__work__visibility_timeout="2s")

    text = texts(report, "early_redelivery")[0]
    assert "its visibility timeout is 2.00 s, and its attempts take up to 8.00 s (p99 8.00 s)" in text
    assert (
        "200 of 1,300 attempts per run (15.4%) are such redeliveries, and 150 succeed a second time" in text
    )
    assert "retries and redeliveries add 30% to its attempts" in texts(report, "retry_amplification")[0]


def test_attempts_that_are_lost_with_their_instance():
    run = mechanised(numbers={"attempts": 1020, "lost": 20}, crashes=5)

    assert texts(report_of(run), "lost_attempts") == [
        "20 of 1,020 attempts of work per run (2.0%) are lost in 5 crashes of its instances: their messages"
        " are delivered again at once, and the work is done anew."
    ]


def test_delivery_limit_is_what_the_line_gave_up_and_the_service_did_not():
    run = changed(
        mechanised(lines=line(dead_lettered=30), numbers={"dead_lettered": 10, "failed": 10, "lost": 70}),
        flows={"done": flow(np.full(970, 2.0), dead_lettered=30, in_flight=0)},
    )

    report = report_of(run, services__work__retry={"maximum_attempts": 3})

    assert (
        "20 messages of work per run are dead-lettered though no attempt failed"
        in texts(report, "delivery_limit")[0]
    )
    assert (
        "10 at work after 3 attempts and 20 by the delivery limit of work"
        in texts(report, "dead_lettered")[0]
    )


def test_success_after_the_delivery_limit_is_no_second_one():
    """3000 attempts for 1000 messages, each overtaken three times and given up; 900 succeed then."""
    run = mechanised(
        lines=line(dead_lettered=1000, finished=0),
        numbers={
            "attempts": 3000, "first_attempts": 1000, "succeeded": 900, "first_successes": 0,
            "duplicates": 900, "service": Histogram.of(np.ones(3000)),
        },
    )  # fmt: skip
    limits = {"services__work__retry": {"maximum_attempts": 3}, "services__work__visibility_timeout": "50ms"}

    report = report_of(run, **limits)
    once = report_of(
        mechanised(
            lines=line(dead_lettered=1),
            numbers={"duplicates": 1, "first_successes": 19, "attempts": 19, "first_attempts": 19},
        ),
        **limits,
    )

    assert texts(report, "early_redelivery")[0].endswith(
        "2,000 of 3,000 attempts per run (66.7%) are such redeliveries, and 900 attempts succeed after their"
        " message was settled or given up, which emits nothing."
    )
    assert texts(report, "delivery_limit")[0].endswith(
        "`maximum_attempts` counts deliveries, and 3 had begun and were overtaken (3,000 attempts)."
    )
    assert "redeliver" not in texts(once, "early_redelivery")[0]
    assert "1 attempt succeeds after its message was settled" in texts(once, "early_redelivery")[0]
    assert texts(once, "delivery_limit")[0].endswith("were overtaken (1 attempt).")


def test_blocking_retries_hold_the_head_of_the_line():
    """Of a lag of 8 there wait 5.5, and 1 is in work: 1.5 back off, and hold 4 partitions for 1500 s."""
    run = replication(
        services={"work": service(failed=200, retried=200, wait=Histogram.of(np.full(1000, 3.0)))},
        lines={
            ("jobs", "work"): line(
                lag=over_time(8.0), waiting=over_time(5.5), partition_lag_max_samples=np.full(100, 6.0)
            )
        },
    )

    text = texts(
        report_of(
            run, topics__jobs__partitions=4, services__work__retry={"maximum_attempts": 3, "blocking": "true"}
        ),
        "head_of_line",
    )[0]

    assert "200 retries per run wait 25.0 min in all, which is 37.5% of the time of its 4 partitions" in text
    assert "attempts wait 3.00 s on average" in text
    assert "worst partition of jobs has a lag of 6 on average and 6 at most, all of them together 8" in text


def test_headroom_counts_partitions_that_blocking_retries_hold():
    """1 message/s of 1 s in 2 partitions; of a lag of 1.5 another 0.5 back off. Delays: as flows tell."""
    run = replication(
        lines={("jobs", "work"): line(lag=over_time(1.5), partition_published=np.array([500, 500]))},
        services={"work": service(retried=40)},
        flows={"done": changed(flow(), parts=("work.retry", "work.service"))},
    )
    retry = {"maximum_attempts": 3, "blocking": "true"}

    its = {"topics__jobs__partitions": 2, "services__work__retry": retry}
    text = texts(report_of(run, **its), "headroom")[0]
    delayed = texts(report_of(run, **its, topics__jobs__delay="1s"), "headroom")[0]

    assert "partitions 0.75." in delayed
    assert "at 1.33 times this load" in text
    assert "= utilisation 0.50, and with the time that blocking retries hold its partitions 0.75." in text


def test_event_lag_that_is_nothing_has_no_axis():
    run = replication(lines={("jobs", "work"): line(event_lag=Histogram.of(np.zeros(1000)))})

    section = report_of(run).to_text().split("EVENT LAG")[1].split("\n\n")[0]

    assert section.splitlines() == [
        "  published to first taken",
        "topic → consumer  at once  p50  p99  max",
        "jobs → work          100%    0    0    0",
    ]


def test_batches_have_a_capacity_in_messages():
    """2 slots x 100 messages in 1 s + 100 x 10 ms: 100/s, and 50/s come."""
    run = replication(
        services={"work": service(attempts=50_000, busy=over_time(1.5))},
        topics={"jobs": TopicMeasurements(50_000, 0, 0)},
    )
    batch = {"max_messages": 100, "per_message": "10ms"}

    report = report_of(run, services__work__batch=batch)

    text = texts(report, "batch_capacity")[0]
    assert (
        "100 messages/s in full batches: 2 usable slots × 100 messages ÷ (1.00 s + 100 × 10.0 ms = 2.00"
        in text
    )
    assert "50.0 messages/s, 0.50 times that, and each holds a slot for 30.0 ms on average" in text
    assert (
        "at 2.00 times this load: on average 50.0 messages/s × 20.0 ms ÷ 2 usable slots (in full batches of"
        " 100)" in texts(report, "headroom")[0]
    )


def test_a_join_whose_partners_never_come():
    """Of each message of jobs a second service makes one of late, and not of all."""
    text = TWO_TOPICS.replace(
        "services: {", "services: {second: {consumes: jobs, emits: late, service_time: 1s}, "
    )
    run = replication(
        services={"second": service(), "work": service()},
        topics={"jobs": TopicMeasurements(1000, 0, 0), "late": TopicMeasurements(770, 0, 0)},
        lines={
            ("jobs", "second"): line(),
            ("jobs", "work"): line(waiting_at_end=233, finished=766),
            ("late", "work"): line(waiting_at_end=3, finished=766, published=770),
        },
    )

    found = texts(
        report_of(run, text=text, services__work__consumes=["jobs", "late"], services__work__join="true"),
        "join_alone",
    )[0]

    assert "233 messages of jobs waiting and 3 of late: 230 lack a partner" in found
    assert "Published were 1,000 to jobs and 770 to late; what never gets a partner waits for ever" in found


def test_circuit_breaker_makes_a_partial_failure_total():
    fault = FAULT.replace("outage: true", "error_rate: 60%")
    run = mechanised(
        lines=line(waiting=over_time(during(300, 400, 250.0, 0.0))),
        opened=3,
        open=over_time(during(320, 400, 1.0, 0.0)),
    )

    text = texts(report_of(run, faults=fault, services__work__circuit_breaker={}), "circuit_breaker")[0]

    assert "opens 3 times per run and is open for 80.0 s in all (8.0% of the time)" in text
    assert "meanwhile up to 250 messages wait" in text
    assert "'provider down' fails 60.0% of the attempts, the open breaker stops all" in text


def test_retry_budget_denies_retries():
    run = mechanised(
        numbers={"attempts": 1100, "first_attempts": 1000, "failed": 400, "retried": 100}, denied_retries=250
    )

    text = texts(
        report_of(
            run,
            services__work__retry={"maximum_attempts": 5},
            services__work__retry_budget={"kind": "cap", "ratio": "10%"},
        ),
        "retry_budget",
    )[0]

    assert "(cap, 10%) denies 250 retries per run and lets 100 through" in text
    assert "allows attempts up to 5. Attempts per message stay at 1.10." in text


def test_shed_messages():
    run = mechanised(
        lines=line(shed=120, finished=879), numbers={"wait": Histogram.of(np.full(880, 4.0))}
    )  # fmt: skip

    text = texts(report_of(run, services__work__shed={"wait_over": "5s"}), "shed")[0]

    assert (
        "work sheds 120 of 1,000 messages per run (12.0%, 0.120 per second), having waited longer than"
        in text
    )
    assert "What it takes has waited 4.00 s on average" in text


def test_no_instance_is_up():
    down = mechanised(numbers={"instances_samples": np.repeat([1.0, 0.0], [8, 92])})

    assert texts(report_of(down), "no_instance") == [
        "no instance of work is up for 92.0% of the measured time."
    ]
    assert not texts(report_of(mechanised()), "no_instance")


def test_autoscaler_reacts_late_to_a_step_of_the_load():
    """The load doubles at 300 s; at 375 s a second instance is asked for, at 400 s it is up."""
    profile = [{"at": "300s", "factor": "1x"}, {"at": "300s", "factor": "2x"}]
    run = mechanised(
        numbers={"instances_samples": during(400, 1e9, 2.0, 1.0)},
        wanted=over_time(during(380, 1e9, 2.0, 1.0)),
        scalings=np.array([[100.0, 1.0, 2.0], [150.0, 2.0, 1.0], [375.0, 1.0, 2.0]]),
    )

    text = texts(
        report_of(
            run,
            producers__source__arrivals={"poisson": "1/s", "profile": profile},
            services__work__autoscale={"metric": "lag", "target": 10, "maximum": 8, "metric_delay": "30s"},
            services__work__startup_time="20s",
        ),
        "autoscaler_lag",
    )[0]

    assert "reacts 75.0 s after the load of source rises from 1 to 2 times its rate at 5m" in text
    assert "asks for 2 instead of 1 instances at 6m15s, and 2 are up at 6m40s" in text
    assert "every 15s on numbers that are 30s old, and a new instance takes 20.0 s to start" in text


def test_autoscaler_reacts_to_a_fault_of_a_producer():
    fault = "{name: sale, at: 300s, for: 200s, target: producers.source, effect: {rate_factor: 3x}}"
    late = mechanised(scalings=np.array([[600.0, 1.0, 2.0]]))
    prompt = mechanised(scalings=np.array([[330.0, 1.0, 2.0]]))
    autoscale = {"metric": "lag", "target": 10, "maximum": 8}

    report = report_of(prompt, faults=fault, services__work__autoscale=autoscale)

    assert "reacts 30.0 s after 'sale' raises the load at 5m" in texts(report, "autoscaler_lag")[0]
    assert not texts(report_of(late, faults=fault, services__work__autoscale=autoscale), "autoscaler_lag")


def test_autoscaler_flaps():
    changes = [[100.0 * n, 1.0 + n % 2, 2.0 - n % 2] for n in range(1, 8)]
    autoscale = {"metric": "lag", "target": 10, "maximum": 8, "scale_down_window": "0s"}

    text = texts(
        report_of(mechanised(scalings=np.array(changes)), services__work__autoscale=autoscale),
        "autoscaler_flapping",
    )[0]

    assert (
        "turns from growing to shrinking or back 6 times in 7 changes, every 100 s between 3m20s and" in text
    )
    assert "from 1 to 2 instances" in text


@pytest.mark.parametrize(
    ("metric", "target", "why"),
    [
        ("lag", 10, "its metric, lag, asks for 1 instance, but the load keeps 5 slots busy on average over a"
         " wave: 5 ÷ 2 = 2.50, so 3 instances. That a backlog must build up first makes the waves; `minimum:"
         " 3` or `metric: utilisation` avoids them, a scale_down_window above 0s only makes them rarer."),
        ("age", "30s", "its metric, age, asks for 1 instance"),
        ("age", "1s", "A scale_down_window above 0s damps it."),
        ("lag", 2, "A scale_down_window above 0s damps it."),
        ("utilisation", "60%", "A scale_down_window above 0s damps it."),
    ],
)  # fmt: skip
def test_autoscaler_that_flaps_for_want_of_a_backlog(metric, target, why):
    """Waves of 200 s: 8 slots busy in one half, 2 in the other. A lag of 5 alone asks for 3 by 2 each."""
    changes = [[100.0 * n, 1.0 + n % 2, 2.0 - n % 2] for n in range(1, 8)]
    waves = np.where(sample_times() % 200 < 100, 8.0, 2.0)
    run = mechanised(scalings=np.array(changes), numbers={"busy": over_time(waves)})
    autoscale = {"metric": metric, "target": target, "maximum": 8, "scale_down_window": "0s"}

    assert why in texts(report_of(run, services__work__autoscale=autoscale), "autoscaler_flapping")[0]


def test_autoscaler_at_its_limit():
    """For 300 of 1000 s 4 instances exist: the maximum, or as many as there are partitions."""
    run = mechanised(
        lines=line(lag=over_time(during(500, 800, 90.0, 2.0))), wanted=over_time(during(500, 800, 4.0, 2.0))
    )

    own = report_of(run, services__work__autoscale={"metric": "lag", "target": 10, "maximum": 4})
    capped = report_of(
        run,
        topics__jobs__partitions=4,
        services__work__autoscale={"metric": "lag", "target": 10, "maximum": 9},
    )

    assert (
        "asks for 4 instances, its maximum, 30% of the time; meanwhile the lag reaches 90"
        in texts(own, "autoscaler_at_limit")[0]
    )
    assert (
        "as many as its log has partitions (4); more instances would own none"
        in texts(capped, "autoscaler_at_limit")[0]
    )


def test_closed_loop_is_asked_less_when_it_is_slow():
    """20 clients that think for 10 s and publish 1/s wait 10 s for each answer."""
    clients = {"clients": {"count": 20, "think_time": "10s"}}

    text = texts(report_of(replication(), producers__source__arrivals=clients), "closed_loop")[0]

    assert (
        "its 20 clients publish 1.00/s, since each thinks 10.0 s and then waits 10.0 s for its answer" in text
    )
    assert "with answers at once they would publish 2.00/s" in text


# Mechanisms: faults


def test_fault_of_a_dependency_is_felt_in_the_lines_of_its_callers():
    fault = FAULT.replace("services.work", "dependencies.gateway")
    run = with_lag((0, 1), (310, 20), (460, 1), dependencies={"gateway": dependency()})

    report = storm_of(run, fault, {"maximum_attempts": 2}, dependencies=GATEWAY, services__work__calls=CALLS)

    assert report.faults[0].peak_lag.value == 20
    assert report.faults[0].recovered_after_s.value == 60


@pytest.mark.parametrize(
    ("target", "effect"),
    [
        ("topics.jobs", "{unavailable: true}"),
        ("producers.source", "{rate_factor: 4x}"),
        ("services.work", "{crash: 1}"),
        ("services.work", "{rolling_restart: {pause_between: 30s}}"),
    ],
)
def test_fault_of_any_kind_is_felt_in_the_lines_that_feed_its_target(target, effect):
    fault = f"{{name: trouble, at: 300s, for: 100s, target: {target}, effect: {effect}}}"

    entry = report_of(with_lag((0, 1), (310, 20), (460, 1)), faults=fault).faults[0]

    assert (entry.peak_lag.value, entry.recovered_after_s.value) == (20, 60)


def test_random_fault_has_one_entry_cut_to_the_run():
    """Two occurrences of 50 s, of which one is cut at 1000 s, or none: 1 per run, active for 35 s."""
    fault = "{name: flaky, random: {mtbf: 500s, mttr: 50s}, target: services.work, effect: {pause: true}}"
    twice = replication(
        0, occurrences={"flaky": np.array([[100.0, 150.0], [980.0, 1030.0], [1200.0, 1210.0]])}
    )
    never = replication(1, occurrences={"flaky": np.zeros((0, 2))})

    report = report_of(twice, never, faults=fault)

    entry = report.faults["flaky"]
    assert (entry.start_s, entry.end_s) == (None, None)
    assert (entry.occurrences.value, entry.active_s.value) == (1, 35)
    assert entry.peak_lag == entry.bad == (None, None, None)
    assert not texts(report, "not_recovered")
    assert "random" in report.to_text()


def test_alert_after_a_random_fault_of_the_first_replication():
    fault = "{name: flaky, random: {mtbf: 500s, mttr: 50s}, target: services.work, effect: {pause: true}}"
    sampled = healthy_until(330.0)
    run = replication(
        objectives={"in time": outcomes(sampled.good, sampled.bad)},
        occurrences={"flaky": np.array([[300.0, 400.0]])},
    )

    text = texts(report_of(run, objectives=IN_TIME, faults=fault), "alert_fired")[0]

    assert "in the first at 5m50s, 50.0 s after 'flaky' began" in text


def test_lag_that_repeated_work_holds_up_does_not_come_back_by_itself():
    """Half busy before the fault, all slots busy after it, and the lag does not fall.

    1000 messages of 1.7 slots x 1000 s / 1500 attempts each need 0.57 of 2 slots when tried once.
    """
    busy = over_time(during(0, 300, 1.0, 2.0))
    repeating = service(attempts=1500, first_attempts=1000, retried=500, failed=500, busy=busy)
    run = with_lag((0, 1), (300, 200), (500, 220), services={"work": repeating})
    needed = with_lag((0, 1), (300, 200), (500, 220), services={"work": service(busy=busy)})

    stuck = texts(
        report_of(run, faults=FAULT, services__work__retry={"maximum_attempts": 3}), "not_recovered"
    )[0]
    without = texts(report_of(needed, faults=FAULT), "not_recovered")[0]

    assert (
        "The trigger ended at 6m40s, but work stays 100% busy in the second half of the time since" in stuck
    )
    assert "where it was 50% busy before: repeated work holds it there (1.50 attempts per message" in stuck
    assert "with 1 attempt per message it would be 0.57 of its slots), and it does not recover" in stuck
    assert "does not recover by itself" not in without


def test_lag_that_repeated_work_holds_up_at_a_dependency_does_not_come_back_by_itself():
    """1.7 of 2 servers on average for 2.5 requests of each message: 0.34 of them for one."""
    fault = FAULT.replace("services.work", "dependencies.gateway")
    busy, waiting = during(0, 300, 1.0, 2.0), np.maximum(0.0, sample_times() - 300)
    gateway = dependency(requests=2500, busy=over_time(busy), waiting=over_time(waiting))
    its = {"dependencies": GATEWAY, "services__work__calls": CALLS}

    def text(gateway, attempts: int) -> str:
        work = {"work": service(attempts=attempts, first_attempts=1000)}
        run = with_lag((0, 1), (300, 200), services=work, dependencies={"gateway": gateway})
        return texts(storm_of(run, fault, {"maximum_attempts": 3}, **its), "not_recovered")[0]

    assert text(gateway, 2500).endswith(
        "The trigger ended at 6m40s, but the 2 servers of gateway stay 100% busy in the second half of the"
        " time since, where they were 50% busy before: repeated work holds them there (2.50 requests/s over"
        " the run; without repeats 1.00/s, a utilisation of 0.34), and they do not recover by themselves."
    )
    assert "repeated work" not in text(changed(gateway, requests=1000), 1000)
    assert "repeated work" not in text(changed(gateway, waiting=over_time(waiting[::-1])), 2500)


def test_unavailable_topic_holds_publishers_back():
    fault = "{name: broker down, at: 300s, for: 100s, target: topics.jobs, effect: {unavailable: true}}"
    run = replication(
        topics={"jobs": TopicMeasurements(1000, 0, 12)},
        flows={"done": changed(flow(), parts=("source.held_back", "work.service"))},
    )

    text = texts(report_of(run, faults=fault), "unavailable")[0]

    assert (
        "'broker down' makes jobs unavailable for 100 s, and publishers wait: 500 ms of the mean latency"
        in text
    )
    assert "(25.0%) is spent at source; 12 publishes still wait at the end of the run" in text
    assert not texts(report_of(run, faults=fault), "back_pressure")


def test_unavailable_topic_holds_the_slots_of_services():
    """1000 attempts of 1 s hold 2 slots all the time; 2 wait at the end. That is no lack of instances."""
    fault = "{name: broker down, at: 300s, for: 100s, target: topics.late, effect: {unavailable: true}}"
    text = TWO_TOPICS.replace("service_time: 1s", "service_time: 1s, emits: late")
    held = service(busy=over_time(2.0), service=Histogram.of(np.full(1000, 2.0)))
    run = replication(
        services={"work": held},
        topics={"jobs": TopicMeasurements(1500, 0, 0), "late": TopicMeasurements(1000, 1000, 0)},
        lines={("jobs", "work"): line(blocked_at_end=2, in_work_at_end=2, waiting_at_end=498)},
    )
    crash = "{name: crash, at: 300s, for: 100s, target: services.work, effect: {crash: all}}"
    crashed = changed(run, lines={("jobs", "work"): line()})

    report, over = (
        report_of(one, faults=faults, text=text)
        for one, faults in ((run, fault), (crashed, f"{fault}, {crash}"))
    )

    assert texts(report, "unavailable") == [
        "'broker down' makes late unavailable for 100 s, and publishers wait: attempts of work hold their"
        " slots for 2.00 s each, 1.00 s of it work, and 2 still wait at the end of the run."
    ]
    assert texts(over, "unavailable")[0].endswith("hold their slots for 2.00 s each, 1.00 s of it work.")
    assert not texts(report, "saturated")
    assert not texts(over, "saturated")


REDRIVE = "{name: replay, at: 300s, for: 100s, target: topics.late, effect: {redrive: {to: jobs, rate: 2/s}}}"
DEAD_LETTERS = TWO_TOPICS.replace("service_time: 1s", "service_time: 1s, dead_letter: late")


def test_redrive_sends_messages_back():
    run = changed(
        with_lag((0, 1), (310, 60), (460, 1)),
        topics={"jobs": TopicMeasurements(1200, 0, 0), "late": TopicMeasurements(230, 30, 0)},
    )

    report = report_of(run, faults=REDRIVE, text=DEAD_LETTERS)

    assert (
        "'replay' sends 200 messages of late back to jobs at 2.00/s, which takes 100 s; 30 rest there"
        in texts(report, "redrive")[0]
    )
    assert "The lag of jobs reaches 60 meanwhile" in texts(report, "redrive")[0]
    assert report.faults["replay"].recovered_after_s.value == 60


def test_redrive_to_the_end_of_the_run_is_no_alarm():
    run = changed(
        with_lag((0, 1), (310, 60)),
        topics={"jobs": TopicMeasurements(1200, 0, 0), "late": TopicMeasurements(230, 30, 0)},
    )

    report = report_of(run, faults=REDRIVE.replace("for: 100s", "for: 700s"), text=DEAD_LETTERS)

    assert not texts(report, "not_recovered")
    assert texts(report, "redrive")[0].endswith(
        "The lag of jobs reaches 60 meanwhile. It lasts to the end of the run at 16m40s, so recovery from it"
        " is not judged."
    )


def test_redrives_of_one_topic_share_its_messages():
    later = REDRIVE.replace("replay", "again").replace("at: 300s", "at: 600s")
    topics = {"jobs": TopicMeasurements(1200, 0, 0), "late": TopicMeasurements(230, 30, 0)}
    nothing = topics | {"late": TopicMeasurements(30, 30, 0)}

    both = report_of(replication(topics=topics), faults=f"{REDRIVE}, {later}", text=DEAD_LETTERS)
    none = report_of(replication(topics=nothing), faults=REDRIVE, text=DEAD_LETTERS)

    assert len(texts(both, "redrive")) == 1
    assert "'replay' and 'again' send 200 messages of late back to jobs" in texts(both, "redrive")[0]
    assert texts(none, "redrive") == ["'replay' sends back 0 messages of late; 30 rest there at the end."]


def test_redrive_counts_no_more_than_its_rate_allows_where_messages_expire():
    """2/s for 100 s are 200, though 2,970 left the topic: the rest expired, or was refused."""
    topics = {"jobs": TopicMeasurements(1200, 0, 0), "late": TopicMeasurements(3000, 30, 0)}

    def found(late: str, **overrides: object) -> list[str]:
        text = DEAD_LETTERS.replace("late: {}", f"late: {late}")
        assert text != DEAD_LETTERS
        return texts(report_of(replication(topics=topics), faults=REDRIVE, text=text, **overrides), "redrive")

    assert (
        "'replay' sends at most 200 messages of late back to jobs at 2.00/s, which takes 100 s"
        in (found("{message_ttl: 60s}")[0])
    )
    assert "at most 200 messages" in found("{capacity: 50}", run__warmup="10s")[0]
    assert found("{capacity: 0}") == []


# JSON and text


def rich_report() -> Report:
    """A report in which every part of the contract occurs."""
    runs = [
        with_lag(
            (0, 1), (310, 9), (460 + 10 * index, 1), index=index, objectives={"in time": outcomes(9.7, 0.3)}
        )
        for index in range(3)
    ]
    return report_of(
        *runs, objectives=f"{IN_TIME}, {KEEPS_UP}", faults=FAULT, services__work__cost_per_instance_hour=1.0
    )


def test_json_follows_its_schema():
    schema = json.loads((DOCS / "report.schema.json").read_text())

    jsonschema.validate(json.loads(rich_report().to_json()), schema)
    jsonschema.validate(json.loads(mechanised_report().to_json()), schema)
    jsonschema.validate(
        json.loads(build_report(scenario(), [replication()], stopped="interrupted").to_json()), schema
    )


def test_the_committed_schema_is_the_one_that_saved_reports_are_checked_with():
    assert (DOCS / "report.schema.json").read_text(encoding="utf-8") == text_of_schema(), "make docs"


@pytest.fixture(scope="module")
def saved_report() -> dict:
    return json.loads(rich_report().to_json())


def places_in(value, place=()):
    """The keys to each value in a report, of lists those of the first two entries."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if type(value) is list else ()
    for key, its in inner:
        yield (*place, key)
        yield from places_in(its, (*place, key))


def shortened(value):
    """A report with two entries in each list, so that it can be checked hundreds of times."""
    if isinstance(value, dict):
        return {key: shortened(its) for key, its in value.items()}
    is_of_four = isinstance(value, list) and len(value) == 4  # alerts
    return [shortened(its) for its in value[: 4 if is_of_four else 2]] if isinstance(value, list) else value


def test_a_mistake_anywhere_in_a_report_is_seen_where_its_schema_sees_one(saved_report: dict):
    checker = jsonschema.Draft202012Validator(json.loads(text_of_schema()))
    report = shortened(saved_report)
    wrong = itertools.cycle([None, -1, 0.5, 10**9, "x", True, [], {}, [None]])
    seen = 0
    for place in list(places_in(report))[::5]:
        data = copy.deepcopy(report)
        holder = functools.reduce(lambda its, key: its[key], place[:-1], data)
        holder[place[-1]] = next(wrong)
        theirs = [one for one in checker.iter_errors(data) if one.validator != "additionalProperties"]
        ours = mistake_in(data)
        assert ours is not None or not theirs, (place, theirs)
        assert ours is None or theirs or "expected lists of one length" in ours, (place, ours)
        seen += ours is not None
        if isinstance(holder, dict):
            del holder[place[-1]]
            theirs = [one for one in checker.iter_errors(data) if one.validator != "additionalProperties"]
            assert (mistake_in(data) is None) == (not theirs), place
    assert seen > 100


def test_a_mistake_is_told_with_its_place_and_what_is_accepted(saved_report: dict):
    for place, put, told in (
        (("services", "work", "wait_s", "p99"), 3, 'services.work.wait_s.p99: 3 is not of type "object"'),
        (("objectives", 1, "verdict"), "lost", 'objectives[1].verdict: "lost" is not one of'),
        (("run", "replications"), 0, "run.replications: 0 is less than the minimum of 1"),
        (("run", "version"), "1\n::error::x", "run.version: "),
        (("services", "work", "series", "busy"), [1], "services.work.series: expected lists of one length"),
    ):
        data = copy.deepcopy(saved_report)
        functools.reduce(lambda its, key: its[key], place[:-1], data)[place[-1]] = put
        assert told in (mistake_in(data) or "")


def test_what_a_later_version_writes_beside_is_let_pass(saved_report: dict):
    assert mistake_in(saved_report | {"news": [1, {"series": {"length": 3, "other": None}}]}) is None


def test_json_has_no_nan_and_no_infinity():
    empty = replication(
        services={"work": service(attempts=0, first_attempts=0, slot_seconds=math.inf, busy=over_time(0.0))},
        flows={"done": flow(np.zeros(0), started=0, completed=0, in_flight=0)},
        objectives={"in time": outcomes(0, 0)},
    )

    text = report_of(empty, objectives=IN_TIME).to_json()

    assert json.loads(text, parse_constant=pytest.fail)
    assert report_of(empty, objectives=IN_TIME).to_text()


def test_json_is_the_same_every_time_and_reads_back():
    report = rich_report()

    assert report.to_json() == rich_report().to_json()
    assert Report.from_json(report.to_json()).data == json.loads(report.to_json())
    assert Report.from_json(report.to_json()).to_text() == report.to_text()


def test_json_of_something_else_is_refused():
    with pytest.raises(ValueError, match="not a report"):
        Report.from_json('{"format": "slosim-report/0"}')
    with pytest.raises(ValueError, match='not a whole report: "scenario" is a required property'):
        Report.from_json('{"format": "slosim-report/1"}')
    with pytest.raises(ValueError, match="not a report"):
        Report.from_json("[]")


def paths_of(value: object, names_at: set[str], path: str = "") -> set[str]:
    """All paths to numbers of a report, `*` for keys that are names and `[]` for entries."""
    if isinstance(value, dict) and path not in ("scenario.resolved", "dependencies.*.theory"):
        if value.keys() == {"value", "low", "high"} or "histogram" in value:
            return {path}
        keys = [(key, "*" if path in names_at else key) for key in value]
        return set().union(
            *(paths_of(value[key], names_at, f"{path}.{name}" if path else name) for key, name in keys)
        )
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return set().union(*(paths_of(item, names_at, f"{path}[]") for item in value))
    return {path}


def test_every_number_is_documented_and_every_documented_number_exists():
    names_at = {
        *("flows", "services", "topics", "topics.*.consumers", "dependencies", "services.*.theory.compared"),
        "left_out.numbers",
        *(f"flows.*.where_time_goes_s.{which}" for which in ("mean", "slowest_1%")),
    }
    stopped = build_report(scenario(), [replication()], stopped="interrupted", precision=0.1)

    precise = build_report(scenario(), [replication()], precision=0.02)

    reports = (rich_report(), mechanised_report(), stopped, precise)
    found = set().union(*(paths_of(one.data, names_at) for one in reports))

    assert found - {"dependencies", "objectives", "faults"} == {entry.path for entry in ENTRIES}


def test_documentation_is_current():
    assert (DOCS / "report.md").read_text() == reference(), (
        "run: python -m slosim.report.reference > docs/report.md"
    )


@pytest.mark.parametrize("width", [72, 80, 100, 140])
def test_text_keeps_to_its_width_and_has_no_trailing_spaces(width):
    lines = rich_report().to_text(width).splitlines()

    assert all(len(line) <= width for line in lines)
    assert all(line == line.rstrip() for line in lines)


def test_text_begins_with_the_verdict_in_one_sentence():
    first = rich_report().to_text().splitlines()[0]

    assert first.startswith(
        "made up: MISSED. 2 of 2 objectives missed: in time reaches 97.0% of 99%; keeps up"
    )


def test_text_has_colours_only_when_asked():
    report = rich_report()

    assert "\x1b" not in report.to_text()
    coloured = report.to_text(colour=True)
    assert "\x1b[31m" in coloured
    for code in ("0", "1", "2", "31", "32", "33", "36"):
        coloured = coloured.replace(f"\x1b[{code}m", "")
    assert [line.rstrip() for line in coloured.splitlines()] == report.to_text().splitlines()


def test_text_shows_no_control_characters_of_names():
    report = rich_report()
    report.data["faults"][0]["name"] = "evil\x1b[2J\nname"

    assert "\x1b" not in report.to_text()
    assert "evil [2J name" in report.to_text()


def test_attributes_say_what_there_is():
    report = rich_report()

    assert float(report.flows["done"].latency_s.p99) == pytest.approx(2.0, rel=0.005)
    assert report.objectives["keeps up"].kind == "lag"
    assert list(report.services) == ["work"]
    with pytest.raises(AttributeError, match="no 'servces' here; there is format, scenario"):
        _ = report.servces
    with pytest.raises(KeyError):
        _ = report.objectives["nonsense"]


# Mechanisms: text and files


def test_text_shows_instances_over_time_and_what_mechanisms_did():
    run = mechanised(
        numbers={"instances_samples": during(500, 1e9, 4.0, 1.0), "duplicates": 3},
        starts=3, partitions=4, rebalances=6, stopped=over_time(during(100, 200, 2.0, 0.0)), opened=2,
        open=over_time(during(600, 630, 1.0, 0.0)),
    )  # fmt: skip

    text = report_of(run, services__work__autoscale={"metric": "lag", "target": 10, "maximum": 8}).to_text()

    assert "work      1–8×2" in text
    assert "INSTANCES" in text
    assert "▂▂▂▂" in text
    assert "████" in text
    assert "MECHANISMS" in text
    lines = text.splitlines()
    heading = next(index for index, one in enumerate(lines) if one.startswith("MECHANISMS"))
    assert lines[heading + 1].split("  ")[0] == "service"
    assert "rebalances  stood still  breaker opened    open" in lines[heading + 1]
    assert "retries denied" not in lines[heading + 1]


def test_text_shows_instances_that_are_never_up():
    run = mechanised(numbers={"instances_samples": np.zeros(100)}, crashes=1)
    crash = "{name: crash, at: 0s, for: 1000s, target: services.work, effect: {crash: all}}"

    lines = report_of(run, faults=crash).to_text().splitlines()
    heading = next(index for index, one in enumerate(lines) if one.startswith("INSTANCES"))

    assert lines[heading + 2].split()[:4] == ["work", "0", "0", "0"]


def test_text_shows_dependencies():
    report = report_of(replication(dependencies={"gateway": dependency(timed_out=90)}), dependencies=GATEWAY)

    lines = report.to_text().splitlines()
    heading = next(index for index, one in enumerate(lines) if one.startswith("DEPENDENCIES"))

    assert " ".join(lines[heading + 1].split()) == (
        "dependency servers busy requests timed out waiting mean max wait mean p99"
    )
    assert lines[heading + 2].split()[:5] == ["gateway", "2", "50%", "1.00k", "90"]


def test_text_without_mechanisms_has_no_sections_for_them():
    text = rich_report().to_text()

    assert not any(section in text for section in ("INSTANCES", "MECHANISMS", "DEPENDENCIES"))


def test_tables_have_the_series_of_mechanisms_and_dependencies():
    report = mechanised_report()

    header = series_of(report.data).to_csv().splitlines()[0].split(",")
    names = {row.split(",")[0] for row in histograms_of(report.data).to_csv().splitlines()[1:]}

    assert {
        "services.work.mechanisms.instances",
        "services.work.mechanisms.breaker_open",
        "dependencies.gateway.busy",
        "dependencies.gateway.waiting",
    } <= set(header)
    assert {"dependencies.gateway.wait_s", "dependencies.gateway.waiting"} <= names


@pytest.mark.parametrize("width", [72, 100, 140])
def test_text_with_mechanisms_keeps_to_its_width(width):
    lines = mechanised_report().to_text(width).splitlines()

    assert all(len(line) <= width for line in lines)
    assert all(line == line.rstrip() for line in lines)


def mechanised_report() -> Report:
    """A report with mechanisms, a dependency and a random fault."""
    fault = "{name: flaky, random: {mtbf: 500s, mttr: 50s}, target: services.work, effect: {pause: true}}"
    runs = [
        changed(
            mechanised(
                index=index, scalings=np.array([[100.0, 1.0, 2.0]]), opened=2, held_ahead=over_time(3.0),
                numbers={"instances_samples": during(500, 1e9, 2.0 + index, 1.0)},
            ),
            dependencies={"gateway": dependency(timed_out=90)},
            occurrences={"flaky": np.array([[100.0, 150.0]])},
        )
        for index in range(2)
    ]  # fmt: skip
    return report_of(*runs, faults=fault, dependencies=GATEWAY)


EVERYTHING = """
name: everything
run: {duration: 1000s, sample_every: 10s, warmup: 100s}
topics: {a: {partitions: 4}, b: {partitions: 3}, q: {capacity: 9, when_full: block}, r: {}, dlq: {}}
producers:
  steps:
    topic: a
    arrivals: {poisson: 1/s, profile: [{at: 0s, factor: 1x}, {at: 0s, factor: 2x}], repeat: 300s}
  loop: {topic: q, arrivals: {clients: {count: 3, think_time: 5s}}}
services:
  owner:
    consumes: [a, b]
    service_time: 1s
    emits: [q, r, b]
    retry: {maximum_attempts: 3}
    rebalance: {protocol: cooperative}
    autoscale: {metric: lag, target: 10, maximum: 9}
    batch: {max_messages: 5}
    dead_letter: dlq
  joiner:
    consumes: [q, r]
    join: true
    service_time: 1s
    instances: 3
    prefetch: 5
    retry: {maximum_attempts: 2, blocking: true}
  shedder:
    consumes: q
    concurrency: unlimited
    service_time: 0s
    visibility_timeout: 5s
    retry: {maximum_attempts: unlimited}
    retry_budget: {kind: cap, ratio: 10%}
    circuit_breaker: {}
    shed: {codel: {}}
    calls: [{dependency: gateway, timeout: 1s, hedge_after: 100ms}, {dependency: free}]
dependencies:
  gateway: {capacity: 2, service_time: 1s, queue_limit: 3}
  free: {capacity: unlimited, service_time: 1s}
faults:
  - {name: f1, at: 200s, for: 50s, target: services.owner, effect: {crash: all}}
  - {name: f2, at: 200s, for: 50s, target: services.owner, effect: {rolling_restart: {}}, repeat_every: 200s}
  - {name: f3, at: 200s, for: 50s, target: dependencies.gateway, effect: {outage: true}}
  - {name: f4, at: 200s, for: 50s, target: topics.dlq, effect: {redrive: {to: a, rate: 2/s}}}
  - {name: f5, at: 200s, for: 50s, target: topics.r, effect: {unavailable: true}}
  - name: f6
    random: {mtbf: 100s, mttr: 10s, per: instance}
    target: services.joiner
    effect: {error_rate: 50%}
  - name: f7
    random: {mtbf: 100s, mttr: 10s}
    target: dependencies.gateway
    effect: {outage: true, slowdown: 2x}
flows: {done: {from: steps, to: joiner}, looped: {from: loop, to: shedder}}
objectives: [{name: in time, flow: done, within: 5s, target: 99%}]
"""


def everything(attempts: int, ended_s: float, **its: object):
    """A replication of EVERYTHING in which each service, line and dependency did the same."""
    samples = int(ended_s // 10)
    level = over_time(its.pop("level", 0.0), ended_s, samples)
    work = service(
        attempts=attempts,
        busy=level,
        slot_seconds=1e5,
        instances_samples=np.full(samples, its.pop("up", 1.0)),
        mechanisms=mechanisms(
            partitions=7, stopped=level, held_ahead=level, open=level, wanted=level, **its
        ),
    )  # fmt: skip
    one = line(
        published=attempts, finished=attempts, lag=level, waiting=level, age_samples=np.zeros(samples),
        event_lag=Histogram.of(np.zeros(attempts)),
    )  # fmt: skip
    consumed = {"owner": ("a", "b"), "joiner": ("q", "r"), "shedder": ("q",)}
    return replication(
        ended_s=ended_s,
        warmup_s=100.0,
        sample_times_s=sample_times(ended_s),
        services=dict.fromkeys(consumed, work),
        topics=dict.fromkeys("abqr", TopicMeasurements(attempts, 0, 0)) | {"dlq": TopicMeasurements(9, 3, 1)},
        lines={(topic, name): one for name, topics in consumed.items() for topic in topics},
        flows={"done": flow(np.full(attempts, 2.0), started=attempts, in_flight=0), "looped": flow()},
        objectives={"in time": outcomes(float(attempts > 0), 0.0, samples)},
        dependencies={
            name: dependency(requests=attempts, busy=level, waiting=level, server_seconds=1e5)
            for name in ("gateway", "free")
        },
        occurrences={"f6": np.array([[50.0, 60.0]]), "f7": np.zeros((0, 2))},
    )  # fmt: skip


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([everything(0, 1000.0)], id="nothing happens"),
        pytest.param([everything(0, 1000.0, up=0.0)], id="no instance is ever up"),
        pytest.param([everything(0, 50.0)], id="stopped before the warm-up is over"),
        pytest.param([everything(1000, 1000.0, level=2.0, opened=1, rebalances=2, starts=1)], id="busy"),
        pytest.param([everything(500, 1000.0, level=9.0, up=9.0), everything(0, 300.0)], id="stopped early"),
    ],
)
def test_every_mechanism_at_once_gives_a_report(runs):
    report = build_report(loads(EVERYTHING), runs)

    jsonschema.validate(json.loads(report.to_json()), json.loads((DOCS / "report.schema.json").read_text()))
    assert all(any(letter.isdigit() for letter in one["text"]) for one in report.data["findings"])
    assert all(len(row) <= 100 for row in report.to_text().splitlines())
