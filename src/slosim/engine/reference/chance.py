"""Addressed randomness (S5, S6, S7): every draw is a hash of what it is for, never the next of a sequence."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

WORD = (1 << 64) - 1
G = 0x9E3779B97F4A7C15
"""The odd number nearest to 2^64 divided by the golden ratio, as in splitmix64."""


def mix(x: int) -> int:
    """S5: the finaliser of splitmix64."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & WORD
    return x ^ x >> 31


@cache
def key(text: str) -> int:
    """S5: the number of a name."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def identity_of(producer: str, number: int) -> int:
    """S6: identity of a producer's message; number counts from 0."""
    return identity_of_number(f"producers.{producer}", number)


def identity_of_child(parent: int, emission: str, copy: int) -> int:
    """S6: identity of what a message publishes through an emission; copy counts from 0."""
    return mix((parent ^ key(emission)) + (copy + 1) * G & WORD)


def identity_of_repeat(child: int, repeats: int) -> int:
    """S44, S50: identity of a child that so many attempts before may have published too."""
    return child if repeats == 0 else mix(child + repeats * G & WORD)


def identity_of_number(text: str, number: int) -> int:
    """S43, S66: identity of the number-th (from 0) of what a name stands for."""
    return mix(key(text) + (number + 1) * G & WORD)


def identity_of_request(message: int, call: str, request: int) -> int:
    """S56: identity of a request of a call; 0 is the first, 1 the hedge."""
    return mix((message ^ key(call)) + (request + 1) * G & WORD)


class Uniform(NamedTuple):
    """A uniform number between 0 and 1, with its exact complement: p + q = 1."""

    p: float
    q: float


class Chance:
    """All the chance of one replication."""

    def __init__(self, seed: int, replication: int) -> None:
        self.run = mix(mix(seed + G & WORD) ^ (replication + 1) * G & WORD)

    def uniform(self, stream: str, identity: int, attempt: int = 0) -> Uniform:
        """S5: the uniform at an address; 52 bits, never 0 or 1."""
        at = mix(key(stream) ^ self.run)
        bits = mix(at ^ identity + attempt * G & WORD) >> 12
        return Uniform((bits + 0.5) / 2**52, (2**52 - 1 - bits + 0.5) / 2**52)

    def draw(self, distribution: Any, stream: str, identity: int, attempt: int = 0) -> float:
        """S7: a value is the quantile of its uniform; s for durations."""
        p, q = self.uniform(stream, identity, attempt)
        return float(distribution.quantile(np.array([p]), np.array([q]))[0])

    def exponential(self, mean_s: float, stream: str, identity: int, attempt: int) -> float:
        """S7, S66: an exponential time, s."""
        return -mean_s * math.log(self.uniform(stream, identity, attempt).q)

    def happens(self, probability: float, stream: str, identity: int, attempt: int = 0) -> bool:
        """S7: an event with a probability."""
        return self.uniform(stream, identity, attempt).p < probability

    def choose(self, shares: list[float], stream: str, identity: int) -> int:
        """S7: the first whose cumulated share exceeds the uniform (the last, should rounding leave none)."""
        p, cumulated = self.uniform(stream, identity).p, 0.0
        for place, share in enumerate(shares):
            cumulated += share
            if p < cumulated:
                return place
        return len(shares) - 1


def murmur2(data: bytes) -> int:
    """Signed 32-bit murmur2 as Kafka's default partitioner computes it (its class Utils)."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        k = int.from_bytes(data[start : start + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - (1 << 32) if h >> 31 else h


def partition_of_key(text: str, partitions: int) -> int:
    """S13: the positive 31 bits of murmur2, modulo partitions."""
    return (murmur2(text.encode()) & 0x7FFFFFFF) % partitions
