"""docs/report.md, written from one entry per number; `python -m slosim.report.reference` prints it.

A test walks through a real report: each of its keys has an entry here, and each entry is a key of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from slosim.report.alerts import WORKBOOK_RULES
from slosim.report.findings import RULES
from slosim.report.units import clock


@dataclass(frozen=True)
class Entry:
    """path: `*` for a name, `[]` for each entry of a list; form: EST, STAT or what else stands there."""

    path: str
    form: str
    meaning: str


RUN = (
    Entry("format", "text", "`slosim-report/1`."),
    Entry("scenario.name", "text", "Name of the scenario."),
    Entry(
        "scenario.digest",
        "text",
        "SHA-256 of the resolved scenario as canonical JSON: the same digest is the same system.",
    ),
    Entry("scenario.resolved", "scenario", "The scenario with every default filled in; it loads again."),
    Entry("run.version", "text", "Version of slosim that ran it."),
    Entry("run.seed", "number", "Seed; with version and scenario it determines every byte of the report."),
    Entry("run.replications", "number", "Independent replications in the report."),
    Entry("run.duration_s", "s", "Simulated time of each replication."),
    Entry("run.warmup_s", "s", "Start of what is measured."),
    Entry(
        "run.warmup_suggested_s",
        "s",
        "Where the empty start ceases to weigh on the lag of all lines, by MSER-5 on its mean over the"
        " replications before the first fault, whatever was chosen; null where the load varies by design, or"
        " when fewer than 50 samples or a lag that does not settle cannot tell.",
    ),
    Entry("run.ended_s", "s", "Only when stopped early: how far the shortest replication came."),
    Entry("run.stopped", "text", "Only when stopped early: why."),
    Entry(
        "run.precision_ratio",
        "ratio",
        "Only with `--precision`: how far the interval of every objective and of each flow's p99 may"
        " reach to either"
        " side, as a share of its value. A finding says if it reaches further.",
    ),
    Entry(
        "verdict",
        "text",
        "`missed` if any objective is, else `undecided` if any is, else `met`; or `no objectives`.",
    ),
)

OBJECTIVES = (
    Entry("objectives[].name", "text", "As declared."),
    Entry("objectives[].kind", "text", "`latency`, `success`, `lag` or `age`."),
    Entry("objectives[].target_ratio", "ratio", "The share that is promised to be good."),
    Entry(
        "objectives[].threshold", "s or messages", "`within`, `lag_below` or `age_below`; null for success."
    ),
    Entry("objectives[].sli_ratio", "EST", "good / (good + bad), pooled; null when nothing was counted."),
    Entry(
        "objectives[].good",
        "EST",
        "Latency: instances completed in time. Success: completed. Lag and age: samples strictly below the"
        " threshold.",
    ),
    Entry(
        "objectives[].bad",
        "EST",
        "Latency: late, dead-lettered, dropped, and in flight already older than `within` (younger ones are"
        " not counted). Success: dead-lettered and dropped. Lag and age: the other samples.",
    ),
    Entry(
        "objectives[].verdict",
        "text",
        "`met` when the interval's low end is at least the target, `missed` when its high end is below it,"
        " else `undecided`. Without an interval the value decides. Nothing counted is undecided. With a"
        " target of 100% a single bad instance is a miss, and none at all stays undecided: no finite run"
        " shows 100%.",
    ),
    Entry("objectives[].error_budget.budget_ratio", "ratio", "1 - target."),
    Entry(
        "objectives[].error_budget.burn_rate",
        "EST",
        "(1 - SLI) / budget: 1 spends exactly the budget. Null for a target of 100%, which has no budget.",
    ),
    Entry(
        "objectives[].error_budget.consumed_of_window_ratio",
        "EST",
        "burn_rate × (duration - warm-up) / window: the part of the whole window's budget that this run"
        " spent.",
    ),
    Entry(
        "objectives[].error_budget.remaining_in_run_ratio", "EST", "1 - burn_rate; negative when overspent."
    ),
    Entry("objectives[].alerts[].severity", "text", "`page` or `ticket`."),
    Entry("objectives[].alerts[].long_s", "s", "The long window, scaled by the objective's window / 30d."),
    Entry("objectives[].alerts[].short_s", "s", "The short window, scaled alike."),
    Entry("objectives[].alerts[].burn_rate", "number", "Both windows must exceed this burn rate."),
    Entry(
        "objectives[].alerts[].evaluable",
        "true or false",
        "False: the factor exceeds 1 / (1 - target), so it can never fire.",
    ),
    Entry(
        "objectives[].alerts[].fired_ratio",
        "ratio",
        "Share of replications in which it fired; null if not evaluable.",
    ),
    Entry("objectives[].alerts[].fired_at_s", "list of s", "When it began to fire in the first replication."),
    Entry("objectives[].series.t_s", "list of s", "Sample times."),
    Entry(
        "objectives[].series.good",
        "list",
        "What turned good since the sample before, mean over replications.",
    ),
    Entry(
        "objectives[].series.bad",
        "list",
        "What turned bad since then. An instance turns good when it completes, bad at the earlier of its loss"
        " and its intended time + `within`.",
    ),
)

FLOWS = (
    Entry("flows.*.started", "EST", "Instances whose intended publish time is at or after the warm-up."),
    Entry(
        "flows.*.completed", "EST", "Of these: no message that matters is left, at least one reached `to`."
    ),
    Entry("flows.*.completed_elsewhere", "EST", "Ended well without reaching `to`: a branch not taken."),
    Entry("flows.*.dead_lettered", "EST", "Lost at least one message that matters to a dead letter."),
    Entry("flows.*.dropped", "EST", "Lost one otherwise: rejected, expired, dropped or shed."),
    Entry("flows.*.in_flight", "EST", "Not decided at the end of the run."),
    Entry("flows.*.latency_s", "STAT", "Intended publish time to the last finish at `to`, of the completed."),
    Entry(
        "flows.*.where_time_goes_s.mean.*",
        "EST",
        "Mean time of a completed instance in this part, s; the parts add up to the mean latency. Per service"
        " `delay`, `wait`, `service`, `retry`, `dependency` (its calls) and `rebalance` (of its wait, while"
        " its partition stood still), per producer `held_back`, per redriven topic `resting`.",
    ),
    Entry(
        "flows.*.where_time_goes_s.slowest_1%.*",
        "EST",
        "The same of the slowest 1% of the completed. Of the latency bucket (at most 6% wide) where this"
        " share begins, its instances' mean counts in proportion.",
    ),
)

SERVICES = (
    Entry("services.*.attempts", "EST", "Attempts begun: a slot took the message."),
    Entry("services.*.succeeded", "EST", "Attempts that ended well."),
    Entry(
        "services.*.failed",
        "EST",
        "Attempts that failed, time-outs included; failed = retried + dead_lettered.",
    ),
    Entry("services.*.timed_out", "EST", "Of the failed: by time-out."),
    Entry("services.*.lost", "EST", "Attempts lost with their instance."),
    Entry("services.*.retried", "EST", "Failures that are followed by another attempt."),
    Entry("services.*.dead_lettered", "EST", "Failures that were final."),
    Entry("services.*.duplicates", "EST", "Later successes of messages that were settled already."),
    Entry("services.*.attempts_per_message", "EST", "Attempts over first attempts."),
    Entry(
        "services.*.utilisation_ratio",
        "EST",
        "Busy slot seconds over slot seconds of instances that are up; null for unlimited concurrency.",
    ),
    Entry("services.*.busy_slots", "EST", "Mean number of busy slots over time."),
    Entry("services.*.throughput_per_s", "EST", "First successes per second."),
    Entry(
        "services.*.instance_hours",
        "EST",
        "Hours of instances that exist after the warm-up: up, starting, down or leaving.",
    ),
    Entry("services.*.cost", "EST", "instance_hours × cost_per_instance_hour; null without a price."),
    Entry("services.*.wait_s", "STAT", "Visible to taken, each attempt anew; a blocking retry has none."),
    Entry("services.*.service_s", "STAT", "Taken to ended, per attempt; failures at start count 0."),
    Entry("services.*.sojourn_s", "STAT", "First visible to settled (success or dead-lettered)."),
    Entry("services.*.series.t_s", "list of s", "Sample times."),
    Entry("services.*.series.busy", "list", "Busy slots, mean over replications."),
    Entry("services.*.series.instances", "list", "Instances that are up, mean over replications."),
    Entry(
        "services.*.series.attempts",
        "list",
        "Attempts begun since the sample before, mean over replications. The first sample holds those of time"
        " 0; before the warm-up they are counted too.",
    ),
    Entry("services.*.series.failed", "list", "Attempts that failed since then, time-outs included."),
    Entry("services.*.series.retried", "list", "Of these followed by another attempt."),
)

MECHANISMS = (
    Entry("services.*.mechanisms.instance_starts", "EST", "Instances that began to start."),
    Entry("services.*.mechanisms.crashes", "EST", "Instances that went down."),
    Entry(
        "services.*.mechanisms.instances.mean",
        "EST",
        "Instances that exist (up, starting, down or leaving), over time.",
    ),
    Entry("services.*.mechanisms.instances.max", "number", "Most of them at one time."),
    Entry("services.*.mechanisms.rebalances", "EST", "Rebalances begun."),
    Entry(
        "services.*.mechanisms.stopped_s",
        "EST",
        "Seconds for which the average partition stood still: its owner was not up, or a rebalance stopped"
        " it. Null for a queue.",
    ),
    Entry(
        "services.*.mechanisms.prefetched.mean",
        "EST",
        "Messages that instances held ahead of their slots, over time.",
    ),
    Entry("services.*.mechanisms.prefetched.max", "number", "Most of them at one time."),
    Entry("services.*.mechanisms.breaker_opened", "EST", "Times the circuit breaker opened."),
    Entry("services.*.mechanisms.breaker_open_s", "EST", "Seconds for which it was open."),
    Entry("services.*.mechanisms.denied_retries", "EST", "Failures made final by the retry budget."),
    Entry(
        "services.*.mechanisms.scalings[].at_s",
        "s",
        "When the autoscaler changed the number of instances, in the whole of the first replication.",
    ),
    Entry("services.*.mechanisms.scalings[].from", "number", "Instances that were wanted before."),
    Entry("services.*.mechanisms.scalings[].to", "number", "Instances that are wanted from then on."),
    Entry("services.*.mechanisms.series.t_s", "list of s", "Sample times."),
    Entry("services.*.mechanisms.series.instances", "list", "Instances that exist, mean over replications."),
    Entry(
        "services.*.mechanisms.series.stopped_partitions",
        "list",
        "Partitions that stand still, mean over replications.",
    ),
    Entry("services.*.mechanisms.series.prefetched", "list", "Messages held ahead, mean over replications."),
    Entry(
        "services.*.mechanisms.series.breaker_open",
        "list",
        "Share of the replications in which the circuit breaker is open.",
    ),
)

THEORY = (
    Entry(
        "services.*.theory.model",
        "text",
        "The closed form in Kendall's notation. `6 × M/G/1` are six queues side by side, such as partitions;"
        " `M/M/2/6` has room for 6 in all; in `M/M/2 + D` messages expire;"
        " `M/M/2//10` is used by 10 clients that wait for their answers.",
    ),
    Entry(
        "services.*.theory.exact",
        "true or false",
        "False for M/G/c, an approximation by two moments: of heavy tails up to a third too high.",
    ),
    Entry("services.*.theory.source", "text", "Who found it."),
    Entry(
        "services.*.theory.arrival_rate_per_s",
        "number",
        "The rate it is computed at (that of clients follows from them), which the run had: published to the"
        " service, rejected ones too, and attempts after the first of a message. The service time is that"
        " of the scenario: cut off by a time-out, 0 for a failure at the start, with its calls as if none of"
        " them waited.",
    ),
    Entry(
        "services.*.theory.compared.*.theory",
        "number",
        "What it says of `utilisation_ratio` (without a limit to the slots of `busy_slots`), `wait_mean_s`,"
        " `waiting_mean`, and of those that come the shares `refused_ratio` and `expired_ratio`; whatever it"
        " has an answer for.",
    ),
    Entry("services.*.theory.compared.*.simulated", "EST", "What the run says."),
    Entry(
        "services.*.theory.compared.*.difference",
        "EST",
        "simulated - theory. Leaving out a replication changes the rate of the theory too, so chance in the"
        " number of arrivals is on both sides, and the interval is narrower than that of `simulated`.",
    ),
    Entry(
        "services.*.theory.tested",
        "text",
        "The number of which a difference is a finding: the wait, or what is refused or expires.",
    ),
    Entry("services.*.theory.assumptions[].what", "text", "What the closed form takes for granted."),
    Entry("services.*.theory.assumptions[].holds", "true or false", "Whether nothing speaks against it."),
    Entry(
        "services.*.theory.assumptions[].against",
        "list of text",
        "What speaks against it, in the scenario or in what the run counted.",
    ),
    Entry("dependencies.*.theory", "as above", "The same of a dependency, with `busy_servers`, or null."),
)

DEPENDENCIES = (
    Entry("dependencies.*.calls", "EST", "Requests that it got, second ones of hedged calls included."),
    Entry("dependencies.*.answered", "EST", "Requests that it answered well."),
    Entry("dependencies.*.failed", "EST", "Requests that failed at it."),
    Entry("dependencies.*.refused", "EST", "Requests refused because `queue_limit` were waiting."),
    Entry("dependencies.*.cancelled", "EST", "Requests withdrawn by a caller with `cancel`."),
    Entry("dependencies.*.hedged", "EST", "Calls for which a second request was made."),
    Entry("dependencies.*.timed_out", "EST", "Calls that their caller gave up after `timeout`."),
    Entry(
        "dependencies.*.utilisation_ratio",
        "EST",
        "Busy server seconds over server seconds; null for unlimited capacity.",
    ),
    Entry("dependencies.*.busy_servers", "EST", "Mean number of busy servers over time."),
    Entry(
        "dependencies.*.waiting",
        "STAT",
        "Requests that wait for a server, over time. Mean and maximum are exact, quantiles those of the"
        " samples.",
    ),
    Entry("dependencies.*.wait_s", "STAT", "Request to taken by a server."),
    Entry("dependencies.*.series.t_s", "list of s", "Sample times."),
    Entry("dependencies.*.series.busy", "list", "Busy servers, mean over replications."),
    Entry("dependencies.*.series.waiting", "list", "Waiting requests, mean over replications."),
)

TOPICS = (
    Entry("topics.*.published", "EST", "Messages published to the topic."),
    Entry("topics.*.resting", "EST", "Messages kept at the end by a topic that nobody consumes."),
    Entry("topics.*.consumers.*.rejected", "EST", "Refused by a full line."),
    Entry("topics.*.consumers.*.finished", "EST", "Settled by a success."),
    Entry("topics.*.consumers.*.dead_lettered", "EST", "Settled by a final failure."),
    Entry("topics.*.consumers.*.expired", "EST", "Waited as long as `message_ttl`."),
    Entry("topics.*.consumers.*.dropped", "EST", "Pushed out by `drop_oldest`."),
    Entry("topics.*.consumers.*.shed", "EST", "Refused by the consumer."),
    Entry("topics.*.consumers.*.at_end.delayed", "EST", "At the end of the run: published, not yet visible."),
    Entry("topics.*.consumers.*.at_end.waiting", "EST", "At the end of the run: visible, not taken."),
    Entry("topics.*.consumers.*.at_end.backing_off", "EST", "At the end of the run: waiting for a retry."),
    Entry("topics.*.consumers.*.at_end.in_work", "EST", "At the end of the run: in an attempt."),
    Entry(
        "topics.*.consumers.*.lag",
        "STAT",
        "Published to this group and not settled, over time: delayed + waiting + backing off + in work. Mean"
        " and maximum are exact, quantiles those of the samples.",
    ),
    Entry("topics.*.consumers.*.waiting", "STAT", "Visible and not taken, over time, measured alike."),
    Entry(
        "topics.*.consumers.*.age_s",
        "STAT",
        "Time since the oldest of the lag was published, 0 without any; of samples.",
    ),
    Entry("topics.*.consumers.*.event_lag_s", "STAT", "Published to first taken, per message."),
    Entry(
        "topics.*.consumers.*.partition_lag_max",
        "STAT",
        "Lag of the partition that has most, of samples; null for a queue.",
    ),
    Entry("topics.*.consumers.*.series.t_s", "list of s", "Sample times."),
    Entry("topics.*.consumers.*.series.lag", "list", "Lag, mean over replications."),
    Entry("topics.*.consumers.*.series.waiting", "list", "Waiting, mean over replications."),
    Entry("topics.*.consumers.*.series.age_s", "list of s", "Age, mean over replications."),
)

FAULTS = (
    Entry(
        "faults[].name",
        "text",
        "As declared; one entry per occurrence that begins before the end of the run, and behind these one"
        " for each random fault, whose times differ from replication to replication.",
    ),
    Entry("faults[].start_s", "s", "Start of the occurrence; null for a random fault."),
    Entry("faults[].end_s", "s", "Its end, active in [start, end); null for a random fault."),
    Entry(
        "faults[].occurrences",
        "EST",
        "Only of a random fault: occurrences that begin in the run, of all instances with `per: instance`.",
    ),
    Entry(
        "faults[].active_s",
        "EST",
        "Only of a random fault: length of its occurrences together, cut to the run; with `per: instance`"
        " added up over the instances.",
    ),
    Entry(
        "faults[].peak_lag",
        "EST",
        "Largest sampled lag from the start to the recovery, or else the end of the run, summed over the"
        " lines that feed the target: a service's own lines; of a dependency its callers'; of a topic or a"
        " producer, the lines of its consumers; of a redrive, those of the topic that messages go back to."
        " Null for a random fault, as are all numbers below: what it did cannot be told from the rest.",
    ),
    Entry(
        "faults[].recovered_after_s",
        "EST",
        "From the end of the fault to the first sample after it with a lag of at most its normal maximum:"
        " that between the warm-up, or the end of the fault before, and the start (of several that overlap,"
        " of the first). Mean of the replications that recover; null when none does. A fault before which"
        " nothing was measured is compared with the time before the warm-up, one at 0 with an empty system.",
    ),
    Entry("faults[].recovered_ratio", "ratio", "Share of replications that recover."),
    Entry(
        "faults[].bad",
        "EST",
        "Instances that turned bad between the start and the recovery, or else the end of the run, summed"
        " over all latency and success objectives; null without one.",
    ),
)

FINDINGS = (
    Entry("findings[].rule", "text", "One of the rules below, the most severe first."),
    Entry("findings[].subject", "text", "What it is about, as a path of the scenario."),
    Entry("findings[].text", "text", "The finding, with the numbers to check it by hand."),
)

SAMPLE = (
    Entry("sample.replication", "number", "The replication whose messages were followed: 0, the first."),
    Entry(
        "sample.every",
        "number",
        "Every n-th message of the producers is here, counted through one producer after the other.",
    ),
    Entry("sample.journeys[].producer", "text", "Who published the message."),
    Entry("sample.journeys[].number", "number", "Its number at the producer, from 0."),
    Entry("sample.journeys[].latency_s.*", "s", "By flow: latency of its instances that are completed."),
    Entry(
        "sample.journeys[].slowest_of",
        "list of text",
        "Flows of which it is among the 20 slowest; those are here whatever their number.",
    ),
    Entry(
        "sample.journeys[].messages[].topic",
        "text",
        "The message and all its descendants, one entry for each line that it is in, by publishing.",
    ),
    Entry(
        "sample.journeys[].messages[].service",
        "text",
        "The consumer; null where it rests in a topic that nobody consumes.",
    ),
    Entry("sample.journeys[].messages[].published_s", "s", "When."),
    Entry(
        "sample.journeys[].messages[].parent",
        "number",
        "Place in `messages` of the message that it comes from; null at the producer.",
    ),
    Entry(
        "sample.journeys[].messages[].attempt",
        "number",
        "Number of the attempt that published it; null for a loss without one.",
    ),
    Entry("sample.journeys[].messages[].visible_s", "s", "When it was first visible; null: never."),
    Entry(
        "sample.journeys[].messages[].waits_s",
        "list",
        "Pairs (from, until) in which it was visible and not taken; until null: to the end of the run.",
    ),
    Entry("sample.journeys[].messages[].back_offs_s", "list", "Pairs in which it waited for a retry."),
    Entry("sample.journeys[].messages[].left_s", "s", "When it settled; null: it was there at the end."),
    Entry(
        "sample.journeys[].messages[].outcome",
        "text",
        "`succeeded`, `dead_lettered`, `rejected`, `expired`, `dropped`, `shed`, `rested`, or `joined`: it"
        " went on as one with the message that leads its join; null as above.",
    ),
    Entry("sample.journeys[].messages[].attempts[].number", "number", "From 1."),
    Entry(
        "sample.journeys[].messages[].attempts[].instance",
        "number",
        "From 0; null on a queue that does not tell its instances apart.",
    ),
    Entry(
        "sample.journeys[].messages[].attempts[].slot",
        "number",
        "From 0: of its instance, or else of the service, the lowest that was free among all attempts of the"
        " run, those that are not here included.",
    ),
    Entry(
        "sample.journeys[].messages[].attempts[].messages", "number", "How many began together as a batch."
    ),
    Entry("sample.journeys[].messages[].attempts[].taken_s", "s", "Begin."),
    Entry(
        "sample.journeys[].messages[].attempts[].ended_s", "s", "End; null: in work at the end of the run."
    ),
    Entry(
        "sample.journeys[].messages[].attempts[].outcome",
        "text",
        "`succeeded`, `failed`, `timed_out`, `lost`, `duplicate`, or null.",
    ),
    Entry(
        "sample.journeys[].messages[].attempts[].freed_s",
        "s",
        "When the slot was free: later than the end where abandoned work goes on, others of the batch are not"
        " done, or a blocking retry keeps it. Null: busy at the end.",
    ),
    Entry("sample.journeys[].messages[].attempts[].calls[].dependency", "text", "What was called."),
    Entry("sample.journeys[].messages[].attempts[].calls[].began_s", "s", "When."),
    Entry("sample.journeys[].messages[].attempts[].calls[].hedged_s", "s", "Its second request, or null."),
    Entry("sample.journeys[].messages[].attempts[].calls[].ended_s", "s", "Its answer or time-out, or null."),
    Entry(
        "sample.journeys[].messages[].attempts[].calls[].outcome",
        "text",
        "`answered`, `failed`, `timed_out`, or null.",
    ),
    Entry("sample.lines[].topic", "text", "Levels of each line in this replication."),
    Entry("sample.lines[].service", "text", "Its consumer."),
    Entry("sample.lines[].t_s", "list of s", "Sample times, every second or third … of more than 2000."),
    Entry("sample.lines[].lag", "list", "Lag."),
    Entry("sample.lines[].waiting", "list", "Waiting."),
    Entry("sample.faults[].name", "text", "Faults of this replication, random ones too."),
    Entry("sample.faults[].target", "text", "As declared."),
    Entry("sample.faults[].start_s", "s", "Start."),
    Entry("sample.faults[].end_s", "s", "End, or that of the run."),
    Entry(
        "sample.stopped",
        "text",
        "Instead of all this: why there is no sample (`interrupted`, `memory limit`, `worker lost`).",
    ),
)

LEFT_OUT = (
    Entry(
        "left_out.groups",
        "number",
        "Groups of replications: one for each, and at most 40. Replication k belongs to group k modulo their"
        " number.",
    ),
    Entry(
        "left_out.numbers.*",
        "list",
        "A headline number over all replications, and then with each group left out (not with one"
        " replication). Quantiles are interpolated inside their bucket. Those that are undefined are left"
        " out.",
    ),
)

LEFT_OUT_NOTE = """\
What the difference of two reports needs that met the same work: the spread of the differences of these values
is its interval, as if all replications were at hand. `--baseline` and `slosim report` with several files use
it. The headline numbers are, by the names that experiments give them:

- `objectives.*.sli_ratio`; `dependencies.*.utilisation_ratio`;
- `flows.*.latency_s.mean`, `.p50`, `.p95`, `.p99` and `.p99.9`, `flows.*.dead_lettered` and `.dropped`;
- `services.*.utilisation_ratio`, `.wait_s.mean`, `.attempts_per_message`, `.retried` and `.dead_lettered`;
- `topics.*.consumers.*.lag.mean`, `.lag.p99`, `.lag.max_mean` (the mean of each replication's largest),
  `.age_s.p99` and `.event_lag_s.p99`;
- of the first eight occurrences of each fault, by its start, `faults.NAME.2700s.peak_lag`,
  `.recovered_after_s` and `.recovered_ratio`;
- `cost_per_h`: the instance hours of all services times their prices, per hour.

What changed from one report to another:

- *Paired*, where both have this part and the same seed, duration, warm-up, sample times and number of
  replications, and none was stopped early. Producers' identities are hashed by name, so replication k of both
  meets the same arrivals, and what they have in common cancels. The interval is the jackknife over pairs, as
  in `slosim compare`; over groups of unequal size that of Busing, Meijer and van der Leeden (1999).
- *Independent* otherwise: each bound of the difference is as far from it as the root of the sum of squares of
  the two sides that push it there (Zou and Donner, 2008). It is a little wider than Welch's interval.
- A change is clear (`better`, `worse`, or `changed` where neither side is good) when its interval leaves out
  0 and it is at least what the numbers resolve: 0.5% of a percentile (a bucket), one message of a percentile
  of lag, 0.1% of any other number and of the distance of a share to 0 or 1; and 1 µs, 0.01 messages, 0.001
  attempts per message. It is `same` where the whole interval is below that, else `unclear`. With one
  replication nothing is clear.
- Do these intervals hold? Independent ones and paired ones of shares, means, p50 and p95: 92 to 97% of the
  time; paired ones of p99 91 to 94% and of p99.9 84 to 87%, as they underrate what happens far out in the
  tail (`benchmarks/README.md`).
"""

ENTRIES = (
    *RUN,
    *OBJECTIVES,
    *FLOWS,
    *SERVICES,
    *MECHANISMS,
    *TOPICS,
    *DEPENDENCIES,
    *THEORY,
    *FAULTS,
    *LEFT_OUT,
    *FINDINGS,
)

SAMPLE_NOTE = """\
`sample` is there after `--trace FILE`, or `slosim.run(…, sample=500)`. It is made by running the first
replication again, and changes no other number. `slosim report report.json --trace FILE` makes the trace of it
without simulating.

### The trace

`--trace FILE` writes the sample in the Trace Event Format. Open it at <https://ui.perfetto.dev> (the file
stays on your machine) or in `chrome://tracing`. Times are simulated.

- A service is a process, in the order in which messages reach them; each of its slots that a followed message
  was in is a thread. Slots look idle while they work on messages that are not in the sample.
- An attempt is a slice with its message, outcome and wait; its calls are slices inside it. Attempts that did
  not succeed say so in their name. A batch is one slice with those of its messages that are in the sample.
  Abandoned work, and a back-off that keeps its slot, follow the attempt as slices of their own.
- Delays, waits and back-offs are asynchronous slices of the service. A message that is lost is an instant.
- Arrows lead from an attempt to the first attempts of what it published.
- Lag and waiting of every line are counters; faults are a process of their own.

The slowest messages of each flow have `among the slowest of` in their arguments: search for it.
"""

MECHANISMS_NOTE = """\
`mechanisms` is there for a service that uses any of them, so that its instances may come and go or it has
several topics, batches, prefetch, a visibility timeout, a circuit breaker, a retry budget, load shedding,
calls or a join. What it does not use is 0.
"""

THEORY_NOTE = """\
`theory` is null where no closed form has an answer: batches, joins, more work than slots, a service time
without a variance, nothing that comes. Means do not depend on the order of a queue.

All assumptions are listed, those that hold too. Arrivals are Poisson where a producer is, where a station
passes on what came to it Poisson (unlimited slots, or exponential service times: Burke), and after chance
(`probability`, `choose`, failures) and independent delays. On a log each partition is a queue where it has a
slot of its own, and each instance where it has one slot; with keys, each gets its share of the run. The empty
start counts as forgotten where what is left of it after the warm-up is below 0.1% of the measured time.

The two findings use the 99.9% interval of the difference: one false alarm in a thousand stations (tried: 3 in
1,600, of M/M/1, M/G/1, M/G/3/3 and M/M/2/6, with 5 and 10 replications).
"""

INTRODUCTION = """\
# The report

<!-- generated by `python -m slosim.report.reference`; edit src/slosim/report/reference.py -->

`slosim run X.yaml --json report.json` writes this. Text and HTML show these numbers and no others. Names
carry units: `_s` seconds, `_per_s` per second, `_ratio` 0 to 1. Undefined values are null. No wall time and
no machine is in it: the same inputs give the same bytes. `docs/report.schema.json` is its JSON Schema.

Flow numbers cover the instances started at or after the warm-up, everything else counts what happens at or
after it.

## EST: an estimate

`{"value": …, "low": …, "high": …}`: pooled over all replications, with its 95% confidence interval.

- Counts are means per replication. Ratios and means are ratios of sums over all replications. Quantiles are
  those of the summed histograms.
- The interval is the delete-one jackknife with Student's t: with the estimate e of all n replications and e₋ᵢ
  of all but the i-th, the pseudo-values are n·e - (n - 1)·e₋ᵢ, and the interval is e ∓ t(0.975, n - 1) · sd /
  √n. For a mean this is the ordinary t interval.
- That of a quantile is Woodruff's: the share of values up to it has the interval above, and `low` and `high`
  are the pooled quantiles at its two ends, interpolated inside their buckets. They lie unevenly around the
  value in a thin tail, and never beyond what was seen.
- With one replication there is no interval, `low` and `high` are null; so they are when leaving out one
  replication leaves nothing.
- A share without a single bad instance (sample) among n has `low` = 1 - 3/n (the rule of three), `high` = 1,
  also with one replication. Samples of one run resemble each other, so for lag and age this is a hopeful
  bound.
- A bound outside the range of its quantity (below 0, above 1 for a share) is moved to the end of the range.
  Values are never moved or rounded, and budgets follow from the indicator as they are: a remaining budget may
  be negative.

## STAT: a distribution

`{"count": n, "mean": EST, "p50": EST, "p90": EST, "p95": EST, "p99": EST, "p99.9": EST, "max": number,
"histogram": {"upper": […], "count": […]}}`, null where nothing was recorded.

- Count and histogram are pooled over all replications; only filled buckets are listed, by their upper edge. A
  bucket is at most 1/128 wide relative to its lower edge; the lowest (upper edge 2⁻³⁰) holds what is zero.
- A quantile is the smallest bucket's middle with at least that share at or below it: within 0.4%. Whole
  numbers (messages) below 256 are exact. The mean and the maximum are exact.

## Series

Means over replications at 0 and every `sample_every`, each after everything that happens at that instant. Of
replications that were stopped early, those that came so far.

`--tables FOLDER` writes `series`: a row for each time, a column for each series, named by its place
(`services.payment.busy`, `objectives[no order is lost].bad`); and `histograms`: a row for each filled bucket,
with `name` (`flows.fulfilment.latency_s`), `upper` and `count`. What is missing is empty in CSV and NULL in
Parquet, whose columns are DOUBLE, BIGINT (`count`) and VARCHAR (`name`). Of names that differ in upper and
lower case alone, Parquet gives all but the first a number.
"""


def reference() -> str:
    """The whole of docs/report.md."""
    sections = [
        ("The run", RUN, ""),
        ("Objectives", OBJECTIVES, _alerts()),
        ("Flows", FLOWS, ""),
        ("Services", SERVICES, ""),
        ("Mechanisms", MECHANISMS, MECHANISMS_NOTE),
        ("Topics", TOPICS, ""),
        ("Dependencies", DEPENDENCIES, ""),
        ("Theory", THEORY, THEORY_NOTE),
        ("Faults", FAULTS, ""),
        ("Left out", LEFT_OUT, LEFT_OUT_NOTE),
        ("Findings", FINDINGS, _rules()),
        ("A sample of messages", SAMPLE, SAMPLE_NOTE),
    ]
    return INTRODUCTION + "".join(_section(*section) for section in sections)


def _section(title: str, entries: tuple[Entry, ...], notes: str) -> str:
    text = f"\n## {title}\n\n"
    if entries:
        rows = [f"| `{entry.path}` | {entry.form} | {entry.meaning} |\n" for entry in entries]
        text += f"| number | form | meaning |\n|---|---|---|\n{''.join(rows)}"
    return text + (f"\n{notes}" if entries and notes else notes)


def _alerts() -> str:
    rows = [
        f"| {rule.severity} | {rule.factor:g} | {clock(rule.long_s)} | {clock(rule.short_s)} |\n"
        for rule in WORKBOOK_RULES
    ]
    return (
        "Alerts for a window of 30d; for another the windows are scaled and the factors are kept (The Site"
        " Reliability Workbook, chapter 5):\n\n| severity | burn rate above | long | short"
        f" |\n|---|---|---|---|\n{''.join(rows)}\nThey are evaluated at each sample t over (t - w, t], both"
        " windows at once. The time before the warm-up counts as healthy at the run's mean rate. Between two"
        " samples counts are taken as evenly spread. With a target of 100% every bad one exceeds.\n"
    )


def _rules() -> str:
    rows = [f"| `{rule.name}` | {rule.when} |\n" for rule in RULES]
    return f"| rule | speaks when |\n|---|---|\n{''.join(rows)}"


if __name__ == "__main__":
    print(reference(), end="")
