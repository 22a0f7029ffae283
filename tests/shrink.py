"""Makes a scenario that shows a symptom smaller, as long as it still shows it: a short file says what is
wrong, a generated one hides it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from mechanisms import emitted_by, topics_of

Made = dict[str, Any]
SECTIONS = ("services", "producers", "faults", "flows", "objectives", "topics", "dependencies")
SIMPLE = {"service_time": "1s", "startup_time": "1s", "delay": "1s", "message_ttl": "3s", "think_time": "1s"}


def shrink(made: Made, symptom_of: Callable[[Made], str | None]) -> Made:
    """The smallest scenario found that has the same symptom."""
    symptom = symptom_of(made)
    assert symptom is not None, "there is nothing wrong with it"
    smaller = True
    while smaller:
        smaller = False
        for change in changes(made):
            candidate = copy.deepcopy(made)
            try:
                change(candidate)
                prune(candidate)
            except (KeyError, IndexError, TypeError):
                continue  # what is left has no form
            if candidate != made and symptom_of(candidate) == symptom:
                made, smaller = candidate, True
    return made


def changes(made: Made) -> Iterator[Callable[[Made], None]]:
    """Every change worth trying, the largest first. Some may no longer apply when their turn comes."""
    for section in SECTIONS:
        for place in keys_of(made.get(section, {})):
            yield setter([section, place], None)
    places = list(places_in(made, []))
    for path, _ in places:
        yield setter(path, None)
    for path, value in places:
        for simpler in simpler_values(path[-1], value):
            yield setter(path, simpler, value)


def places_in(part: Any, path: list[Any]) -> Iterator[tuple[list[Any], Any]]:
    """(path, value) of everything, the outer before the inner, the last items of lists first."""
    for place in keys_of(part):
        yield [*path, place], part[place]
        yield from places_in(part[place], [*path, place])


def keys_of(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return list(part)
    return list(reversed(range(len(part)))) if isinstance(part, list) else []


def setter(path: list[Any], value: Any, old: Any = None) -> Callable[[Made], None]:
    """A change of what stands at a path from an old value, None: it goes."""

    def change(made: Made) -> None:
        part: Any = made
        for place in path[:-1]:
            part = part[place]
        if value is None:
            del part[path[-1]]
        elif part[path[-1]] == old:
            part[path[-1]] = value

    return change


def simpler_values(key: Any, value: Any) -> Iterator[Any]:
    """Always in one direction, so that it comes to an end."""
    if key == "emits" and isinstance(value, list) and len(value) == 1:
        yield value[0]["topic"]
    if key == "consumes" and isinstance(value, list) and len(value) == 1:
        yield value[0]
    if key == "every":
        return
    if key == "arrivals":
        yield from before(value, [{"every": "60s"}, {"every": "5s"}, {"every": "1s"}])
    elif key in SIMPLE:
        yield from before(value, ["0s", SIMPLE[key]])
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from sorted({1, 2, value // 2, value - 1} & set(range(1, value)))
    elif isinstance(value, str) and value.endswith("%"):
        yield from before(value, ["100%", "50%"])
    elif isinstance(value, str) and value.endswith("s") and value[:-1].replace(".", "").isdigit():
        number = float(value[:-1])
        yield from (f"{simple}s" for simple in (0, 1, 2, 5, 10, int(number)) if simple < number)


def before(value: Any, simple: list[Any]) -> list[Any]:
    """Those that are simpler; anything is less simple than all of them."""
    return simple[: simple.index(value)] if value in simple else simple


def prune(made: Made) -> None:
    """Drop what refers to something that is no longer there, and topics that nobody names."""
    before = None
    while before != made:
        before = copy.deepcopy(made)
        topics, services = made.get("topics", {}), made.get("services", {})
        producers = made.get("producers", {})
        for name, producer in list(producers.items()):
            if producer.get("topic") not in topics:
                del producers[name]
        for name, service in list(services.items()):
            prune_service(service, topics, made.get("dependencies", {}))
            if not service["consumes"]:
                del services[name]
        for topic in topics.values():
            if topic.get("dead_letter", "") not in topics:
                topic.pop("dead_letter", None)
        there = {
            f"{section}.{name}"
            for section in ("services", "topics", "producers", "dependencies")
            for name in made.get(section, {})
        }
        faults = [f for f in made.get("faults", []) if f.get("target") in there and f.get("effect")]
        made["faults"] = [f for f in faults if "redrive" not in f["effect"] or redrives(f, topics)]
        made["flows"] = {
            name: flow | {"to": [to for to in listed(flow["to"]) if to in services]}
            for name, flow in made.get("flows", {}).items()
            if flow.get("from") in producers and any(to in services for to in listed(flow.get("to", [])))
        }
        flows = made["flows"] or producers
        made["objectives"] = [
            one
            for one in made.get("objectives", [])
            if (one.get("flow") in flows if "flow" in one else one.get("consumer") in services)
        ]
        for section in ("faults", "flows", "objectives", "dependencies"):
            if not made.get(section, True):
                del made[section]


def prune_service(service: Made, topics: Made, dependencies: Made) -> None:
    service["consumes"] = (
        [topic for topic in topics_of(service) if topic in topics] if "consumes" in service else []
    )
    if service.get("dead_letter", "") not in topics:
        service.pop("dead_letter", None)
    emits = service.get("emits")
    if emits is not None and not set(emitted_by(service)) <= topics.keys():
        if isinstance(emits, list):
            service["emits"] = [emit for emit in emits if emit["topic"] in topics]
        else:
            del service["emits"]
    if not service.get("emits", True):
        del service["emits"]
    if "calls" in service:
        service["calls"] = [call for call in service["calls"] if call.get("dependency") in dependencies]
        if not service["calls"]:
            del service["calls"]


def redrives(fault: Made, topics: Made) -> bool:
    return isinstance(fault["effect"]["redrive"], dict) and fault["effect"]["redrive"].get("to") in topics


def listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else names
