"""Sizing: the cheapest configuration against theory and against trying everything; what cannot be sized.

All runs are at fixed seeds. Where an answer rests on intervals, its neighbours are so far from the target
that an interval that misses the truth, as one in twenty does, would still be on the right side of it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import slosim
from slosim import size
from slosim.errors import ScenarioError, UserError
from slosim.experiments.judge import judge, verdict
from slosim.experiments.result import Result
from slosim.experiments.size.cases import Case, parse_drain, parse_peak
from slosim.experiments.size.content import content_of
from slosim.experiments.size.dimensions import (
    INSTANCES,
    PER_HOUR,
    Dimension,
    Dimensions,
    dimensions_of,
    neighbours,
    value_at,
)
from slosim.experiments.size.search import Search, answered, asked, cheaper_than, smallest
from slosim.experiments.size.text import money
from slosim.experiments.size.trials import MORE, CaseResult, Check, Trial, Trials
from slosim.experiments.store import Store
from slosim.experiments.study import Stopped, Study, Wanted
from slosim.experiments.summary import Summary
from slosim.measure.intervals import student_t
from slosim.model import Clients, Poisson, Scenario
from slosim.theory.mm import sojourn_tail
from slosim.workers import open_workers

ROOT = Path(__file__).parent.parent
QUEUE = """
name: one queue
run: {duration: 1h, warmup: 2m, seed: 3}
topics: {jobs: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 8/s}}}
services: {s: {consumes: jobs, service_time: {exponential: 500ms}, instances: 5}}
objectives: [{name: quick, flow: p, within: 1.5s, target: TARGET}]
"""
PIPELINE = """
name: two services
run: {duration: 20m, warmup: 2m, seed: 5}
topics: {a: {}, b: {}}
producers: {p: {topic: a, arrivals: {poisson: 8/s}}}
services:
  front: {consumes: a, service_time: {exponential: 200ms}, emits: b, cost_per_instance_hour: FRONT}
  back: {consumes: b, service_time: {exponential: 400ms}, cost_per_instance_hour: BACK}
objectives: [{name: quick, flow: p, within: 1.6s, target: 95%}]
"""
REGULAR = """
name: regular
run: {duration: 20m, seed: 1, sample_every: 1s}
topics: {jobs: {}}
producers: {p: {topic: jobs, arrivals: {every: 100ms}}}
services: {s: {consumes: jobs, service_time: 500ms, instances: 6}}
"""
LOSSY = """
name: lossy
run: {duration: 10m, seed: 1}
topics: {jobs: {}, dead: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 10/s}}}
services:
  s: {consumes: jobs, service_time: {exponential: 100ms}, failures: 5%, dead_letter: dead}
objectives:
  - {name: nothing is lost, flow: p, target: 99%}
  - {name: quick, flow: p, within: 1s, target: 90%}
"""
CROWD = """
name: crowd
run: {duration: 20m, seed: 1}
topics: {jobs: {}, dead: {}}
producers: {p: {topic: jobs, arrivals: {poisson: 10/s}}}
services: {s: {consumes: jobs, service_time: 1ms, calls: [{dependency: db}], dead_letter: dead}}
dependencies: {db: {capacity: 1, queue_limit: 0, service_time: 50ms}}
objectives: [{name: nothing is lost, flow: p, target: 99%}]
"""
ALL = "services.*.instances=1..12"


def loaded(text: str, **words: object) -> Scenario:
    for word, value in words.items():
        text = text.replace(word.upper(), str(value))
    return slosim.loads(text)


def values_of(result: Result) -> dict[str, object]:
    assert result.data["answer"] is not None, result.to_text()
    return result.data["answer"]["values"]


# ---- the answer is right ---------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [6, 7])
def test_the_smallest_number_of_servers_is_that_of_theory(slots: int):
    """M/M/c: the target lies in the middle between what theory gives slots - 1 and slots."""
    shares = [1 - sojourn_tail(1.5, 8.0, 0.5, count) for count in (slots - 1, slots)]
    target = round(sum(shares) / 2, 4)
    result = size(loaded(QUEUE, target=target), ["services.s.instances=1..40"])
    assert values_of(result) == {"services.s.instances": slots}
    (proof,) = result.data["proof"]
    assert proof["neighbour"]["verdict"] == "missed"
    below = proof["neighbour"]["hardest"]["sli_ratio"]
    (met,) = result.data["answer"]["checks"]
    assert below["high"] < target <= met["sli_ratio"]["low"]
    assert met["sli_ratio"]["low"] - 0.01 <= shares[1] <= met["sli_ratio"]["high"] + 0.01


def test_repeated_looks_call_met_what_is_at_its_target_as_often_as_the_text_says():
    """20,000 searches of a normal mean that is exactly at its target: 5.7% ± 0.3%."""
    values = np.random.default_rng(1).standard_normal((20_000, 10 * MORE[-1]))
    is_met, is_open = np.zeros(len(values), bool), np.ones(len(values), bool)
    for count in (10, *(10 * times for times in MORE)):
        looked = values[:, :count]
        half_widths = student_t(count - 1) * looked.std(axis=1, ddof=1) / math.sqrt(count)
        is_met |= is_open & (looked.mean(axis=1) - half_widths >= 0)
        is_open &= np.abs(looked.mean(axis=1)) < half_widths
    assert 0.05 < is_met.mean() < 0.065


@pytest.mark.parametrize("prices", [(1, 6), (7, 1)])
def test_the_answer_is_what_trying_everything_finds(prices: tuple[int, int]):
    """Both stages share the 1.6 s: where one is dear, the other makes up for it."""
    scenario = loaded(PIPELINE, front=prices[0], back=prices[1])
    grid = {
        prices[0] * front + prices[1] * back: {
            "services.front.instances": front,
            "services.back.instances": back,
        }
        for front, back in itertools.product(range(2, 7), range(4, 8))
    }
    assert len(grid) == 20, "every configuration has its own cost"
    with open_workers() as workers:
        study = Study(workers, Store(None, "size"))
        vary = ["services.front.instances=2..6", "services.back.instances=4..7"]
        result = answered(asked(scenario, vary, 0, 1.0, None, (), (), ()), study, 6)
        for cost in sorted(grid):
            variant = scenario.replace(grid[cost])
            for replications in (6, 12, 24):
                (summaries,) = study.summaries([Wanted(variant, replications)])
                found = verdict(judge(variant, summaries))
                if found != "undecided":
                    break
            if found == "met":
                break
    assert values_of(result) == grid[cost]
    assert result.data["answer"]["cost"] == cost
    assert result.data["cost_unit"] == "per_h"
    assert result.data["cheaper"]["is_cheapest"]
    assert result.data["floor"] != values_of(result), "no stage alone decides"


def test_one_missing_instance_needs_one_more():
    """With one instance less the answer is the very system that was the answer before."""
    scenario = loaded(QUEUE, target="90%")
    plain, survived = (size(scenario, [ALL], survive=survive) for survive in (0, 1))
    path = "services.s.instances"
    assert values_of(survived)[path] == values_of(plain)[path] + 1
    cases = {one["case"]: one["sli_ratio"] for one in survived.data["answer"]["checks"]}
    assert list(cases) == ["as it is", "without 1 x s"]
    assert cases["without 1 x s"] == plain.data["answer"]["checks"][0]["sli_ratio"]


def test_a_backlog_is_drained_in_time_by_arithmetic():
    """A pause of 60 s leaves 600 messages; c servers drain 2c - 10 a second: 60 s with 10 and 75 s with 9."""
    result = size(loaded(REGULAR), [ALL], drain="services.s pause 60s in 70s", replications=2)
    assert values_of(result) == {"services.s.instances": 10}
    (check,) = result.data["answer"]["checks"]
    assert check["longest_s"] == pytest.approx(60, abs=2)
    assert check["in_time_least_ratio"] == pytest.approx(0.05**0.5)
    below = result.data["proof"][0]["neighbour"]["hardest"]
    assert below["verdict"] == "missed"
    assert below["longest_s"] == pytest.approx(75, abs=2)


def test_a_peak_is_that_load():
    scenario = loaded(QUEUE, target="90%")
    doubled = scenario.replace({"producers.p.arrivals": {"poisson": "16/s"}})
    at_peak = size(scenario, ["services.s.instances=1..20"], peak=2)
    assert values_of(at_peak) == values_of(size(doubled, ["services.s.instances=1..20"]))
    assert values_of(at_peak) != values_of(size(scenario, ["services.s.instances=1..20"]))


def test_of_equal_cost_the_smaller_value_is_taken():
    """Four partitions carry the load, three do not; more cost nothing and are not needed."""
    scenario = loaded(REGULAR).replace(
        {
            "topics.jobs.partitions": 2,
            "services.s.service_time": "350ms",
            "objectives": [{"name": "quick", "flow": "p", "within": "10s", "target": "99%"}],
        }
    )
    vary = ["services.s.instances=1..12", "topics.jobs.partitions=12,2,3,4"]
    result = size(scenario, vary, replications=2)
    assert values_of(result) == {"services.s.instances": 4, "topics.jobs.partitions": 4}
    assert result.data["vary"][1]["values"] == [2, 3, 4, 12]
    assert any("costs nothing" in note for note in result.data["notes"])
    priced = size(scenario, vary, replications=2, costs=["topics.jobs.partitions=0.5"])
    assert priced.data["answer"]["cost"] == 4 + 4 * 0.5


def test_more_that_is_worse_is_found_and_told():
    """Each further instance only makes the database refuse more calls."""
    scenario = slosim.loads(CROWD)
    result = size(scenario, ["services.s.instances=1..9"], replications=4)
    assert values_of(result) == {"services.s.instances": 1}
    assert {"met": {"services.s.instances": 1}, "missed": {"services.s.instances": 9}} in (
        result.data["not_monotone"]
    )
    assert "the larger configuration missed" in result.to_text()


# ---- the search, on made-up systems ----------------------------------------------------------------------

Rule = Callable[[tuple[int, ...], bool], bool]


def searched(
    rule: Rule, vary: Sequence[str], prices: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> Search:
    """A search in which `rule` of a position, and whether all replications are asked for, is what is met."""

    def tried(its: Trials, position: tuple[int, ...], firm: bool, doing: str) -> Trial:
        met = rule(position, firm)
        sli = {"value": float(met), "low": None, "high": None}
        numbers = {"kind": "objective", "target_ratio": 0.95, "sli_ratio": sli}
        check = Check("quick", "met" if met else "missed", float(met), numbers)
        return Trial(position, [CaseResult(Case("whole"), 10 if firm else 4, [check])], firm)

    monkeypatch.setattr(Trials, "_tried", tried)
    scenario = loaded(PIPELINE, front=prices[0], back=prices[1])
    study: Any = None
    search = Search(asked(scenario, vary, 0, 1.0, None, (), (), ()), study, 10)
    search.run()
    return search


@pytest.mark.parametrize("seed", range(30))
def test_the_cheapest_of_a_monotone_system_is_found(seed: int, monkeypatch: pytest.MonkeyPatch):
    """Each stage needs so much, and all together more: drawn at random, compared with trying everything."""
    chance = random.Random(seed)
    least = [chance.randint(0, 5) for _ in range(3)]
    worth = [chance.choice([0.0, 1.0, 1.5, 3.0]) for _ in range(3)]
    sizes = (9, 9, 6)
    most = sum(w * math.sqrt(size - 1) for w, size in zip(worth, sizes, strict=True))
    enough = chance.uniform(0.3, 1.0) * most
    prices = (chance.choice([0.1, 0.5, 2.0]), chance.choice([0.1, 0.3, 1.0]))

    def rule(position: tuple[int, ...], firm: bool) -> bool:
        together = sum(w * math.sqrt(index) for w, index in zip(worth, position, strict=True))
        return all(index >= low for index, low in zip(position, least, strict=True)) and together >= enough

    vary = ["services.front.instances=1..9", "services.back.instances=1..9", "topics.b.partitions=1..6"]
    search = searched(rule, vary, prices, monkeypatch)
    best = search.best()
    assert best is not None
    everything = itertools.product(*(range(size) for size in sizes))
    cheapest = min(search.key(one)[:2] for one in everything if rule(one, True))
    assert search.key(best.position)[:2] == cheapest
    assert search.not_tried == 0
    assert best.is_firm
    assert all(search.trials.done[one].is_firm for one in neighbours(best.position) if one is not None)
    assert len(search.steps) < math.prod(sizes) / 2


@pytest.mark.parametrize(("limit", "left"), [("CHEAPER_TRIALS_MOST", 1), ("CANDIDATES_MOST", None)])
def test_a_search_that_gives_up_does_not_claim_the_cheapest(
    limit: str, left: int | None, monkeypatch: pytest.MonkeyPatch
):
    """Stages that make up for each other leave many configurations that cost about the same."""

    def rule(position: tuple[int, ...], firm: bool) -> bool:
        return math.prod(index + 1 for index in position) >= 60

    monkeypatch.setattr(f"slosim.experiments.size.search.{limit}", 1)
    search = searched(
        rule, ["services.*.instances=1..20", "topics.b.partitions=1..9"], (1.0, 1.1), monkeypatch
    )
    cheaper = content_of(search, None)["cheaper"]
    assert not cheaper["is_cheapest"]
    assert cheaper["not_tried"] is None if left is None else cheaper["not_tried"] >= left
    assert "a cheaper one may exist" in Result(content_of(search, None)).to_text()


def test_what_more_runs_do_not_confirm_is_not_the_answer(monkeypatch: pytest.MonkeyPatch):
    def rule(position: tuple[int, ...], firm: bool) -> bool:
        return sum(position) >= (9 if firm else 7)

    search = searched(rule, ["services.*.instances=1..12"], (1, 1), monkeypatch)
    best = search.best()
    assert best is not None
    assert sum(best.position) == 9


# ---- nothing will do -------------------------------------------------------------------------------------


def test_what_no_size_can_change_is_said_at_once():
    result = size(loaded(LOSSY), [ALL])
    assert result.data["answer"] is None
    (unmet,) = result.data["unmet"]
    assert unmet["name"] == "nothing is lost"
    assert unmet["elsewhere"]["larger_is"] == "same"
    assert unmet["losses"]["dead_lettered_ratio"] == pytest.approx(0.05, abs=0.005)  # 60,000 messages: 5 sd
    assert len(result.data["steps"]) <= 4
    assert "--ignore 'nothing is lost'" in result.to_text()
    assert values_of(size(loaded(LOSSY), [ALL], ignore=["nothing is lost"]))
    assert values_of(size(loaded(LOSSY), [ALL], only=["quick"]))


def test_more_of_what_crowds_a_database_is_worse():
    """Two instances at two places are never refused, nine are; and nothing is as quick as is asked."""
    impossible = "objectives: [{name: at once, flow: p, within: 10ms, target: 99%}, "
    scenario = slosim.loads(CROWD.replace("capacity: 1", "capacity: 2").replace("objectives: [", impossible))
    result = size(scenario, ["services.s.instances=2..9"], replications=4)
    assert result.data["answer"] is None
    larger_is = {one["name"]: one["elsewhere"]["larger_is"] for one in result.data["unmet"]}
    assert larger_is == {"at once": "same", "nothing is lost": "worse"}
    assert "More makes it worse" in " ".join(result.to_text().split())


def test_a_range_that_is_too_small_matters():
    result = size(loaded(QUEUE, target="90%"), ["services.s.instances=1..4"])
    assert result.data["answer"] is None
    assert result.data["unmet"][0]["elsewhere"] is None, "arithmetic asks for more than there is"
    assert any("saturated with 4 instances" in limit for limit in result.data["limits"])


def test_a_service_of_one_cannot_lose_one():
    scenario = loaded(PIPELINE, front=1, back=1)
    result = size(scenario, ["services.back.instances=1..9"], survive=1, replications=2)
    assert result.data["answer"] is None
    assert [one["why"] for one in result.data["unmet"]] == ["nothing is left of front"]
    assert "nothing is left of front" in result.to_text()


def test_a_target_of_all_cannot_be_shown():
    result = size(
        loaded(QUEUE, target="100%").replace({"objectives[quick].within": "1h"}), [ALL], replications=2
    )
    assert result.data["answer"] is None
    assert result.data["unmet"][0]["verdict"] == "undecided"
    assert "No finite run shows" in result.to_text()


# ---- the result ------------------------------------------------------------------------------------------


def test_the_result_is_the_same_with_any_workers_and_when_gone_on_with(tmp_path: Path):
    scenario = loaded(PIPELINE, front=1, back=2)
    its = asked(scenario, [ALL], 1, 1.0, None, (), (), ())
    texts = []
    for count, path in ((1, None), (2, tmp_path / "x.json"), (2, tmp_path / "x.json")):
        store = Store(path, "size")
        with open_workers(count=count) as workers:
            study = Study(workers, store)
            result = answered(its, study, 4)
        store.finish(result.data)
        store.close()
        texts.append(result.to_json())
    assert texts[0] == texts[1] == texts[2]
    assert study.simulated == 0, "all runs were there"
    assert Result.from_json((tmp_path / "x.json").read_text(encoding="utf-8")).data == result.data


class _Impatient(Study):
    """Stops at the call with this number."""

    left = 0

    def summaries(self, wanted: Sequence[Wanted], doing: str = "") -> list[list[Summary]]:
        self.left -= 1
        if self.left < 0:
            raise Stopped("interrupted")
        return super().summaries(wanted, doing)


def test_what_is_interrupted_shows_the_best_so_far():
    its = asked(loaded(PIPELINE, front=1, back=2), [ALL], 0, 1.0, None, (), (), ())
    costs = []
    with open_workers() as workers:
        for calls in (0, 2, 9):
            study = _Impatient(workers, Store(None, "size"))
            study.left = calls
            if calls == 0:
                with pytest.raises(Stopped):
                    answered(its, study, 4)
                continue
            result = answered(its, study, 4)
            assert result.stopped == "interrupted"
            assert "not proven" in result.to_text()
            assert not result.data["cheaper"]["is_cheapest"]
            costs.append(result.data["answer"]["cost"])
    assert costs[0] == 36, "the largest"
    assert costs[1] < 36


@pytest.mark.parametrize("asks", [{}, {"survive": 1, "peak": 1.5, "drain": "services.back pause 30s in 5m"}])
def test_the_text_fits_and_opens_with_the_answer(asks: dict):
    result = size(
        loaded(PIPELINE, front=0.1, back=0.4), ["services.*.instances=1..20"], replications=4, **asks
    )
    text = result.to_text()
    first = " ".join(text.split("\n\n")[0].split())
    answer = result.data["answer"]
    front, back = (answer["values"][f"services.{name}.instances"] for name in ("front", "back"))
    assert first.startswith(f"{front} x front, {back} x back = {answer['cost']:.2f}/h meets 'quick'")
    assert "instance fewer misses" in first
    assert max(len(line) for line in text.splitlines()) <= 100
    costs = [one["cost"] for one in result.data["front"]]
    left = [one["hardest"]["left_ratio"] for one in result.data["front"]]
    assert costs == sorted(set(costs))
    assert left == sorted(set(left))


# ---- parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guess", [-5, 0, 3, 11, 30])
def test_smallest(guess: int):
    for answer in range(13):
        tried: list[int] = []

        def is_met(number: int, answer: int = answer, tried: list[int] = tried) -> bool:
            tried.append(number)
            return number >= answer

        assert smallest(is_met, -1, 12, guess) == answer
        assert len(tried) == len(set(tried))
        assert all(0 <= number < 12 for number in tried)


def test_cheaper_configurations_are_all_of_them():
    items = [
        Dimension("a", ("1", "2", "3", "4"), (1.0, 2.0, 3.0, 4.0), 0.3, ""),
        Dimension("b", ("1", "5", "9"), (1.0, 5.0, 9.0), 0.1, ""),
        Dimension("c", ("x", "y"), None, 0.0, ""),
    ]
    dimensions = Dimensions(items, "per_h", [])
    floor, top, answer = (1, 0, 0), (3, 2, 1), (2, 1, 1)

    def key(position: tuple[int, ...]) -> tuple[float, int]:
        return dimensions.cost(position), sum(position)

    box = itertools.product(*(range(low, high + 1) for low, high in zip(floor, top, strict=True)))
    expected = [one for one in box if key(one) < key(answer)]
    found = cheaper_than(answer, floor, top, dimensions)
    assert found is not None
    assert expected
    assert sorted(found) == sorted(expected)


def test_stars_and_autoscaled_services():
    scenario = loaded(PIPELINE, front=1, back=1).replace(
        {"services.back.autoscale": {"metric": "lag", "target": 10, "minimum": 1, "maximum": 4}}
    )
    dimensions = dimensions_of([ALL], (), scenario)
    assert [one.path for one in dimensions.items] == ["services.front.instances"]
    assert any("back autoscaled" in note for note in dimensions.notes)
    with pytest.raises(UserError, match=r"services\.back\.autoscale\.minimum"):
        dimensions_of(["services.back.instances=1..3"], (), scenario)
    own = dimensions_of([ALL, "services.front.instances=2,3"], (), loaded(PIPELINE, front=1, back=1))
    assert [(one.path, len(one.values)) for one in own.items] == [
        ("services.front.instances", 2),
        ("services.back.instances", 12),
    ]


def test_costs():
    scenario = loaded(PIPELINE, front=2, back=3)
    vary = ["services.*.instances=1..3", "topics.b.partitions=6,12"]
    costs = ["services.*.instances=0.5", "services.back.instances=4", "topics.b.partitions=0.1"]
    plain, own = (dimensions_of(vary, given, scenario) for given in ((), costs))
    assert [one.price for one in plain.items] == [2, 3, 0]
    assert [one.price for one in own.items] == [0.5, 4, 0.1]
    assert own.cost((2, 0, 1)) == pytest.approx(3 * 0.5 + 1 * 4 + 12 * 0.1)
    free = dimensions_of(
        vary, (), loaded(PIPELINE.replace("cost_per_instance_hour: FRONT", "instances: 2"), back=3)
    )
    assert [one.price for one in free.items] == [1, 3, 0]
    assert any("front without cost_per_instance_hour" in note for note in free.notes)


def test_a_cost_is_short_whatever_it_is():
    assert money(1e308, PER_HOUR) == "1e+308/h"
    assert money(1e15, INSTANCES) == "1e+15 instances"
    assert money(1.5e14, PER_HOUR) == "150,000,000,000,000/h"


def test_value_at():
    resolved = {"topics": {"a": {"x": 1}, "a.b": {"x": 2}}, "faults": [{"name": "down", "at": 3}]}
    assert value_at(resolved, "topics.a.b.x") == 2
    assert value_at(resolved, "topics.a.x") == 1
    assert value_at(resolved, "faults[down].at") == value_at(resolved, "faults[0].at") == 3
    assert value_at(resolved, "topics.c.x") is None


@pytest.mark.parametrize(
    ("arrivals", "rate"),
    [
        ("{poisson: 4/s, profile: [{at: 0s, factor: 1x}, {at: 1h, factor: 2x}]}", 2.0),
        ("{every: 1s}", 2.0),
        ("{bursts: {rate: 4/s, on: 1s, off: 1s, idle_rate: 1/s}}", 2.0),
        ("{bernoulli: {probability: 20%, every: 1s}}", 2.0),
        ("{clients: {count: 3, think_time: 1s}}", 2.0),
    ],
)
def test_the_peak_multiplies_every_kind_of_arrivals(arrivals: str, rate: float):
    from slosim.experiments.size.cases import at_peak
    from slosim.model.rates import producer_rate_per_s

    scenario = loaded(REGULAR.replace("{every: 100ms}", arrivals))
    before, after = (
        producer_rate_per_s(one.producers["p"], one.run.duration)
        for one in (scenario, at_peak(scenario, 2.0))
    )
    assert after == pytest.approx(rate * before)
    assert not isinstance(scenario.producers["p"].arrivals, Clients) or after == 6
    assert isinstance(
        loaded(REGULAR.replace("{every: 100ms}", "{poisson: 1/s}")).producers["p"].arrivals, Poisson
    )


def test_an_outage_finds_its_place_beside_faults():
    scenario = slosim.load(ROOT / "examples" / "orders.yaml")
    drain = parse_drain("services.payment 5m in 10m", scenario)
    assert drain is not None
    assert drain.at_s == 15 * 60, "five minutes after the warm-up of ten"
    later = parse_drain("services.payment 5m in 30m", scenario)
    assert later is not None
    assert later.at_s == 53 * 60, "before the fault at 45m there is no room: five minutes after its end"
    assert parse_drain("services.payment pause 5m in 10m at 1h", scenario) == (
        "services.payment",
        "pause",
        300.0,
        600.0,
        3600.0,
        "pause of services.payment to drain",
    )


# ---- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        ({"vary": []}, "services.*.instances"),
        ({"vary": ["services.front.instances=0..3"]}, "at least 1"),
        ({"vary": ["services.frnt.instances=1..3"]}, "did you mean 'front'"),
        ({"vary": ["services.front.instances=1,2", "services.front.instances=3"]}, "varied twice"),
        ({"vary": ["producers.p.arrivals.poisson=1/s,2/s"]}, "no size of the system"),
        (
            {"vary": ["objectives[quick].target=90%,95%"]},
            "objectives[quick].target: is no size of the system",
        ),
        ({"vary": ["objectives=[]"]}, "no size of the system"),
        ({"vary": ["flows.p.to=back"]}, "no size of the system"),
        ({"vary": ["run.duration=1h"]}, "no size of the system"),
        ({"costs": ["services.front.instances=1e308"]}, "expected at most 1e12, got 1e308"),
        ({"only": ["quik"]}, "did you mean 'quick'"),
        ({"ignore": ["slow"]}, "declared: quick"),
        ({"only": ["quick"], "ignore": ["quick"]}, "one of them"),
        ({"ignore": ["quick"]}, "nothing to size for"),
        ({"costs": ["services.front.instances"]}, "PATH=AMOUNT"),
        ({"costs": ["services.front.instances=-1"]}, "not negative"),
        ({"costs": ["services.frnt.instances=1"]}, "did you mean services.front.instances"),
        ({"drain": "services.back 5m"}, "TARGET"),
        ({"drain": "back 1m in 2m"}, "did you mean services.back"),
        ({"drain": "services.back 1x in 2m"}, "duration"),
        ({"drain": "services.back 10m in 20m"}, "--set run.duration=42m"),
        ({"drain": "services.back 1m in 2m at 1m"}, "warm-up"),
        ({"drain": "services.back 1m in 2m at 19m"}, "--set run.duration=22m"),
        ({"drain": "services.back 1m in 100ms"}, "run.sample_every"),
        ({"replications": 1}, "at least 2"),
        ({"survive": -1}, "at least 0"),
        ({"peak": 0.0}, "above 0"),
        ({"peak": 1e308}, "at most 1e+06"),
    ],
    ids=str,
)
def test_mistakes_are_told(asks: dict, message: str):
    scenario = loaded(PIPELINE, front=1, back=1)
    with pytest.raises((UserError, ScenarioError)) as told:
        size(scenario, **{"vary": [ALL], **asks})
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"), [("0x", "above 0"), ("x2", "did you mean '2x'"), ("fast", "2x")]
)
def test_mistakes_in_the_peak(text: str, message: str):
    with pytest.raises(UserError, match=message):
        parse_peak(text)


def test_a_replayed_file_has_no_peak(tmp_path: Path):
    (tmp_path / "t.csv").write_text("time\n0\n1\n2\n", encoding="utf-8")
    text = REGULAR.replace("{every: 100ms}", "{trace: {file: t.csv, time: time}}")
    with pytest.raises(UserError, match=r"--set producers\.p\.copies=2"):
        size(slosim.loads(text, base=tmp_path), [ALL], peak=2, drain="services.s 1m in 2m")


# ---- the command -----------------------------------------------------------------------------------------


def slosim_size(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "slosim", "size", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, text=True, capture_output=True, timeout=300, check=False
    )


def test_the_command(tmp_path: Path):
    (tmp_path / "lossy.yaml").write_text(LOSSY, encoding="utf-8")
    vary = ("lossy.yaml", "--vary", ALL, "--replications", "4")
    missed = slosim_size(*vary, "--json", "-", cwd=tmp_path)
    assert missed.returncode == 99, missed.stderr
    assert json.loads(missed.stdout)["answer"] is None
    found = slosim_size(*vary, "--objective", "quick", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert " x s = " in found.stdout
    assert "runs simulated" in found.stderr
    kept = json.loads((tmp_path / "lossy.size.json").read_text(encoding="utf-8"))
    assert kept["format"] == "slosim-size/1"
    wrong = slosim_size(*vary, "--drain", "s 1m in 2m", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "did you mean services.s" in wrong.stderr
