"""The one generator of scenarios for property tests, swarm style.

`generate(seed)` first draws which features exist at all, then their values, so that rare combinations are
frequent. In half of the scenarios every time is a whole number of seconds, which makes as many things as
possible happen at the same instant. What it returns is a mapping in the scenario language, valid by
construction, of a system with at most five services and a few hundred messages. The files that it names are
in tests/data.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from drawing import Drawing
from mechanisms import reachable, with_mechanisms

DATA = Path(__file__).parent / "data"

FEATURES = (
    "logs", "orders", "capacity", "reject", "drop_oldest", "block", "message_ttl", "delay",
    "topic_dead_letter", "service_dead_letter", "emit_probability", "emit_copies", "emit_delay",
    "choose", "several_consumers", "cycles", "failures", "failures_at_start", "retry", "jitter",
    "retry_delay", "blocking_retry", "timeout", "abandon", "rate_limit", "unlimited", "keys",
    "priorities", "copies", "stochastic_arrivals", "file_arrivals", "profile", "faults",
    "repeated_faults", "warmup", "flows", "several_to", "objectives", "side_outlets",
    "several_producers", "big_pools", "zero_times", "tables",
)  # fmt: skip


def generate(seed: int, without: tuple[str, ...] = (), mechanisms: bool = False) -> dict[str, Any]:
    """A valid scenario, the same for the same seed.

    without     features and mechanisms that are switched off
    mechanisms  the scenario is rewritten to use some of the rarer mechanisms (S42 to S67)
    """
    generator = Generator(seed, without)
    made = generator.scenario()
    return with_mechanisms(generator, made, without) if mechanisms else made


def as_text(scenario: dict[str, Any]) -> str:
    """The scenario as a YAML document (JSON is YAML)."""
    return json.dumps(scenario, indent=1)


class Generator(Drawing):
    def __init__(self, seed: int, without: tuple[str, ...] = ()) -> None:
        self.random = random.Random(seed)
        density = self.random.choice([0.15, 0.3, 0.5, 0.7])
        self.has = {feature: self.random.random() < density for feature in FEATURES}
        self.has |= dict.fromkeys(without, False)
        self.ties = self.random.random() < 0.5
        self.seed = seed
        self.duration_s = self.random.choice([20, 40, 60])

    # ------------------------------------------------------------------ the whole

    def scenario(self) -> dict[str, Any]:
        """Services stand in a row; everything flows to the right, but for delayed steps back with
        `cycles`."""
        self.services = [f"s{i}" for i in range(self.random.randint(1, 5))]
        self.topic_of: dict[str, str] = {}
        self.topics: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(self.services):
            if i and self.some("several_consumers", 0.4):
                self.topic_of[name] = self.topic_of[self.random.choice(self.services[:i])]
            else:
                self.topic_of[name] = f"t{i}"
                self.topics[f"t{i}"] = {}
        self.consumed = list(self.topics)
        self.outlets = ["dlq", "dlq2"] if self.has["side_outlets"] else ["dlq"]
        used = [self.service(name) for name in self.services]
        for name in self.consumed:
            self.topics[name] = self.topic(name) | self.topics[name]
        self.let_dead_letters_pass([*used, *self.topics.values()])
        producers = self.producers()
        needed = json.dumps([used, self.topics, producers])
        self.topics |= {name: {} for name in [*self.outlets, "sink"] if f'"{name}"' in needed}
        made: dict[str, Any] = {
            "name": f"generated {self.seed}",
            "run": self.run(),
            "topics": self.topics,
            "producers": producers,
            "services": dict(zip(self.services, used, strict=True)),
        }
        faults = self.faults(list(producers))
        if faults:
            made["faults"] = faults
        flows = self.flows(producers, made["services"])
        if flows:
            made["flows"] = flows
        objectives = self.objectives(flows or dict.fromkeys(producers))
        if objectives:
            made["objectives"] = objectives
        return made

    def run(self) -> dict[str, Any]:
        made: dict[str, Any] = {"duration": f"{self.duration_s}s", "seed": self.random.randint(0, 10**6)}
        made["sample_every"] = self.random.choice(["1s", "2s", "700ms"])
        if self.has["warmup"]:
            made["warmup"] = self.seconds(3, 15)
        return made

    # ------------------------------------------------------------------ topics

    def topic(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.some("logs"):
            made["partitions"] = self.random.randint(1, 5)
        elif self.some("orders"):
            made["order"] = self.random.choice(["fifo", "lifo", "priority"])
        if self.some("delay"):
            made["delay"] = self.duration(1, zero=True)
        if self.some("capacity", 0.7):
            made["capacity"] = self.random.randint(0, 4)
            ways = [way for way in ("reject", "drop_oldest", "block") if self.has[way]]
            if ways:
                made["when_full"] = self.random.choice(ways)
                if made["when_full"] == "drop_oldest":
                    made["capacity"] += 1  # of a line of none there is no oldest message
        if self.some("message_ttl"):
            made["message_ttl"] = self.duration(3)
        loses = "message_ttl" in made or ("capacity" in made and made.get("when_full") != "block")
        if loses and self.some("topic_dead_letter"):
            later = self.consumed[self.consumed.index(name) + 1 :]
            made["dead_letter"] = self.random.choice([*self.outlets, *later])
        return made

    def let_dead_letters_pass(self, parts: list[dict[str, Any]]) -> None:
        """Dead letters cannot wait for room, so a topic for them does not block."""
        for part in parts:
            topic = self.topics.get(part.get("dead_letter", ""), {})
            if topic.get("when_full") == "block":
                topic["when_full"] = "reject"

    def delayed(self, topic: str) -> None:
        """A step back must take time, or an endless loop could run within an instant."""
        self.topics[topic]["delay"] = self.seconds(1, 2)

    # ------------------------------------------------------------------ services

    def later_topics(self, name: str) -> list[str]:
        place = self.consumed.index(self.topic_of[name])
        return self.consumed[place + 1 :]

    def service(self, name: str) -> dict[str, Any]:
        made: dict[str, Any] = {"consumes": self.topic_of[name]}
        if self.random.random() < 0.4:
            made["instances"] = self.random.randint(1, 3)
        if self.some("unlimited", 0.3):
            made["concurrency"] = "unlimited"
        elif self.random.random() < 0.5:
            made["concurrency"] = self.random.randint(1, 6 if self.has["big_pools"] else 2)
        made["service_time"] = self.duration(self.random.choice([0.5, 1, 2]), zero=True)
        emits = self.emits(name)
        if emits:
            made["emits"] = emits
        if self.some("failures", 0.7):
            at_start = self.some("failures_at_start")
            probability = self.share(5, 60)
            made["failures"] = {"probability": probability, "at": "start"} if at_start else probability
        if self.some("timeout", 0.6):
            made["timeout"] = self.seconds(1, 2)
            if self.some("abandon"):
                made["on_timeout"] = "abandon"
        if self.some("retry", 0.7):
            made["retry"] = self.retry(made)
        if self.some("service_dead_letter", 0.7):
            made["dead_letter"] = self.dead_letter(name)
        if self.some("rate_limit", 0.6):
            made["rate_limit"] = {"rate": self.random.choice(["1/s", "2/s", "0.5/s"])}
            if self.random.random() < 0.5:
                made["rate_limit"]["burst"] = self.random.randint(1, 3)
        return made

    def emits(self, name: str) -> Any:
        targets = [*self.later_topics(name), "sink"]
        if self.some("choose", 0.4):
            first = self.random.randint(10, 90)
            return {
                "choose": [
                    {"share": f"{first}%", "topic": self.random.choice(targets)},
                    {"share": f"{100 - first}%", "topic": self.random.choice(targets)},
                ]
            }
        emits = []
        for topic in self.random.sample(targets, self.random.randint(0, min(2, len(targets)))):
            emits.append({"topic": topic} | self.emit_options())
        if self.some("cycles", 0.4):
            back = self.random.choice(self.consumed)
            if back not in self.later_topics(name):
                self.delayed(back)
                emits.append({"topic": back, "probability": self.share(10, 40)})
        if len(emits) == 1 and len(emits[0]) == 1 and self.random.random() < 0.5:
            return emits[0]["topic"]
        return emits

    def emit_options(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.some("emit_probability"):
            made["probability"] = self.share(30, 100)
        if self.some("emit_copies", 0.4):
            made["copies"] = self.random.randint(1, 3)
        if self.some("emit_delay", 0.4):
            made["delay"] = self.duration(1, zero=True)
        return made

    def dead_letter(self, name: str) -> str:
        later = self.later_topics(name)
        if self.some("cycles", 0.4):
            back = self.random.choice(self.consumed)
            if back != self.topic_of[name]:
                if back not in later:
                    self.delayed(back)
                return back
        return self.random.choice([*self.outlets, *later])

    def retry(self, service: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"maximum_attempts": self.random.choice([2, 2, 3, 5, "unlimited"])}
        if self.some("retry_delay", 0.4):
            made["delay"] = self.duration(1.5)
        else:
            made["initial_interval"] = self.random.choice(["1s", "2s"]) if self.ties else self.seconds(0.3, 2)
            if self.random.random() < 0.5:
                made["backoff_coefficient"] = self.random.choice([1, 2, 3])
            if self.random.random() < 0.5:
                made["maximum_interval"] = "4s"
            if self.some("jitter"):
                made["jitter"] = self.random.choice(["none", "equal", "full", "decorrelated"])
        if self.some("blocking_retry") and service.get("on_timeout") != "abandon":
            made["blocking"] = True
        return made

    # ------------------------------------------------------------------ producers

    def producers(self) -> dict[str, Any]:
        made = {}
        for i in range(self.random.randint(2, 3) if self.has["several_producers"] else 1):
            topic = self.consumed[0] if i == 0 else self.random.choice(self.consumed)
            made[f"p{i}"] = {"topic": topic, "arrivals": self.arrivals()}
            if self.some("keys") and "trace" not in made[f"p{i}"]["arrivals"]:
                made[f"p{i}"]["keys"] = {
                    "count": self.random.randint(1, 30),
                    "skew": self.random.choice([0, 1, 1.5]),
                }
            if self.some("priorities", 0.8):
                made[f"p{i}"]["priority"] = self.random.choice(
                    [1, [{"share": "40%", "priority": 0}, {"share": "60%", "priority": 2}]]
                )
            if self.some("copies"):
                made[f"p{i}"]["copies"] = self.random.randint(2, 3)
        return made

    def arrivals(self) -> dict[str, Any]:
        if self.some("file_arrivals"):
            trace = {"file": "arrivals.csv", "time": "time"}
            if self.has["keys"]:
                trace |= {"key": "customer"}
            if self.ties or self.random.random() < 0.5:
                return {"trace": trace}
            return {"counts": {"file": "requests.csv", "time": "time", "count": "requests"}}
        if not self.some("stochastic_arrivals", 0.7):
            made: dict[str, Any] = {"every": self.random.choice(["1s", "2s", "500ms"])}
        elif self.ties:
            made = self.random.choice(
                [
                    {"bernoulli": {"probability": self.share(20, 90), "every": "1s"}},
                    {"interarrival": {"integers": {"from": 0, "to": 3}}},
                    {"interarrival": {"integers": {"from": 1, "to": 2}}},
                ]
            )
        else:
            made = self.random.choice(
                [
                    {"poisson": self.random.choice(["1/s", "2/s", "90/min"])},
                    {"interarrival": self.duration(1)},
                    {"bernoulli": {"probability": self.share(20, 90), "every": "700ms"}},
                    {"bursts": {"rate": "3/s", "on": self.duration(3), "off": self.duration(4)}},
                    {"bursts": {"rate": "3/s", "on": self.duration(2), "off": "3s", "idle_rate": "0.5/s"}},
                ]
            )
        if "bernoulli" not in made and "bursts" not in made and self.some("profile"):
            made |= self.profile()
        return made

    def profile(self) -> dict[str, Any]:
        if self.ties:  # steps of powers of two keep the times whole
            made: dict[str, Any] = {"profile": [{"at": "0s", "factor": "1x"}, {"at": "8s", "factor": "1x"}]}
        else:
            factors = [self.random.choice(["0.5x", "1x", "2x", "0"]) for _ in range(3)]
            made = {
                "profile": [
                    {"at": at, "factor": factor}
                    for at, factor in zip(["1s", "6s", "9s"], factors, strict=True)
                ]
            }
            if all(factor == "0" for factor in factors):
                made["profile"][0]["factor"] = "1x"
        if self.random.random() < 0.5:
            made["repeat"] = "12s"
        return made

    # ------------------------------------------------------------------ faults, flows, objectives

    def faults(self, producers: list[str]) -> list[dict[str, Any]]:
        if not self.has["faults"]:
            return []
        made = []
        for i in range(self.random.randint(1, 4)):
            target = f"services.{self.random.choice(self.services)}"
            effect: dict[str, Any] = self.random.choice(
                [
                    {"outage": True},
                    {"error_rate": self.share(20, 90)},
                    {"slowdown": self.random.choice(["2x", "3x"])},
                    {"added_latency": self.seconds(1, 2)},
                    {"pause": True},
                    {"slowdown": "2x", "added_latency": "1s", "error_rate": "10%"},
                    {"rate_factor": self.random.choice(["2x", "0.5x", "0", "4x"])},
                ]
            )
            if "rate_factor" in effect:
                target = f"producers.{self.random.choice(producers)}"
            fault = {"name": f"fault {i}", "at": self.seconds(0, 15), "for": self.seconds(1, 6)}
            fault |= {"target": target, "effect": effect}
            if self.some("repeated_faults"):
                fault["repeat_every"] = "9s"
            made.append(fault)
        return made

    def flows(self, producers: dict[str, Any], services: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if not self.has["flows"]:
            return made
        for i in range(self.random.randint(1, 3)):
            source = self.random.choice(list(producers))
            in_reach = reachable(producers[source]["topic"], services)
            to: Any = self.random.choice(in_reach)
            if self.some("several_to"):
                to = self.random.sample(in_reach, self.random.randint(1, len(in_reach)))
            made[f"flow{i}"] = {"from": source, "to": to}
        return made

    def objectives(self, flows: dict[str, Any]) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        if not self.has["objectives"]:
            return made
        for i, flow in enumerate(flows):
            made.append({"name": f"in time {i}", "flow": flow, "within": self.seconds(1, 8), "target": "90%"})
            made.append({"name": f"not lost {i}", "flow": flow, "target": "99%"})
        service = self.random.choice(self.services)
        line = {"topic": self.topic_of[service], "consumer": service}
        made.append({"name": "keeps up"} | line | {"lag_below": self.random.randint(1, 9), "target": "80%"})
        made.append({"name": "is fresh"} | line | {"age_below": self.seconds(1, 6), "target": "80%"})
        return made
