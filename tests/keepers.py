"""What tests keep of a replication: functions of a module, so that processes and clusters find them."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from slosim.measure.measurements import Measurements
from slosim.model import Scenario
from slosim.workers.work import Keep


def marking(folder: Path, pause_s: float = 0.0) -> Keep:
    """Leave a mark of every time a replication was simulated; keep its number and its messages."""
    return partial(_mark, folder=folder, pause_s=pause_s)


def killing(folder: Path, replication: int, times: int) -> Keep:
    """The same, but the worker is killed when it has simulated this replication, so many times."""
    return partial(_kill, folder=folder, replication=replication, times=times)


def marks(folder: Path) -> dict[int, int]:
    """How often each replication was simulated."""
    numbers = [int(mark.name.split(".")[0]) for mark in folder.iterdir()]
    return {number: numbers.count(number) for number in sorted(set(numbers))}


def pids(folder: Path) -> set[int]:
    """Processes that simulated."""
    return {int(mark.name.split(".")[1]) for mark in folder.iterdir()}


def _mark(scenario: Scenario, one: Measurements, folder: Path, pause_s: float) -> tuple[int, int]:
    (folder / f"{one.replication}.{os.getpid()}.{time.monotonic_ns()}").touch()
    time.sleep(pause_s)
    return one.replication, one.messages


def _kill(
    scenario: Scenario, one: Measurements, folder: Path, replication: int, times: int
) -> tuple[int, int]:
    kept = _mark(scenario, one, folder, 0.02)
    if one.replication == replication and marks(folder)[replication] <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return kept
