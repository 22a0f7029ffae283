"""The second pass of the generator: rewrites a scenario to use some of the rarer mechanisms (S42 to S67).

It draws from a stream of its own, so that what the first pass makes of a seed stays what it is. Services keep
their order along the flow: a service takes further topics from further up only, so that nothing goes round
within an instant. Combinations that the language refuses are not made.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any

from drawing import Drawing

MECHANISMS = (
    "several_topics", "join", "clients", "prefetch", "visibility_timeout", "not_idempotent", "rebalance",
    "batch", "autoscale", "circuit_breaker", "retry_budget", "shed", "calls", "crash", "rolling_restart",
    "unavailable", "redrive", "dependency_faults", "random_faults", "per_instance", "startup_time",
)  # fmt: skip
NEEDS = {
    "not_idempotent": "visibility_timeout",
    "dependency_faults": "calls",
    "per_instance": "random_faults",
}
OF_QUEUES = {"prefetch", "visibility_timeout"}
OF_LOGS = {"rebalance"}
STOPPING = {"crash", "rolling_restart"}
PLANNED = {"rolling_restart", "redrive"}
"""Effects that do not come at random times."""
SERVICES_MAX = 5


def with_mechanisms(base: Any, made: dict[str, Any], without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The scenario that the first pass made, rewritten."""
    return Mechanisms(base, made, without).rewritten()


def topics_of(service: dict[str, Any]) -> list[str]:
    consumes = service["consumes"]
    return [consumes] if isinstance(consumes, str) else list(consumes)


def emitted_by(service: dict[str, Any]) -> list[str]:
    emits = service.get("emits", [])
    if isinstance(emits, str):
        return [emits]
    return [emit["topic"] for emit in (emits["choose"] if isinstance(emits, dict) else emits)]


def reachable(topic: str, services: dict[str, Any]) -> list[str]:
    """Services that messages of a topic can reach through emits, in file order."""
    found: set[str] = set()
    edge = [topic]
    while edge:
        current = edge.pop()
        for name, service in services.items():
            if current in topics_of(service) and name not in found:
                found.add(name)
                edge += emitted_by(service)
    return [name for name in services if name in found]


class Mechanisms(Drawing):
    def __init__(self, base: Any, made: dict[str, Any], without: tuple[str, ...]) -> None:
        self.random = random.Random(f"mechanisms {base.seed}")
        self.ties = base.ties
        many = self.random.choice([1, 1, 2, 2, 3, 3, 4, 4, 6, 10, len(MECHANISMS)])
        drawn = [name for name in self.random.sample(MECHANISMS, many) if name not in without]
        drawn += [NEEDS[name] for name in drawn if name in NEEDS]
        self.has = base.has | {name: name in drawn for name in MECHANISMS}
        self.made = made
        self.services: dict[str, Any] = made["services"]
        self.topics: dict[str, Any] = made["topics"]
        self.producers: dict[str, Any] = made["producers"]
        self.faults: list[dict[str, Any]] = made.get("faults", [])
        self.fault_numbers = itertools.count()
        self.place = {name: base.consumed.index(topic) for name, topic in base.topic_of.items()}

    def rewritten(self) -> dict[str, Any]:
        """Structure first, then what services do by themselves, then what goes wrong."""
        steps: list[tuple[str, Callable[[str], None], Callable[[str], bool]]] = [
            ("join", self.join, lambda name: True),
            ("several_topics", self.several_topics, lambda name: "join" not in self.services[name]),
            ("prefetch", self.prefetch, lambda name: self.turn(name, into_logs=False)),
            (
                "visibility_timeout",
                self.visibility_timeout,
                lambda name: self.turn(name, into_logs=False),
            ),
            ("rebalance", self.rebalance, lambda name: self.turn(name, into_logs=True)),
            ("batch", self.batch, lambda name: "join" not in self.services[name]),
            ("calls", self.calls, lambda name: "batch" not in self.services[name]),
            ("autoscale", self.autoscale, lambda name: True),
            ("circuit_breaker", self.circuit_breaker, lambda name: True),
            ("retry_budget", self.retry_budget, lambda name: True),
            ("shed", self.shed, lambda name: True),
            ("crash", self.crash, lambda name: True),
            ("rolling_restart", self.rolling_restart, lambda name: True),
        ]
        for mechanism, step, suits in steps:
            if self.has[mechanism]:
                for name in self.those(self.services):
                    if suits(name):
                        step(name)
        for name in self.those(self.services):
            self.poison(name)
        if self.has["clients"]:
            self.clients()
        if self.has["unavailable"]:
            self.unavailable()
        if self.has["redrive"]:
            self.redrive()
        if self.has["dependency_faults"]:
            self.dependency_faults()
        if self.has["random_faults"]:
            self.random_faults()
        if self.has["startup_time"]:
            self.startup_time()
        self.made.pop("faults", None)
        return self.made | ({"faults": self.faults} if self.faults else {})

    # ------------------------------------------------------------------ what is there

    def those(self, names: Iterable[str]) -> list[str]:
        """Some of them, in a random order; at least one of some."""
        shuffled = list(names)
        self.random.shuffle(shuffled)
        return shuffled[: self.random.choice([1, 1, 2, len(shuffled)])]

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def consumers(self, topic: str) -> list[str]:
        return [name for name, service in self.services.items() if topic in topics_of(service)]

    def is_log(self, name: str) -> bool:
        """Whether the topics of a service are logs; all of them are of one kind."""
        return "partitions" in self.topics[topics_of(self.services[name])[0]]

    def turn(self, name: str, into_logs: bool) -> bool:
        """Turn the topics of a service, and what hangs together with them, into the kind that is needed."""
        topics, services = set(topics_of(self.services[name])), {name}
        grown = True
        while grown:
            services |= {other for topic in topics for other in self.consumers(topic)}
            more = {topic for other in services for topic in topics_of(self.services[other])}
            grown = not more <= topics
            topics |= more
        if self.is_log(name) == into_logs:
            return True
        needs = OF_QUEUES if into_logs else OF_LOGS
        if any(needs & self.services[other].keys() for other in services):
            return False
        for topic in sorted(topics):
            if into_logs:
                self.topics[topic].pop("order", None)
                self.topics[topic]["partitions"] = self.random.randint(2, 6)
            else:
                del self.topics[topic]["partitions"]
        return True

    def several_instances(self, name: str, probability: float = 0.7) -> int:
        """More than one instance makes most mechanisms more interesting."""
        service = self.services[name]
        may_grow = service.get("instances", 1) == 1 and "autoscale" not in service
        if may_grow and self.chance(probability):
            service["instances"] = self.random.randint(2, 3)
        return service.get("instances", 1)

    # ------------------------------------------------------------------ structure

    def several_topics(self, name: str) -> None:
        """One or two more topics: of services further up, or new ones."""
        topics = topics_of(self.services[name])
        for _ in range(self.random.choice([1, 1, 2])):
            others = [
                topic
                for other in self.services
                for topic in topics_of(self.services[other])
                if self.place[other] < self.place[name] and self.is_log(other) == self.is_log(name)
            ]
            others = [t for t in others if t not in topics and t != self.services[name].get("dead_letter")]
            if others and self.chance(0.5):
                topics.append(self.random.choice(others))
            else:
                topics.append(self.new_topic(name))
                above = [other for other in self.services if self.place[other] < self.place[name]]
                if not (above and self.emit(self.random.choice(above), topics[-1])):
                    self.new_producer(topics[-1])
        if self.chance(0.3):
            topics.reverse()
        self.services[name]["consumes"] = topics

    def new_topic(self, name: str) -> str:
        """A topic for a service, of the kind of its others."""
        topic: dict[str, Any] = {}
        if self.is_log(name):
            topic["partitions"] = self.random.randint(1, 5)
        elif self.some("orders"):
            topic["order"] = self.random.choice(["fifo", "lifo", "priority"])
        if self.some("delay", 0.3):
            topic["delay"] = self.duration(1, zero=True)
        if self.some("capacity", 0.3):
            topic["capacity"] = self.random.randint(1, 4)
            topic["when_full"] = self.random.choice(["reject", "drop_oldest", "block"])
        if self.some("message_ttl", 0.3):
            topic["message_ttl"] = self.duration(3)
        made = f"x{sum(topic.startswith('x') for topic in self.topics)}"
        self.topics[made] = topic
        return made

    def emit(self, name: str, topic: str) -> bool:
        """Let a service emit to one topic more, unless it chooses among topics."""
        service = self.services[name]
        emits = service.get("emits", [])
        if isinstance(emits, dict):
            return False
        emits = [{"topic": emits}] if isinstance(emits, str) else emits
        more: dict[str, Any] = {"topic": topic}
        if self.some("emit_probability", 0.3):
            more["probability"] = self.share(50, 100)
        if self.some("emit_delay", 0.3):
            more["delay"] = self.duration(1, zero=True)
        emits.insert(self.random.randint(0, len(emits)), more)
        service["emits"] = emits
        return True

    def new_producer(self, topic: str, arrivals: dict[str, Any] | None = None) -> str:
        name = f"q{sum(name.startswith('q') for name in self.producers)}"
        if arrivals is None:
            arrivals = {"every": self.random.choice(["1s", "2s", "3s"])}
            if not self.ties and self.chance(0.7):
                arrivals = {"poisson": self.random.choice(["0.5/s", "1/s"])}
        self.producers[name] = {"topic": topic, "arrivals": arrivals}
        if self.some("keys"):
            self.producers[name]["keys"] = {"count": self.random.randint(1, 10)}
        return name

    def join(self, name: str) -> None:
        """One or two topics more, which get what belongs to the same producer's message from a service that
        feeds the first topic, or from helpers that take from it too."""
        service = self.services[name]
        topics = topics_of(service)
        if len(topics) > 1:
            return
        others = {other: its for other, its in self.services.items() if other != name}
        starts = {producer["topic"] for producer in self.producers.values()}
        fed = {other for topic in starts for other in reachable(topic, others)}
        is_fed = topics[0] in starts.union(*(emitted_by(others[other]) for other in fed))
        feeders = [
            other
            for other in self.services
            if other in fed
            and self.place[other] < self.place[name]
            and topics[0] in emitted_by(self.services[other])
            and not isinstance(self.services[other]["emits"], dict)
        ]
        feeder = self.random.choice(feeders) if feeders else ""
        for _ in range(self.random.choice([1, 1, 2])):
            if feeder:
                topics.append(self.new_topic(name))
                self.emit(feeder, topics[-1])
            elif is_fed and len(self.services) < SERVICES_MAX:
                helper = f"h{len(self.services)}"
                self.place[helper] = self.place[name] - 0.5
                topics.append(self.new_topic(name))
                self.services[helper] = {
                    "consumes": topics[0],
                    "service_time": self.duration(0.5, zero=True),
                    "emits": topics[-1],
                }
        if len(topics) > 1:
            service["consumes"] = topics
            service["join"] = True

    def clients(self) -> None:
        """A producer in a closed loop, instead of one or as a further one."""
        arrivals = {"clients": {"count": self.random.randint(1, 5), "think_time": self.duration(1.5)}}
        if self.chance(0.6):
            name = self.random.choice(list(self.producers))
            self.producers[name] = {
                key: value
                for key, value in self.producers[name].items()
                if key in ("topic", "keys", "priority")
            } | {"arrivals": arrivals}
            self.faults = [fault for fault in self.faults if fault["target"] != f"producers.{name}"]
        else:
            topic = self.random.choice([topic for topic in self.topics if self.consumers(topic)])
            name = self.new_producer(topic, arrivals)
        flows = self.made.get("flows", {})
        if flows and not any(flow["from"] == name for flow in flows.values()):
            to = self.random.choice(reachable(self.producers[name]["topic"], self.services))
            flows[f"flow{len(flows)}"] = {"from": name, "to": to}

    # ------------------------------------------------------------------ services

    def prefetch(self, name: str) -> None:
        service = self.services[name]
        service["prefetch"] = self.random.randint(1, 5)
        if service.get("concurrency") == "unlimited":
            service["concurrency"] = self.random.randint(1, 2)
        self.several_instances(name)

    def visibility_timeout(self, name: str) -> None:
        self.services[name]["visibility_timeout"] = self.seconds(1, 4)
        self.services[name].get("retry", {}).pop("blocking", None)
        if self.some("not_idempotent", 0.7):
            self.services[name]["idempotent"] = False

    def rebalance(self, name: str) -> None:
        """Owners that change: something must stop instances, or add some."""
        self.services[name]["rebalance"] = {
            "protocol": self.random.choice(["eager", "cooperative"]),
            "pause": self.seconds(0, 3),
            "session_timeout": self.seconds(1, 5),
        }
        self.several_instances(name, 0.9)
        self.random.choice([self.crash, self.rolling_restart, self.autoscale])(name)

    def batch(self, name: str) -> None:
        made: dict[str, Any] = {"max_messages": self.random.choice([1, 2, 3, 5])}
        if self.chance(0.6):
            made["wait"] = self.seconds(1, 3)
        if self.chance(0.5):
            made["per_message"] = "1s" if self.ties else self.seconds(0.1, 0.5)
        self.services[name]["batch"] = made
        self.services[name].get("retry", {}).pop("blocking", None)

    def calls(self, name: str) -> None:
        dependencies = self.made.setdefault("dependencies", {})
        calls = []
        for _ in range(self.random.choice([1, 1, 2, 3])):
            dependency = f"d{self.random.randint(0, 1)}"
            if dependency not in dependencies:
                dependencies[dependency] = self.dependency()
            calls.append(self.call(dependency, "timeout" in self.services[name]))
        self.services[name]["calls"] = calls

    def poison(self, name: str) -> None:
        """Now and then some messages that always fail."""
        retry = self.services[name].get("retry", {})
        if self.chance(0.15) and retry.get("maximum_attempts") != "unlimited":
            failures = self.services[name].get("failures", "0%")
            made = failures if isinstance(failures, dict) else {"probability": failures}
            self.services[name]["failures"] = made | {"poison": self.share(10, 50)}

    def call(self, dependency: str, in_time: bool) -> dict[str, Any]:
        call: dict[str, Any] = {"dependency": dependency}
        if self.chance(0.5):
            call["timeout"] = self.seconds(2, 4)
        if self.chance(0.5):
            call["hedge_after"] = "1s" if self.ties else self.seconds(0.2, 1.5)
        if self.chance(0.5) and (len(call) > 1 or in_time):
            call["cancel"] = True
        if self.chance(0.2):
            call["service_time"] = self.duration(1, zero=True)
        return call

    def dependency(self) -> dict[str, Any]:
        made: dict[str, Any] = {"capacity": "unlimited"}
        if self.chance(0.8):
            made["capacity"] = self.random.randint(1, 3)
            if self.chance(0.4):
                made["queue_limit"] = self.random.randint(0, 3)
        made["service_time"] = self.duration(self.random.choice([0.5, 1]), zero=True)
        if self.chance(0.5):
            made["failures"] = self.share(5, 40)
        return made

    def autoscale(self, name: str) -> None:
        service = self.services[name]
        if "autoscale" in service:
            return
        instances = self.several_instances(name, 0.5)
        metrics = ["lag", "age"] + ["utilisation"] * (service.get("concurrency") != "unlimited")
        metric = self.random.choice(metrics)
        made: dict[str, Any] = {
            "metric": metric,
            "target": {
                "lag": self.random.choice([1, 2, 4]),
                "age": self.seconds(1, 4),
                "utilisation": self.share(30, 90),
            }[metric],
            "minimum": self.random.randint(1, instances),
            "maximum": self.random.randint(max(2, instances), 5),
            "interval": self.seconds(1, 5),
            "scale_down_window": self.seconds(0, 10),
        }
        if self.chance(0.4):
            made["metric_delay"] = self.seconds(1, 6)
        if self.chance(0.5):
            made["tolerance"] = self.share(0, 30)
        if self.chance(0.4):
            made["scale_up_limit"] = {"factor": self.random.choice(["1x", "1.5x", "2x"]), "instances": 1}
        if self.chance(0.4):
            made["scale_down_limit"] = self.random.choice(
                [{"share": "50%"}, {"instances": 1}, {"share": "25%", "instances": 2}]
            )
        if self.is_log(name) and self.chance(0.4):
            made |= {"even_partitions": True, "minimum": 1}
        service["autoscale"] = made

    def failing(self, name: str) -> None:
        """Attempts of the service fail often enough for what counts failures."""
        if "failures" not in self.services[name] and self.chance(0.7):
            self.services[name]["failures"] = self.share(20, 60)

    def circuit_breaker(self, name: str) -> None:
        window = self.random.randint(1, 10)
        self.services[name]["circuit_breaker"] = {
            "failure_rate": self.share(20, 100),
            "window": window,
            "minimum_calls": self.random.randint(1, window),
            "open_for": self.seconds(1, 5),
            "half_open_calls": self.random.randint(1, 3),
        }
        self.failing(name)

    def retry_budget(self, name: str) -> None:
        service = self.services[name]
        self.failing(name)
        service.setdefault("retry", {"maximum_attempts": 3, "initial_interval": self.seconds(1, 2)})
        service["retry_budget"] = {
            "kind": self.random.choice(["cap", "switch"]),
            "ratio": self.share(10, 100),
            "burst": self.random.choice([1, 2, 2.5, 5]),
        }

    def shed(self, name: str) -> None:
        self.services[name]["shed"] = self.random.choice(
            [
                {"wait_over": self.seconds(0, 4)},
                {"codel": {"target": "1s" if self.ties else "400ms", "interval": self.seconds(1, 3)}},
            ]
        )

    # ------------------------------------------------------------------ faults

    def fault(self, target: str, effect: dict[str, Any], low: float = 1, high: float = 6) -> None:
        """Something goes wrong at fixed times."""
        made = {
            "name": f"mechanism {next(self.fault_numbers)}",
            "at": self.seconds(0, 15),
            "for": self.seconds(low, high),
            "target": target,
            "effect": effect,
        }
        if self.chance(0.3):
            made["repeat_every"] = f"{round(high) + 2}s"
        self.faults.append(made)

    def crash(self, name: str) -> None:
        instances = self.several_instances(name)
        many: Any = "all" if self.chance(0.3) else self.random.randint(1, instances)
        self.fault(f"services.{name}", {"crash": {"instances": many}})

    def rolling_restart(self, name: str) -> None:
        self.several_instances(name)
        effect: dict[str, Any] = {"pause_between": self.seconds(0, 3)}
        self.fault(f"services.{name}", {"rolling_restart": effect}, 4, 15)

    def unavailable(self) -> None:
        topics = [topic for topic in self.topics if self.consumers(topic)]
        for topic in self.those(topics):
            self.fault(f"topics.{topic}", {"unavailable": True})

    def redrive(self) -> None:
        """What rests somewhere goes back; most of it has come there as dead letters."""
        resting = [topic for topic in self.topics if not self.consumers(topic)]
        if not resting:
            name = self.random.choice(list(self.services))
            self.services[name] |= {"failures": self.share(30, 80), "dead_letter": "dlq"}
            self.topics["dlq"] = {}
            resting = ["dlq"]
        for topic in self.those(resting):
            to = self.random.choice([other for other in self.topics if self.consumers(other)])
            rate = self.random.choice(["0.5/s", "1/s", "2/s"])
            self.fault(f"topics.{topic}", {"redrive": {"to": to, "rate": rate}}, 3, 15)

    def dependency_faults(self) -> None:
        for dependency in self.those(self.made.get("dependencies", {})):
            self.fault(f"dependencies.{dependency}", self.trouble())

    def trouble(self) -> dict[str, Any]:
        """An effect on a service or a dependency."""
        return self.random.choice(
            [
                {"outage": True},
                {"error_rate": self.share(20, 90)},
                {"slowdown": self.random.choice(["2x", "3x"])},
                {"added_latency": self.seconds(1, 2)},
                {"pause": True},
            ]
        )

    def startup_time(self) -> None:
        """Instances that start need time; some must start."""

        def starting() -> list[str]:
            hit = {fault["target"] for fault in self.faults if fault["effect"].keys() & STOPPING}
            return [n for n, s in self.services.items() if f"services.{n}" in hit or "autoscale" in s]

        if not starting():
            self.crash(self.random.choice(list(self.services)))
        for name in self.those(starting()):
            self.services[name]["startup_time"] = self.duration(1.5)

    def random_faults(self) -> None:
        """Drawn times instead of fixed ones, for all instances or each by itself."""
        for name in self.those(self.services):
            effect = {"crash": {"instances": 1}} if self.chance(0.4) else self.trouble()
            self.fault(f"services.{name}", effect)
        for fault in self.faults:
            if (
                fault["target"].startswith("producers.")
                or fault["effect"].keys() & PLANNED
                or self.chance(0.4)
            ):
                continue
            for key in ("at", "for", "repeat_every"):
                fault.pop(key, None)
            fault["random"] = {"mtbf": self.seconds(3, 10), "mttr": self.seconds(1, 4)}
            service = self.services.get(fault["target"].removeprefix("services."))
            if service is not None and self.some("per_instance", 0.7):
                fault["random"]["per"] = "instance"
                self.several_instances(fault["target"].removeprefix("services."))
                if "crash" in fault["effect"]:
                    fault["effect"] = {"crash": {"instances": 1}}
