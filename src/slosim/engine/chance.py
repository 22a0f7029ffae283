"""Addressed randomness (rules S5 to S7): a draw is a hash of its address, made a value by an inverse."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile.program import CONSTANT, EXPONENTIAL, INTEGERS, STEPS, TABLE, UNIFORM
from slosim.compile.quantiles import FIRST_TABLE_BITS, TABLE_SHIFT
from slosim.engine.jit import leaf, rule

G = np.uint64(0x9E3779B97F4A7C15)
M1 = np.uint64(0xBF58476D1CE4E5B9)
M2 = np.uint64(0x94D049BB133111EB)
U12, U27, U30, U31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)
FINEST = 2.0**-52
TABLE_SCALE = 1.0 / (1 << TABLE_SHIFT)


@leaf
def mix(x):
    """Finaliser of splitmix64: every input bit changes every output bit with probability 1/2. u8 -> u8."""
    x ^= x >> U30
    x *= M1
    x ^= x >> U27
    x *= M2
    return x ^ (x >> U31)


@leaf
def uniform(stream, identity, attempt):
    """Uniform of (0, 1) at an address; u and 1 - u are both exact. u8, u8, integer -> f8."""
    h = mix(stream ^ (identity + np.uint64(attempt) * G))
    return (np.float64(h >> U12) + 0.5) * FINEST


@leaf
def from_table(S, first, tail):
    """Straight line between the two entries around a tail probability (compile/quantiles.py)."""
    bits = np.float64(tail).view(np.int64)
    i = first + (bits >> TABLE_SHIFT) - FIRST_TABLE_BITS
    share = np.float64(bits & ((1 << TABLE_SHIFT) - 1)) * TABLE_SCALE
    low = S.knots[i]
    return low + share * (S.knots[i + 1] - low)


@rule
def from_knots(S, first, count, tail):
    """Straight line between the knots (tail probability, value) around a tail probability."""
    low, high = 0, count - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if S.knots[first + 2 * middle] <= tail:
            low = middle
        else:
            high = middle
    a, b = first + 2 * low, first + 2 * high
    width = S.knots[b] - S.knots[a]
    if width <= 0.0:
        return S.knots[b + 1]
    return S.knots[a + 1] + (tail - S.knots[a]) / width * (S.knots[b + 1] - S.knots[a + 1])


@leaf
def draw(S, index, u):
    """Quantile of distribution `index` at u, s. A larger u never gives a smaller value."""
    d = S.distributions[index]
    kind = d.kind
    if kind == TABLE:
        if u < 0.5:
            return from_table(S, d.first, u)
        return from_table(S, d.first + d.lower_count, 1.0 - u)
    if kind == CONSTANT:
        return d.a
    if kind == UNIFORM:
        x = d.a + u * (d.b - d.a)
    elif kind == EXPONENTIAL:
        x = -d.a * math.log(1.0 - u)
    elif kind == INTEGERS:
        x = d.a + math.floor(u * d.b)
    elif kind == STEPS:
        return S.knots[d.first + np.int64(u * d.lower_count)]
    else:
        if u < 0.5:
            return from_knots(S, d.first, d.lower_count, u)
        return from_knots(S, d.first + 2 * d.lower_count, d.upper_count, 1.0 - u)
    x += d.shift
    return x if x < d.cap else d.cap


@rule
def draw_rare(S, index, u):
    """`draw` as a plain call, where it is not on the hot path."""
    return draw(S, index, u)


@rule
def first_above(S, first, count, u):
    """Index, from 0, of the first of `count` cumulated key shares above u; the last if none is."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) >> 1
        if S.key_shares[first + middle] > u:
            high = middle
        else:
            low = middle + 1
    return low
