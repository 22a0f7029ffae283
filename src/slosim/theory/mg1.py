"""Poisson arrivals and any service time: M/G/1 exactly, M/G/c approximately.

λ arrivals per second, S a service time with mean E[S] seconds and squared coefficient of variation
c_S² = Var[S]/E[S]², ρ = λ·E[S].
"""

from ._numbers import require_not_negative, require_positive, require_steady
from .mm import mean_wait_s as _exponential_mean_wait_s


def mean_wait_s(arrival_rate_per_s: float, service_time_s: float, service_squared_cv: float) -> float:
    """Mean wait in M/G/1, seconds.

        E[W] = λ·E[S²] / (2·(1 - ρ)) = ρ·E[S]·(1 + c_S²) / (2·(1 - ρ))

    The same for every order of service that does not look at the service times and never idles.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: E[S], > 0.
        service_squared_cv: c_S², >= 0; 0 for constant, 1 for exponential service times.

    Raises:
        ValueError: an argument out of range, or ρ >= 1.

    Source: Pollaczek (1930), Khinchine (1932); Kleinrock (1975), Queueing Systems, volume 1, section 5.7.

    >>> round(mean_wait_s(0.8, 1.0, 4.0), 6)
    10.0
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_not_negative(service_squared_cv=service_squared_cv)
    utilisation = arrival_rate_per_s * service_time_s
    require_steady(utilisation)
    return utilisation * service_time_s * (1.0 + service_squared_cv) / (2.0 * (1.0 - utilisation))


def wait_second_moment_s2(
    arrival_rate_per_s: float,
    service_time_s: float,
    service_squared_cv: float,
    service_third_moment_s3: float,
) -> float:
    """Mean of the squared wait in M/G/1, first come first served, seconds squared.

        E[W²] = 2·E[W]² + λ·E[S³] / (3·(1 - ρ))

    Args:
        arrival_rate_per_s, service_time_s, service_squared_cv: as `mean_wait_s`.
        service_third_moment_s3: E[S³], seconds cubed, >= E[S]³.

    Raises:
        ValueError: an argument out of range, or ρ >= 1.

    Source: Takács (1962), A single-server queue with Poisson input, Operations Research 10(3): his recursion
    for the moments of the wait, here the second.

    >>> round(wait_second_moment_s2(0.8, 1.0, 0.0, 1.0), 3)
    9.333
    """
    mean = mean_wait_s(arrival_rate_per_s, service_time_s, service_squared_cv)
    if service_third_moment_s3 < service_time_s**3 * (1 - 1e-12):
        raise ValueError("service_third_moment_s3 is below the cube of the mean, which no service time has")
    utilisation = arrival_rate_per_s * service_time_s
    return 2.0 * mean**2 + arrival_rate_per_s * service_third_moment_s3 / (3.0 * (1.0 - utilisation))


def lifo_wait_second_moment_s2(
    arrival_rate_per_s: float,
    service_time_s: float,
    service_squared_cv: float,
    service_third_moment_s3: float,
) -> float:
    """Mean of the squared wait in M/G/1, last come first served, not preemptive, seconds squared.

        E[W²]_LIFO = E[W²]_FIFO / (1 - ρ)

    The mean wait is that of first come first served; only its spread grows.

    Args, Raises: as `wait_second_moment_s2`.

    Source: Takács (1963), Delay distributions for one line with Poisson input, general holding times, and
    various orders of service, Bell System Technical Journal 42(2). Checked by simulation.

    >>> round(lifo_wait_second_moment_s2(0.8, 1.0, 0.0, 1.0), 2)
    46.67
    """
    fifo = wait_second_moment_s2(
        arrival_rate_per_s, service_time_s, service_squared_cv, service_third_moment_s3
    )
    return fifo / (1.0 - arrival_rate_per_s * service_time_s)


def mean_wait_many_slots_s(
    arrival_rate_per_s: float,
    service_time_s: float,
    slots: int,
    service_squared_cv: float,
    arrival_squared_cv: float = 1.0,
) -> float:
    """Mean wait in M/G/c or G/G/c, seconds: exact for M/M/c and M/G/1, else an approximation.

        E[W] ≈ (c_A² + c_S²)/2 · E[W of M/M/c]

    The true mean depends on more of the distributions than two moments. The example below, M/G/10 at 80% load
    with c_S = 2, comes out at 0.511 s whatever the service time; simulation and the exact recursion over the
    slots give 0.48 s for gamma, 0.43 s for hyperexponential (balanced means) and 0.39 s for lognormal service
    times: 6%, 18% and 31% too high.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: E[S], > 0.
        slots: c, >= 1.
        service_squared_cv: c_S², >= 0.
        arrival_squared_cv: c_A², of the times between arrivals, >= 0; 1 for Poisson arrivals.

    Raises:
        ValueError: an argument out of range, or λ·E[S] >= c.

    Source: Allen (1990), Probability, Statistics, and Queueing Theory with Computer Science Applications, 2nd
    edition, chapter 5 (the Allen–Cunneen approximation); for c_A² = 1 also Lee and Longton (1959).

    >>> round(mean_wait_many_slots_s(8.0, 1.0, 10, 4.0), 3)
    0.511
    """
    require_not_negative(service_squared_cv=service_squared_cv, arrival_squared_cv=arrival_squared_cv)
    exponential = _exponential_mean_wait_s(arrival_rate_per_s, service_time_s, slots)
    return 0.5 * (arrival_squared_cv + service_squared_cv) * exponential


def batch_mean_wait_s(
    batch_rate_per_s: float, batch_mean: float, batch_second_moment: float, service_time_s: float
) -> float:
    """Mean wait of a message when messages come in batches, M^X/M/1, seconds.

        E[W] = S·(E[X²] + E[X]) / (2·E[X]·(1 - ρ)) - S,   ρ = r·E[X]·S

    where r is the rate of batches and X their size.

    Args:
        batch_rate_per_s: r, > 0.
        batch_mean: E[X], >= 1.
        batch_second_moment: E[X²], >= E[X]²; for a constant size its square.
        service_time_s: S, mean of the exponential service time of one message, > 0.

    Raises:
        ValueError: an argument out of range, or ρ >= 1.

    Source: Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th edition, section
    3.1. Checked by solving the balance equations.

    >>> round(batch_mean_wait_s(0.08, 10, 100, 1.0), 6)
    26.5
    """
    return (
        batch_mean_sojourn_s(batch_rate_per_s, batch_mean, batch_second_moment, service_time_s)
        - service_time_s
    )


def batch_mean_sojourn_s(
    batch_rate_per_s: float, batch_mean: float, batch_second_moment: float, service_time_s: float
) -> float:
    """Mean wait and service of a message when messages come in batches, M^X/M/1, seconds.

        E[T] = S·(E[X²] + E[X]) / (2·E[X]·(1 - ρ)),   ρ = r·E[X]·S

    Args, Raises, Source: as `batch_mean_wait_s`.

    >>> round(batch_mean_sojourn_s(0.08, 10, 100, 1.0), 6)
    27.5
    """
    require_positive(batch_rate_per_s=batch_rate_per_s, service_time_s=service_time_s, batch_mean=batch_mean)
    if batch_mean < 1:
        raise ValueError(f"batch_mean must be at least 1, got {batch_mean!r}")
    if batch_second_moment < batch_mean**2 * (1 - 1e-12):
        raise ValueError("batch_second_moment is below the square of the mean, which no batch size has")
    utilisation = batch_rate_per_s * batch_mean * service_time_s
    require_steady(utilisation)
    return service_time_s * (batch_second_moment + batch_mean) / (2.0 * batch_mean * (1.0 - utilisation))
