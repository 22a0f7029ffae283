"""The headline numbers of a report: those that two runs are compared by, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from slosim.report.layout import clean
from slosim.report.units import clock

LATENCY_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
FAULTS_SHOWN = 8
"""Occurrences of one fault that are compared."""
BIN_RATIO, DIGIT_RATIO = 0.005, 0.001
"""Of a quantile, the most that its bucket puts it off; of other numbers, what three digits cannot show."""


class Headline(NamedTuple):
    """One number that two runs are compared by.

    key       place in the report, as experiments name it: `flows.fulfilment.latency_s.p99`
    name      for people: `fulfilment p99`
    unit      ratio, s, messages, attempts, per_message, cost_per_h
    better    "lower", "higher", or "" where neither is
    estimate  EST of the report; None where only `left_out` has it
    kind      "share", "quantile", "whole" (a quantile of whole numbers), or "" for all others
    """

    key: str
    name: str
    unit: str
    better: str
    estimate: dict[str, Any] | None
    kind: str = ""

    def resolution(self, *values: float) -> float:
        """Differences between such values that are smaller are none: in the unit of the number."""
        if self.kind == "share":
            return DIGIT_RATIO * max(min(abs(value), abs(1 - value)) for value in values)
        largest = max(abs(value) for value in values)
        if self.kind == "whole":
            return max(1.0, BIN_RATIO * largest)
        return max(SMALLEST.get(self.unit, 0.0), (BIN_RATIO if self.kind else DIGIT_RATIO) * largest)


SMALLEST = {"s": 1e-6, "messages": 0.01, "attempts": 0.01, "per_message": 0.001}
"""What is a trifle, however large a part of the number it is."""


def headlines_of(data: dict[str, Any]) -> list[Headline]:
    """All headline numbers of a report, undefined ones too."""
    lines = [
        (f"topics.{topic}.consumers.{service}", f"{clean(topic)} → {clean(service)}", line)
        for topic, entry in data["topics"].items()
        for service, line in entry["consumers"].items()
    ]
    return [
        *(
            Headline(
                f"objectives.{one['name']}.sli_ratio",
                one["name"],
                "ratio",
                "higher",
                one["sli_ratio"],
                "share",
            )
            for one in data["objectives"]
        ),
        *(one for name, flow in data["flows"].items() for one in _of_flow(name, flow)),
        *(one for name, service in data["services"].items() for one in _of_service(name, service)),
        *(
            Headline(
                f"dependencies.{name}.utilisation_ratio",
                f"{name} busy",
                "ratio",
                "",
                one["utilisation_ratio"],
                "share",
            )
            for name, one in data["dependencies"].items()
        ),
        *(one for path, name, line in lines for one in _of_line(path, name, line)),
        *_of_faults(data["faults"]),
        Headline("cost_per_h", "cost per hour", "cost_per_h", "lower", None),
    ]


def _of_flow(name: str, flow: dict[str, Any]) -> Iterator[Headline]:
    path, latency = f"flows.{name}", flow["latency_s"]
    yield Headline(f"{path}.latency_s.mean", f"{name} mean", "s", "lower", latency["mean"])
    for word in LATENCY_QUANTILES:
        yield Headline(f"{path}.latency_s.{word}", f"{name} {word}", "s", "lower", latency[word], "quantile")
    for fate in ("dead_lettered", "dropped"):
        words = f"{name} {fate.replace('_', ' ')}"
        yield Headline(f"{path}.{fate}", words, "messages", "lower", flow[fate])


def _of_service(name: str, its: dict[str, Any]) -> Iterator[Headline]:
    path = f"services.{name}"
    yield Headline(
        f"{path}.utilisation_ratio", f"{name} busy", "ratio", "", its["utilisation_ratio"], "share"
    )
    yield Headline(f"{path}.wait_s.mean", f"{name} wait", "s", "lower", its["wait_s"]["mean"])
    per_message = its["attempts_per_message"]
    yield Headline(
        f"{path}.attempts_per_message", f"{name} attempts per message", "per_message", "lower", per_message
    )
    yield Headline(f"{path}.retried", f"{name} retries", "attempts", "lower", its["retried"])
    dead = its["dead_lettered"]
    yield Headline(f"{path}.dead_lettered", f"{name} dead letters", "messages", "lower", dead)


def _of_line(path: str, name: str, line: dict[str, Any]) -> Iterator[Headline]:
    yield Headline(f"{path}.lag.mean", f"{name} lag", "messages", "lower", line["lag"]["mean"])
    yield Headline(f"{path}.lag.p99", f"{name} lag p99", "messages", "lower", line["lag"]["p99"], "whole")
    yield Headline(f"{path}.lag.max_mean", f"{name} largest lag", "messages", "lower", None)
    yield Headline(f"{path}.age_s.p99", f"{name} age p99", "s", "lower", line["age_s"]["p99"], "quantile")
    lag_s = line["event_lag_s"]["p99"]
    yield Headline(f"{path}.event_lag_s.p99", f"{name} event lag p99", "s", "lower", lag_s, "quantile")


def _of_faults(faults: list[dict[str, Any]]) -> Iterator[Headline]:
    """Of the first occurrences of each fault whose times are known."""
    names = [one["name"] for one in faults]
    seen: dict[str, int] = {}
    for one in faults:
        seen[one["name"]] = seen.get(one["name"], 0) + 1
        if one["start_s"] is None or seen[one["name"]] > FAULTS_SHOWN:
            continue
        path = fault_key(one["name"], one["start_s"])
        name = one["name"] + (f" at {clock(one['start_s'])}" if names.count(one["name"]) > 1 else "")
        yield Headline(f"{path}.peak_lag", f"{name}: peak lag", "messages", "lower", one["peak_lag"])
        after_s = one["recovered_after_s"]
        yield Headline(f"{path}.recovered_after_s", f"{name}: recovered after", "s", "lower", after_s)
        share = one["recovered_ratio"]
        back = {"value": share, "low": None, "high": None}
        yield Headline(f"{path}.recovered_ratio", f"{name}: recovers", "ratio", "higher", back, "share")


def fault_key(name: str, start_s: float) -> str:
    """The place of an occurrence of a fault among the headline numbers."""
    return f"faults.{name}.{start_s:g}s"
