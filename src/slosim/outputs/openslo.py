"""The objectives of a scenario as OpenSLO v1 documents, for tools that measure them in production.

A simulation has no metrics to point at: each metric source is of the type `slosim` and says in words what
to count, for whoever replaces it by a query. Burn-rate alerts are left out: theirs have two windows, and
an AlertCondition has one.
"""

from __future__ import annotations

from typing import Any

from slosim.files import yaml_text
from slosim.model.openslo import VERSION, labels_of
from slosim.model.values import parse_duration, parse_share, quoted, show

DESCRIPTION_MAX = 1050  # characters, by the standard
DISPLAY_NAME_MAX = 63  # characters of a metadata.displayName, by the standard's own checks
UNITS_S = {"d": 86_400, "h": 3_600, "m": 60}
HEADER = """\
# OpenSLO v1: what the scenario {name} promises, written by slosim.
# Replace each metricSource: its query says in words what is counted.
"""


def openslo_of(resolved: dict[str, Any]) -> str:
    """The documents: a service, which is the scenario, and an SLO for each objective that has one.

    resolved  the scenario with every default filled in
    """
    objectives: list[dict[str, Any]] = resolved.get("objectives", [])
    service = labels_of([resolved["name"]], "scenario")[0]
    labels = labels_of([one["name"] for one in objectives], "objective")
    documents = [_service(service, resolved)]
    header = HEADER.format(name=quoted(resolved["name"]))
    for label, objective in zip(labels, objectives, strict=True):
        if parse_share(objective["target"]) < 1:
            documents.append(_slo(label, service, objective))
        else:
            header += (
                f"# Left out: {quoted(objective['name'])} promises 100%, and a target must be below 1.\n"
            )
    return header + "---\n" + "---\n".join(map(yaml_text, documents))


def _service(label: str, resolved: dict[str, Any]) -> dict[str, Any]:
    description = resolved.get("description", "")
    return {
        "apiVersion": VERSION,
        "kind": "Service",
        "metadata": _metadata(label, resolved["name"]),
        "spec": {"description": description[:DESCRIPTION_MAX]} if description else {},
    }


def _slo(label: str, service: str, objective: dict[str, Any]) -> dict[str, Any]:
    window = shorthand(parse_duration(objective["window"]))
    promise = {"displayName": objective["name"], "target": parse_share(objective["target"])}
    if "topic" in objective:
        promise = {"op": "lt", "value": _threshold(objective), **promise}
    return {
        "apiVersion": VERSION,
        "kind": "SLO",
        "metadata": _metadata(label, objective["name"]),
        "spec": {
            "description": _description(objective, window),
            "service": service,
            "indicator": {"metadata": {"name": label}, "spec": _indicator(objective)},
            **({"timeWindow": [{"duration": window, "isRolling": True}]} if window else {}),
            "budgetingMethod": "Occurrences",
            "objectives": [promise],
        },
    }


def _metadata(label: str, name: str) -> dict[str, str]:
    """Of an object; the whole name of an objective stands in its `objectives`, where it may be longer."""
    short = name if len(name) <= DISPLAY_NAME_MAX else name[: DISPLAY_NAME_MAX - 1] + "…"
    return {"name": label, "displayName": short}


def shorthand(seconds: float) -> str | None:
    """A duration as OpenSLO writes it, 30d or 90m; None where it is no whole number of minutes."""
    for unit, unit_s in UNITS_S.items():
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s:.0f}{unit}"
    return None


def _description(objective: dict[str, Any], window: str | None) -> str:
    if "topic" in objective:
        text = f"A sample is good if {_watched(objective)} is below {_bound(objective)}."
    else:
        within = f" within {objective['within']}" if "within" in objective else ""
        text = f"An instance of the flow {show(objective['flow'], 200)} is good if it completes{within}."
    return text if window else f"{text} The window of {objective['window']} is no whole number of minutes."


def _indicator(objective: dict[str, Any]) -> dict[str, Any]:
    if "topic" in objective:
        unit = "messages" if "lag_below" in objective else "seconds"
        return {"thresholdMetric": _metric(f"{_watched(objective)}, in {unit}")}
    flow = objective["flow"]
    if "within" in objective:
        good = f"instances of the flow {flow} completed within {objective['within']}"
        bad = f"late, dead-lettered, dropped, and in flight for longer than {objective['within']}"
    else:
        good, bad = f"instances of the flow {flow} completed", "dead-lettered and dropped"
    return {"ratioMetric": {"counter": True, "good": _metric(good), "total": _metric(f"{good}, {bad}")}}


def _metric(query: str) -> dict[str, Any]:
    return {"metricSource": {"type": "slosim", "spec": {"query": query}}}


def _watched(objective: dict[str, Any]) -> str:
    what = "the lag" if "lag_below" in objective else "the age of the oldest message"
    return f"{what} of the topic {objective['topic']} at its consumer {objective['consumer']}"


def _bound(objective: dict[str, Any]) -> str:
    return objective["age_below"] if "age_below" in objective else f"{objective['lag_below']} messages"


def _threshold(objective: dict[str, Any]) -> float:
    """Messages of lag, or seconds of age."""
    if "lag_below" in objective:
        return objective["lag_below"]
    seconds = parse_duration(objective["age_below"])
    return int(seconds) if seconds == int(seconds) else seconds
