"""The reference simulation: one calendar, plain objects, one short function per rule of docs/semantics.md."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from slosim.engine.reference.calendar import Calendar
from slosim.engine.reference.calls import Dependency
from slosim.engine.reference.chance import Chance
from slosim.engine.reference.faults import Faults
from slosim.engine.reference.flows import DEAD_LETTERED, Flow, Instance, Judgement, judge
from slosim.engine.reference.lines import Topic
from slosim.engine.reference.measures import Counts, check_lines
from slosim.engine.reference.order import callers_of, consumers_of, coupling_groups, is_rich
from slosim.engine.reference.producers import Producer
from slosim.engine.reference.publishing import Publishers
from slosim.engine.reference.records import IN_WORK
from slosim.engine.reference.services import Service


class Event(NamedTuple):
    """One line of the trace.

    where    the service whose line it is; "rested": the topic; "blocked", "accepted": the publisher
    producer, number, path
             the message; of an event of a service itself "", the instance's number or -1, and 0
    attempt  attempts of the message begun so far; of what an attempt does, its own number
    value    "published": partition or -1; "retry": when the back-off is over, s; "blocked", "accepted": the
             topic's place in the file; "taken": the instance, on a log or with mechanisms of S42 to S67;
             "batch": how many messages begin together; "delivered": the instance; "called", "hedged",
             "call_timed_out": the dependency's place in the file; "answered": 1 for a success; "scaled":
             instances wanted; otherwise -1
    """

    time_s: float
    what: str
    where: str
    producer: str
    number: int
    path: int
    attempt: int
    value: float


@dataclass(eq=False)
class Group:
    """S2: services that act on each other within an instant, and the blocking topics they consume (S19)."""

    rank: int
    is_rich: bool
    services: list[Service]
    blocking_topics: list[Topic]


class World:
    """Everything there is in one replication."""

    def __init__(self, scenario: Any, seed: int | None, replication: int) -> None:
        self.scenario = scenario
        self.end_s: float = scenario.run.duration
        self.warmup_s: float = scenario.run.warmup
        self.chance = Chance(scenario.run.seed if seed is None else seed, replication)
        self.now = 0.0
        self.trace: list[Event] = []
        self.settled_silently: list[tuple[Any, ...]] = []
        self.calendar = Calendar()
        self.concerned: dict[Service, None] = {}
        self.visible_numbers = count()
        self.faults = Faults(scenario, self.chance)
        self.build()
        self.group_parties()

    # ------------------------------------------------------------------ the system

    def build(self) -> None:
        """Topics, services, lines, dependencies, producers and flows as the scenario declares them."""
        scenario = self.scenario
        outlets = {service.dead_letter for service in scenario.services.values()}
        outlets |= {topic.dead_letter for topic in scenario.topics.values()}
        self.publishers = Publishers(self)
        self.topics = {
            name: Topic(self, name, place, name in outlets) for place, name in enumerate(scenario.topics)
        }
        self.dependencies = {
            name: Dependency(self, name, place) for place, name in enumerate(scenario.dependencies)
        }
        self.services = {
            name: Service(self, name, place, self.topics) for place, name in enumerate(scenario.services)
        }
        for topic in self.topics.values():
            topic.lines = [
                line
                for name in consumers_of(scenario, topic.name)
                for line in self.services[name].lines
                if line.topic is topic
            ]
        self.producers = {name: Producer(self, name, place) for place, name in enumerate(scenario.producers)}
        self.flows = [Flow(name, flow, scenario) for name, flow in scenario.flows.items()]
        self.flow_counts = {flow.name: Counts(self.warmup_s) for flow in self.flows}

    def group_parties(self) -> None:
        """S2, S57: every producer, service and dependency has a group."""
        self.groups = []
        for rank, members in enumerate(coupling_groups(self.scenario)):
            services = [self.services[name] for kind, name in members if kind == "service"]
            blocking = [
                topic
                for topic in self.topics.values()
                if topic.blocks and any(line.service in services for line in topic.lines)
            ]
            group = Group(rank, is_rich(self.scenario, members), services, blocking)
            self.groups.append(group)
            for kind, name in members:
                party = self.services[name] if kind == "service" else self.producers[name]
                party.group = group
        for name, dependency in self.dependencies.items():
            callers = callers_of(self.scenario, name)
            dependency.group = self.services[callers[0]].group if callers else self.groups[0]

    # ------------------------------------------------------------------ what happens

    def run(self) -> None:
        """S1, S4: handle every event before the end of the run, with samples between the instants."""
        every_s = self.scenario.run.sample_every
        self.sample_times_s = []
        while len(self.sample_times_s) * every_s < self.end_s:
            self.sample_times_s.append(len(self.sample_times_s) * every_s)
        unsampled = deque(self.sample_times_s)
        for party in (*self.producers.values(), *self.services.values(), *self.dependencies.values()):
            party.begin()
        while (happening := self.calendar.next_before(self.end_s)) is not None:
            assert happening.time_s >= self.now, "the clock went back"
            while unsampled and unsampled[0] < happening.time_s:
                self.sample(unsampled.popleft())
            self.now = happening.time_s
            if happening.action() is not False and isinstance(happening.party, Service):
                self.concern(happening.party)
            self.after_event(happening.party.group)
        for time_s in unsampled:
            self.sample(time_s)
        self.finish()

    def concern(self, service: Service) -> None:
        """S23: this event concerns a service: afterwards it takes what it can."""
        self.concerned[service] = None

    def after_event(self, group: Group) -> None:
        """S19, S23: those that an event concerned take what they can; in a group with a blocking topic
        everybody takes and every topic accepts, until nothing changes."""
        concerned = sorted(self.concerned, key=lambda service: service.place)
        self.concerned.clear()
        changed = bool(concerned) and bool(group.blocking_topics)
        while changed:
            changed = False
            for service in group.services:
                changed |= service.take()
            for topic in group.blocking_topics:
                changed |= self.publishers.accept(topic)
        if not group.blocking_topics:
            for service in concerned:
                service.take()
        self.concerned.clear()

    def tell(self, what: str, where: str, message: Any, attempt: int, value: float = -1) -> None:
        self.trace.append(
            Event(self.now, what, where, message.producer, message.number, message.path, attempt, value)
        )

    def tell_of_service(self, what: str, service: Service, number: int = -1, value: float = -1) -> None:
        self.trace.append(Event(self.now, what, service.name, "", number, 0, 0, value))

    # ------------------------------------------------------------------ flows

    def no_longer_matters(self, instances: list[Instance]) -> None:
        """S34, S63: an instance is complete when none of its messages that matter is left."""
        for instance in instances:
            instance.outstanding -= 1
            assert instance.outstanding >= 0
            assert instance.ended_s is None
            if instance.outstanding == 0:
                instance.ended_s = self.now
                instance.when_over()

    def redriven_at_end(self) -> None:
        """S65: what waits for a redrive at the end rests in its topic."""
        for service in self.services.values():
            if service.is_redrive:
                (line,) = service.lines
                left = [entry for entry in line.unsettled if entry.state != IN_WORK]
                line.topic.counts.add("resting", self.end_s, len(left))
                for entry in left:
                    for instance in entry.message.instances:
                        if service.name in instance.flow.matters:
                            instance.lose_at(DEAD_LETTERED, entry.published_s)

    # ------------------------------------------------------------------ measures

    def sample(self, time_s: float) -> None:
        """S4, S38: the state after everything that happens at this instant."""
        for service in self.services.values():
            service.sample(time_s)
        for dependency in self.dependencies.values():
            dependency.busy.samples.append(dependency.busy.value)
            dependency.waiting.samples.append(dependency.waiting.value)

    def finish(self) -> None:
        """S36, S41: close the integrals, count what is left, judge the instances, check conservation."""
        for service in self.services.values():
            service.finish(self.end_s)
        for dependency in self.dependencies.values():
            dependency.finish(self.end_s)
        check_lines(
            self.trace,
            self.settled_silently,
            {service.name: service.lines for service in self.services.values()},
            self.warmup_s,
            self.end_s,
        )
        self.redriven_at_end()
        self.judgements = {
            objective.name: Judgement(len(self.sample_times_s))
            for objective in self.scenario.objectives
            if objective.flow is not None
        }
        for flow in self.flows:
            counts = self.flow_counts[flow.name]
            for instance in flow.instances:
                assert (instance.outstanding == 0) == (instance.ended_s is not None)
                counts.add(instance.state(), instance.start_s)
                self.judge(flow, instance)
            for period in (counts.whole_run, counts.measured):
                assert period["started"] == sum(period.values()) - period["started"], (
                    f"flow {flow.name}: {period}"
                )

    def judge(self, flow: Flow, instance: Instance) -> None:
        """S36, S40."""
        for objective in self.scenario.objectives:
            if objective.flow == flow.name and instance.start_s >= self.warmup_s:
                verdict = judge(objective, instance, self.end_s)
                if verdict is not None:
                    self.judgements[objective.name].count(*verdict, self.sample_times_s)
