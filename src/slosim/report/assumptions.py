"""What the closed forms take for granted, and what speaks against it at a station of a scenario.

Structure tells most of it: where messages come from, how they wait, what holds slots. The rest (retries,
messages that found no room) is taken from what the run counted. What cannot be shown to hold counts as not
holding.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from slosim.compile.offered_load import Requests, requests_of
from slosim.compile.topology import blocks, consumers_of, outputs_of
from slosim.measure.measurements import Measurements
from slosim.model import (
    Bernoulli,
    Bursts,
    Clients,
    Counts,
    Every,
    Fault,
    Interarrival,
    Poisson,
    Producer,
    Scenario,
    Service,
    Trace,
)
from slosim.model.graph import reachable
from slosim.report import statistics
from slosim.report.stations import Station, is_exponential, station_of_dependency, station_of_service
from slosim.report.units import plural, share, three_digits
from slosim.theory import transients

SETTLED = 0.001
"""The empty start weighs nothing where what is left of it is less than this share of the measured time."""
LITTLE = 0.0005
"""A share of repeated or lost messages below this changes no number that is shown."""

WHAT = {
    "ready": "every slot is always there and takes at once",
    "queue": "what waits takes the first slot that is free",
    "work": "service times are independent of everything else",
    "once": "no message is worked on twice",
    "room": "nothing leaves the queue unserved, other than as the model says",
    "arrivals": "arrivals are those of the model: Poisson at a constant rate, or of its clients",
    "settled": "the empty start is forgotten",
}
"""Every assumption, by the word that it is looked up by; what is wrong at the station itself comes first."""


class Assumption(NamedTuple):
    """`against` says in a few words each what speaks against it; with nothing it holds."""

    word: str
    against: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.against


class Stream(NamedTuple):
    """Messages of one origin on their way into a topic."""

    origins: frozenset[str]  # producers whose messages or their children these are
    against: tuple[str, ...]  # what speaks against a Poisson process


@dataclass
class Structure:
    """The stations of a scenario and their assumptions, each worked out once."""

    scenario: Scenario
    measurements: Sequence[Measurements]
    _assumptions: dict[str, tuple[Assumption, ...]] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    """Services that are being looked at: what comes back to them makes a cycle."""

    @cached_property
    def stations(self) -> dict[str, Station | None]:
        """Of each service, by its name."""
        return {
            name: station_of_service(self.scenario, name, self.measurements)
            for name in self.scenario.services
        }

    @cached_property
    def requests(self) -> dict[str, list[Requests]]:
        return requests_of(self.scenario)

    @cached_property
    def seconds(self) -> float:
        """Length of the measured windows of all replications together, s."""
        return sum(statistics.measured_seconds(self.measurements))

    def dependency(self, name: str) -> Station:
        return station_of_dependency(self.scenario.dependencies[name], self.requests[name])

    def came(self, name: str) -> list[int]:
        """Messages that came to a service, repeated attempts being new ones, in each replication."""
        return [
            sum(one.lines[topic, name].published for topic in self.scenario.services[name].consumes)
            + one.services[name].attempts
            - one.services[name].first_attempts
            for one in self.measurements
        ]

    # ---- services ----------------------------------------------------------------------------------------

    def of_service(self, name: str) -> tuple[Assumption, ...]:
        """All assumptions at a service, in the order of WHAT."""
        if name not in self._assumptions:
            self._open.add(name)
            self._assumptions[name] = _listed(
                ready=self._against_ready(name),
                once=self._against_once(name),
                queue=self._against_queue(name),
                work=self._against_work(name),
                room=self._against_room(name),
                arrivals=self._against_arrivals(name),
                settled=self._against_settled(self.stations[name], sum(self.came(name))),
            )
            self._open.discard(name)
        return self._assumptions[name]

    def _against_arrivals(self, name: str) -> Iterator[str]:
        service, station = self.scenario.services[name], self.stations[name]
        if station is not None and station.clients is not None:
            yield from self._fault_names(*(f"producers.{origin}" for origin in self._origins[name]))
            return
        times: Counter[str] = Counter()
        for topic in service.consumes:
            for stream in self._streams_into(topic):
                yield from stream.against
                times.update(stream.origins)
        if any(number > 1 for number in times.values()):
            yield "messages part and meet again"
        keyless = [origin for origin in times if not self._has_keys(origin)]
        if station is not None and len(station.queues) > 1 and keyless:
            yield f"no keys: dealt round {len(station.queues)} queues"
        for fault in self._faults():
            redrive = fault.effect.redrive
            if redrive is not None and redrive.to in service.consumes:
                yield f"fault '{fault.name}'"

    def _has_keys(self, producer: str) -> bool:
        return self.scenario.producers[producer].keys is not None

    def _against_queue(self, name: str) -> Iterator[str]:
        service, station = self.scenario.services[name], self.stations[name]
        partitions = [self.scenario.topics[topic].partitions for topic in service.consumes]
        logs = [one for one in partitions if one is not None]
        if logs and len(partitions) > 1:
            yield f"{plural(sum(logs), 'partition')} of several topics"
        elif logs and station is not None and any(queue.slots != 1 for queue in station.queues):
            owned = -(-logs[0] // service.instances)
            yield f"{service.concurrency} slots share {owned} partitions"
        if service.prefetch is not None and service.instances > 1:
            yield "prefetch"

    def _against_work(self, name: str) -> Iterator[str]:
        service = self.scenario.services[name]
        for call in service.calls:
            dependency = self.scenario.dependencies[call.dependency]
            if dependency.capacity is not None:
                yield f"calls wait for {call.dependency}"
            elif call.hedge_after is not None or call.timeout is not None or dependency.failures > 0:
                yield f"calls of {call.dependency} end early"
            yield from self._fault_names(f"dependencies.{call.dependency}")
        if service.calls and service.timeout is not None:
            yield "time-out of calls"

    def _against_once(self, name: str) -> Iterator[str]:
        its = [one.services[name] for one in self.measurements]
        first, attempts = sum(one.first_attempts for one in its), sum(one.attempts for one in its)
        retried, blocking = sum(one.retried for one in its), self.scenario.services[name].has_blocking_retry
        if first and attempts - first > (0 if blocking else LITTLE * first):
            why = "blocking retries" if blocking else "retries" if retried else "redelivery"
            yield f"{why} (+{share(attempts / first - 1)})"

    def _against_ready(self, name: str) -> Iterator[str]:
        service = self.scenario.services[name]
        if service.rate_limit is not None:
            yield f"rate limit of {three_digits(service.rate_limit.rate)}/s"
        its = [one.services[name] for one in self.measurements]
        if any((one.instances_samples != service.instances).any() for one in its):
            yield "instances come and go"
        if any(one.mechanisms is not None and one.mechanisms.opened for one in its):
            yield "open circuit breaker"
        topics = (*service.consumes, *_outputs(service))
        yield from self._fault_names(f"services.{name}", *(f"topics.{topic}" for topic in topics))
        for topic in _outputs(service):
            if blocks(self.scenario, topic) and self._was_full(topic):
                yield f"waits for room in {topic}"

    def _against_room(self, name: str) -> Iterator[str]:
        service, station = self.scenario.services[name], self.stations[name]
        for topic in service.consumes:
            lines = [one.lines[topic, name] for one in self.measurements]
            refuses = station is not None and station.room is not None
            expires = station is not None and station.patience_s is not None
            most = LITTLE * sum(line.published for line in lines)
            refused = sum(line.rejected + line.dropped for line in lines) > most
            holds_back = blocks(self.scenario, topic) and self._was_full(topic)
            if not refuses and (refused or holds_back):
                yield f"{topic} is full at times"
            if not expires and sum(line.expired for line in lines) > most:
                yield "messages expire"
            if sum(line.shed for line in lines) > most:
                yield "messages are shed"

    def _against_settled(self, station: Station | None, came: int) -> Iterator[str]:
        """What is left of the empty start after the warm-up, in the time it takes to fade."""
        if station is None or not self.seconds or not came:
            return
        rate_per_s, time = came / self.seconds, station.time
        if time.mean_s <= 0 or not math.isfinite(time.squared_cv * time.mean_s):
            return
        thinking_s = 0.0 if station.clients is None else station.clients.think_time.mean()
        fades_s = max(time.mean_s, thinking_s)
        for queue in () if station.is_regulated else station.queues:
            load = rate_per_s * queue.share * time.mean_s
            if queue.slots is not None and 0 < load < queue.slots:
                relaxes_s = transients.relaxation_time_s(
                    rate_per_s * queue.share, time.mean_s, queue.slots, time.squared_cv
                )
                fades_s = max(fades_s, relaxes_s)
        warmup_s = self.scenario.run.warmup
        if fades_s * math.exp(-warmup_s / fades_s) > SETTLED * self.seconds / len(self.measurements):
            yield "short warm-up" if warmup_s else "empty start"

    # ---- dependencies ------------------------------------------------------------------------------------

    def of_dependency(self, name: str) -> tuple[Assumption, ...]:
        """All assumptions at a dependency, in the order of WHAT."""
        station = self.dependency(name)
        its = [one.dependencies[name] for one in self.measurements]
        requests = sum(one.requests for one in its)
        hedged, most = sum(one.hedged for one in its), LITTLE * requests
        is_refused = station.room is None and sum(one.refused for one in its) > most
        is_cancelled = sum(one.cancelled for one in its) > most
        return _listed(
            ready=self._fault_names(f"dependencies.{name}"),
            once=[f"second requests (+{share(hedged / (requests - hedged))})"] if hedged > most else (),
            queue=(),
            work=["requests are cancelled"] if is_cancelled else (),
            room=["requests are refused"] if is_refused else (),
            arrivals=self._against_requests(name),
            settled=self._against_settled(station, requests),
        )

    def _against_requests(self, name: str) -> Iterator[str]:
        """Requests are Poisson where attempts are and nothing that can wait comes before the call."""
        for caller, service in self.scenario.services.items():
            places = [i for i, call in enumerate(service.calls) if call.dependency == name]
            if not places:
                continue
            if self._slots(caller) is not None:
                yield f"{caller} asks from {plural(self._slots(caller) or 0, 'slot')}"
            before = [call.dependency for call in service.calls[: places[0]]]
            if len(places) > 1 or any(self.scenario.dependencies[one].capacity for one in before):
                yield f"{caller} asks after other calls"
            for assumption in self.of_service(caller):
                if assumption.word != "work" and not assumption.holds:
                    yield from assumption.against

    def _slots(self, service: str) -> int | None:
        station = self.stations[service]
        found = [] if station is None else [queue.slots for queue in station.queues]
        return None if found == [None] else sum(one or 0 for one in found)

    # ---- streams of messages -----------------------------------------------------------------------------

    def _streams_into(self, topic: str) -> Iterator[Stream]:
        for name, producer in self.scenario.producers.items():
            if producer.topic == topic:
                against = (*_against_producer(name, producer), *self._fault_names(f"producers.{name}"))
                if producer.copies > 1:
                    against = (*against, f"{name} publishes {producer.copies} at once")
                yield Stream(frozenset({name}), against)
        for name, service in self.scenario.services.items():
            copies = sum(emit.copies for emit in service.emits if emit.topic == topic)
            gives_up = any(self.scenario.topics[one].dead_letter == topic for one in service.consumes)
            chosen = any(choice.topic == topic for choice in service.choose)
            if copies or chosen or gives_up or service.dead_letter == topic:
                yield self._output_of(name, copies, gives_up)

    def _output_of(self, name: str, copies: int, gives_up: bool) -> Stream:
        """What a service publishes to one topic: Poisson by Burke's theorem, or where all are served at once.

        Thinning (`probability`, `choose`, failures) and independent delays keep a Poisson process.
        """
        if name in self._open:
            return Stream(frozenset(), ("messages come back",))
        origins = self._origins[name]
        if copies > 1:
            return Stream(origins, (f"{name} publishes {copies} at once",))
        if gives_up or not self._is_poisson(name):
            return Stream(origins, (f"not Poisson from {name}",))
        return Stream(origins, ())

    def _is_poisson(self, name: str) -> bool:
        """Whether what a service is done with is a Poisson process."""
        station = self.stations[name]
        if station is None or station.is_regulated:
            return False
        has_a_theorem = self._slots(name) is None or station.time.letter == "M"
        return has_a_theorem and all(one.holds for one in self.of_service(name))

    @cached_property
    def _origins(self) -> dict[str, frozenset[str]]:
        """Producers whose messages, or children of these, reach each service."""
        consumers, outputs = consumers_of(self.scenario), outputs_of(self.scenario)
        further = {name: {one for topic in outputs[name] for one in consumers[topic]} for name in outputs}
        reached = {
            name: reachable(consumers[producer.topic], further)
            for name, producer in self.scenario.producers.items()
        }
        return {
            service: frozenset(name for name, services in reached.items() if service in services)
            for service in self.scenario.services
        }

    # ---- faults ------------------------------------------------------------------------------------------

    def _faults(self) -> list[Fault]:
        """Those that occur, or may."""
        return [
            fault
            for fault in self.scenario.faults
            if fault.is_random or fault.occurrences(self.scenario.run.duration)
        ]

    def _fault_names(self, *targets: str) -> list[str]:
        names = dict.fromkeys(fault.name for fault in self._faults() if fault.target in targets)
        return [f"fault '{name}'" for name in names]

    def _was_full(self, topic: str) -> bool:
        """Whether as many waited in some line of a topic as it has room for."""
        capacity = self.scenario.topics[topic].capacity
        return capacity is not None and any(
            one.lines[topic, consumer].waiting.maximum >= capacity
            for consumer in consumers_of(self.scenario)[topic]
            for one in self.measurements
        )


def _listed(**against: Iterable[str]) -> tuple[Assumption, ...]:
    """Every assumption with what speaks against it, each reason once."""
    return tuple(Assumption(word, tuple(dict.fromkeys(against[word]))) for word in WHAT)


def _outputs(service: Service) -> list[str]:
    return list(dict.fromkeys([emit.topic for emit in service.emits] + [one.topic for one in service.choose]))


def _against_producer(name: str, producer: Producer) -> tuple[str, ...]:
    """What speaks against a Poisson process of a constant rate."""
    arrivals = producer.arrivals
    if isinstance(arrivals, Poisson | Interarrival | Every) and arrivals.profile:
        return (f"the rate of {name} changes",)
    if isinstance(arrivals, Poisson) or (isinstance(arrivals, Interarrival) and is_exponential(arrivals.gap)):
        return ()
    reasons: dict[type, str] = {
        Interarrival: f"gaps of {name} are not exponential",
        Every: f"{name} publishes at even intervals",
        Bernoulli: f"{name} publishes at ticks",
        Trace: f"{name} follows a trace",
        Counts: f"the rate of {name} follows counts",
        Bursts: f"{name} comes in bursts",
        Clients: f"clients of {name} wait for answers",
    }
    return (reasons[type(arrivals)],)
