"""The closed form that fits a station: its name, whether it is exact, and what it predicts at a rate.

Only means are predicted. They are the same in every order that does not look at service times (first come,
last come, priority), so the order of a queue does not matter here (Kleinrock 1976, Queueing Systems, volume
2, section 3.4: the conservation law).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from slosim.model import Clients
from slosim.report.stations import Queue, Station
from slosim.theory import clients, deterministic, mg1, mm, patience

Numbers = dict[str, float]
"""Predictions by name: wait_mean_s, waiting_mean, refused_ratio, expired_ratio, busy."""


@dataclass(frozen=True)
class ClosedForm:
    """model    in Kendall's notation
    exact    False: an approximation, also where all that it assumes holds
    source   who found it
    tested   the number of which a difference is worth a finding
    predict  numbers at an arrival rate per second; ValueError where there is no steady state
    """

    model: str
    exact: bool
    source: str
    tested: str
    predict: Callable[[float], Numbers]


def closed_form_of(station: Station) -> ClosedForm | None:
    """The closed form for a station; None where there is none, or nothing to wait for."""
    if not 0 < station.time.mean_s < math.inf:
        return None
    slots = station.queues[0].slots
    if slots is None:
        return _unlimited(station)
    if station.room is not None:
        return _with_loss(station, slots, station.room)
    if station.patience_s is not None:
        return _with_patience(station, slots, station.patience_s)
    if station.clients is not None:
        return _with_clients(station, slots, station.clients)
    return _with_queues(station)


def _unlimited(station: Station) -> ClosedForm:
    def predict(rate_per_s: float) -> Numbers:
        return {"busy": rate_per_s * station.time.mean_s}

    return ClosedForm(f"M/{station.time.letter}/∞", True, "Little's law", "busy", predict)


def _with_loss(station: Station, slots: int, room: int) -> ClosedForm:
    time = station.time

    def predict(rate_per_s: float) -> Numbers:
        queue = mm.loss_queue(rate_per_s, time.mean_s, slots, slots + room)
        waits = {"wait_mean_s": queue.mean_wait_s, "waiting_mean": queue.mean_waiting} if room else {}
        return {"busy": queue.mean_busy, **waits, "refused_ratio": queue.loss}

    source = "balance of births and deaths" if room else "Erlang B (1917)"
    return ClosedForm(f"M/{time.letter}/{slots}/{slots + room}", True, source, "refused_ratio", predict)


def _with_patience(station: Station, slots: int, patience_s: float) -> ClosedForm:
    def predict(rate_per_s: float) -> Numbers:
        queue = patience.expiring_queue(rate_per_s, station.time.mean_s, slots, patience_s)
        return {
            "busy": queue.utilisation * slots,
            "waiting_mean": queue.mean_waiting,
            "expired_ratio": queue.loss,
        }

    return ClosedForm(f"M/M/{slots} + D", True, "Barrer (1957)", "expired_ratio", predict)


def _with_clients(station: Station, slots: int, its: Clients) -> ClosedForm:
    """A closed loop: the rate follows from the clients, so that of the run does not enter."""
    mean_s = station.time.mean_s

    def predict(_rate_per_s: float) -> Numbers:
        loop = clients.closed_loop(its.count, its.think_time.mean(), mean_s, slots)
        wait_s = max(0.0, loop.mean_sojourn_s - mean_s)
        busy = loop.utilisation * slots
        return {"busy": busy, "wait_mean_s": wait_s, "waiting_mean": loop.throughput_per_s * wait_s}

    return ClosedForm(f"M/M/{slots}//{its.count}", True, "Palm (1947)", "wait_mean_s", predict)


def _with_queues(station: Station) -> ClosedForm:
    """All wait: one queue, or several side by side whose waits count by their share of the messages."""
    queues, time = [queue for queue in station.queues if queue.share > 0], station.time

    def predict(rate_per_s: float) -> Numbers:
        wait_s = math.fsum(
            queue.share * _mean_wait_s(rate_per_s * queue.share, station, queue) for queue in queues
        )
        return {
            "busy": rate_per_s * time.mean_s,
            "wait_mean_s": wait_s,
            "waiting_mean": rate_per_s * wait_s,
        }

    slots = sorted({queue.slots or 0 for queue in queues})
    exact = time.letter != "G" or slots == [1]
    many = f"{len(queues)} × " if len(queues) > 1 else ""
    model = f"{many}M/{time.letter}/{'–'.join(map(str, slots))}"
    return ClosedForm(model, exact, _source(time.letter, slots), "wait_mean_s", predict)


def _source(letter: str, slots: list[int]) -> str:
    if letter == "M":
        return "Erlang C (1917)"
    if slots == [1]:
        return "Pollaczek (1930), Khinchine (1932)"
    return "Crommelin (1932)" if letter == "D" else "Lee and Longton (1959)"


def _mean_wait_s(rate_per_s: float, station: Station, queue: Queue) -> float:
    mean_s, squared_cv, letter = station.time
    slots = queue.slots or 0
    if letter == "M":
        return mm.mean_wait_s(rate_per_s, mean_s, slots)
    if letter == "D":
        return deterministic.mean_wait_many_slots_s(rate_per_s, mean_s, slots)
    if slots == 1:
        return mg1.mean_wait_s(rate_per_s, mean_s, squared_cv)
    return mg1.mean_wait_many_slots_s(rate_per_s, mean_s, slots, squared_cv)
