"""The report for people, in plain text: verdict first, then why, then the numbers.

It is made from the report's data alone (the JSON), so it can be printed again from a saved report, and it
cannot disagree with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from slosim.report import plots
from slosim.report.layout import Column, clean, cut, finish, pad, paint, paragraph, table, width_of
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

NARROWEST = 72
LOW_LINE = 0.05
"""Lines whose lag stays below this share of the highest one get a plot of one row."""
LOW_LAG = 10.0
"""So do lines whose mean lag stays below this."""
MARKED_FAULTS = 8
STYLES = {MET: "green", MISSED: "red", UNDECIDED: "yellow", NO_OBJECTIVES: "bold"}
SIGNS = {MET: "✓", MISSED: "✗", UNDECIDED: "?"}
SEVERE = {
    "stopped", "deadlock",
    "retry_storm",
    "impatient_retries", "saturated", "uneven_partitions", "overloaded", "not_recovered",
    "retry_amplification", "dead_lettered", "dropped", "back_pressure",
}  # fmt: skip
"""Findings about the system; the others are about the report."""


def text_of(data: dict[str, Any], width: int = 100, colour: bool = False, source: str | None = None) -> str:
    """The whole report; `source` is the scenario file named in the command that reproduces it."""
    width = max(width, NARROWEST)
    sections = [
        _headline(data, width),
        _objectives(data, width),
        _alerts(data, width),
        _findings(data, width),
        *(_flow(name, flow, data, width) for name, flow in data["flows"].items()),
        _services(data, width),
        _failures(data, width),
        _lines(data, width),
        _backlog(data, width),
        _event_lag(data, width),
        _faults(data, width),
        _footer(data, width, source),
    ]
    lines: list[str] = []
    for section in sections:
        if section:
            lines += [*([""] if lines else []), *section]
    return finish(lines, colour)


def _title(text: str, note: str = "", width: int = 100) -> str:
    """A heading, with a note in the same line as far as there is room."""
    return (
        f"{paint(text, 'bold')}  {paint(cut(note, width - width_of(text) - 2), 'dim')}"
        if note
        else paint(text, "bold")
    )


# Verdict, objectives, alerts, findings


def _headline(data: dict, width: int) -> list[str]:
    run, scenario = data["run"], data["scenario"]
    sentence = f"{clean(scenario['name'])}: {_verdict_sentence(data)}"
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


def _verdict_sentence(data: dict) -> str:
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
    return f"{name} reaches {share(objective['sli_ratio']['value'], _decimals(objective))} of {target}"


def _objectives(data: dict, width: int) -> list[str]:
    objectives = data["objectives"]
    if not objectives:
        return []
    windows = {_window_s(one) for one in objectives}
    budget = f"of {clock(windows.pop())} budget" if len(windows) == 1 else "of budget"
    columns = [
        Column("objective", [clean(one["name"]) for one in objectives], "<"),
        Column("", [paint(one["verdict"].upper(), STYLES[one["verdict"]]) for one in objectives], "<"),
        Column("target", [exact_share(one["target_ratio"]) for one in objectives]),
        Column("measured", [share(one["sli_ratio"]["value"], _decimals(one)) for one in objectives]),
        Column("95% interval", [_interval(one) for one in objectives], keep=2),
        Column("burn rate", [_times(one["error_budget"]["burn_rate"]["value"]) for one in objectives]),
        Column(
            budget,
            [share(one["error_budget"]["consumed_of_window_ratio"]["value"]) for one in objectives],
            keep=1,
        ),
    ]
    header, *rows = table(columns, width)
    lines = [_title("OBJECTIVES"), header]
    for row, objective in zip(rows, objectives, strict=True):
        lines += [row, paint(cut(f"  {_promise(objective, data)}; {_counted(objective)}", width), "dim")]
    return lines


def _promise(objective: dict, data: dict) -> str:
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


def _decimals(objective: dict) -> int:
    """Decimals of the percentages of an objective: enough to tell value, bounds and target apart."""
    sli = objective["sli_ratio"]
    values = [objective["target_ratio"], *(value for value in sli.values() if value is not None)]
    decimals = max(share_decimals(value) for value in values)
    if sli["low"] is not None and sli["high"] - sli["low"] > 1e-7:
        decimals = max(decimals, 1 - math.floor(math.log10(100 * (sli["high"] - sli["low"]))))
    return min(4, decimals) if decimals < 6 else 5


def _interval(objective: dict) -> str:
    sli, decimals = objective["sli_ratio"], _decimals(objective)
    return "" if sli["low"] is None else f"{share(sli['low'], decimals)} to {share(sli['high'], decimals)}"


def _times(factor: float | None) -> str:
    return NOTHING if factor is None else f"{three_digits(factor)}x"


def _counted(objective: dict) -> str:
    good, bad = objective["good"]["value"], objective["bad"]["value"]
    what = " samples" if objective["kind"] in ("lag", "age") else ""
    return f"{short(bad)} bad of {short(good + bad)}{what} per run"


def _window_s(objective: dict) -> float:
    """Window of the objective, from that of its first alert (an hour per 30 days)."""
    return round(objective["alerts"][0]["long_s"] * 720, 6)


def _alerts(data: dict, width: int) -> list[str]:
    pairs = [(objective, alert) for objective in data["objectives"] for alert in objective["alerts"]]
    fired = [(objective, alert) for objective, alert in pairs if alert["fired_ratio"]]
    never = sum(not alert["evaluable"] for _, alert in pairs)
    if not pairs:
        return []
    silent = len(pairs) - len(fired) - never
    rest = f"{silent} stay silent" + (f", {never} can never fire" if never else "")
    if not fired:
        return [_title("ALERTS", f"none fires: {rest}", width)]
    columns = [
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
    return [_title("ALERTS", rest, width), *table(columns, width)]


def _severity(alert: dict) -> str:
    """`page 14.4x`: severity and the burn rate that both windows must exceed."""
    return paint(
        f"{alert['severity']} {alert['burn_rate']:g}x", "red" if alert["severity"] == "page" else "yellow"
    )


def _after_fault(alert: dict, data: dict) -> str:
    begun = [
        fault
        for fault in data["faults"]
        if alert["fired_at_s"] and fault["start_s"] <= alert["fired_at_s"][0]
    ]
    if not begun:
        return ""
    return f"{duration(alert['fired_at_s'][0] - begun[-1]['start_s'])} after {clean(begun[-1]['name'])}"


def _findings(data: dict, width: int) -> list[str]:
    findings = [
        finding for finding in data["findings"] if finding["rule"] != "alert_fired"
    ]  # the table says it
    lines = [_title("FINDINGS")] if findings else []
    for finding in findings:
        mark = paint("!", "red") if finding["rule"] in SEVERE else paint("·", "dim")
        lines += paragraph(clean(finding["text"]), width, f"{mark} ", "  ")
    return lines


# Flows


def _flow(name: str, flow: dict, data: dict, width: int) -> list[str]:
    declared = data["scenario"]["resolved"].get("flows", {}).get(name, {})
    to = declared.get("to", "")
    ends = to if isinstance(to, str) else ", ".join(to)
    route = f"{declared.get('from', '')} → {ends}" if declared else ""
    started = flow["started"]["value"]
    lines = [_title(f"FLOW {clean(name)}", f"{clean(route)}, {count(started)} started per run", width)]
    if not started:
        return lines
    fates = [
        f"{share(flow[fate]['value'] / started)} {fate.replace('_', ' ')}"
        for fate in ("completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")
        if flow[fate]["value"] or fate == "completed"
    ]
    lines.append(f"  {', '.join(fates)}")
    if flow["latency_s"]["count"]:
        lines += _indented(_distributions("latency", [("end to end", flow["latency_s"])], width - 2))
        lines += _indented(_where_time_goes(flow["where_time_goes_s"], width - 2))
    return lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _distributions(title: str, rows: Sequence[tuple[str, dict]], width: int) -> list[str]:
    """Mean and percentiles of durations with the half width of their intervals beneath."""
    with_interval = any(stat["mean"]["low"] is not None for _, stat in rows)
    labels, cells = [], {key: [] for key in ("mean", "p50", "p90", "p95", "p99", "p99.9", "max")}
    for label, stat in rows:
        labels += [label, "±"] if with_interval else [label]
        for key, column in cells.items():
            number = stat[key]
            column.append(duration(number if key == "max" else number["value"]))
            if with_interval:
                column.append("" if key == "max" else _half_width(number))
    columns = [Column(title, labels, "<")]
    columns += [
        Column(key, column, keep=1 if key in ("p90", "p99.9") else 0) for key, column in cells.items()
    ]
    return table(columns, width, gap=3)


def _half_width(number: dict) -> str:
    return "" if number["low"] is None else duration((number["high"] - number["low"]) / 2)


def _where_time_goes(parts: dict, width: int) -> list[str]:
    mean, slowest = parts["mean"], parts["slowest_1%"]
    total_mean = sum(one["value"] or 0.0 for one in mean.values())
    total_slowest = sum(one["value"] or 0.0 for one in slowest.values())
    if not total_mean:
        return []
    shown = [
        part
        for part in mean
        if (mean[part]["value"] or 0) >= 0.005 * total_mean
        or (slowest[part]["value"] or 0) >= 0.005 * total_slowest
    ]
    room = max(6, (width - max(len("where the time goes"), *map(width_of, shown)) - 2 * 19) // 2)
    columns = [Column("where the time goes", [clean(part) for part in shown], "<")]
    for title, its, total in (("mean", mean, total_mean), ("slowest 1%", slowest, total_slowest)):
        values = [its[part]["value"] or 0.0 for part in shown]
        shares = [value / total if total else 0.0 for value in values]
        columns += [
            Column(title, [duration(value) for value in values]),
            Column("", [f"{share(ratio, 0)}" for ratio in shares]),
            Column("", [pad(paint(plots.bar(ratio, room), "cyan"), room) for ratio in shares], "<"),
        ]
    return table(columns, width)


# Services and topics


def _services(data: dict, width: int) -> list[str]:
    services = data["services"]
    if not services:
        return []
    declared = data["scenario"]["resolved"]["services"]
    numbers = list(services.values())
    columns = [
        Column("service", [clean(name) for name in services], "<"),
        Column("slots", [_slots(declared[name]) for name in services]),
        Column("busy", [_busy(one) for one in numbers]),
        Column("done/s", [short(one["throughput_per_s"]["value"]) for one in numbers]),
        Column("wait mean", [duration(one["wait_s"]["mean"]["value"]) for one in numbers]),
        Column("p99", [duration(one["wait_s"]["p99"]["value"]) for one in numbers]),
        Column("service mean", [duration(one["service_s"]["mean"]["value"]) for one in numbers]),
        Column("p99", [duration(one["service_s"]["p99"]["value"]) for one in numbers], keep=3),
        Column("sojourn p50", [duration(one["sojourn_s"]["p50"]["value"]) for one in numbers], keep=1),
        Column("p99", [duration(one["sojourn_s"]["p99"]["value"]) for one in numbers], keep=1),
        Column(
            "cost",
            ["" if one["cost"]["value"] is None else f"{one['cost']['value']:.2f}" for one in numbers],
            keep=2,
        ),
    ]
    return [
        _title("SERVICES", "wait: per attempt; sojourn: first visible to settled", width),
        *table(columns, width),
    ]


def _slots(service: dict) -> str:
    instances, concurrency = service.get("instances", 1), service.get("concurrency", 1)
    return f"{instances}×{'∞' if concurrency == 'unlimited' else concurrency}"


def _busy(numbers: dict) -> str:
    """Utilisation, or the number of busy slots where there is no limit to them."""
    ratio = numbers["utilisation_ratio"]["value"]
    return (
        f"{short(numbers['busy_slots']['value'])} slots"
        if ratio is None
        else share(ratio, 1 if ratio < 0.1 else 0)
    )


def _failures(data: dict, width: int) -> list[str]:
    rows = {
        name: one
        for name, one in data["services"].items()
        if any(one[what]["value"] for what in ("failed", "lost", "dead_lettered", "duplicates"))
    }
    if not rows:
        return []
    columns = [
        Column("service", [clean(name) for name in rows], "<"),
        Column("attempts", [short(one["attempts"]["value"]) for one in rows.values()]),
        Column("per message", [_per_message(one) for one in rows.values()]),
        Column("failed", [share(one["failed"]["value"] / one["attempts"]["value"]) for one in rows.values()]),
    ]
    for key in ("timed_out", "lost", "retried", "dead_lettered", "duplicates"):
        values = [one[key]["value"] for one in rows.values()]
        columns.append(
            Column(key.replace("_", " "), [short(value) if any(values) else "" for value in values], keep=1)
        )
    return [_title("FAILURES AND RETRIES", "per run", width), *table(columns, width)]


def _per_message(numbers: dict) -> str:
    value = numbers["attempts_per_message"]["value"]
    return NOTHING if value is None else f"{value:.3f}"


def _line_rows(data: dict) -> Iterator[tuple[str, dict, dict]]:
    """(label, topic, line) of every consumer's line."""
    for topic, entry in data["topics"].items():
        for service, line in entry["consumers"].items():
            yield f"{clean(topic)} → {clean(service)}", entry, line


def _lines(data: dict, width: int) -> list[str]:
    rows = list(_line_rows(data))
    lines = []
    if rows:
        columns = [
            Column("topic → consumer", [label for label, _, _ in rows], "<"),
            Column("published", [short(topic["published"]["value"]) for _, topic, _ in rows]),
            *_lost_columns(rows),
            Column("lag mean", [short(line["lag"]["mean"]["value"]) for _, _, line in rows]),
            Column("p99", [short(line["lag"]["p99"]["value"]) for _, _, line in rows]),
            Column("max", [short(line["lag"]["max"]) for _, _, line in rows]),
            Column(
                "end",
                [short(sum(one["value"] for one in line["at_end"].values())) for _, _, line in rows],
                keep=1,
            ),
            Column("waiting mean", [short(line["waiting"]["mean"]["value"]) for _, _, line in rows], keep=1),
            Column("max", [short(line["waiting"]["max"]) for _, _, line in rows], keep=1),
            Column("age p99", [duration(line["age_s"]["p99"]["value"]) for _, _, line in rows], keep=2),
            Column("worst partition p99", [_partition_lag(line) for _, _, line in rows], keep=3),
        ]
        note = "messages per run; lag: published and not settled, waiting: visible and not taken"
        lines = [_title("TOPICS", note, width), *table(columns, width)]
    resting = [
        f"{clean(name)} {count(entry['resting']['value'])}"
        for name, entry in data["topics"].items()
        if not entry["consumers"]
    ]
    if resting:
        lines += paragraph(f"Resting at the end in topics that nobody consumes: {', '.join(resting)}.", width)
    return lines


def _lost_columns(rows: Sequence[tuple[str, dict, dict]]) -> list[Column]:
    """Columns of the ways to leave a line unserved that occur."""
    return [
        Column(how, [short(line[how]["value"]) for _, _, line in rows])
        for how in ("rejected", "expired", "dropped", "shed")
        if any(line[how]["value"] for _, _, line in rows)
    ]


def _partition_lag(line: dict) -> str:
    return "" if line["partition_lag_max"] is None else short(line["partition_lag_max"]["p99"]["value"])


# Plots


def _backlog(data: dict, width: int) -> list[str]:
    rows = list(_line_rows(data))
    if not rows:
        return []
    run = data["run"]
    end, columns = run["duration_s"], width - plots.GUTTER
    highest = max(line["lag"]["max"] for _, _, line in rows)
    lines = [
        _title(
            "LAG OVER TIME",
            "░ published and not settled, █ of these waiting; mean over replications, peaks kept",
            width,
        )
    ]
    for label, _, line in rows:
        series = line["series"]
        lag = plots.column_maxima(series["t_s"], series["lag"], end, columns)
        waiting = plots.column_maxima(series["t_s"], series["waiting"], end, columns)
        low = line["lag"]["max"] < LOW_LINE * highest or max(lag) < LOW_LAG
        lines.append(f"{'':{plots.GUTTER}}{paint(label, 'bold')}{' (lag only)' if low else ''}")
        lines += plots.area([], lag, 1) if low else plots.area(lag, waiting, 5)
    lines += plots.time_axis(end, run["warmup_s"], columns)
    spans: dict[str, list[tuple[float, float]]] = {}
    for one in data["faults"]:
        spans.setdefault(clean(one["name"]), []).append((one["start_s"], one["end_s"]))
    marked = list(spans.items())[:MARKED_FAULTS]
    lines += [paint(plots.span_marks(its, end, columns, name), "red") for name, its in marked]
    if len(spans) > len(marked):
        lines.append(f"{'':{plots.GUTTER}}and {len(spans) - len(marked)} more faults")
    return lines


def _event_lag(data: dict, width: int) -> list[str]:
    rows = [
        (label, line["event_lag_s"]) for label, _, line in _line_rows(data) if line["event_lag_s"]["count"]
    ]
    if not rows:
        return []
    least, most = _decades(rows)
    at_once = [_at_once_ratio(stat) for _, stat in rows]
    numbers = [
        Column("topic → consumer", [cut(label, 34) for label, _ in rows], "<"),
        Column("at once", [share(ratio, 0) if any(at_once) else "" for ratio in at_once], keep=1),
        Column("p50", [duration(stat["p50"]["value"]) for _, stat in rows]),
        Column("p99", [duration(stat["p99"]["value"]) for _, stat in rows]),
        Column("max", [duration(stat["max"]) for _, stat in rows]),
    ]
    columns = max(12, width - width_of(table(numbers, width)[1]) - 2)
    strips = [paint(_density(stat, least, most, columns), "cyan") for _, stat in rows]
    note = "published to first taken; logarithmic scale, each row to its own height"
    plot = Column(_decade_labels(least, most, columns), strips, "<")
    return [_title("EVENT LAG", note, width), *table([*numbers, plot], width)]


def _at_once_ratio(stat: dict) -> float:
    """Share of messages taken the instant they were published (the lowest bucket)."""
    upper, counts = stat["histogram"]["upper"], stat["histogram"]["count"]
    at_once = counts[0] if upper and upper[0] < 2e-9 else 0
    return at_once / stat["count"]


def _decades(rows: Sequence[tuple[str, dict]]) -> tuple[int, int]:
    """Powers of ten around nearly all positive values; at least one decade, at most eight."""
    largest = max(stat["max"] for _, stat in rows)
    most = math.ceil(math.log10(largest)) if largest > 0 else 0
    lowest = most - 1
    for _, stat in rows:
        positive = [
            (u, c)
            for u, c in zip(stat["histogram"]["upper"], stat["histogram"]["count"], strict=True)
            if u > 2e-9
        ]
        enough, seen = 0.01 * sum(c for _, c in positive), 0
        for upper, number in positive:
            seen += number
            if seen > enough:
                lowest = min(lowest, math.floor(math.log10(upper)))
                break
    return max(lowest, most - 8), most


def _density(stat: dict, least: int, most: int, columns: int) -> str:
    positive = [
        (u, c)
        for u, c in zip(stat["histogram"]["upper"], stat["histogram"]["count"], strict=True)
        if u > 2e-9
    ]
    positions = [(math.log10(upper) - least) / (most - least) for upper, _ in positive]
    return plots.density(positions, [number for _, number in positive], columns)


def _decade_labels(least: int, most: int, columns: int) -> str:
    """Labels of the powers of ten, each where its decade begins, as many as have room."""
    labels = [" "] * columns
    free = 0
    for power in range(least, most + 1):
        text = _decade(power)
        at = min(round((power - least) / (most - least) * columns), columns - len(text))
        if at >= free:
            labels[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(labels)


def _decade(power: int) -> str:
    for base, unit in ((0, "s"), (-3, "ms"), (-6, "µs")):
        if power >= base:
            return f"{10 ** (power - base)}{unit}"
    return f"{10 ** (power + 9)}ns"


# Faults and what stands behind the numbers


def _faults(data: dict, width: int) -> list[str]:
    faults = data["faults"]
    if not faults:
        return []
    columns = [
        Column("fault", [clean(one["name"]) for one in faults], "<"),
        Column("from", [clock(one["start_s"]) for one in faults]),
        Column("to", [clock(one["end_s"]) for one in faults]),
        Column("peak lag", [short(one["peak_lag"]["value"]) for one in faults]),
        Column("recovered after", [_recovered(one, data["run"]) for one in faults]),
        Column("in", [share(one["recovered_ratio"], 0) for one in faults]),
        Column("bad", [short(one["bad"]["value"]) for one in faults]),
    ]
    note = "lag of the lines that feed the target; bad: of all flow objectives until recovery"
    return [_title("FAULTS", note, width), *table(columns, width)]


def _recovered(fault: dict, run: dict) -> str:
    number = fault["recovered_after_s"]
    if number["value"] is None:
        return "never" if fault["end_s"] < run.get("ended_s", run["duration_s"]) else "run ends"
    half_width = _half_width(number)
    return duration(number["value"]) + (f" ± {half_width}" if half_width else "")


def _footer(data: dict, width: int, source: str | None) -> list[str]:
    run = data["run"]
    warmup = clock(run["warmup_s"])
    intervals = (
        f"± and intervals are 95%, by jackknife over {run['replications']} replications."
        if run["replications"] > 1
        else "One replication: no intervals."
    )
    assumptions = (
        f"Flow numbers cover instances started from {warmup} on, everything else counts what happens from"
        " then on. Latency counts from the intended publish time. Counts are means per replication."
        f" Percentiles are within 0.5%. {intervals}"
    )
    again = (
        f"slosim {run['version']}, scenario {data['scenario']['digest'][:12]}; again: slosim run"
        f" {source or 'SCENARIO.yaml'} --seed {run['seed']} --replications {run['replications']}"
    )
    return [
        *(paint(line, "dim") for line in paragraph(assumptions, width)),
        *(paint(line, "dim") for line in paragraph(again, width)),
    ]
