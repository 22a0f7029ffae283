"""Checks of arguments, and the few numerical methods that the closed forms need."""

import math
from collections.abc import Callable, Sequence

RELATIVE_ERROR = 1e-12  # at which a search for a root stops


def require_positive(**values: float) -> None:
    """Raises ValueError for the first value that is not a finite number above 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a finite number above 0, got {value!r}")


def require_not_negative(**values: float) -> None:
    """Raises ValueError for the first value that is not a finite number of at least 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite number, 0 or more, got {value!r}")


def require_probability(**values: float) -> None:
    """Raises ValueError for the first value outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be a probability from 0 to 1, got {value!r}")


def require_count(**values: int) -> None:
    """Raises ValueError for the first value that is not a whole number of at least 1."""
    for name, value in values.items():
        if value != int(value) or value < 1:
            raise ValueError(f"{name} must be a whole number, 1 or more, got {value!r}")


def require_steady(utilisation: float) -> None:
    """Raises ValueError where the queue would grow for ever."""
    if utilisation >= 1:
        raise ValueError(f"utilisation must be below 1, got {utilisation:.6g}: the queue has no steady state")


def quantile_of_tail(tail: Callable[[float], float], probability: float, scale: float) -> float:
    """The smallest x >= 0 with tail(x) <= 1 - probability; the tail P(X > x) falls continuously on x > 0.

    scale is any x of about the right size, > 0; it only shortens the search. Raises ValueError for a
    probability outside [0, 1).
    """
    if not 0 <= probability < 1:
        raise ValueError(f"probability must be at least 0 and below 1, got {probability!r}")
    upper_probability = 1.0 - probability
    if tail(0.0) <= upper_probability:
        return 0.0
    low, high = 0.0, scale
    while tail(high) > upper_probability:
        low, high = high, 2.0 * high
        if not math.isfinite(high):
            raise ValueError("the tail does not fall below 1 - probability")
    while high - low > RELATIVE_ERROR * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if tail(middle) > upper_probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def poisson_terms(mean: float, count: int) -> list[float]:
    """P(N = 0), …, P(N = count - 1) of a Poisson number N, safe for a large mean."""
    if mean == 0:
        return [1.0 if n == 0 else 0.0 for n in range(count)]
    log_mean = math.log(mean)
    return [math.exp(n * log_mean - mean - math.lgamma(n + 1)) for n in range(count)]


def solve_linear(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with matrix · x = right, by elimination with pivoting. Raises ValueError for a singular matrix."""
    n = len(right)
    rows = [[float(x) for x in row] + [float(b)] for row, b in zip(matrix, right, strict=True)]
    for column in range(n):
        pivot = max(range(column, n), key=lambda row: abs(rows[row][column]))
        if abs(rows[pivot][column]) < 1e-13:
            raise ValueError("the equations have no single solution")
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, n):
            factor = rows[row][column] / rows[column][column]
            for k in range(column, n + 1):
                rows[row][k] -= factor * rows[column][k]
    solution = [0.0] * n
    for row in range(n - 1, -1, -1):
        known = sum(rows[row][k] * solution[k] for k in range(row + 1, n))
        solution[row] = (rows[row][n] - known) / rows[row][row]
    return solution


def fourier(values: Sequence[complex]) -> list[complex]:
    """Σ_k values[k] · exp(-2πi·jk/n) for every j; n = len(values) must be a power of two."""
    n = len(values)
    if n == 1:
        return [values[0]]
    even, odd = fourier(values[0::2]), fourier(values[1::2])
    turn = [complex(math.cos(2 * math.pi * j / n), -math.sin(2 * math.pi * j / n)) for j in range(n // 2)]
    turned = [w * x for w, x in zip(turn, odd, strict=True)]
    pairs = list(zip(even, turned, strict=True))
    return [a + b for a, b in pairs] + [a - b for a, b in pairs]
