"""Keys of unequal weight: how much of the load falls on the most frequent one, and what that allows."""

import math

from ._numbers import require_count, require_not_negative, require_positive, require_probability


def zipf_share(rank: int, count: int, skew: float) -> float:
    """Share of messages that carry the key of that rank.

        k^(-s) / H(n, s),   H(n, s) = Σ_{i=1}^{n} i^(-s)

    Args:
        rank: k, 1 is the most frequent, 1 … n.
        count: n keys, >= 1.
        skew: s, Zipf exponent, >= 0; 0 is uniform.

    Raises:
        ValueError: an argument out of range.

    Source: Zipf (1949), Human Behavior and the Principle of Least Effort; definition.

    >>> round(zipf_share(1, 10_000, 1.0), 3), round(zipf_share(1, 10_000, 1.2), 3)
    (0.102, 0.208)
    """
    require_count(rank=rank, count=count)
    require_not_negative(skew=skew)
    if rank > count:
        raise ValueError(f"rank must be at most {count}, the number of keys, got {rank}")
    return rank**-skew / math.fsum(i**-skew for i in range(1, int(count) + 1))


def hot_partition_share(count: int, skew: float, partitions: int) -> float:
    """Expected share of messages in the partition of the most frequent key, when keys are spread at random.

        p_1 + (1 - p_1)/P

    Args:
        count: n keys, >= 1.
        skew: s, >= 0.
        partitions: P, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: every other key falls into that partition with probability 1/P.

    >>> round(hot_partition_share(10_000, 1.1, 12), 3)
    0.222
    """
    require_count(partitions=partitions)
    top = zipf_share(1, count, skew)
    return top + (1.0 - top) / partitions


def rate_limit_by_key_per_s(partition_capacity_per_s: float, top_share: float) -> float:
    """The highest total rate at which the partition of the most frequent key still keeps up, per second.

        μ / p_1

    An upper bound, however many partitions and consumers there are: other keys share that partition.

    Args:
        partition_capacity_per_s: μ, messages per second that one partition's consumer can do, > 0.
        top_share: p_1, share of the most frequent key, above 0, at most 1.

    Raises:
        ValueError: an argument out of range.

    Source: utilisation of that partition below 1.

    >>> rate_limit_by_key_per_s(50.0, 0.2)
    250.0
    """
    require_positive(partition_capacity_per_s=partition_capacity_per_s, top_share=top_share)
    require_probability(top_share=top_share)
    return partition_capacity_per_s / top_share
