"""Where the time of a flow goes: its latency in parts, of all instances and of the slowest ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slosim.measure import intervals
from slosim.measure.measurements import FlowMeasurements
from slosim.model.redrive import REDRIVE_SUFFIX

SLOWEST = 0.01
"""The share of slowest instances whose time is broken down beside that of all."""


def where_time_goes(flows: Sequence[FlowMeasurements]) -> dict[str, dict]:
    """EST of each part, s, by name: `mean` of the completed instances, and of their `slowest_1%`."""
    return {"mean": _mean_parts(flows), "slowest_1%": _slowest_parts(flows)}


def parts_of(flows: Sequence[FlowMeasurements]) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Names of the parts and, of each flow, float64[its filled buckets, parts] s.

    All time in the hidden service of a redrive is time that the message rests in its topic: `T.resting`.
    """
    shown = [_shown_part(part) for part in flows[0].parts]
    names = tuple(dict.fromkeys(shown))
    if len(names) == len(shown):
        return names, [flow.parts_by_bucket for flow in flows]
    columns = [[at for at, its in enumerate(shown) if its == name] for name in names]
    return names, [
        np.stack([flow.parts_by_bucket[:, its].sum(axis=1) for its in columns], axis=1) for flow in flows
    ]


def _shown_part(part: str) -> str:
    owner, _, _ = part.rpartition(".")
    return f"{owner.removesuffix(REDRIVE_SUFFIX)}.resting" if owner.endswith(REDRIVE_SUFFIX) else part


def _mean_parts(flows: Sequence[FlowMeasurements]) -> dict[str, dict]:
    """Mean time that a completed instance spends in each part, s; the parts add up to the mean latency."""
    finished = [float(flow.finished_by_bucket.sum()) for flow in flows]
    names, parts = parts_of(flows)
    totals = np.array([one.sum(axis=0) for one in parts])
    return {
        part: intervals.of_ratio(totals[:, column].tolist(), finished).as_dict()
        for column, part in enumerate(names)
    }


def _slowest_parts(flows: Sequence[FlowMeasurements]) -> dict[str, dict]:
    """The same of the slowest 1%; the bucket where that share begins counts with its mean."""
    names, parts = parts_of(flows)
    used = np.unique(np.concatenate([flow.buckets for flow in flows]))
    rows = [np.searchsorted(used, flow.buckets) for flow in flows]
    seconds, finished = np.zeros((len(used), len(names))), np.zeros(len(used))
    for flow, its, own in zip(flows, rows, parts, strict=True):
        seconds[its] += own
        finished[its] += flow.finished_by_bucket
    pooled = mean_of_slowest(seconds, finished)
    left_out = []
    for flow, its, own in zip(flows, rows, parts, strict=True):
        other_seconds, others = seconds.copy(), finished.copy()
        other_seconds[its] -= own
        others[its] -= flow.finished_by_bucket
        left_out.append(mean_of_slowest(other_seconds, others))
    return {
        part: intervals.jackknife(
            pooled[column], [None if len(flows) == 1 else one[column] for one in left_out]
        ).as_dict()
        for column, part in enumerate(names)
    }


def mean_of_slowest(parts: np.ndarray, finished: np.ndarray) -> list[float | None]:
    """Mean parts of the slowest: from float64[buckets, parts] and float64[buckets], slowest last."""
    wanted = SLOWEST * finished.sum()
    if wanted == 0:
        return [None] * parts.shape[1]
    slower = np.cumsum(finished[::-1])[::-1] - finished
    taken = np.clip(wanted - slower, 0.0, finished)
    shares = np.divide(taken, finished, out=np.zeros_like(taken), where=finished > 0)
    return (shares @ parts / wanted).tolist()
