"""Stations whose slots break down and are repaired, each by itself."""

from collections.abc import Sequence
from typing import NamedTuple

from ._numbers import require_count, require_positive, require_steady, solve_linear

Matrix = list[list[float]]


class BreakingQueue(NamedTuple):
    """Steady state of a queue whose slots break down."""

    availability: float  # share of the time that a slot is up
    mean_present: float  # messages waiting and in work
    mean_sojourn_s: float


def breaking_slots(
    arrival_rate_per_s: float, service_time_s: float, slots: int, mean_up_s: float, mean_down_s: float
) -> BreakingQueue:
    """M/M/c whose slots break down, busy or idle, and are repaired, each independent of the others.

    The message in work at a slot that breaks down is the next one to be taken. Whether its work goes on or
    starts anew does not matter, as exponential times do not remember. With n messages present and u slots up,
    π_n the row of probabilities of (n, 0) … (n, c), N_n the rates inside a level and D_n = diag(μ·min(n, u)):

        π_{n+1} = π_n·R_n,   R_n = -λ·(N_{n+1} + R_{n+1}·D_{n+2})^-1,   π_0·(N_0 + R_0·D_1) = 0

    From n = c - 1 on, all R_n are the same R, found by iteration.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S = 1/μ, exponential mean, > 0.
        slots: c, >= 1.
        mean_up_s, mean_down_s: exponential means of one slot, > 0.

    Raises:
        ValueError: an argument out of range, or λ·S >= c·availability.

    Source: Mitrany and Avi-Itzhak (1968), A many-server queue with service interruptions, Operations Research
    16(3); the block equations as in Neuts (1981), Matrix-geometric solutions in stochastic models. Checked
    against a chain cut off and solved as a whole, and for one slot against the closed form of White and
    Christie (1958).

    >>> round(breaking_slots(3.0, 1.0, 5, 50.0, 5.0).mean_present, 3)
    3.978
    """
    require_positive(
        arrival_rate_per_s=arrival_rate_per_s,
        service_time_s=service_time_s,
        mean_up_s=mean_up_s,
        mean_down_s=mean_down_s,
    )
    require_count(slots=slots)
    availability = mean_up_s / (mean_up_s + mean_down_s)
    load = arrival_rate_per_s * service_time_s
    require_steady(load / (slots * availability))
    breaks, repaired = service_time_s / mean_up_s, service_time_s / mean_down_s  # per service time, from here

    def served(level: int) -> list[float]:
        return [float(min(level, up)) for up in range(slots + 1)]

    def inside(level: int, below: Matrix) -> Matrix:
        """N_level + below, where below are the rates of returning to this level from above."""
        rates = [list(row) for row in below]
        for up, rate in enumerate(served(level)):
            rates[up][up] -= load + rate + up * breaks + (slots - up) * repaired
            if up > 0:
                rates[up][up - 1] += up * breaks
            if up < slots:
                rates[up][up + 1] += (slots - up) * repaired
        return rates

    def step_to(level: int, step_beyond: Matrix) -> Matrix:
        """R of the level before, from that of this level."""
        rates = inside(level, _scaled(step_beyond, served(level + 1)))
        inverse = _inverse(rates)
        return [[-load * x for x in row] for row in inverse]

    step: Matrix = [[0.0] * (slots + 1) for _ in range(slots + 1)]
    change = 1.0
    while change > 1e-14:
        again = step_to(slots, step)
        change = max(
            abs(x - y)
            for row, other in zip(again, step, strict=True)
            for x, y in zip(row, other, strict=True)
        )
        step = again
    steps = [step]  # of the levels c - 1, c - 2, … 0
    for level in range(slots - 1, 0, -1):
        steps.append(step_to(level, steps[-1]))
    steps.reverse()

    balance = [list(column) for column in zip(*inside(0, _scaled(steps[0], served(1))), strict=True)]
    balance[0] = [1.0] * (slots + 1)  # one equation is superfluous
    row = solve_linear(balance, [1.0] + [0.0] * slots)
    total = level_total = sum(row)
    present, level = 0.0, 0
    while level_total > 1e-16 * total or level < slots:
        row = _times(row, steps[min(level, slots - 1)])
        level += 1
        level_total = sum(row)
        total += level_total
        present += level * level_total
    mean_present = present / total
    return BreakingQueue(availability, mean_present, mean_present / arrival_rate_per_s)


def _times(row: Sequence[float], matrix: Matrix) -> list[float]:
    return [sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*matrix, strict=True)]


def _scaled(matrix: Matrix, columns: Sequence[float]) -> Matrix:
    """matrix · diag(columns)."""
    return [[x * factor for x, factor in zip(row, columns, strict=True)] for row in matrix]


def _inverse(matrix: Matrix) -> Matrix:
    n = len(matrix)
    columns = [solve_linear(matrix, [1.0 if i == j else 0.0 for i in range(n)]) for j in range(n)]
    return [list(row) for row in zip(*columns, strict=True)]
