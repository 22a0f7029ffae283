"""Producers as records: rows of `producers`, and when, with which keys and priorities they publish."""

from __future__ import annotations

from typing import Any

import numpy as np

from slosim.compile import keys
from slosim.compile import program as P
from slosim.compile.clocks import rate_rows
from slosim.compile.draft import Draft, joined, size
from slosim.compile.streams import key_of
from slosim.compile.topology import blocks
from slosim.model import arrivals as model
from slosim.model.topology import Producer


def producer_arrays(draft: Draft) -> dict[str, np.ndarray]:
    """Everything about producers that does not change from run to run, but their clocks."""
    rows = np.zeros(len(draft.producers), P.PRODUCER)
    room = _Room()
    for row, (name, producer) in zip(rows, draft.scenario.producers.items(), strict=True):
        _publisher(draft, name, producer, row)
        room.rates.append(_arrivals(draft, producer.arrivals, row, size(room.rates)))
        _keys(producer, row, room)
        row["first_priority"] = size(room.priorities)
        room.priorities.append(_priority_rows(draft, producer))
        row["priority_count"] = len(room.priorities[-1])
    return {
        "producers": rows,
        "rates": joined(room.rates, P.RATE),
        "trace_times": joined(room.times, np.dtype(np.float64)),
        "trace_keys": joined(room.time_keys, np.dtype(np.int64)),
        "key_shares": joined(room.key_shares, np.dtype(np.float64)),
        "key_hashes": joined(room.key_hashes, np.dtype(np.int64)),
        "priorities": joined(room.priorities, P.PRIORITY_SHARE),
    }


def bursts(draft: Draft) -> tuple:
    """(index, name, arrivals) of the producers whose rates are drawn anew for each run."""
    return tuple(
        (p, name, producer.arrivals)
        for p, (name, producer) in enumerate(draft.scenario.producers.items())
        if isinstance(producer.arrivals, model.Bursts)
    )


class _Room:
    """Pieces of the arrays that producers share."""

    def __init__(self) -> None:
        self.rates: list[np.ndarray] = []
        self.times: list[np.ndarray] = []
        self.time_keys: list[np.ndarray] = []
        self.key_shares: list[np.ndarray] = []
        self.key_hashes: list[np.ndarray] = []
        self.priorities: list[np.ndarray] = []


def _publisher(draft: Draft, name: str, producer: Producer, row: np.void) -> None:
    """Where a producer publishes, and its flows."""
    publisher = f"producers.{name}"
    row["group"] = draft.group_of[publisher]
    row["outlet"] = len(draft.outlets.rows)
    draft.outlets.add(producer.topic, publisher, publisher, copies=0)
    row["copies"] = producer.copies
    row["name_key"] = key_of(publisher)
    for purpose in ("gap", "key", "priority"):
        row[f"{purpose}_stream"] = key_of(f"{publisher}/{purpose}")
    row["think_stream"] = key_of(f"{publisher}/think_time")
    row["client"] = P.NONE
    flows = draft.flows_from(name)
    row["first_flow"], row["flow_count"] = flows[0] if flows else 0, len(flows)
    waits = blocks(draft.scenario, producer.topic) or any(
        fault.target == f"topics.{producer.topic}" and fault.effect.unavailable
        for fault in draft.scenario.faults
    )
    row["part_held_back"] = draft.parts.add(publisher, "held_back", waits)


def _arrivals(draft: Draft, arrivals: Any, row: np.void, first_rate: int) -> np.ndarray:
    """Fill in the process; returns its RATE rows, of a run that draws none."""
    rates = np.zeros(0, P.RATE)
    match arrivals:
        case model.Poisson():
            row["process"] = P.BY_RATE
            rates = rate_rows(np.zeros(1), np.array([arrivals.rate]))
        case model.Counts():
            row["process"] = P.BY_RATE
            rates = counted_rates(arrivals)
        case model.Bursts():
            row["process"] = P.BY_RATE
        case model.Interarrival():
            row["process"], row["gap"] = P.BY_GAP, draft.distributions.add(arrivals.gap)
        case model.Every():
            row["process"], row["interval"] = P.EVERY, arrivals.interval
        case model.Bernoulli():
            row["process"], row["interval"] = P.BERNOULLI, arrivals.every
            row["probability"] = arrivals.probability
        case model.Trace():
            row["process"] = P.TRACE
        case model.Clients():
            row["process"], row["clients"] = P.BY_CLIENTS, arrivals.count
            row["think_time"] = draft.distributions.add(arrivals.think_time)
    row["first_rate"] = row["rate"] = first_rate
    row["rate_count"] = len(rates)
    return rates


def counted_rates(arrivals: model.Counts) -> np.ndarray:
    """RATE rows of counts per interval, with nothing in the gaps and after the end."""
    starts, ends, counts = (
        np.asarray(column, np.float64) for column in (arrivals.starts, arrivals.ends, arrivals.counts)
    )
    times = np.column_stack((starts, ends)).ravel()
    rates = np.column_stack((counts / (ends - starts), np.zeros(len(ends)))).ravel()
    follows = np.append(times[1:] > times[:-1], True)
    return rate_rows(times[follows], rates[follows])


def _keys(producer: Producer, row: np.void, room: _Room) -> None:
    """The times of a trace and its keys, or the shares of keys that are drawn."""
    row["first_time"], row["first_key"] = size(room.times), size(room.key_hashes)
    if isinstance(producer.arrivals, model.Trace):
        room.times.append(np.asarray(producer.arrivals.times, np.float64))
        row["time_count"] = len(room.times[-1])
        room.time_keys.append(_trace_keys(producer.arrivals, row, room))
    if producer.keys is not None:
        row["key_count"], row["key_shares"] = producer.keys.count, size(room.key_shares)
        room.key_shares.append(keys.zipf_shares(producer.keys.count, producer.keys.skew))
        room.key_hashes.append(keys.rank_hashes(producer.keys.count))


def _trace_keys(arrivals: model.Trace, row: np.void, room: _Room) -> np.ndarray:
    """For each time of a trace the place of its key among all keys."""
    if arrivals.keys is None:
        return np.zeros(len(arrivals.times), np.int64)
    texts, indices = np.unique(np.asarray(arrivals.keys), return_inverse=True)
    row["key_count"], row["key_shares"] = len(texts), P.NONE
    room.key_hashes.append(np.array([keys.positive_hash(str(text)) for text in texts], np.int64))
    return row["first_key"] + indices.astype(np.int64)


def _priority_rows(draft: Draft, producer: Producer) -> np.ndarray:
    """PRIORITY_SHARE rows; none where all messages have the same priority."""
    if len(draft.priorities) == 1:
        return np.zeros(0, P.PRIORITY_SHARE)
    rows = np.zeros(len(producer.priority), P.PRIORITY_SHARE)
    rows["cumulated"] = np.cumsum([share.share for share in producer.priority])
    rows["rank"] = [draft.priorities.index(share.priority) for share in producer.priority]
    return rows
