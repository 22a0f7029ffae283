"""Measurements as bytes and back."""

from __future__ import annotations

import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import slosim
from slosim.measure.codec import from_bytes, to_bytes
from slosim.measure.measurements import Measurements
from slosim.simulation import whole
from slosim.workers import Work, digest_of_runs, open_workers

EXAMPLES = Path(__file__).parent.parent / "examples"


def measured(example: str) -> Measurements:
    scenario = slosim.load(EXAMPLES / f"{example}.yaml")
    with open_workers("threads", 1) as workers:
        (done,) = workers.outcomes([Work(scenario, 3, digest_of_runs(scenario))], whole)
    return done.kept


def same(one: object, other: object) -> bool:
    """Whether two measurements are the same to the bit, their types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, its.name), getattr(other, its.name)) for its in dataclasses.fields(one))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.parametrize(
    "example", ["orders", "rebalance-storm", "shared-database", "autoscaler-too-slow", "dlq-redrive"]
)
def test_what_is_read_is_what_was_written(example: str):
    """Logs and queues, mechanisms, dependencies, scalings, redrives; infinities where nothing is limited."""
    one = measured(example)

    assert same(from_bytes(to_bytes(one)), one)
    assert not same(one, dataclasses.replace(one, messages=one.messages + 1))


@pytest.fixture(scope="module")
def content() -> bytes:
    return to_bytes(measured("mmc"))


def repacked(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same with something else in its head, and a checksum that fits."""
    unpacked = zlib.decompress(content)
    length = int.from_bytes(unpacked[:8], "little")
    head, rest = unpacked[8 : 8 + length], unpacked[8 + length :]
    assert old in head
    head = head.replace(old, new, 1)
    return zlib.compress(len(head).to_bytes(8, "little") + head + rest)


def test_what_is_cut_or_changed_is_refused(content: bytes):
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    foreign = json.dumps({"replication": 1}).encode()
    for wrong in (
        b"",
        content[:-1],
        content[:middle],
        flipped,
        foreign,
        zlib.compress(foreign),
        zlib.compress(len(foreign).to_bytes(8, "little") + foreign),
        repacked(content, b'"<f8"', b'"|O8"'),
        repacked(content, b'"<f8"', b'"<f4"'),
        repacked(content, b"[3,", b'["three",'),
        repacked(content, b"[3,", b"[3,3,"),
    ):
        with pytest.raises(ValueError, match="no measurements"):
            from_bytes(wrong)
