"""`slosim compare`, and what every experiment rests on: summaries, quantities, the store, the study."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

import slosim
from slosim.cli.progress import ProgressBar
from slosim.errors import UserError
from slosim.experiments.compare.compare import compare
from slosim.experiments.quantities import (
    Change,
    Quantity,
    change,
    effect_of,
    estimate,
    half_width,
    quantities_of,
)
from slosim.experiments.result import Result, as_plain
from slosim.experiments.store import Store
from slosim.experiments.study import Stopped, Study, Wanted
from slosim.experiments.summary import from_plain, to_plain
from slosim.measure.intervals import Estimate
from slosim.model import Scenario, load, loads
from slosim.report.amounts import change_of
from slosim.theory import mm
from slosim.workers import open_workers
from test_cli import ROOT, written
from test_cli import slosim as command

QUEUE = """
name: queue
run: {duration: 30m, warmup: 2m, seed: 3, replications: 6}
topics: {jobs: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 8/s}}}
services: {s: {consumes: jobs, service_time: {exponential: 100ms}, cost_per_instance_hour: 0.5}}
faults: [{name: stop, at: 15m, for: 10s, target: services.s, effect: {pause: true}}]
objectives:
  - {name: soon, flow: p, within: 2s, target: 99%}
  - {name: short, topic: jobs, lag_below: 20, target: 90%}
"""
ORDERS = ROOT / "examples" / "orders.yaml"


@pytest.fixture
def workers():
    with open_workers("threads", 2) as pool:
        yield pool


def studied(workers, path: Path | None = None, tell=None) -> Study:
    return Study(workers, Store(path, "compare"), tell)


def stops_after(runs: int):
    """A progress that is interrupted once so many runs are finished."""

    def tell(progress):
        if progress.replication >= runs:
            raise KeyboardInterrupt

    return tell


def by_key(result: Result) -> dict[str, dict]:
    return {one["key"]: one for one in result.data["changes"]}


# ---- what is compared --------------------------------------------------------------------------------------


def test_values_are_those_of_the_report(workers):
    """Whatever an experiment shows of a variant is what `slosim run` reports of it, with its interval."""
    scenario = loads(QUEUE)
    report = slosim.run(scenario).data
    [summaries] = studied(workers).summaries([Wanted(scenario, 6)])
    for quantity in quantities_of(scenario):
        if quantity.key.endswith("max_mean") or quantity.key == "cost_per_h":
            continue
        expected = report
        for name in re.split(r"\.(?!9)", quantity.key):  # p99.9 is one name
            if isinstance(expected, list):
                expected = next(one for one in expected if one["name"] == name)
            else:
                expected = expected[name]
        got = estimate(quantity, summaries).as_dict()
        assert got == pytest.approx(expected, rel=1e-9), quantity.key
    assert report["services"]["s"]["cost"]["value"] == pytest.approx(0.5 * 28 / 60)


def test_a_variant_compared_with_itself_does_not_change(workers):
    result = compare(loads(QUEUE), loads(QUEUE), studied(workers), 6)
    assert {one["effect"] for one in result.data["changes"]} == {"same"}
    assert result.data["objectives"] == [
        {"name": "soon", "target_ratio": [0.99, 0.99], "before": "missed", "after": "missed", "flips": False},
        {"name": "short", "target_ratio": [0.9, 0.9], "before": "met", "after": "met", "flips": False},
    ]
    assert "stays the same" in result.to_text()


@pytest.mark.parametrize(
    ("unit", "difference", "ratio", "effect"),
    [
        ("s", (-1.2, -2.0, -0.1), (-0.555, -0.838, 0.223), "unclear"),
        ("s", (-1.2, -2.6, 0.2), (-0.555, -0.838, -0.1), "better"),
        ("s", (-1.2, -2.6, -0.2), (None, None, None), "better"),
        ("s", (1.2, 0.6, 2.0), (None, None, None), "worse"),
        ("s", (1.2, 0.6, 2.0), (0.2, None, None), "unclear"),
        ("s", (0.0, 0.0, 0.0), (0.0, None, None), "same"),
        ("s", (None, None, None), (None, None, None), "undefined"),
        ("ratio", (-0.01, -0.02, -0.001), (-0.01, -0.03, 0.1), "better"),
        ("ratio", (-0.01, -0.02, 0.001), (-0.01, -0.03, -0.01), "unclear"),
    ],
)
def test_the_effect_is_what_the_interval_beside_it_says(unit, difference, ratio, effect):
    quantity = Quantity("x", "x", unit, "lower", statistics=lambda one: one, value=lambda sums: sums)
    its = Change(Estimate(2.2), Estimate(1.0), Estimate(*difference), Estimate(*ratio), None)
    assert effect_of(quantity, its) == effect
    told = change_of({"unit": unit, **as_plain(its)})
    if effect in ("better", "worse"):
        low, high = re.search(r"\[([-+][^,]*), ([-+][^\]]*)\]", told).groups()
        assert low[0] == high[0] == ("-" if effect == "better" else "+")


def test_more_instances_flip_an_objective(workers):
    before = loads(QUEUE)
    result = compare(before, before.replace({"services.s.instances": 2}), studied(workers), 6)
    soon = result.data["objectives"][0]
    assert (soon["before"], soon["after"], soon["flips"]) == ("missed", "met", True)
    p99 = by_key(result)["flows.p.latency_s.p99"]
    assert p99["effect"] == "better"
    assert p99["ratio"]["high"] < -0.3
    cost = by_key(result)["cost_per_h"]
    assert cost["ratio"]["value"] == pytest.approx(1.0)
    assert cost["effect"] == "worse"
    text = result.to_text()
    assert "fulfilment" not in text
    assert "p p99 falls by" in text
    assert "'soon' goes from missed to met." in text


def test_the_difference_is_that_of_theory(workers):
    """M/M/1 at 60% against M/M/2 with the same work: the difference of the mean waits by Erlang's formula.

    The interval has 95%; at 4 times its half width (t with 19 degrees of freedom) the false-alarm rate is
    below 1e-6.
    """
    one = loads(
        """
        name: x
        run: {duration: 2h, warmup: 5m, seed: 11}
        topics: {jobs: {}}
        producers: {p: {topic: jobs, arrivals: {poisson: 6/s}}}
        services: {s: {consumes: jobs, service_time: {exponential: 100ms}}}
        """
    )
    result = compare(one, one.replace({"services.s.instances": 2}), studied(workers), 20)
    wait = by_key(result)["services.s.wait_s.mean"]
    expected = mm.mean_wait_s(6, 0.1, 2) - mm.mean_wait_s(6, 0.1, 1)
    width = (wait["difference"]["high"] - wait["difference"]["low"]) / 2
    assert abs(wait["difference"]["value"] - expected) < 4 * width
    assert width < 0.1 * abs(expected)


def test_pairs_need_a_tenth_of_the_replications_on_the_orders_example(workers):
    """Measured: some thousand times fewer for the mean, 200 for the p99 (benchmarks/pairing.py)."""
    before = load(ORDERS)
    slower = {"services.payment.service_time": {"lognormal": {"mean": "420ms", "p99": "2.1s"}}}
    result = compare(before, before.replace(slower), studied(workers), 10)
    assert by_key(result)["flows.fulfilment.latency_s.mean"]["pairing"] >= 10
    assert by_key(result)["flows.fulfilment.latency_s.p99"]["pairing"] >= 10


def test_pairing_is_the_ratio_of_the_variances(workers):
    """What a comparison says about independent runs is what independent runs show: within a factor of 3, at
    40 replications, whose variances have a relative error of a quarter each."""
    before = loads(QUEUE)
    after = before.replace({"services.s.service_time": {"exponential": "90ms"}})
    other = after.replace({"run.seed": 99})
    study = studied(workers)
    old, new, independent = study.summaries([Wanted(one, 40) for one in (before, after, other)])
    [mean] = [one for one in quantities_of(before) if one.key == "flows.p.latency_s.mean"]
    pairs, singles = change(mean, old, new), change(mean, old, independent)
    found = (half_width(singles.difference) / half_width(pairs.difference)) ** 2
    assert found / 3 < pairs.pairing < found * 3


def test_few_pairs_say_nothing_of_their_worth(workers):
    before = loads(QUEUE)
    after = before.replace({"services.s.service_time": {"exponential": "90ms"}})
    study = studied(workers)
    assert compare(before, after, study, 4).data["pairing"] is None
    assert "Independent runs" not in compare(before, after, study, 4).to_text()
    assert compare(before, after, study, 5).data["pairing"] > 1


def test_the_seed_of_the_first_variant_counts(workers):
    before = loads(QUEUE)
    after = before.replace({"services.s.instances": 2})
    one = compare(before, after, studied(workers), 3).data
    other = compare(before, after.replace({"run.seed": 77}), studied(workers), 3)
    assert other.data["changes"] == one["changes"]
    assert (one["run"]["other_seed"], other.data["run"]["other_seed"]) == (None, 77)
    assert "seed 3, not 77 of the second variant:" in " ".join(other.to_text().split())


def test_two_that_differ_in_their_seeds_alone_are_refused(workers):
    before = loads(QUEUE)
    with pytest.raises(UserError, match=r"run.seed differs, 3 and 9, and nothing else"):
        compare(before, before.replace({"run.seed": 9, "run.replications": 5}), studied(workers), 3)


def test_runs_of_different_length_are_refused(workers):
    before = loads(QUEUE)
    with pytest.raises(UserError, match=r"run.warmup differs: 2m and 1m.*set run.warmup=2m"):
        compare(before, before.replace({"run.warmup": "1m"}), studied(workers), 3)


def test_what_only_one_variant_has_is_left_out(workers):
    before = loads(QUEUE)
    after = Scenario.from_dict({**before.resolved(), "objectives": []})
    result = compare(before, after, studied(workers), 3)
    assert result.data["objectives"] == []
    assert result.data["after"]["verdict"] == "no objectives"
    assert "flows.p.latency_s.p99" in by_key(result)


def test_the_number_of_workers_changes_no_byte():
    before = loads(QUEUE)
    texts = []
    for count in (1, 2):
        with open_workers("threads", count) as pool:
            texts.append(
                compare(before, before.replace({"services.s.instances": 2}), studied(pool), 4).to_json()
            )
    assert texts[0] == texts[1]
    assert Result.from_json(texts[0]).to_json() == texts[0]


# ---- what is kept ------------------------------------------------------------------------------------------


def test_a_summary_survives_json(workers):
    [[summary]] = studied(workers).summaries([Wanted(loads(QUEUE), 1)])
    again = from_plain(json.loads(json.dumps(to_plain(summary))))
    assert to_plain(again) == to_plain(summary)
    assert again.flows["p"].latency.count == summary.flows["p"].latency.count > 0


def test_nothing_is_simulated_twice(workers, tmp_path):
    path = tmp_path / "x.json"
    before = loads(QUEUE)
    after = before.replace({"services.s.instances": 2})
    first = studied(workers, path)
    result = compare(before, after, first, 3)
    first.store.finish(result.data)
    assert first.simulated == 6
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]
    again = studied(workers, path)
    assert compare(before, after, again, 3).to_json() == result.to_json()
    assert again.simulated == 0
    again.store.close()
    changed = studied(workers, path)
    compare(before, before.replace({"services.s.instances": 3}), changed, 4)
    assert changed.simulated == 1 + 4
    changed.store.close()


@pytest.mark.parametrize("part", ["objectives", "flows", "services", "lines", "faults"])
def test_a_run_that_was_edited_is_simulated_again(workers, tmp_path, part):
    path = tmp_path / "x.json"
    before = loads(QUEUE)
    store = Store(path, "compare")
    study = Study(workers, store)
    first = compare(before, before.replace({"services.s.instances": 2}), study, 2)
    store.finish(first.data)
    whole = path.read_text(encoding="utf-8")
    kept = json.loads(whole)
    for runs in kept["runs"].values():
        runs["1"][part] = type(runs["1"][part])()
    path.write_text(json.dumps(kept), encoding="utf-8")
    store = Store(path, "compare")
    study = Study(workers, store)
    again = compare(before, before.replace({"services.s.instances": 2}), study, 2)
    store.finish(again.data)
    assert study.simulated == 2
    assert path.read_text(encoding="utf-8") == whole


def test_an_interrupted_comparison_shows_what_is_finished_and_goes_on(workers, tmp_path):
    path = tmp_path / "x.json"
    before = loads(QUEUE)
    after = before.replace({"services.s.instances": 2})
    whole = compare(before, after, studied(workers), 20)
    cut = studied(workers, path, stops_after(25))
    partial = compare(before, after, cut, 20)
    assert partial.stopped == "interrupted"
    assert 2 <= partial.data["run"]["replications"] < 20
    assert "Stopped early: interrupted" in partial.to_text()
    assert 25 <= cut.simulated < 40
    cut.store.close()  # as when the process is killed: there is only the journal
    journal = tmp_path / ".x.json.runs"
    journal.write_bytes(journal.read_bytes()[:-100])  # and its last line is cut
    went_on = studied(workers, path)
    assert compare(before, after, went_on, 20).to_json() == whole.to_json()
    assert went_on.simulated == 40 - cut.simulated + 1


def test_stopped_before_there_is_a_pair(workers):
    endless = loads(QUEUE, overrides=["run.duration=2000d", "run.sample_every=1d"])
    after = endless.replace({"services.s.instances": 2})
    with pytest.raises(Stopped, match="interrupted"):
        compare(endless, after, studied(workers, None, stops_after(0)), 9)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[" * 100_000, '{"format": "slosim-report/1"}', '{"format": "slosim-compare/1"}'],
    ids=range(6),
)
def test_another_file_is_not_overwritten(workers, tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match="is no slosim-compare/1 that could be gone on with"):
        Store(path, "compare")
    assert path.read_text() == content
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


def test_two_processes_do_not_share_a_file(tmp_path):
    store = Store(tmp_path / "x.json", "compare")
    with pytest.raises(UserError, match="another slosim is writing"):
        Store(tmp_path / "x.json", "compare")
    store.close()
    Store(tmp_path / "x.json", "compare").close()


# ---- from Python -------------------------------------------------------------------------------------------


def test_from_python(tmp_path):
    """Every experiment is a function of the package; a file is gone on with."""
    scenario = loads(QUEUE)
    options = {"replications": 2, "workers": 1}
    two = scenario.replace({"services.s.instances": 2})
    found = slosim.compare(scenario, two, file=tmp_path / "x.json", **options)
    assert found.changes[0].key == "objectives.soon.sli_ratio"
    assert slosim.compare(scenario, two, file=tmp_path / "x.json", **options).to_json() == found.to_json()
    swept = slosim.sweep(scenario, ["services.s.instances=1,2"], **options)
    assert [row["values"] for row in swept.data["rows"]] == [["1"], ["2"]]
    assert slosim.sensitivity(scenario, **options).complete
    sized = slosim.size(scenario, ["services.s.instances=1..4"], **options)
    assert sized.answer is not None
    broken = slosim.find_breaks(scenario, only=["load"], **options)
    assert "load" in broken.to_text()
    with pytest.raises(UserError, match="replications 1: an experiment needs at least 2"):
        slosim.compare(scenario, two, replications=1)


def test_a_link_leads_to_the_same_lock(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "x.json")
    store = Store(link, "compare")
    with pytest.raises(UserError, match="another slosim is writing"):
        Store(tmp_path / "x.json", "compare")
    store.close()


def test_an_experiment_is_not_kept_in_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # reading it, or /dev/full, would never end
    with pytest.raises(UserError, match="no ordinary file"):
        Store(pipe, "compare")
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_ctrl_c_before_anything_is_finished_leaves_no_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "_exit", sys.exit)
    store = Store(tmp_path / "x.json", "compare")
    with ProgressBar(False, store.close), pytest.raises(SystemExit, match="130"):
        signal.raise_signal(signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


# ---- the command -------------------------------------------------------------------------------------------


def test_compare_prints_and_keeps(tmp_path):
    written(tmp_path, QUEUE)
    arguments = ["compare", "scenario.yaml", "--set", "services.s.instances=2"]
    ran = command(*arguments, cwd=tmp_path)
    assert ran.returncode == 0
    assert ran.stdout.startswith("MISSED → MET. p p99 falls by")
    assert "scenario.yaml → scenario.yaml --set services.s.instances=2" in ran.stdout
    assert "saved scenario.compare.json" in ran.stderr
    assert max(map(len, ran.stdout.splitlines())) <= 100
    kept = json.loads((tmp_path / "scenario.compare.json").read_text())
    assert kept["format"] == "slosim-compare/1"
    assert {len(runs) for runs in kept["runs"].values()} == {6}
    again = command(*arguments, cwd=tmp_path)
    assert again.stdout == ran.stdout
    assert "12 finished runs" in again.stderr
    printed = command(*arguments, "--json", "-", "--replications", 2, cwd=tmp_path)
    assert json.loads(printed.stdout)["run"]["replications"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["scenario.yaml"],
            "nothing to compare with: name a second scenario, or change the first with --set",
        ),
        (["scenario.yaml", "--set", "services.t.instances=2"], "declared services: s"),
        (["scenario.yaml", "no.yaml"], "no.yaml: "),
        (["scenario.yaml", "--set", "run.warmup=1m"], "run.warmup differs"),
        (["scenario.yaml", "--set", "run.seed=1", "--replications", "1"], "needs at least 2"),
        (["scenario.yaml", "--set", "run.seed=1", "--json", "scenario.yaml"], "it is the scenario itself"),
        (["scenario.yaml", "--set", "run.seed=1", "--json", "no/x.json"], "there is no folder no"),
        (
            ["scenario.yaml", "--set", "run.seed=1", "--backend", "thread"],
            "there are threads, processes, dask",
        ),
        (
            ["scenario.yaml", "--set", "run.seed=1", "--cluster", "tcp://x:1"],
            "a cluster needs the backend dask",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_explained(tmp_path, arguments, message):
    written(tmp_path, QUEUE)
    ran = command("compare", *arguments, cwd=tmp_path)
    assert ran.returncode == 2
    assert message in " ".join(ran.stderr.split())
    assert ran.stdout == ""
    assert [one.name for one in tmp_path.iterdir()] == ["scenario.yaml"]
