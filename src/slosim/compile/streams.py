"""Addressed randomness (rules S5, S6) in Python integers: for what is drawn before a run starts."""

from __future__ import annotations

from hashlib import blake2b

MASK = (1 << 64) - 1
G = 0x9E3779B97F4A7C15


def key_of(text: str) -> int:
    """64 bits of a name."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def mix(x: int) -> int:
    """Finaliser of splitmix64."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def run_key(seed: int, replication: int) -> int:
    """Key that every stream of a run is mixed with."""
    return mix(mix(seed + G & MASK) ^ (replication + 1) * G & MASK)


def stream_of(key: int, run: int) -> int:
    return mix(key ^ run)


def numbered(key: int, number: int) -> int:
    """Identity of the thing with a number, from 0, of those that share a key."""
    return mix(key + (number + 1) * G & MASK)


def uniform(stream: int, identity: int, attempt: int = 0) -> float:
    """Uniform of (0, 1) at an address."""
    return ((mix(stream ^ (identity + attempt * G & MASK)) >> 12) + 0.5) * 2.0**-52
