"""The report on small made-up measurements whose numbers can be checked by hand."""

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from made_up import SCENARIO, changed, flow, line, outcomes, over_time, replication, sample_times, service
from slosim.measure.histogram import Histogram
from slosim.measure.intervals import Estimate
from slosim.measure.measurements import TopicMeasurements
from slosim.model import loads
from slosim.report.alerts import WORKBOOK_RULES, SampledOutcomes, is_firing
from slosim.report.objectives import budget_of, verdict_of, verdict_of_all
from slosim.report.reference import ENTRIES, reference
from slosim.report.report import Report, build_report

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
    assert "1 / (1 - 0.9) = 10.0" in texts(report, "alert_never_fires")[0]


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
        attempts=1200, first_attempts=1000, first_successes=900, busy=over_time(3.0), slot_seconds=4000.0
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
    jsonschema.validate(
        json.loads(build_report(scenario(), [replication()], stopped="interrupted").to_json()), schema
    )


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
    with pytest.raises(ValueError, match="not a report"):
        Report.from_json("[]")


def paths_of(value: object, names_at: set[str], path: str = "") -> set[str]:
    """All paths to numbers of a report, `*` for keys that are names and `[]` for entries."""
    if isinstance(value, dict) and path != "scenario.resolved":
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
    names_at = {"flows", "services", "topics", "topics.*.consumers"} | {
        f"flows.*.where_time_goes_s.{which}" for which in ("mean", "slowest_1%")
    }
    stopped = build_report(scenario(), [replication()], stopped="interrupted")

    found = paths_of(rich_report().data, names_at) | paths_of(stopped.data, names_at)

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
