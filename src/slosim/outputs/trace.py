"""The sample of messages as a trace for https://ui.perfetto.dev and chrome://tracing.

The format is the Trace Event Format (JSON) that both read. A process is a service, a thread one of its slots;
an attempt is a slice on it, with its calls inside. What has no slot (delays, waits, back-offs) is an
asynchronous slice of the service, levels are counters, and arrows lead from an attempt to those of what it
published. Times are simulated, µs from 0, in whole ns, so that what ends when the next begins does not
overlap it by a rounding.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from slosim.errors import UserError

NS_PER_S = 1_000_000_000
COLOURS = {"failed": "terrible", "timed_out": "bad", "lost": "terrible", "duplicate": "grey"}
"""Of chrome://tracing; Perfetto colours by the name, numbers aside."""
LOSSES = ("rejected", "dropped", "expired", "shed", "dead_lettered")
FAULTS = "faults"
LIKE = "for example: slosim run SCENARIO --trace trace.json"

Event = dict[str, Any]


class Place(NamedTuple):
    """A slot. instance: None where they are not told apart."""

    service: str
    instance: int | None
    slot: int


class Tried(NamedTuple):
    """An attempt with the message and the journey that it belongs to, as in the report."""

    journey: dict[str, Any]
    message: dict[str, Any]
    attempt: dict[str, Any]


def trace_of(data: dict[str, Any]) -> str:
    """The trace of the sample in a report's data, as JSON.

    Raises:
        UserError: the report has no sample.
    """
    sample = sample_in(data)
    trace = _Trace(data, sample)
    run = data["run"]
    return json.dumps(
        {
            "displayTimeUnit": "ms",
            "otherData": {
                "scenario": data["scenario"]["name"],
                "version": run["version"],
                "seed": run["seed"],
                "replication": sample["replication"],
                "every": sample["every"],
            },
            "traceEvents": trace.events(),
        },
        separators=(",", ":"),
        allow_nan=False,
    )


def sample_in(data: dict[str, Any]) -> dict[str, Any]:
    """The sample in a report's data.

    Raises:
        UserError: it has none.
    """
    sample = data.get("sample")
    if sample is None:
        raise UserError(f"the report has no sample of messages; simulate again with --trace, {LIKE}")
    if "stopped" in sample:
        why = f"the run was stopped before it had one ({sample['stopped']})"
        raise UserError(f"the report has no sample of messages: {why}; simulate again, {LIKE}")
    return sample


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _us(ns: int) -> float:
    """µs from which a reader that cuts parts of a ns, as Perfetto does, gets these ns and not one less."""
    if ns % 1000 == 0:
        return ns // 1000
    us = ns / 1000
    return us if int(us * 1000) == ns else math.nextafter(us, math.inf)


class _Trace:
    """The events of one sample."""

    def __init__(self, data: dict[str, Any], sample: dict[str, Any]) -> None:
        self.sample = sample
        self.end = _ns(data["run"].get("ended_s", data["run"]["duration_s"]))
        self.services = data["scenario"]["resolved"]["services"]
        numbers = count(1)
        self.pids = {name: next(numbers) for name in [*_in_order(sample), FAULTS]}
        self.slots: dict[Place, list[Tried]] = {}
        for journey in sample["journeys"]:
            for message in journey["messages"]:
                for attempt in message["attempts"]:
                    place = _place(message, attempt)
                    self.slots.setdefault(place, []).append(Tried(journey, message, attempt))
        self.lanes = list(_lanes(sample["faults"]))
        ordered = sorted(self.slots, key=lambda one: (self.pids[one.service], one.instance or 0, one.slot))
        self.tids = {place: next(numbers) for place in ordered}
        self.lane_tids = [next(numbers) for _ in self.lanes]

    def events(self) -> list[Event]:
        """Names first, then everything in the order of time."""
        timed = [
            *self.slices(),
            *self.spans(),
            *self.losses(),
            *self.arrows(),
            *self.levels(),
            *self.fault_slices(),
        ]
        timed.sort(key=lambda event: (event["ts"], event["ph"] != "e"))  # what ends makes room first
        for event in timed:
            for key in event.keys() & {"ts", "dur"}:
                event[key] = _us(event[key])
        return [*self.names(), *timed]

    def names(self) -> Iterator[Event]:
        for name, pid in self.pids.items():
            if name != FAULTS or self.lanes:
                yield _metadata("process_name", pid, pid, {"name": name})
                yield _metadata("process_sort_index", pid, pid, {"sort_index": pid})
        for (service, instance, slot), tid in self.tids.items():
            name = f"slot {slot}" if instance is None else f"instance {instance} slot {slot}"
            yield from _thread(self.pids[service], tid, name)
        for tid, lane in zip(self.lane_tids, self.lanes, strict=True):
            yield from _thread(self.pids[FAULTS], tid, lane[0]["name"])

    # ---- slots ---------------------------------------------------------------------------------------------

    def slices(self) -> Iterator[Event]:
        """What each slot does."""
        for place, those in self.slots.items():
            where = {"pid": self.pids[place.service], "tid": self.tids[place]}
            batches: dict[int, list[Tried]] = {}
            for one in sorted(those, key=self.held):
                if one.attempt["messages"] > 1:
                    batches.setdefault(_ns(one.attempt["taken_s"]), []).append(one)
                else:
                    yield from self.attempt(where, one)
            for start, batch in batches.items():
                yield self.batch(where, start, batch)

    def held(self, one: Tried) -> tuple[int, int]:
        """From when until when it holds its slot."""
        return _ns(one.attempt["taken_s"]), self.until(one.attempt["freed_s"])

    def attempt(self, where: Event, one: Tried) -> Iterator[Event]:
        """An attempt, its calls inside it, and what its slot is busy with afterwards."""
        journey, message, attempt = one
        (start, freed), end = self.held(one), self.until(attempt["ended_s"])
        outcome = attempt["outcome"]
        name = _name(journey) + ("" if outcome in ("succeeded", None) else f" {_words(outcome)}")
        event = _slice(where, name, "attempt", start, end, _told(one))
        if outcome in COLOURS:
            event["cname"] = COLOURS[outcome]
        yield event
        for call in attempt["calls"]:
            began, ended = _ns(call["began_s"]), min(end, self.until(call["ended_s"]))
            if began <= ended:
                ending = "" if call["outcome"] in ("answered", None) else f" {_words(call['outcome'])}"
                told = {"outcome": call["outcome"], "hedged_s": call["hedged_s"]}
                yield _slice(where, f"call {call['dependency']}{ending}", "call", began, ended, told)
        if freed > end:
            is_held = ((self.services.get(message["service"]) or {}).get("retry") or {}).get("blocking")
            held = "back-off in its slot" if is_held else "abandoned work"
            yield _slice(where, held, "slot", end, freed, {"message": _name(journey)})

    def batch(self, where: Event, start: int, batch: list[Tried]) -> Event:
        """What is known of a batch: those of its messages that are in the sample."""
        first = batch[0].attempt
        told = {
            "messages": first["messages"],
            "in the sample": {
                f"{_name(one.journey)} attempt {one.attempt['number']}": one.attempt["outcome"]
                for one in batch
            },
        }
        bad = [one.attempt["outcome"] for one in batch if one.attempt["outcome"] in COLOURS]
        name = f"batch of {first['messages']}"
        event = _slice(where, name, "attempt", start, self.until(first["freed_s"]), told)
        return event | ({"cname": COLOURS[bad[0]]} if bad else {})

    def until(self, seconds: float | None) -> int:
        """A time that may be open: to the end of the run."""
        return self.end if seconds is None else _ns(seconds)

    # ---- beside the slots ----------------------------------------------------------------------------------

    def at_services(self) -> Iterator[tuple[str, dict, dict, Event]]:
        """(a name of its own, journey, message, its process) of every message in a line."""
        for journey in self.sample["journeys"]:
            for index, message in enumerate(journey["messages"]):
                if message["service"] is not None:
                    pid = self.pids[message["service"]]
                    yield f"{_name(journey)}/{index}", journey, message, {"pid": pid, "tid": pid}

    def spans(self) -> Iterator[Event]:
        """Delays, waits and back-offs, as asynchronous slices."""
        for own, journey, message, where in self.at_services():
            first = message["visible_s"] if message["visible_s"] is not None else message["left_s"]
            kinds = {
                "delay": [(message["published_s"], first)],
                "wait": message["waits_s"],
                "back-off": message["back_offs_s"],
            }
            for kind, spans in kinds.items():
                for since, until in spans:
                    start, end = _ns(since), min(self.end, self.until(until))
                    if start < end:
                        event = {"name": kind, "cat": kind, "id": f"{kind} {own}", **where}
                        yield event | {"ph": "b", "ts": start, "args": {"message": _name(journey)}}
                        yield event | {"ph": "e", "ts": end}

    def losses(self) -> Iterator[Event]:
        """Messages that leave without a success, as instants."""
        for _, journey, message, where in self.at_services():
            if message["outcome"] in LOSSES:
                name = f"{_name(journey)} {_words(message['outcome'])}"
                yield {
                    "name": name,
                    "cat": "loss",
                    "ph": "i",
                    "s": "p",
                    "ts": _ns(message["left_s"]),
                    **where,
                }

    def arrows(self) -> Iterator[Event]:
        """From each attempt to the first attempts of what it published."""
        numbers = count(1)
        for journey in self.sample["journeys"]:
            for message in journey["messages"]:
                parent = message["parent"]
                if parent is None or message["attempt"] is None or not message["attempts"]:
                    continue
                before = journey["messages"][parent]
                source = next(one for one in before["attempts"] if one["number"] == message["attempt"])
                target = message["attempts"][0]
                start, end = _ns(source["taken_s"]), self.until(source["ended_s"])
                leaves = max(start, min(end - 1, _ns(message["published_s"])))
                event = {"name": message["topic"], "cat": "published", "id": next(numbers)}
                yield event | {"ph": "s", "ts": leaves, **self.thread(before, source)}
                arrives = {"ph": "f", "bp": "e", "ts": _ns(target["taken_s"])}
                yield event | arrives | self.thread(message, target)

    def thread(self, message: dict, attempt: dict) -> Event:
        return {"pid": self.pids[message["service"]], "tid": self.tids[_place(message, attempt)]}

    def levels(self) -> Iterator[Event]:
        """Lag and waiting of every line, as counters of its service."""
        for line in self.sample["lines"]:
            event = {"ph": "C", "name": line["topic"], "pid": self.pids[line["service"]]}
            for time, lag, waiting in zip(line["t_s"], line["lag"], line["waiting"], strict=True):
                yield event | {"ts": _ns(time), "args": {"lag": lag, "waiting": waiting}}

    def fault_slices(self) -> Iterator[Event]:
        for tid, lane in zip(self.lane_tids, self.lanes, strict=True):
            where = {"pid": self.pids[FAULTS], "tid": tid}
            for fault in lane:
                start, end = _ns(fault["start_s"]), _ns(fault["end_s"])
                yield _slice(where, fault["name"], "fault", start, end, {"target": fault["target"]})


def _in_order(sample: dict[str, Any]) -> list[str]:
    """Services by how many others a message has passed when it reaches them at the earliest."""
    depths: dict[str, int] = {}
    for journey in sample["journeys"]:
        of_messages: list[int] = []
        for message in journey["messages"]:
            parent = message["parent"]
            of_messages.append(0 if parent is None else of_messages[parent] + 1)
            if message["service"] is not None:
                before = depths.get(message["service"], of_messages[-1])
                depths[message["service"]] = min(before, of_messages[-1])
    unseen = {line["service"]: len(depths) for line in sample["lines"] if line["service"] not in depths}
    return sorted(depths | unseen, key=lambda name: (depths | unseen)[name])


def _lanes(faults: list[dict]) -> Iterator[list[dict]]:
    """Faults by name; those of one name that overlap (at several instances) in several lanes."""
    lanes: dict[str, list[list[dict]]] = {}
    for fault in sorted(faults, key=lambda one: (one["start_s"], one["end_s"])):
        own = lanes.setdefault(fault["name"], [])
        free = [lane for lane in own if _ns(lane[-1]["end_s"]) <= _ns(fault["start_s"])]
        if free:
            free[0].append(fault)
        else:
            own.append([fault])
    for own in lanes.values():
        yield from own


def _name(journey: dict) -> str:
    return f"{journey['producer']}#{journey['number']}"


def _place(message: dict, attempt: dict) -> Place:
    return Place(message["service"], attempt["instance"], attempt["slot"])


def _told(one: Tried) -> dict:
    """What the pointer is told of an attempt."""
    journey, message, attempt = one
    waited = [until - since for since, until in message["waits_s"] if until == attempt["taken_s"]]
    told = {
        "message": _name(journey),
        "topic": message["topic"],
        "attempt": attempt["number"],
        "outcome": attempt["outcome"] or "in work at the end",
        "waited_s": waited[0] if waited else 0.0,
    }
    if journey["slowest_of"]:
        told["among the slowest of"] = ", ".join(journey["slowest_of"])
    return told | {f"latency_s of {flow}": value for flow, value in journey["latency_s"].items()}


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _metadata(what: str, pid: int, tid: int, args: dict) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": args}


def _thread(pid: int, tid: int, name: str) -> Iterator[Event]:
    yield _metadata("thread_name", pid, tid, {"name": name})
    yield _metadata("thread_sort_index", pid, tid, {"sort_index": tid})


def _slice(where: Event, name: str, category: str, start: int, end: int, args: dict) -> Event:
    return {"ph": "X", "name": name, "cat": category, "ts": start, "dur": end - start, **where, "args": args}
