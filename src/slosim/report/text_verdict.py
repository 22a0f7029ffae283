"""The text report's first sections: verdict, objectives, alerts and findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slosim.report.layout import Column, clean, cut, paint, paragraph, table, title
from slosim.report.objectives import MET, MISSED, NO_OBJECTIVES, UNDECIDED
from slosim.report.units import (
    NOTHING,
    clock,
    count,
    duration,
    exact_share,
    plural,
    share,
    share_decimals,
    short,
    three_digits,
)

STYLES = {MET: "green", MISSED: "red", UNDECIDED: "yellow", NO_OBJECTIVES: "bold"}
SEVERE = {
    "stopped",
    "deadlock",
    "saturated",
    "dependency_saturated",
    "uneven_partitions",
    "overloaded",
    "dependency_overloaded",
    "autoscaler_lag",
    "autoscaler_at_limit",
    "autoscaler_flapping",
    "retry_storm",
    "not_recovered",
    "circuit_breaker",
    "rebalances",
    "prefetch_hoarding",
    "early_redelivery",
    "head_of_line",
    "calls_nobody_waits_for",
    "dependency_refuses",
    "retry_amplification",
    "impatient_retries",
    "retry_budget",
    "lost_attempts",
    "delivery_limit",
    "dead_lettered",
    "dropped",
    "shed",
    "unavailable",
    "join_alone",
    "back_pressure",
}
"""Findings about the system; the others are about the report."""


def headline_section(data: dict, width: int) -> list[str]:
    run, scenario = data["run"], data["scenario"]
    sentence = f"{clean(scenario['name'])}: {verdict_sentence(data)}"
    wrapped = paragraph(sentence, width)
    style = STYLES[data["verdict"]]
    lines = [paint(line, style) for line in wrapped]
    if "stopped" in run:
        lines += paragraph(
            f"Stopped early, at {clock(run['ended_s'])}: {clean(run['stopped'])}. Partial numbers follow.",
            width,
        )
    description = clean(scenario["resolved"].get("description") or "")
    if description:
        lines += paragraph(description, width)
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    lines.append(
        f"{plural(run['replications'], 'replication')} of {clock(run['duration_s'])}{warmup}, seed"
        f" {run['seed']}"
    )
    return lines


def verdict_sentence(data: dict) -> str:
    """What came of the objectives, the verdict first."""
    objectives, verdict = data["objectives"], data["verdict"]
    if verdict == NO_OBJECTIVES:
        return "NO OBJECTIVES. Nothing is promised, so nothing is judged."
    if verdict == MET:
        whole = "The objective is" if len(objectives) == 1 else f"All {len(objectives)} objectives are"
        return f"MET. {whole} met."
    decisive = [one for one in objectives if one["verdict"] == verdict]
    named = "; ".join(_reached(one) for one in decisive)
    return f"{verdict.upper()}. {len(decisive)} of {plural(len(objectives), 'objective')} {verdict}: {named}."


def _reached(objective: dict) -> str:
    name, target = clean(objective["name"]), exact_share(objective["target_ratio"])
    if objective["sli_ratio"]["value"] is None:
        return f"{name} (nothing counted)"
    return f"{name} reaches {share(objective['sli_ratio']['value'], decimals_of(objective))} of {target}"


def objectives_section(data: dict, width: int) -> list[str]:
    objectives = data["objectives"]
    if not objectives:
        return []
    windows = {window_s(one) for one in objectives}
    budget = f"of {clock(windows.pop())} budget" if len(windows) == 1 else "of budget"
    columns = [
        Column("objective", [clean(one["name"]) for one in objectives], "<"),
        Column("", [paint(one["verdict"].upper(), STYLES[one["verdict"]]) for one in objectives], "<"),
        Column("target", [exact_share(one["target_ratio"]) for one in objectives]),
        Column("measured", [share(one["sli_ratio"]["value"], decimals_of(one)) for one in objectives]),
        Column("95% interval", [interval_of(one) for one in objectives], keep=2),
        Column("burn rate", [times(one["error_budget"]["burn_rate"]["value"]) for one in objectives]),
        Column(
            budget,
            [share(one["error_budget"]["consumed_of_window_ratio"]["value"]) for one in objectives],
            keep=1,
        ),
    ]
    header, *rows = table(columns, width)
    lines = [title("OBJECTIVES"), header]
    for row, objective in zip(rows, objectives, strict=True):
        lines += [row, paint(cut(f"  {promise(objective, data)}; {counted(objective)}", width), "dim")]
    return lines


def promise(objective: dict, data: dict) -> str:
    """What is promised, in words: `fulfilment within 30s`."""
    declared = next(
        (
            one
            for one in data["scenario"]["resolved"].get("objectives", [])
            if one["name"] == objective["name"]
        ),
        {},
    )
    subject = clean(declared.get("flow") or declared.get("topic") or "")
    match objective["kind"]:
        case "latency":
            return f"{subject} completed within {clock(objective['threshold'])}"
        case "lag":
            return f"lag of {subject} below {count(objective['threshold'])}"
        case "age":
            return f"age of {subject} below {clock(objective['threshold'])}"
    return f"{subject} completed"


def objective_sentence(objective: dict, data: dict) -> str:
    """What an objective came to, in a line: verdict, promise, measured value and interval, target, budget."""
    name = f"{clean(objective['name'])} is {objective['verdict']}: {promise(objective, data)},"
    target = f"promised {exact_share(objective['target_ratio'])}"
    sli, budget = objective["sli_ratio"], objective["error_budget"]
    if sli["value"] is None:
        return f"{name} {target}, nothing counted"
    interval = interval_of(objective)
    measured = f"measured {share(sli['value'], decimals_of(objective))}"
    if interval:
        measured += f" (95% interval {interval})"
    spent = budget["consumed_of_window_ratio"]["value"]
    if spent is None:
        return f"{name} {target}, {measured}; no error budget"
    burnt = f"burn rate {times(budget['burn_rate']['value'])}"
    window = clock(window_s(objective))
    return f"{name} {target}, {measured}; {burnt}, {share(spent)} of the error budget of {window} spent"


def decimals_of(objective: dict) -> int:
    """Decimals of the percentages of an objective: enough to tell value, bounds and target apart."""
    sli = objective["sli_ratio"]
    values = [objective["target_ratio"], *(value for value in sli.values() if value is not None)]
    decimals = max(share_decimals(value) for value in values)
    if sli["low"] is not None and sli["high"] - sli["low"] > 1e-7:
        decimals = max(decimals, 1 - math.floor(math.log10(100 * (sli["high"] - sli["low"]))))
    return min(4, decimals) if decimals < 6 else 5


def interval_of(objective: dict) -> str:
    sli, decimals = objective["sli_ratio"], decimals_of(objective)
    return "" if sli["low"] is None else f"{share(sli['low'], decimals)} to {share(sli['high'], decimals)}"


def times(factor: float | None) -> str:
    return NOTHING if factor is None else f"{three_digits(factor)}x"


def counted(objective: dict) -> str:
    good, bad = objective["good"]["value"], objective["bad"]["value"]
    what = " samples" if objective["kind"] in ("lag", "age") else ""
    return f"{short(bad)} bad of {short(good + bad)}{what} per run"


def window_s(objective: dict) -> float:
    """Window of the objective, from that of its first alert (an hour per 30 days)."""
    return round(objective["alerts"][0]["long_s"] * 720, 6)


def alerts_section(data: dict, width: int) -> list[str]:
    pairs = [(objective, alert) for objective in data["objectives"] for alert in objective["alerts"]]
    fired = [(objective, alert) for objective, alert in pairs if alert["fired_ratio"]]
    never = sum(not alert["evaluable"] for _, alert in pairs)
    if not pairs:
        return []
    silent = len(pairs) - len(fired) - never
    rest = f"{silent} stay silent" + (f", {never} can never fire" if never else "")
    if not fired:
        return [title("ALERTS", f"none fires: {rest}", width)]
    return [title("ALERTS", rest, width), *table(alerts_columns(fired, data), width)]


def alerts_columns(fired: Sequence[tuple[dict, dict]], data: dict) -> list[Column]:
    """`fired`: pairs of an objective and an alert of it."""
    return [
        Column("objective", [clean(objective["name"]) for objective, _ in fired], "<"),
        Column("alert", [_severity(alert) for _, alert in fired], "<"),
        Column("over", [f"{clock(alert['long_s'])}, {clock(alert['short_s'])}" for _, alert in fired], "<"),
        Column("fires in", [share(alert["fired_ratio"], 0) for _, alert in fired]),
        Column(
            "first at",
            [clock(alert["fired_at_s"][0]) if alert["fired_at_s"] else NOTHING for _, alert in fired],
        ),
        Column("which is", [_after_fault(alert, data) for _, alert in fired], "<", keep=1),
    ]


def _severity(alert: dict) -> str:
    """`page 14.4x`: severity and the burn rate that both windows must exceed."""
    return paint(
        f"{alert['severity']} {alert['burn_rate']:g}x", "red" if alert["severity"] == "page" else "yellow"
    )


def _after_fault(alert: dict, data: dict) -> str:
    begun = [
        fault
        for fault in data["faults"]
        if fault["start_s"] is not None and alert["fired_at_s"] and fault["start_s"] <= alert["fired_at_s"][0]
    ]
    if not begun:
        return ""
    return f"{duration(alert['fired_at_s'][0] - begun[-1]['start_s'])} after {clean(begun[-1]['name'])}"


def findings_section(data: dict, width: int) -> list[str]:
    findings = [
        finding for finding in data["findings"] if finding["rule"] != "alert_fired"
    ]  # the table says it
    lines = [title("FINDINGS")] if findings else []
    for finding in findings:
        mark = paint("!", "red") if finding["rule"] in SEVERE else paint("·", "dim")
        lines += paragraph(clean(finding["text"]), width, f"{mark} ", "  ")
    return lines
