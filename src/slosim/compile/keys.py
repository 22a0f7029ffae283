"""Keys and partitions (rule S13): murmur2 as Kafka's clients compute it, and Zipf shares."""

from __future__ import annotations

import numpy as np

SEED = 0x9747B28C
M = 0x5BD1E995
MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """32-bit MurmurHash2 with Kafka's seed, as an unsigned integer."""
    h = SEED ^ len(key)
    whole = len(key) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * M & MASK
        h = h * M & MASK ^ (k ^ k >> 24) * M & MASK
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * M & MASK
    h = (h ^ h >> 13) * M & MASK
    return h ^ h >> 15


def positive_hash(text: str) -> int:
    """The positive 31 bits Kafka takes modulo the number of partitions."""
    return murmur2(text.encode()) & 0x7FFFFFFF


def zipf_shares(count: int, skew: float) -> np.ndarray:
    """Cumulated shares of ranks 1..count with weights 1/rank**skew: float64[count], the last 1."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -skew
    cumulated = np.cumsum(weights)
    return cumulated / cumulated[-1]


def rank_hashes(count: int) -> np.ndarray:
    """`positive_hash` of the decimal ranks "1" to str(count): int64[count]."""
    return np.fromiter((positive_hash(str(rank)) for rank in range(1, count + 1)), np.int64, count)
