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
    hashes = []
    for digits in range(1, len(str(count)) + 1):
        ranks = np.arange(10 ** (digits - 1), min(count + 1, 10**digits))
        text = np.empty((len(ranks), digits), np.uint32)
        for place in range(digits):
            text[:, digits - 1 - place] = ord("0") + ranks // 10**place % 10
        hashes.append(_murmur2_of_rows(text) & np.uint32(0x7FFFFFFF))
    return np.concatenate(hashes).astype(np.int64)


def _murmur2_of_rows(text: np.ndarray) -> np.ndarray:
    """`murmur2` of every row of bytes, all of one length: uint32[rows] from uint32[rows, length]."""
    rows, length = text.shape
    m = np.uint32(M)
    h = np.full(rows, SEED ^ length, np.uint32)
    whole = length // 4 * 4
    for i in range(0, whole, 4):
        k = _little_endian(text[:, i : i + 4]) * m
        h = h * m ^ (k ^ k >> np.uint32(24)) * m
    if whole < length:
        h = (h ^ _little_endian(text[:, whole:])) * m
    h = (h ^ h >> np.uint32(13)) * m
    return h ^ h >> np.uint32(15)


def _little_endian(text: np.ndarray) -> np.ndarray:
    """Up to four bytes of each row as one number: uint32[rows]."""
    number = np.zeros(len(text), np.uint32)
    for place in range(text.shape[1]):
        number |= text[:, place] << np.uint32(8 * place)
    return number
