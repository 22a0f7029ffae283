"""The two engines against each other, message by message, on generated scenarios; and the reference by
itself.

A failing case is told by its seed:

    python tests/test_reference.py SEED...           the scenario, and what differs
    python tests/test_reference.py --shrink SEED...  the smallest scenario found that fails in the same way
    python tests/test_reference.py --hunt FROM TO    the seeds that fail, by symptom

(with src on PYTHONPATH). Seeds from 5000 on use the rarer mechanisms.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import pytest

from comparison import EXACT, by_place, compare, loaded, made_of, scenario_of, symptom_of, unequal
from invariants import check_dependencies, check_flows, check_trace
from shrink import shrink
from slosim.engine.reference import simulate
from slosim.engine.run import trace
from strategies import as_text

ALONE = range(200)
COMPARED = range(1000, 1200)
SLICED = range(2000, 2020)
MECHANISMS_COMPARED = range(5000, 5200)
MECHANISMS_ALONE = range(6000, 6200)
MECHANISMS_SLICED = range(7000, 7040)


@pytest.mark.parametrize("seed", [*ALONE, *MECHANISMS_ALONE])
def test_the_reference_keeps_its_own_rules(seed: int) -> None:
    """Conservation and Little's law (checked inside), and what must hold whatever the scenario."""
    scenario = scenario_of(seed)
    reference = simulate(scenario)
    check_trace(scenario, reference)
    check_dependencies(scenario, reference)
    check_flows(scenario, reference)


def in_modes(seeds: range) -> list:
    return [pytest.param(seed, marks=pytest.mark.modes) if seed in seeds[:20] else seed for seed in seeds]


@pytest.mark.parametrize("seed", [*in_modes(COMPARED), *in_modes(MECHANISMS_COMPARED)])
def test_the_kernel_agrees_with_the_reference(seed: int) -> None:
    """Every event, counter, integral, sample, duration, flow and objective."""
    differences = compare(scenario_of(seed, EXACT))
    assert not differences, explain(seed, differences)


@pytest.mark.parametrize("seed", [*COMPARED[:10], *MECHANISMS_COMPARED[:10]])
def test_another_seed_and_replication_agree_too(seed: int) -> None:
    assert not compare(scenario_of(seed, EXACT), run_seed=7, replication=3)


@pytest.mark.parametrize("seed", [*SLICED, *MECHANISMS_SLICED])
def test_the_length_of_the_slices_changes_nothing(seed: int) -> None:
    scenario = scenario_of(seed)
    whole = trace(scenario, slice_s=scenario.run.duration)
    for slice_s in (0.3, 1.0, 7.77):
        sliced = trace(scenario, slice_s=slice_s)
        assert by_place(sliced.events) == by_place(whole.events)
        assert unequal(sliced.measurements, whole.measurements) == []


def explain(seed: int, differences: list[str]) -> str:
    replay = f"python tests/test_reference.py {seed}"
    return "\n".join([f"generated scenario {seed} ({replay}):", *differences])


def replay(seed: int, smallest: bool) -> None:
    made = made_of(seed, EXACT)
    if smallest:
        made = shrink(made, symptom_of)
    print(as_text(made))
    print(explain(seed, compare(loaded(made))))


def hunt(seeds: range) -> None:
    found = defaultdict(list)
    for seed in seeds:
        if symptom := symptom_of(made_of(seed, EXACT)):
            found[symptom].append(seed)
            print(f"{seed}: {symptom}", flush=True)
    for symptom, failing in sorted(found.items(), key=lambda pair: -len(pair[1])):
        print(f"{len(failing)} x {symptom}: {failing[:5]}")
    print(f"{sum(map(len, found.values()))} of {len(seeds)} fail")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    if "--hunt" in sys.argv:
        hunt(range(*numbers))
    else:
        for number in numbers:
            replay(number, "--shrink" in sys.argv)
