"""Closed forms against published tables, and against independent numerical methods where no table is known.

The independent methods share nothing with the formulas: balance equations solved as a linear system, a
discretised Lindley equation, arithmetic with 80 digits, integration, and plain simulation with a fixed seed.
A comparison with simulation allows five standard errors of the means of 40 batches: about one false alarm in
80,000 seeds for each.
"""

import ast
import doctest
import heapq
import importlib
import math
import pkgutil
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from slosim import theory
from slosim.theory import (
    batching,
    breakdowns,
    clients,
    deterministic,
    erlang,
    fan_out,
    keys,
    little,
    mg1,
    mm,
    networks,
    patience,
    priority,
    rate_limit,
    retries,
    transients,
)

MODULES = sorted(
    module.name for module in pkgutil.iter_modules(theory.__path__) if not module.name.startswith("_")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"slosim.theory.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_state_formula_raises_and_source(name):
    module = importlib.import_module(f"slosim.theory.{name}")
    functions = [f for key, f in vars(module).items() if callable(f) and not key.startswith("_")]
    functions = [f for f in functions if f.__module__ == module.__name__ and not isinstance(f, type)]
    assert functions
    for function in functions:
        text = function.__doc__ or ""
        assert "Raises" in text, function
        assert "Source" in text, function
        assert ">>>" in text, function


@pytest.mark.parametrize(
    "path", sorted(Path(theory.__file__).parent.glob("*.py")), ids=lambda path: path.stem
)
def test_mathematics_needs_only_the_standard_library(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1 or (
                node.level == 0 and node.module.split(".")[0] in sys.stdlib_module_names
            )


def test_every_module_is_exported():
    assert theory.__all__ == MODULES


# ---- independent methods


def stationary(rates: np.ndarray) -> np.ndarray:
    """Stationary distribution of a Markov chain in continuous time; from i to j at rates[i, j]."""
    generator = rates - np.diag(np.diag(rates))
    generator = generator - np.diag(generator.sum(axis=1))
    equations = generator.T.copy()
    equations[0] = 1.0  # one balance equation is superfluous
    right = np.zeros(len(rates))
    right[0] = 1.0
    return np.linalg.solve(equations, right)


def birth_and_death(birth, death, states: int) -> np.ndarray:
    rates = np.zeros((states, states))
    for n in range(states - 1):
        rates[n, n + 1] = birth(n)
        rates[n + 1, n] = death(n + 1)
    return stationary(rates)


def waits_of_one_slot(between: np.ndarray, service: np.ndarray) -> np.ndarray:
    """Lindley's recursion in closed form: waits = running sum less its running minimum."""
    steps = np.concatenate([[0.0], service[:-1] - between[1:]])
    sums = np.cumsum(steps)
    return sums - np.minimum.accumulate(np.minimum(sums, 0.0))


def mean_and_error(values: np.ndarray, batches: int = 40) -> tuple[float, float]:
    """Mean and its standard error from batch means."""
    means = values[: len(values) // batches * batches].reshape(batches, -1).mean(axis=1)
    return float(means.mean()), float(means.std(ddof=1) / math.sqrt(batches))


def assert_within_five_errors(values: np.ndarray, expected: float) -> None:
    mean, error = mean_and_error(values)
    assert abs(mean - expected) < 5 * error, (mean, error, expected)


# ---- Erlang


@pytest.mark.parametrize(
    ("slots", "load", "digits"),
    [
        (1, 0.0101, 4),
        (2, 0.1526, 4),
        (5, 1.361, 3),
        (10, 4.461, 3),
        (20, 12.03, 2),
        (50, 37.9, 2),
        (100, 84.06, 2),
    ],
)
def test_erlang_b_one_percent_table(slots, load, digits):
    assert round(erlang.load_for_loss(0.01, slots), digits) == load


def test_erlang_b_published_values():
    assert erlang.loss_probability(5.0, 10) == pytest.approx(0.018385, abs=5e-7)
    assert erlang.loss_probability(3 / 0.25, 15) == pytest.approx(0.08573, abs=5e-6)
    # A gas station with one pump: cars and motorcycles, of different mean service time; busy = carried load.
    load = 3 / 20 * (0.75 * 8 + 0.25 * 3)
    assert load * (1 - erlang.loss_probability(load, 1)) == pytest.approx(0.5031, abs=5e-5)


@pytest.mark.parametrize(("load", "slots"), [(0.3, 1), (1.7, 2), (8.0, 10), (45.0, 50)])
def test_erlang_b_and_c_against_balance_equations(load, slots):
    lost = birth_and_death(lambda n: load, lambda n: float(n), slots + 1)
    assert erlang.loss_probability(load, slots) == pytest.approx(lost[-1], rel=1e-9)
    states = slots + 300
    queue = birth_and_death(lambda n: load, lambda n: float(min(n, slots)), states)
    assert erlang.wait_probability(load, slots) == pytest.approx(queue[slots:].sum(), rel=1e-8)


def test_erlang_c_of_many_slots():
    """Erlang C stays exact with 100,000 slots and approaches the limit of Halfin and Whitt."""
    for spare, limit, at_100 in [(0.5, 0.5045, 0.5157), (1.0, 0.2234, 0.2370)]:
        assert erlang.wait_probability_of_many_slots(spare) == pytest.approx(limit, abs=5e-5)
        assert erlang.wait_probability(100.0, 100 + round(10 * spare)) == pytest.approx(at_100, abs=5e-5)
        load = 1e5
        slots = round(load + spare * math.sqrt(load))
        exact_spare = (slots - load) / math.sqrt(load)
        limit_there = erlang.wait_probability_of_many_slots(exact_spare)
        assert erlang.wait_probability(load, slots) == pytest.approx(limit_there, rel=2e-3)


def test_pooling_halves_the_spare_capacity_needed():
    assert erlang.wait_probability(2.5, 5) == pytest.approx(0.1304, abs=5e-5)
    assert erlang.wait_probability(5.0, 10) == pytest.approx(0.0361, abs=5e-5)


def test_slots_needed():
    assert erlang.slots_for_utilisation(2.0) == 3
    assert erlang.slots_for_utilisation(2.0, 0.5) == 5
    assert erlang.slots_for_utilisation(0.0) == 1
    for wait_s, share in [(0.0, 0.2), (0.1, 0.05), (0.5, 0.001)]:
        slots = erlang.slots_for_wait(100.0, 0.08, wait_s, share)
        assert mm.wait_tail(wait_s, 100.0, 0.08, slots) <= share
        if slots > 9:
            assert mm.wait_tail(wait_s, 100.0, 0.08, slots - 1) > share


# ---- M/M/c


def test_mm_published_values():
    assert mm.mean_waiting(1 / 4, 3) == pytest.approx(2.25)
    assert mm.mean_wait_s(1 / 4, 3) == pytest.approx(9.0)
    assert mm.mean_wait_s(5.0, 1 / 10, 2) == pytest.approx(0.0066667, abs=5e-8)
    assert erlang.wait_probability(0.5, 2) == pytest.approx(0.1)
    assert mm.mean_wait_s(0.2, 10.0, 3) == pytest.approx(4.444, abs=5e-4)
    assert mm.mean_wait_s(0.2, 10.0, 4) == pytest.approx(0.8696, abs=5e-5)
    assert mm.mean_wait_s(4.0, 1 / 9) + 1 / 9 == pytest.approx(0.2)


def test_county_hospital():
    assert mm.mean_wait_s(2, 1 / 3, 1) + 1 / 3 == pytest.approx(1.0)
    assert mm.mean_wait_s(2, 1 / 3, 2) + 1 / 3 == pytest.approx(0.375)
    assert mm.wait_tail(0.5, 2, 1 / 3, 1) == pytest.approx(0.404, abs=5e-4)
    assert mm.wait_tail(0.5, 2, 1 / 3, 2) == pytest.approx(0.0226, abs=5e-5)
    assert mm.wait_tail(1.0, 2, 1 / 3, 1) == pytest.approx(0.245, abs=5e-4)
    assert mm.wait_tail(1.0, 2, 1 / 3, 2) == pytest.approx(0.00305, abs=5e-6)


@pytest.mark.parametrize(
    ("rate", "slots"), [(0.8, 1), (1.0, 2), (1.0 + 1e-10, 2), (8.0, 10), (9.0, 10), (2.3, 7)]
)
def test_mm_sojourn_against_integration(rate, slots):
    """P(T > t) = P(S > t) + ∫ P(W > t - s) dP(S <= s), also where the two rates nearly agree (c - a = 1)."""
    for t in (0.1, 1.0, 4.0):
        s, width = np.linspace(0.0, t, 20_001, retstep=True)
        waits = erlang.wait_probability(rate, slots) * np.exp(-(slots - rate) * (t - s))
        values = waits * np.exp(-s)
        integral = width / 3 * (values[0] + 4 * values[1:-1:2].sum() + 2 * values[2:-1:2].sum() + values[-1])
        assert mm.sojourn_tail(t, rate, 1.0, slots) == pytest.approx(math.exp(-t) + integral, rel=1e-9)


def test_mm_quantiles_invert_the_tails():
    for p in (0.5, 0.95, 0.999, 1 - 1e-9):
        wait = mm.wait_quantile_s(p, 9.0, 1.0, 10)
        assert wait == 0.0 or mm.wait_tail(wait, 9.0, 1.0, 10) == pytest.approx(1 - p, rel=1e-6)
        sojourn = mm.sojourn_quantile_s(p, 9.0, 1.0, 10)
        assert mm.sojourn_tail(sojourn, 9.0, 1.0, 10) == pytest.approx(1 - p, rel=1e-6)
    assert mm.sojourn_quantile_s(0.99, 0.8, 1.0) == pytest.approx(math.log(100) / 0.2)
    assert mm.sojourn_quantile_s(0.99, 8.0, 1.0, 10) == pytest.approx(4.946, abs=5e-4)
    # Time unit: everything scales.
    assert mm.wait_quantile_s(0.99, 80.0, 0.1, 10) == pytest.approx(
        mm.wait_quantile_s(0.99, 8.0, 1.0, 10) / 10
    )


def test_loss_queue_published_values():
    queue = mm.loss_queue(8.0, 1 / 4, slots=5, room=12)
    assert queue.loss == pytest.approx(5.87e-5, abs=5e-8)
    assert queue.mean_waiting == pytest.approx(0.03946, abs=5e-6)
    assert mm.loss_queue(3.0, 4.0, slots=15, room=15).loss == pytest.approx(erlang.loss_probability(12.0, 15))


@pytest.mark.parametrize(("load", "slots", "room"), [(0.5, 1, 1), (1.5, 2, 5), (12.0, 10, 40), (30.0, 4, 9)])
def test_loss_queue_against_balance_equations(load, slots, room):
    chain = birth_and_death(lambda n: load, lambda n: float(min(n, slots)), room + 1)
    queue = mm.loss_queue(load, 1.0, slots, room)
    assert np.allclose(queue.state, chain, rtol=1e-9, atol=1e-13)
    accepted_per_s = load * (1 - queue.loss)
    assert queue.mean_waiting == pytest.approx(little.number_present(accepted_per_s, queue.mean_wait_s))
    t, width = np.linspace(0.0, 80.0, 8_001, retstep=True)
    tail = np.array([mm.loss_queue_wait_tail(x, load, 1.0, slots, room) for x in t])
    assert width * (tail.sum() - 0.5 * tail[0]) == pytest.approx(queue.mean_wait_s, abs=2e-4)


def test_precision_of_a_simulated_mean_wait():
    """The asymptotic variance of Daley, from 4,000 independent runs of Lindley's recursion."""
    rng = np.random.default_rng(2)
    rate, messages, runs = 0.5, 2_000, 4_000
    wait, total = np.zeros(runs), np.zeros(runs)
    for i in range(messages + 200):
        wait = np.maximum(0.0, wait + rng.exponential(1.0, runs) - rng.exponential(1 / rate, runs))
        if i >= 200:
            total += wait
    variance = messages * (total / messages).var(ddof=1)
    # The variance estimated from 4,000 runs has a relative standard error of about 2.5%; the rest is its
    # limit.
    assert variance == pytest.approx(mm.mean_wait_asymptotic_variance(rate, 1.0), rel=0.12)


# ---- constant service times


def erlang_series(x: Fraction, load: Fraction) -> float:
    """P(W <= x) of M/D/1, D = 1, as the alternating series of Erlang, with 80 digits instead of 16."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 80
        total = Decimal(0)
        for k in range(math.floor(x) + 1):
            y = load * (x - k)
            y = Decimal(y.numerator) / Decimal(y.denominator)
            total += y.exp() * (-y) ** k / math.factorial(k) if k else y.exp()
        return float((1 - Decimal(load.numerator) / Decimal(load.denominator)) * total)


@pytest.mark.parametrize("load", [Fraction(3, 10), Fraction(4, 5), Fraction(19, 20)])
def test_md1_against_the_alternating_series_in_80_digits(load):
    for x in (Fraction(0), Fraction(1, 3), Fraction(1), Fraction(29, 7), Fraction(41, 2), Fraction(60)):
        exact = 1.0 - erlang_series(x, load)
        assert deterministic.wait_tail(float(x), float(load), 1.0) == pytest.approx(
            exact, rel=1e-9, abs=1e-13
        )


def test_md1_published_percentiles():
    for p, wait in [(0.5, 1.276), (0.9, 5.012), (0.95, 6.620), (0.99, 10.356)]:
        assert deterministic.wait_quantile_s(p, 0.8, 1.0) == pytest.approx(wait, abs=5e-4)
        assert deterministic.wait_quantile_s(p, 80.0, 0.01) == pytest.approx(wait / 100, abs=5e-6)
    assert deterministic.mean_wait_s(0.8, 1.0) == pytest.approx(2.0)


@pytest.mark.parametrize(("slots", "utilisation"), [(2, 0.5), (3, 0.9), (10, 0.8)])
def test_mdc_against_lindley_on_a_grid(slots, utilisation):
    """First come first served with constant service serves every c-th message by one slot: E_c/D/1.

    Its wait solves W = max(0, W + D - A), A an Erlang time, here on a grid of time with 400 points to each D.
    """
    grid = 400
    rate = slots * utilisation
    length = 16 * grid if utilisation >= 0.9 else 10 * grid
    x = np.arange(length * 2 + 1) / grid
    # P(A <= x) of the Erlang time between messages c apart.
    below = 1.0 - np.exp(-rate * x) * sum((rate * x) ** k / math.factorial(k) for k in range(slots))
    step = np.diff(below)  # A between i and i + 1 steps
    wait = np.zeros(length)
    wait[0] = 1.0
    transform = np.fft.rfft(step[::-1], 4 * length)
    for _ in range(3_000):
        moved = np.fft.irfft(np.fft.rfft(wait, 4 * length) * transform, 4 * length)
        # index i of `moved` stands for wait - A = i - (len(step) - 1) - 1/2 steps; D adds `grid` steps.
        position = np.arange(len(moved)) - (len(step) - 1) - 0.5 + grid
        following = np.zeros(length)
        following[0] = moved[position <= 0].sum()
        inside = (position > 0) & (position < length - 1)
        low = np.floor(position[inside]).astype(int)
        np.add.at(following, low, 0.5 * moved[inside])
        np.add.at(following, low + 1, 0.5 * moved[inside])
        following /= following.sum()
        change = np.abs(following - wait).sum()
        wait = following
        if change < 1e-10:
            break
    tail = 1.0 - np.cumsum(wait)
    for at in (0.25, 0.5, 1.0, 1.6, 2.5):
        expected = 0.5 * (tail[round(at * grid)] + tail[round(at * grid) - 1])  # smeared by half a step
        assert deterministic.wait_tail(at, rate, 1.0, slots) == pytest.approx(expected, rel=0.01, abs=1e-5)


@pytest.mark.parametrize(("slots", "utilisation"), [(1, 0.8), (2, 0.8), (3, 0.5), (10, 0.95), (7, 0.99)])
def test_mdc_mean_wait_is_that_of_the_probabilities(slots, utilisation):
    """Little's law on the messages present: E[N] = Σ P(N > n), less those in work."""
    load = slots * utilisation
    at_most = deterministic._cumulated_present(load, slots, 4096)

    present = math.fsum(1.0 - p for p in at_most)
    assert deterministic.mean_wait_many_slots_s(load, 1.0, slots) == pytest.approx(
        (present - load) / load, rel=1e-8
    )


@pytest.mark.parametrize(("slots", "utilisation"), [(1, 0.5), (1, 0.8), (3, 0.8)])
def test_relaxation_time_is_the_spectral_gap_of_births_and_deaths(slots, utilisation):
    """The second eigenvalue of the generator, cut at 1,500 messages, which moves it by less than 1%."""
    rate = slots * utilisation
    births, deaths = np.full(1500, rate), np.minimum(np.arange(1, 1501), slots).astype(float)
    diagonal = -np.append(births, 0.0) - np.append(0.0, deaths)
    gap = -scipy.linalg.eigh_tridiagonal(diagonal, np.sqrt(births * deaths), eigvals_only=True)[-2]

    assert transients.relaxation_time_s(rate, 1.0, slots) == pytest.approx(1 / gap, rel=0.01)


def test_mdc_with_one_slot_and_with_nearly_constant_time():
    inverted = deterministic._present_many_slots(0.95, 1, 256)
    assert np.allclose(inverted, deterministic._present_one_slot(0.95, 256), atol=1e-9)
    # Mean wait by integration, against the classical rule of half the exponential one (a little more than
    # half).
    t, width = np.linspace(0.0, 12.0, 2_401, retstep=True)
    tail = np.array([deterministic.wait_tail(x, 8.0, 1.0, 10) for x in t])
    mean = width * (tail.sum() - 0.5 * tail[0])
    assert 0.5 < mean / mm.mean_wait_s(8.0, 1.0, 10) < 0.6


@pytest.mark.parametrize("threshold", [0.0, 0.4, 1.0, 2.75, 9.0])
def test_md1_mean_wait_beyond_a_threshold(threshold):
    t, width = np.linspace(threshold, threshold + 90.0, 9_001, retstep=True)
    tail = np.array([deterministic.wait_tail(x, 0.8, 1.0) for x in t])
    integral = width * (tail.sum() - 0.5 * (tail[0] + tail[-1]))
    assert deterministic.mean_wait_beyond_s(threshold, 0.8, 1.0) == pytest.approx(integral, abs=2e-5)


def test_rate_limit_against_a_simulated_token_bucket():
    """A bucket that fills at 1 token/s and holds 4; messages take one each, first come first served."""
    rng = np.random.default_rng(3)
    rate, burst, messages = 0.8, 4, 400_000
    arrivals = np.cumsum(rng.exponential(1 / rate, messages))
    waits = np.zeros(messages)
    tokens, now = float(burst), 0.0
    for i, arrival in enumerate(arrivals.tolist()):
        start = max(now, arrival)
        tokens = min(float(burst), tokens + start - now)
        if tokens < 1.0:
            start += 1.0 - tokens
            tokens = 1.0
        tokens -= 1.0
        now = start
        waits[i] = start - arrival
    assert_within_five_errors(waits, rate_limit.mean_wait_s(rate, 1.0, burst))
    for at in (1e-9, 1.0, 5.0):
        assert_within_five_errors((waits > at).astype(float), rate_limit.wait_tail(at, rate, 1.0, burst))
    p99 = rate_limit.wait_quantile_s(0.99, rate, 1.0, burst)
    assert rate_limit.wait_tail(p99, rate, 1.0, burst) == pytest.approx(0.01, rel=1e-6)


# ---- general service times


def test_mg1_published_values():
    assert mg1.mean_wait_s(0.8, 1.0, 4.0) == pytest.approx(10.0)
    assert mg1.mean_wait_s(0.8, 1.0, 1.0) == pytest.approx(mm.mean_wait_s(0.8, 1.0))
    assert mg1.wait_second_moment_s2(0.8, 1.0, 0.0, 1.0) == pytest.approx(9.333, abs=5e-4)
    assert mg1.lifo_wait_second_moment_s2(0.8, 1.0, 0.0, 1.0) == pytest.approx(46.67, abs=5e-3)
    assert mg1.mean_wait_many_slots_s(8.0, 1.0, 10, 4.0) == pytest.approx(0.511, abs=1e-3)
    assert mg1.batch_mean_sojourn_s(0.08, 10, 100, 1.0) == pytest.approx(27.5)


def test_mg1_second_moment_against_known_distributions():
    """M/M/1: E[W²] = 2ρ/(1-ρ)² S². M/D/1: by integrating its tail."""
    assert mg1.wait_second_moment_s2(0.8, 1.0, 1.0, 6.0) == pytest.approx(2 * 0.8 / 0.2**2)
    t, width = np.linspace(0.0, 80.0, 16_001, retstep=True)
    tail = np.array([deterministic.wait_tail(x, 0.8, 1.0) for x in t])
    assert 2 * width * (t * tail).sum() == pytest.approx(
        mg1.wait_second_moment_s2(0.8, 1.0, 0.0, 1.0), rel=1e-4
    )


def test_last_come_first_served_against_simulation():
    rng = np.random.default_rng(4)
    rate, messages = 0.6, 400_000
    arrivals = np.cumsum(rng.exponential(1 / rate, messages)).tolist()
    services = rng.uniform(0.0, 2.0, messages).tolist()
    waits = np.zeros(messages)
    stack: list[int] = []
    free_at, coming = 0.0, 0
    while coming < messages or stack:
        if not stack:
            free_at = max(free_at, arrivals[coming])
        while coming < messages and arrivals[coming] <= free_at:
            stack.append(coming)
            coming += 1
        message = stack.pop()
        waits[message] = free_at - arrivals[message]
        free_at += services[message]
    assert_within_five_errors(waits, mg1.mean_wait_s(rate, 1.0, 1 / 3))
    assert_within_five_errors(waits**2, mg1.lifo_wait_second_moment_s2(rate, 1.0, 1 / 3, 2.0))


def test_mg1_against_simulation():
    """Hyperexponential service, 90% with mean 0.5 and 10% with mean 5.5."""
    rng = np.random.default_rng(5)
    messages, rate = 2_000_000, 0.5
    service = rng.exponential(1.0, messages) * np.where(rng.random(messages) < 0.9, 0.5, 5.5)
    second, third = 2 * (0.9 * 0.25 + 0.1 * 30.25), 6 * (0.9 * 0.125 + 0.1 * 166.375)
    waits = waits_of_one_slot(rng.exponential(1 / rate, messages), service)
    assert_within_five_errors(waits, mg1.mean_wait_s(rate, 1.0, second - 1.0))
    assert_within_five_errors(waits**2, mg1.wait_second_moment_s2(rate, 1.0, second - 1.0, third))


def test_batches_against_balance_equations():
    """M^X/M/1 with X = 1, 2 or 4: messages present by the balance equations, time by Little's law."""
    sizes, rate, states = {1: 0.5, 2: 0.3, 4: 0.2}, 0.3, 500
    rates = np.zeros((states, states))
    for n in range(states):
        for size, probability in sizes.items():
            if n + size < states:
                rates[n, n + size] = rate * probability
        if n:
            rates[n, n - 1] = 1.0
    present = float(stationary(rates) @ np.arange(states))
    mean = sum(size * p for size, p in sizes.items())
    second = sum(size**2 * p for size, p in sizes.items())
    assert mg1.batch_mean_sojourn_s(rate, mean, second, 1.0) == pytest.approx(
        present / (rate * mean), rel=1e-6
    )


def test_mgc_approximation_is_exact_at_its_ends():
    assert mg1.mean_wait_many_slots_s(0.8, 1.0, 1, 3.0) == pytest.approx(mg1.mean_wait_s(0.8, 1.0, 3.0))
    assert mg1.mean_wait_many_slots_s(8.0, 1.0, 10, 1.0) == pytest.approx(mm.mean_wait_s(8.0, 1.0, 10))


# ---- priorities


def test_priority_published_values():
    rates = [0.2, 0.6, 1.2]
    assert priority.mean_waits_s(rates, 1 / 3) == pytest.approx([0.2381, 0.3247, 0.9091], abs=5e-5)
    assert priority.mean_waits_s(rates, 1 / 3, 2) == pytest.approx([0.0287, 0.0332, 0.0481], abs=5e-5)
    assert priority.mean_sojourns_preemptive_s(rates, 1 / 3) == pytest.approx(
        [0.3571, 0.4870, 1.3636], abs=5e-5
    )


def test_priority_conserves_the_mean_wait():
    """Kleinrock's conservation law: with equal service times the mean over all is that of FIFO."""
    rates = [0.5, 1.5, 0.7]
    waits = priority.mean_waits_s(rates, 1.0, 3)
    overall = sum(rate * wait for rate, wait in zip(rates, waits, strict=True)) / sum(rates)
    assert overall == pytest.approx(mm.mean_wait_s(sum(rates), 1.0, 3))


def test_priority_of_two_slots_against_balance_equations():
    """State: busy slots 0, 1, 2, and then how many of each of two classes wait."""
    high, low, most = 0.7, 0.6, 30
    index = {("busy", 0): 0, ("busy", 1): 1}
    for i in range(most):
        for j in range(most):
            index[i, j] = len(index)
    rates = np.zeros((len(index), len(index)))
    rates[0, 1] = rates[1, index[0, 0]] = high + low
    rates[1, 0] = 1.0
    rates[index[0, 0], 1] = 2.0
    for i in range(most):
        for j in range(most):
            here = index[i, j]
            if i + 1 < most:
                rates[here, index[i + 1, j]] = high
            if j + 1 < most:
                rates[here, index[i, j + 1]] = low
            if i:
                rates[here, index[i - 1, j]] = 2.0
            elif j:
                rates[here, index[i, j - 1]] = 2.0
    p = stationary(rates)
    waiting = [0.0, 0.0]
    for i in range(most):
        for j in range(most):
            waiting[0] += i * p[index[i, j]]
            waiting[1] += j * p[index[i, j]]
    expected = priority.mean_waits_s([high, low], 1.0, 2)
    assert waiting[0] / high == pytest.approx(expected[0], rel=1e-3)
    assert waiting[1] / low == pytest.approx(expected[1], rel=2e-3)


# ---- networks


def test_tandem_published_values():
    services = [1.0, 1 / 0.9, 1 / 1.2]
    assert networks.tandem_mean_sojourn_s(0.7, services) == pytest.approx(10.333, abs=5e-4)
    assert networks.tandem_sojourn_quantile_s(0.5, 0.7, services) == pytest.approx(9.02, abs=5e-3)
    assert networks.tandem_sojourn_quantile_s(0.99, 0.7, services) == pytest.approx(30.84, abs=5e-3)


def test_phases_against_partial_fractions_and_erlang():
    rates = [0.3, 0.2, 0.5]
    for t in (0.5, 9.0, 60.0):
        partial = sum(
            math.exp(-rate * t) * math.prod(other / (other - rate) for other in rates if other != rate)
            for rate in rates
        )
        assert networks.phases_tail(t, rates) == pytest.approx(partial, rel=1e-9)
        equal = math.exp(-t) * sum(t**k / math.factorial(k) for k in range(4))
        assert networks.phases_tail(t, [1.0] * 4) == pytest.approx(equal, rel=1e-9)
        assert networks.phases_tail(t, [1.0, 1.0 + 1e-12, 1.0, 1.0 - 1e-12]) == pytest.approx(equal, rel=1e-9)
    assert networks.phases_tail(2_000.0, [0.001, 50.0]) == pytest.approx(
        math.exp(-2.0) * 50 / 49.999, rel=1e-8
    )


def test_jackson_network_with_feedback_against_balance_equations():
    """Two stations, the second with two slots; 30% of what leaves the second goes back to the first."""
    arrive, first, second, back, most = (0.5, 0.2), 1.6, 0.9, 0.3, 40
    index = {(i, j): i * most + j for i in range(most) for j in range(most)}
    rates = np.zeros((len(index), len(index)))
    for (i, j), here in index.items():
        moves = {
            (i + 1, j): arrive[0],
            (i, j + 1): arrive[1],
            (i - 1, j + 1): first if i else 0.0,
            (i, j - 1): second * min(j, 2) * (1 - back),
            (i + 1, j - 1): second * min(j, 2) * back,
        }
        for there, rate in moves.items():
            if rate and there in index:
                rates[here, index[there]] = rate
    p = stationary(rates).reshape(most, most)
    network = networks.jackson_network(arrive, [1 / first, 1 / second], [1, 2], [[0.0, 1.0], [back, 0.0]])
    assert network.mean_present[0] == pytest.approx(p.sum(axis=1) @ np.arange(most), rel=1e-4)
    assert network.mean_present[1] == pytest.approx(p.sum(axis=0) @ np.arange(most), rel=1e-4)
    assert network.mean_sojourn_s == pytest.approx(sum(network.mean_present) / 0.7)


def test_feedback_is_a_network_of_one_station():
    network = networks.jackson_network([0.5], [1.0], [1], [[0.2]])
    assert retries.mean_sojourn_with_feedback_s(0.5, 1.0, 0.2) == pytest.approx(network.mean_sojourn_s)
    assert network.arrival_rates_per_s[0] == pytest.approx(0.5 * retries.attempts(0.2, None).mean_attempts)


def test_network_that_nobody_leaves_is_refused():
    with pytest.raises(ValueError, match="no single solution"):
        networks.traffic_rates_per_s([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="more than 1"):
        networks.traffic_rates_per_s([1.0, 0.0], [[0.5, 0.6], [0.0, 0.0]])


# ---- patience


def test_expiry_published_values():
    assert patience.expiring_queue(1.2, 1.0, 1, 5.0).loss == pytest.approx(0.22386, abs=5e-6)
    assert patience.expiring_queue(9.0, 1.0, 10, 1.0).loss == pytest.approx(0.03160, abs=5e-6)
    assert patience.impatient_queue(11.0, 1.0, 10, 2.0).loss == pytest.approx(0.1477, abs=5e-5)


def test_expiry_at_its_ends():
    """No patience is a loss system, endless patience is M/M/c; far above capacity the excess expires."""
    assert patience.expiring_queue(9.0, 1.0, 10, 0.0).loss == pytest.approx(erlang.loss_probability(9.0, 10))
    endless = patience.expiring_queue(9.0, 1.0, 10, 60.0)
    assert endless.mean_wait_s == pytest.approx(mm.mean_wait_s(9.0, 1.0, 10), rel=1e-9)
    assert endless.wait_probability == pytest.approx(erlang.wait_probability(9.0, 10))
    flooded = patience.expiring_queue(1_000.0, 1.0, 10, 30.0)
    assert flooded.loss == pytest.approx(0.99)
    assert flooded.mean_wait_s == pytest.approx(30.0, rel=1e-3)
    rates = (10 - 1e-7, 10.0, 10 + 1e-7)
    either_side = [patience.expiring_queue(rate, 1.0, 10, 2.0).mean_wait_s for rate in rates]
    assert either_side == pytest.approx([either_side[1]] * 3, rel=1e-6)


@pytest.mark.parametrize(("rate", "slots", "patience_s"), [(11.0, 10, 2.0), (1.5, 2, 0.3), (30.0, 10, 5.0)])
def test_impatience_against_balance_equations(rate, slots, patience_s):
    states = 600
    chain = birth_and_death(lambda n: rate, lambda n: min(n, slots) + max(0, n - slots) / patience_s, states)
    waiting = float(chain @ np.maximum(0, np.arange(states) - slots))
    queue = patience.impatient_queue(rate, 1.0, slots, patience_s)
    assert queue.mean_waiting == pytest.approx(waiting, rel=1e-8)
    assert queue.loss == pytest.approx(waiting / patience_s / rate, rel=1e-8)
    assert queue.wait_probability == pytest.approx(chain[slots:].sum(), rel=1e-8)
    assert queue.utilisation == pytest.approx(chain @ np.minimum(np.arange(states), slots) / slots, rel=1e-8)


def test_expiry_against_simulation():
    """Each message takes the slot that frees first, unless that is later than it is ready to wait."""
    rng = np.random.default_rng(6)
    rate, slots, time_to_live, messages = 3.3, 3, 0.8, 400_000
    arrivals = np.cumsum(rng.exponential(1 / rate, messages)).tolist()
    services = rng.exponential(1.0, messages).tolist()
    free_at = [0.0] * slots
    lost, waits = np.zeros(messages), np.zeros(messages)
    for i, arrival in enumerate(arrivals):
        needed = max(0.0, free_at[0] - arrival)
        if needed < time_to_live:
            heapq.heapreplace(free_at, arrival + needed + services[i])
        else:
            lost[i] = 1.0
        waits[i] = min(needed, time_to_live)
    queue = patience.expiring_queue(rate, 1.0, slots, time_to_live)
    assert_within_five_errors(lost, queue.loss)
    assert_within_five_errors(waits, queue.mean_wait_s)
    assert_within_five_errors((waits > 0).astype(float), queue.wait_probability)


# ---- transients


def test_outage_published_values():
    backlog = transients.outage(600.0, 100.0, 125.0, limit_s=60.0)
    assert backlog == pytest.approx((60_000.0, 2_400.0, 600.0, 270_000.0, 9e7))
    # A consumer group that notices a crash after 42 to 45 s and needs 3 s more to share out the partitions.
    for silent_s, peak, drain_s in [(45.0, 4_500.0, 90.0), (48.0, 4_800.0, 96.0)]:
        assert transients.outage(silent_s, 100.0, 150.0)[:2] == pytest.approx((peak, drain_s))
    # A message that fails ten times, 0.2 s each, in a partition that gets 100/s and can do 200/s.
    assert transients.outage(10 * 0.2, 100.0, 200.0)[:3] == pytest.approx((200.0, 2.0, 2.0))


def test_outage_against_message_by_message_arithmetic():
    duration, rate, capacity, limit = 30.0, 40.0, 55.0, 7.0
    delays, finish = [], duration
    for n in range(20_000):
        arrival = n / rate
        finish = max(finish, arrival) + 1 / capacity
        delays.append(finish - arrival)
    delays = np.array(delays) - 1 / capacity
    backlog = transients.outage(duration, rate, capacity, limit)
    assert (delays > limit + 1e-9).sum() == pytest.approx(backlog.late_messages, abs=2)
    assert delays.sum() == pytest.approx(backlog.sum_of_delay_s, rel=2e-3)
    assert delays.max() == pytest.approx(backlog.longest_delay_s)


def test_drain_published_values_and_simulation():
    assert transients.drain(10_000, 80.0, 0.01) == pytest.approx((500.0, 225.0))
    assert transients.ramp_drain_s(100_000, 5, 5.0, 1.0) == pytest.approx(199.0, abs=0.05)
    assert transients.ramp_drain_s(1_000, 5, 0.0, 2.0) == pytest.approx(400.0)
    assert transients.mean_delay_of_stalls_s(0.5, 10.0, 0.5) == pytest.approx(0.025)
    # Constant service times: of n messages n + N remain to be done, N Poisson; each brings its own, and so
    # on.
    rng = np.random.default_rng(7)
    totals = np.full(40_000, 50)
    generation = totals.copy()
    while generation.any():
        generation = rng.poisson(0.6 * generation)
        totals = totals + generation
    drain = transients.drain(50, 0.6, 1.0, service_squared_cv=0.0)
    assert_within_five_errors(totals.astype(float), drain.mean_s)
    assert totals.var(ddof=1) == pytest.approx(drain.variance_s2, rel=0.06)


def test_rhythm_published_values_and_integration():
    hour = 3_600.0
    day = transients.rhythm(10 / hour, 0.8, 24 * hour, hour)
    assert day.peak == pytest.approx(17.739, abs=5e-4)
    assert day.lag_s / hour == pytest.approx(0.978, abs=5e-4)
    # dm/dt = λ(t) - m/S by the midpoint rule, from the mean, until the start is forgotten.
    busy, step, omega = 10.0, 0.002, 2 * math.pi / 24
    for i in range(round(48 / step)):
        t = (i + 0.5) * step
        arriving = 10 * (1 + 0.8 * math.sin(omega * t))
        halfway = busy + 0.5 * step * (arriving - busy)
        busy += step * (arriving - halfway)
    assert transients.rhythm_busy(48 * hour, 10 / hour, 0.8, 24 * hour, hour) == pytest.approx(busy, rel=1e-5)


# ---- breakdowns, clients, batches, fan-out


def breaking_chain(rate: float, slots: int, breaks: float, repaired: float, room: int) -> float:
    """Mean number present by solving the chain of messages and slots up at once, cut off at some room."""
    states = [(n, up) for n in range(room + 1) for up in range(slots + 1)]
    place = {state: i for i, state in enumerate(states)}
    rates = np.zeros((len(states), len(states)))
    for (n, up), i in place.items():
        for to, at in [
            ((n + 1, up), rate),
            ((n - 1, up), min(n, up)),
            ((n, up - 1), up * breaks),
            ((n, up + 1), (slots - up) * repaired),
        ]:
            if to in place:
                rates[i, place[to]] = at
    shares = stationary(rates)
    return sum(n * shares[i] for (n, _), i in place.items())


def test_breaking_slots_published_values():
    queue = breakdowns.breaking_slots(3.0, 1.0, 5, 50.0, 5.0)
    assert queue.mean_present == pytest.approx(3.978, abs=5e-4)
    assert queue.availability == pytest.approx(10 / 11)


@pytest.mark.parametrize(
    ("rate", "slots", "up_s", "down_s"), [(3.0, 5, 50.0, 5.0), (0.4, 1, 4.0, 1.0), (1.2, 3, 1.0, 1.0)]
)
def test_breaking_slots_against_the_chain(rate, slots, up_s, down_s):
    exact = breakdowns.breaking_slots(rate, 1.0, slots, up_s, down_s).mean_present
    assert exact == pytest.approx(breaking_chain(rate, slots, 1 / up_s, 1 / down_s, 250), rel=1e-6)
    scaled = breakdowns.breaking_slots(rate / 7, 7.0, slots, 7 * up_s, 7 * down_s)
    assert scaled.mean_present == pytest.approx(exact)
    assert scaled.mean_sojourn_s == pytest.approx(7 * exact / rate)


def test_one_breaking_slot_against_white_and_christie():
    rate, mu, f, r = 0.4, 1.0, 0.25, 1.0
    exact = rate * ((f + r) ** 2 + mu * f) / ((f + r) * (mu * r - rate * (f + r)))
    assert breakdowns.breaking_slots(rate, 1 / mu, 1, 1 / f, 1 / r).mean_present == pytest.approx(exact)


def test_slots_that_hardly_break_are_ordinary_ones():
    exact = mm.mean_waiting(4.0, 1.0, 5) + 4.0
    assert breakdowns.breaking_slots(4.0, 1.0, 5, 1e9, 1.0).mean_present == pytest.approx(exact, rel=1e-6)


def test_closed_loop_published_values():
    assert clients.closed_loop(1, 0.02, 0.1).mean_sojourn_s == pytest.approx(0.1)
    ten = clients.closed_loop(10, 1.145, 0.1)
    assert ten.mean_sojourn_s == pytest.approx(0.2420, abs=5e-5)
    assert ten.throughput_per_s == pytest.approx(7.21, abs=5e-3)


def test_closed_loop_against_mean_value_analysis():
    """Reiser and Lavenberg (1980), Mean-value analysis of closed multichain queuing networks, Journal of the
    ACM 27(2): a client finds what the others alone would leave."""
    present = 0.0
    for count in range(1, 31):
        sojourn = 0.1 * (1 + present)
        rate = count / (2.0 + sojourn)
        present = rate * sojourn
        found = clients.closed_loop(count, 2.0, 0.1)
        assert found == pytest.approx((rate, sojourn, present, rate * 0.1))


def test_clients_against_balance_equations():
    shares = birth_and_death(lambda n: (9 - n) / 2.0, lambda n: min(n, 3) / 0.5, 10)
    found = clients.closed_loop(9, 2.0, 0.5, 3)
    assert found.mean_present == pytest.approx(shares @ np.arange(10))
    assert found.utilisation == pytest.approx(shares @ np.minimum(np.arange(10), 3) / 3)
    lossy = birth_and_death(lambda n: (9 - n) / 2.0, lambda n: n / 0.5, 4)
    asked = lossy * (9 - np.arange(4))
    assert clients.refused_share(9, 2.0, 0.5, 3) == pytest.approx(asked[3] / asked.sum())
    assert clients.refused_share(3, 2.0, 0.5, 3) == 0.0
    many = clients.refused_share(100_000, 100_000 / 5, 1.0, 10)
    assert many == pytest.approx(erlang.loss_probability(5.0, 10), rel=1e-3)


def poll_chain(rate: float, fixed_s: float, per_message_s: float, maximum: int, states: int) -> float:
    """Mean sojourn by solving the chain of the messages that wait when a batch begins."""
    step = np.zeros((states, states))
    waiting = np.maximum(np.arange(states), 1)  # with nothing there the loop waits for the first message
    batch = np.minimum(waiting, maximum)
    lasts = fixed_s + per_message_s * batch
    for n in range(states):
        left = waiting[n] - batch[n]
        step[n, left:] = scipy.stats.poisson.pmf(np.arange(states - left), rate * lasts[n])
    shares = stationary(step)
    present = shares @ (waiting * lasts + 0.5 * rate * lasts**2)
    return present / (shares @ lasts + shares[0] / rate) / rate


def test_poll_loop_published_values():
    loop = batching.poll_loop(800.0, 0.050, 0.001, 500)
    assert loop == pytest.approx((909.1, 200.0, 0.3789), rel=2e-4)
    assert loop.mean_sojourn_s == pytest.approx(poll_chain(800.0, 0.050, 0.001, 500, 700), rel=1e-6)
    loop = batching.poll_loop(600.0, 0.020, 0.001, 200)
    assert loop.mean_sojourn_s == pytest.approx(poll_chain(600.0, 0.020, 0.001, 200, 300), rel=1e-4)


def test_lingering_published_values():
    assert batching.lingering(1000.0, 0.005) == pytest.approx((6.0, 2.916e-3), rel=5e-4)
    assert batching.lingering(1000.0, 0.005, 4) == pytest.approx((3.828, 1.447e-3), rel=5e-4)
    assert batching.lingering(100.0, 0.020) == pytest.approx((3.0, 13.33e-3), rel=5e-4)
    assert batching.lingering(1000.0, 0.005, 60) == pytest.approx(batching.lingering(1000.0, 0.005))
    assert batching.lingering(1000.0, 0.005, 1) == (1.0, 0.0)
    assert batching.lingering(10.0, 0.0) == (1.0, 0.0)


def test_fan_out_published_values():
    assert fan_out.slow_share(0.01, 100) == pytest.approx(0.634, abs=5e-4)
    assert fan_out.slow_share(0.0001, 2000) == pytest.approx(0.181, abs=5e-4)


def test_hedging_published_values():
    """99% N(10, 2), 1% N(100, 10) ms, hedged after 14 ms: p99.5 100 -> 24.03, p99.9 112.8 -> 26.67."""

    def tail(time_ms: float) -> float:
        return 0.99 * scipy.stats.norm.sf(time_ms, 10, 2) + 0.01 * scipy.stats.norm.sf(time_ms, 100, 10)

    assert fan_out.hedged(tail, 14.0, 0.995) == pytest.approx((1.0325, 24.03), rel=2e-4)
    assert fan_out.hedged(tail, 14.0, 0.999).quantile_s == pytest.approx(26.67, abs=5e-3)
    assert fan_out.hedged(tail, 1e6, 0.995).quantile_s == pytest.approx(100.0, abs=5e-2)
    assert fan_out.hedged(tail, 1e6, 0.999).quantile_s == pytest.approx(112.8, abs=5e-2)


def test_fork_and_join_published_values():
    found = [networks.fork_and_join_mean_sojourn_s(rate, 1.0) for rate in (0.5, 0.8, 0.9)]
    assert found == pytest.approx([2.875, 7.0, 13.875])


# ---- retries, keys, Little


def test_retry_published_values():
    assert retries.attempts(0.5, 4) == pytest.approx((0.9375, 1.875))
    assert retries.attempts(0.75, 4) == pytest.approx((0.6836, 2.734), abs=5e-4)
    assert retries.attempts(0.3, 5) == pytest.approx((1 - 0.00243, 1.425), abs=2e-4)
    assert retries.attempts(0.9, 10) == pytest.approx((1 - 0.3487, 6.513), abs=5e-4)
    assert retries.nested_attempts(3, 5) == 243
    assert retries.nested_attempts(4, 3) == 64
    assert retries.stable_rate_per_s(300.0, 2) == 150.0


def test_retry_budget_published_values():
    for p, success in [(0.1, 0.99), (0.2, 0.88), (0.5, 0.55), (0.75, 0.275)]:
        assert retries.budgeted_attempts(p, 4, 0.1) == pytest.approx((success, 1.1), abs=1e-9)
    for p, load in [(0.2, 1.240), (0.5, 1.200), (0.8, 1.050), (0.95, 1.011)]:
        assert retries.quota_attempts(p, 3, 5).mean_attempts == pytest.approx(load, abs=5e-4)


def test_retry_quota_against_simulation():
    rng = np.random.default_rng(8)
    p, cost, messages = 0.6, 5.0, 400_000
    tokens, attempts = 500.0, np.ones(messages)
    for i, (first, second, third) in enumerate((rng.random((messages, 3)) >= p).tolist()):
        if first:
            tokens = min(500.0, tokens + 1)
            continue
        for works in (second, third):
            if tokens < cost:
                break
            tokens -= cost
            attempts[i] += 1
            if works:
                tokens += cost
                break
    assert_within_five_errors(attempts[20_000:], retries.quota_attempts(p, 3, cost).mean_attempts)


def test_retry_switch_against_simulation():
    rng = np.random.default_rng(9)
    p, messages = 0.1, 400_000
    outcomes = iter((rng.random(2 * messages) < p).tolist())
    tenths, attempts = 100, np.ones(messages)
    for i in range(messages):
        while next(outcomes):
            tenths = max(0, tenths - 10)
            if tenths <= 50:
                break
            attempts[i] += 1
        else:
            tenths = min(100, tenths + 1)
    assert_within_five_errors(attempts[1_000:], retries.switched_attempts(p, 10, 10).mean_attempts)


def test_recovery_from_outage_published_values():
    """140/s recover from ten seconds, but need more than a hundred; 280/s do not; up to 150/s all do."""
    assert retries.recovery_from_outage(10.0, 140.0, 300.0, 1.0, 2) == (2660.0, 118.0)
    assert math.isinf(retries.recovery_from_outage(10.0, 280.0, 300.0, 1.0, 2).recovery_s)
    assert math.isinf(retries.recovery_from_outage(10.0, 150.0, 300.0, 1.0, 2).recovery_s)
    assert retries.recovery_from_outage(0.9, 280.0, 300.0, 1.0, 2) == (pytest.approx(252.0), 0.0)


def test_attempts_against_a_sum():
    for p in (0.0, 0.02, 0.5, 0.99, 1.0):
        by_hand = sum(p**k for k in range(7))
        assert retries.attempts(p, 7).mean_attempts == pytest.approx(by_hand)


def test_keys_published_values():
    assert keys.zipf_share(1, 10_000, 1.0) == pytest.approx(0.102, abs=5e-4)
    assert keys.zipf_share(1, 10_000, 1.2) == pytest.approx(0.208, abs=5e-4)
    assert sum(keys.zipf_share(k, 50, 1.3) for k in range(1, 51)) == pytest.approx(1.0)
    assert keys.zipf_share(7, 50, 0.0) == pytest.approx(1 / 50)
    assert keys.hot_partition_share(1, 1.0, 8) == 1.0


def test_saturation_arithmetic():
    assert little.utilisation(66.0, 0.040, 2) == pytest.approx(1.32)
    assert little.backlog_growth_per_s(66.0, 0.040, 2) == pytest.approx(16.0)
    assert little.backlog_growth_per_s(10.0, 0.040, 2) == 0.0
    assert little.number_present(0.25, 12.0) == 3.0


# ---- what is refused


@pytest.mark.parametrize(
    "call",
    [
        lambda: erlang.wait_probability(2.0, 2),
        lambda: mm.mean_wait_s(1.0, 1.0),
        lambda: mm.wait_quantile_s(0.9, 2.0, 1.0, 2),
        lambda: mm.mean_wait_asymptotic_variance(1.0, 1.0),
        lambda: deterministic.wait_tail(1.0, 1.0, 1.0),
        lambda: mg1.mean_wait_s(1.25, 0.8, 0.0),
        lambda: mg1.batch_mean_sojourn_s(0.1, 10, 100, 1.0),
        lambda: priority.mean_waits_s([1.0, 1.0], 1.0, 2),
        lambda: networks.tandem_mean_sojourn_s(1.0, [0.5, 1.0]),
        lambda: networks.fork_and_join_mean_sojourn_s(1.0, 1.0),
        lambda: breakdowns.breaking_slots(4.6, 1.0, 5, 50.0, 5.0),
        lambda: batching.poll_loop(910.0, 0.05, 0.001, 500),
        lambda: retries.mean_sojourn_with_feedback_s(0.8, 1.0, 0.2),
        lambda: rate_limit.mean_wait_s(100.0, 100.0),
    ],
)
def test_no_steady_state_is_refused(call):
    with pytest.raises(ValueError, match="no steady state"):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: mm.mean_wait_s(-1.0, 1.0),
        lambda: mm.mean_wait_s(math.nan, 1.0),
        lambda: mm.mean_wait_s(0.5, math.inf),
        lambda: mm.wait_quantile_s(1.0, 0.5, 1.0),
        lambda: mm.loss_queue(1.0, 1.0, 3, 2),
        lambda: erlang.wait_probability(0.5, 0),
        lambda: erlang.load_for_loss(0.0, 3),
        lambda: erlang.slots_for_wait(1.0, 1.0, 1.0, 0.0),
        lambda: mg1.wait_second_moment_s2(0.5, 1.0, 0.0, 0.5),
        lambda: mg1.batch_mean_sojourn_s(0.1, 3, 5, 1.0),
        lambda: transients.outage(10.0, 100.0, 100.0),
        lambda: transients.drain(10, 1.0, 1.0),
        lambda: transients.mean_delay_of_stalls_s(6.0, 10.0, 0.5),
        lambda: retries.attempts(1.0, None),
        lambda: retries.attempts(1.1, 2),
        lambda: retries.switched_attempts(0.0, 10, 10),
        lambda: retries.recovery_from_outage(10.0, 300.0, 300.0, 1.0, 2),
        lambda: breakdowns.breaking_slots(1.0, 1.0, 0, 50.0, 5.0),
        lambda: clients.closed_loop(0, 1.0, 1.0),
        lambda: clients.refused_share(3, 0.0, 1.0, 1),
        lambda: batching.poll_loop(1.0, 0.0, 0.0, 5),
        lambda: batching.lingering(1.0, -1.0),
        lambda: fan_out.slow_share(2.0, 5),
        lambda: fan_out.hedged(lambda t: math.exp(-t), 1.0, 1.0),
        lambda: keys.zipf_share(11, 10, 1.0),
        lambda: networks.phases_tail(1.0, []),
        lambda: deterministic.wait_quantile_s(-0.1, 0.5, 1.0),
    ],
)
def test_impossible_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|below|above|needed|never|least|room|more"):
        call()
