"""The text report's tables: flows, services, topics and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from slosim.report import plots
from slosim.report.layout import Column, clean, pad, paint, paragraph, table, title, width_of
from slosim.report.units import (
    NOTHING,
    clock,
    count,
    duration,
    share,
    short,
)


def flow_section(name: str, flow: dict, data: dict, width: int) -> list[str]:
    declared = data["scenario"]["resolved"].get("flows", {}).get(name, {})
    to = declared.get("to", "")
    ends = to if isinstance(to, str) else ", ".join(to)
    route = f"{declared.get('from', '')} → {ends}" if declared else ""
    started = flow["started"]["value"]
    lines = [title(f"FLOW {clean(name)}", f"{clean(route)}, {count(started)} started per run", width)]
    if not started:
        return lines
    fates = [
        f"{share(flow[fate]['value'] / started)} {fate.replace('_', ' ')}"
        for fate in ("completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")
        if flow[fate]["value"] or fate == "completed"
    ]
    lines.append(f"  {', '.join(fates)}")
    if flow["latency_s"]["count"]:
        lines += _indented(table(latency_columns(flow), width - 2, gap=3))
        lines += _indented(_where_time_goes(flow["where_time_goes_s"], width - 2))
    return lines


POINTS = ("mean", "p50", "p90", "p95", "p99", "p99.9")
"""Estimates of a STAT that are shown of a latency, before its maximum."""


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def latency_columns(flow: dict) -> list[Column]:
    """Mean and percentiles of the latency with the half width of their intervals beneath."""
    stat = flow["latency_s"]
    labels, cells = ["end to end"], {key: [duration(stat[key]["value"])] for key in POINTS}
    cells["max"] = [duration(stat["max"])]
    if stat["mean"]["low"] is not None:
        labels.append("±")
        for key, column in cells.items():
            column.append("" if key == "max" else _half_width(stat[key]))
    columns = [Column("latency", labels, "<")]
    return columns + [
        Column(key, column, keep=1 if key in ("p90", "p99.9") else 0) for key, column in cells.items()
    ]


def _half_width(number: dict) -> str:
    return "" if number["low"] is None else duration((number["high"] - number["low"]) / 2)


MOST_PARTS = 10
"""Parts of a latency that are shown where each is less than half a percent of it."""


def shares_of_latency(parts: dict) -> dict[str, dict[str, tuple[float, float]]]:
    """{part: {"mean": (s, ratio of the whole), "slowest 1%": likewise}} of the parts worth showing."""
    values = {
        heading: {part: one["value"] or 0.0 for part, one in parts[key].items()}
        for heading, key in (("mean", "mean"), ("slowest 1%", "slowest_1%"))
    }
    totals = {heading: sum(its.values()) for heading, its in values.items()}
    if not totals["mean"]:
        return {}
    shown = [
        part
        for part in values["mean"]
        if any(its[part] >= 0.005 * totals[heading] for heading, its in values.items())
    ]
    shown = shown or sorted(values["mean"], key=lambda part: -values["mean"][part])[:MOST_PARTS]
    return {
        part: {
            heading: (its[part], its[part] / totals[heading] if totals[heading] else 0.0)
            for heading, its in values.items()
        }
        for part in shown
    }


def _where_time_goes(parts: dict, width: int) -> list[str]:
    shown = shares_of_latency(parts)
    if not shown:
        return []
    room = max(6, (width - max(len("where the time goes"), *map(width_of, shown)) - 2 * 19) // 2)
    columns = [Column("where the time goes", [clean(part) for part in shown], "<")]
    for heading in ("mean", "slowest 1%"):
        values, shares = zip(*(its[heading] for its in shown.values()), strict=True)
        columns += [
            Column(heading, [duration(value) for value in values]),
            Column("", [f"{share(ratio, 0)}" for ratio in shares]),
            Column("", [pad(paint(plots.bar(ratio, room), "cyan"), room) for ratio in shares], "<"),
        ]
    return table(columns, width)


def services_columns(data: dict) -> list[Column]:
    services = data["services"]
    declared = data["scenario"]["resolved"]["services"]
    numbers = list(services.values())
    return [
        Column("service", [clean(name) for name in services], "<"),
        Column("slots", [_slots(declared[name]) for name in services]),
        Column("busy", [_busy(one) for one in numbers]),
        Column("done/s", [short(one["throughput_per_s"]["value"]) for one in numbers]),
        Column("wait mean", [duration(one["wait_s"]["mean"]["value"]) for one in numbers]),
        Column("p99", [duration(one["wait_s"]["p99"]["value"]) for one in numbers]),
        Column("service mean", [duration(one["service_s"]["mean"]["value"]) for one in numbers]),
        Column("p99", [duration(one["service_s"]["p99"]["value"]) for one in numbers], keep=3),
        Column("sojourn p50", [duration(one["sojourn_s"]["p50"]["value"]) for one in numbers], keep=1),
        Column("p99", [duration(one["sojourn_s"]["p99"]["value"]) for one in numbers], keep=2),
        Column(
            "cost",
            ["" if one["cost"]["value"] is None else f"{one['cost']['value']:.2f}" for one in numbers],
            keep=2,
        ),
    ]


def services_section(data: dict, width: int) -> list[str]:
    if not data["services"]:
        return []
    return [
        title("SERVICES", "wait: per attempt; sojourn: first visible to settled", width),
        *table(services_columns(data), width),
    ]


def instances_section(data: dict, width: int) -> list[str]:
    """Instances over time of the services where they are not what is declared all the time."""
    run, declared = data["run"], data["scenario"]["resolved"]["services"]
    rows = {}
    for name, numbers in data["services"].items():
        times, up = numbers["series"]["t_s"], numbers["series"]["instances"]
        measured = [number for time, number in zip(times, up, strict=True) if time >= run["warmup_s"]]
        if measured and set(up) != {declared[name]["instances"]}:
            rows[name] = (min(measured), sum(measured) / len(measured), max(measured), times, up)
    if not rows:
        return []
    numbers = [data["services"][name] for name in rows]
    columns = [
        Column("service", [clean(name) for name in rows], "<"),
        *(
            Column(heading, [short(row[index]) for row in rows.values()])
            for index, heading in enumerate(("least", "mean", "most"))
        ),
        Column("starts", [short(_of_mechanisms(one, "instance_starts")) for one in numbers], keep=2),
        Column("crashes", [_nonzero(_of_mechanisms(one, "crashes")) for one in numbers], keep=2),
        Column("hours", [short(one["instance_hours"]["value"]) for one in numbers], keep=1),
    ]
    room = max(12, width - width_of(table(columns, width)[0]) - 2)
    strips = [
        plots.sparkline(plots.column_extremes(times, up, run["duration_s"], room))
        for _, _, _, times, up in rows.values()
    ]
    whole = f"0 to {clock(run['duration_s'])}"
    plot = Column(whole, [paint(strip, "cyan") for strip in strips], "<")
    note = "that are up; mean over replications, peaks and dips kept, each row to its own height"
    return [title("INSTANCES", note, width), *table([*columns, plot], width)]


def _of_mechanisms(numbers: dict, key: str) -> float | None:
    return numbers["mechanisms"][key]["value"] if "mechanisms" in numbers else None


def _nonzero(number: float | None) -> str:
    return short(number) if number else ""


MECHANISMS: tuple[tuple[str, Callable[[dict], float | None], Callable[[float], str]], ...] = (
    ("rebalances", lambda its: its["rebalances"]["value"], short),
    ("stood still", lambda its: its["stopped_s"]["value"], duration),
    ("breaker opened", lambda its: its["breaker_opened"]["value"], short),
    ("open", lambda its: its["breaker_open_s"]["value"], duration),
    ("retries denied", lambda its: its["denied_retries"]["value"], short),
    ("held ahead mean", lambda its: its["prefetched"]["mean"]["value"], short),
    ("max", lambda its: its["prefetched"]["max"], short),
)
"""Heading, number and form of each column; the last one goes first when the table is too wide."""


def mechanisms_columns(data: dict) -> list[Column]:
    """What the rarer mechanisms did, rows and columns only for what happened."""
    having = {name: one["mechanisms"] for name, one in data["services"].items() if "mechanisms" in one}
    rows = {
        name: its for name, its in having.items() if any(number_of(its) for _, number_of, _ in MECHANISMS)
    }
    if not rows:
        return []
    columns = [Column("service", [clean(name) for name in rows], "<")]
    for keep, (heading, number_of, form) in enumerate(MECHANISMS, start=1):
        numbers = [number_of(its) for its in rows.values()]
        columns.append(Column(heading, [form(one) if one else "" for one in numbers], keep=keep))
    return columns


def mechanisms_section(data: dict, width: int) -> list[str]:
    columns = mechanisms_columns(data)
    if not columns:
        return []
    note = "per run; stood still: the average partition; held ahead: of busy slots"
    return [title("MECHANISMS", note, width), *table(columns, width)]


def dependencies_columns(data: dict) -> list[Column]:
    its = data["dependencies"]
    declared = data["scenario"]["resolved"]["dependencies"]
    numbers = list(its.values())
    counted = ("failed", "refused", "timed_out", "hedged", "cancelled")
    return [
        Column("dependency", [clean(name) for name in its], "<"),
        Column("servers", [_servers(declared[name]) for name in its]),
        Column("busy", [_busy_servers(one) for one in numbers]),
        Column("requests", [short(one["calls"]["value"]) for one in numbers]),
        *(
            Column(key.replace("_", " "), [short(one[key]["value"]) for one in numbers])
            for key in counted
            if any(one[key]["value"] for one in numbers)
        ),
        Column("waiting mean", [short(one["waiting"]["mean"]["value"]) for one in numbers], keep=2),
        Column("max", [short(one["waiting"]["max"]) for one in numbers], keep=3),
        Column("wait mean", [duration(one["wait_s"]["mean"]["value"]) for one in numbers]),
        Column("p99", [duration(one["wait_s"]["p99"]["value"]) for one in numbers]),
    ]


def dependencies_section(data: dict, width: int) -> list[str]:
    if not data["dependencies"]:
        return []
    note = "requests per run, hedges included; wait: for a server"
    return [title("DEPENDENCIES", note, width), *table(dependencies_columns(data), width)]


def _servers(dependency: dict) -> str:
    capacity = dependency.get("capacity")
    return "∞" if capacity == "unlimited" else str(capacity)


def _busy_servers(numbers: dict) -> str:
    """Utilisation, or the number of busy servers where there is no limit to them."""
    ratio, servers = numbers["utilisation_ratio"]["value"], numbers["busy_servers"]["value"]
    if ratio is not None:
        return share(ratio, 1 if ratio < 0.1 else 0)
    return NOTHING if servers is None else f"{short(servers)} servers"


def _slots(service: dict) -> str:
    instances, concurrency = service.get("instances", 1), service.get("concurrency", 1)
    autoscale = service.get("autoscale")
    if autoscale:
        instances = f"{autoscale.get('minimum', 1)}–{autoscale['maximum']}"
    return f"{instances}×{'∞' if concurrency == 'unlimited' else concurrency}"


def _busy(numbers: dict) -> str:
    """Utilisation, or the number of busy slots where there is no limit to them."""
    ratio, slots = numbers["utilisation_ratio"]["value"], numbers["busy_slots"]["value"]
    if ratio is not None:
        return share(ratio, 1 if ratio < 0.1 else 0)
    return NOTHING if slots is None else f"{short(slots)} slots"


def failures_columns(data: dict) -> list[Column]:
    """Attempts and what became of them, rows for services in which any went wrong."""
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
        Column("failed", [_failed(one) for one in rows.values()]),
    ]
    for key in ("timed_out", "lost", "retried", "dead_lettered", "duplicates"):
        values = [one[key]["value"] for one in rows.values()]
        columns.append(
            Column(key.replace("_", " "), [short(value) if any(values) else "" for value in values], keep=1)
        )
    return columns


def failures_section(data: dict, width: int) -> list[str]:
    columns = failures_columns(data)
    if not columns:
        return []
    return [title("FAILURES AND RETRIES", "per run", width), *table(columns, width)]


def _failed(numbers: dict) -> str:
    attempts = numbers["attempts"]["value"]
    return share(numbers["failed"]["value"] / attempts) if attempts else NOTHING


def _per_message(numbers: dict) -> str:
    value = numbers["attempts_per_message"]["value"]
    return NOTHING if value is None else f"{value:.3f}"


def line_rows(data: dict) -> Iterator[tuple[str, dict, dict]]:
    """(label, topic, line) of every consumer's line."""
    for topic, entry in data["topics"].items():
        for service, line in entry["consumers"].items():
            yield f"{clean(topic)} → {clean(service)}", entry, line


def topics_columns(data: dict) -> list[Column]:
    """One row for each line: a topic and a consumer of it."""
    rows = list(line_rows(data))
    if not rows:
        return []
    return [
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
        Column("max", [short(line["waiting"]["max"]) for _, _, line in rows], keep=2),
        Column("age p99", [duration(line["age_s"]["p99"]["value"]) for _, _, line in rows], keep=2),
        Column("worst partition p99", [_partition_lag(line) for _, _, line in rows], keep=3),
    ]


def topics_section(data: dict, width: int) -> list[str]:
    columns, lines = topics_columns(data), []
    if columns:
        note = "messages per run; lag: published and not settled, waiting: visible and not taken"
        lines = [title("TOPICS", note, width), *table(columns, width)]
    sentence = resting_sentence(data)
    return lines + (paragraph(sentence, width) if sentence else [])


def resting_sentence(data: dict) -> str:
    """How many messages lie in topics that nobody consumes; empty without such topics."""
    resting = [
        f"{clean(name)} {count(entry['resting']['value'])}"
        for name, entry in data["topics"].items()
        if not entry["consumers"]
    ]
    return f"Resting at the end in topics that nobody consumes: {', '.join(resting)}." if resting else ""


def _lost_columns(rows: Sequence[tuple[str, dict, dict]]) -> list[Column]:
    """Columns of the ways to leave a line unserved that occur."""
    return [
        Column(how, [short(line[how]["value"]) for _, _, line in rows])
        for how in ("rejected", "expired", "dropped", "shed")
        if any(line[how]["value"] for _, _, line in rows)
    ]


def _partition_lag(line: dict) -> str:
    return "" if line["partition_lag_max"] is None else short(line["partition_lag_max"]["p99"]["value"])


MOST_OCCURRENCES = 8
"""Rows of the table of faults for one fault that repeats."""


def faults_columns(faults: Sequence[dict], run: dict) -> list[Column]:
    return [
        Column("fault", [clean(one["name"]) for one in faults], "<"),
        Column("from", ["random" if one["start_s"] is None else clock(one["start_s"]) for one in faults]),
        Column("to", ["" if one["end_s"] is None else clock(one["end_s"]) for one in faults]),
        *_random_columns(faults),
        Column("peak lag", [short(one["peak_lag"]["value"]) for one in faults]),
        Column("recovered after", [_recovered(one, run) for one in faults]),
        Column("in", [share(one["recovered_ratio"], 0) for one in faults]),
        Column("bad", [short(one["bad"]["value"]) for one in faults]),
    ]


def faults_section(data: dict, width: int) -> list[str]:
    faults, more = first_of_each(data["faults"])
    if not faults:
        return []
    columns = faults_columns(faults, data["run"])
    note = "lag of the lines that feed the target; bad: of all flow objectives until recovery"
    lines = [title("FAULTS", note, width), *table(columns, width)]
    if more:
        names = ", ".join(f"{count(number)} of {clean(name)}" for name, number in more.items())
        lines += paragraph(f"And more occurrences like these: {names}.", width)
    return lines


def first_of_each(faults: Sequence[dict]) -> tuple[list[dict], dict[str, int]]:
    """The first occurrences of each fault, and how many more there are by name."""
    shown, seen = [], Counter[str]()
    for one in faults:
        seen[one["name"]] += 1
        if seen[one["name"]] <= MOST_OCCURRENCES:
            shown.append(one)
    more = {name: number - MOST_OCCURRENCES for name, number in seen.items() if number > MOST_OCCURRENCES}
    return shown, more


def _random_columns(faults: Sequence[dict]) -> list[Column]:
    """How often random faults came and how long they lasted together; none without any."""
    if not any("occurrences" in one for one in faults):
        return []
    return [
        Column(
            "times", [short(one["occurrences"]["value"]) if "occurrences" in one else "1" for one in faults]
        ),
        Column("active", [duration(_active_s(one)) for one in faults]),
    ]


def _active_s(fault: dict) -> float:
    return fault["active_s"]["value"] if "active_s" in fault else fault["end_s"] - fault["start_s"]


def _recovered(fault: dict, run: dict) -> str:
    if fault["start_s"] is None:
        return NOTHING
    number = fault["recovered_after_s"]
    if number["value"] is None:
        return "never" if fault["end_s"] < run.get("ended_s", run["duration_s"]) else "run ends"
    half_width = _half_width(number)
    return duration(number["value"]) + (f" ± {half_width}" if half_width else "")
