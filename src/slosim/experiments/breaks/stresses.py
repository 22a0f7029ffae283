"""The stresses that a scenario can be put under, each a ladder of levels written in the language itself.

A level is a change of values and a few more faults, so whatever breaks can be run again with `slosim run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slosim.errors import ScenarioError, UserError
from slosim.experiments.breaks.ladder import Ladder, rounded
from slosim.experiments.summary import Summary
from slosim.model import Clients, Counts, Fault, Scenario, Service, Trace
from slosim.model.fields import Record
from slosim.model.graph import consumers, reachable, service_arrows
from slosim.model.values import (
    did_you_mean,
    nearest,
    write_duration,
    write_factor,
    write_number,
    write_rate,
    write_share,
)
from slosim.report.faults import callers_of, occurrences_of

KINDS = {
    "load": "all producers publish faster, or there are more clients",
    "hot-key": "the keys are more uneven",
    "slow": "a service or a dependency takes longer",
    "failing": "a share of the attempts at a service, or of the calls of a dependency, fails",
    "outage": "every attempt or call fails, for a while",
    "stopped": "nothing is taken or answered, for a while",
    "crash": "instances are gone, for a while",
    "restart": "a rolling restart, one instance after the other without a pause",
    "unavailable": "a topic can be neither published to nor taken from, for a while",
    "poison": "messages of which every attempt fails",
    "redrive": "dead letters go back",
    "declared": "a fault of the scenario lasts longer",
}
"""What each stress is; the names of `--only`."""

FACTORS = (1.1, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
SLOWDOWNS = (*FACTORS, 24.0, 32.0)
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
POISON_SHARES = (1e-5, 3e-5, 1e-4, 3e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
LENGTHS_S = (1, 3, 10, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200, 14400, 28800)
SHORTEST_OF_MOST = 1 / 1000
"""The first rung of a length of time is at least this share of the longest."""
STARTS_AT = 1 / 4
LASTS_UP_TO = 3 / 8
"""Of the longest stretch of the measured part without a fault: where a trigger starts, and how long it lasts
at most. At least as much time is left after it."""
CRASH_LASTS = 1 / 8
MORE_SKEW = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


class Place(NamedTuple):
    """Where triggers are put: start, longest, and the length of a crash, all in s; quiet: no declared fault
    is active or being recovered from in that time.
    """

    at_s: float
    most_s: float
    crash_s: float
    quiet: bool


class Changes(NamedTuple):
    """What makes a level of a stress: values by their path, and faults in addition, as in a file."""

    values: Mapping[str, Any]
    faults: Sequence[Mapping[str, Any]]

    def applied_to(self, scenario: Scenario) -> Scenario:
        """The scenario under that stress. ScenarioError: it is not a valid one."""
        changes = dict(self.values)
        if self.faults:
            changes["faults"] = [*scenario.resolved()["faults"], *self.faults]
        return scenario.replace(changes)


@dataclass(frozen=True)
class Stress:
    """One thing that can get worse.

    name     of the kind and what it hits: `payment slow`
    target   `services.payment`, `load`, `faults[provider down]` ...
    unit     of a level: factor, s, share, instances, skew, per_s, or once for a ladder of one rung
    changed  from a level to what makes it
    trigger  name of the fault after whose end the backlog must return; None: the stress lasts
    note     what a reader should know of it
    """

    kind: str
    name: str
    target: str
    unit: str
    ladder: Ladder
    changed: Callable[[float], Changes]
    trigger: str | None = None
    note: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.target}"


class LeftOut(NamedTuple):
    """A stress that makes no sense here, and why."""

    kind: str
    target: str
    why: str


@dataclass
class _Found:
    """Stresses as they are put together."""

    scenario: Scenario
    place: Place
    stresses: list[Stress] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def skip(self, kind: str, target: str, why: str) -> None:
        self.left_out.append(LeftOut(kind, target, why))

    def add(self, stress: Stress) -> None:
        """Add it, if its lowest and its highest level are valid scenarios."""
        try:
            for level in (stress.ladder.rungs[0], stress.ladder.most):
                stress.changed(level).applied_to(self.scenario)
        except ScenarioError as error:
            self.skip(stress.kind, stress.target, error.problems[0].what)
        else:
            self.stresses.append(stress)

    def name(self, wanted: str) -> str:
        """A name for a fault that no declared one has."""
        taken = {one.name for one in self.scenario.faults}
        return next(name for name in (wanted, *(f"{wanted} {n}" for n in range(2, 99))) if name not in taken)

    def lasting(
        self, kind: str, target: str, effect: Callable[[float], Any], unit: str, rungs: Sequence[float]
    ) -> None:
        """An effect of growing strength over the whole run."""
        name = f"{_short(target)} {kind}"
        base = 1.0 if unit == "factor" else 0.0
        run_s = self.scenario.run.duration

        def changed(level: float) -> Changes:
            return Changes({}, [_fault(self.name(name), 0.0, run_s, target, effect(level))])

        self.add(Stress(kind, name, target, unit, Ladder(base, tuple(rungs)), changed))

    def passing(self, kind: str, target: str, effect: Mapping[str, Any]) -> None:
        """An effect that lasts longer and longer."""
        name, at_s = f"{_short(target)} {kind}", self.place.at_s
        fault_name = self.name(name)

        def changed(level: float) -> Changes:
            return Changes({}, [_fault(fault_name, at_s, level, target, effect)])

        ladder = Ladder(0.0, _lengths(self.place.most_s))
        self.add(Stress(kind, name, target, "s", ladder, changed, trigger=fault_name))


def place_of(scenario: Scenario, summaries: Sequence[Summary]) -> Place:
    """A quarter into the longest stretch without a declared fault and its aftermath in the unstressed
    runs.
    """
    run = scenario.run
    windows, clean_from = [], run.warmup
    for index, occurrence in enumerate(occurrences_of(scenario)):
        windows.append((clean_from, occurrence.start_s))
        back = [one.faults[index].aftermath.recovered_after_s for one in summaries]
        known = [one for one in back if one is not None]
        recovered_s = occurrence.end_s + max(known) if len(known) == len(back) else run.duration
        clean_from = max(clean_from, recovered_s)
    windows.append((clean_from, run.duration))
    start_s, end_s = max(windows, key=lambda one: one[1] - one[0])
    is_long = end_s - start_s >= (run.duration - run.warmup) / 8
    if not is_long:
        start_s, end_s = run.warmup, run.duration
    comes_at_random = any(fault.is_random for fault in scenario.faults)
    length_s = end_s - start_s
    at_s, most_s, crash_s = (length_s * share for share in (STARTS_AT, LASTS_UP_TO, CRASH_LASTS))
    return Place(rounded(start_s + at_s), rounded(most_s), rounded(crash_s), is_long and not comes_at_random)


def stresses_of(
    scenario: Scenario, place: Place, declared: Scenario, dead_letters: bool
) -> tuple[list[Stress], list[LeftOut]]:
    """All stresses that make sense, and those that do not.

    declared      the scenario with all its faults, of which `scenario` may have none
    dead_letters  whether messages come to rest as dead letters without any stress
    """
    found = _Found(scenario, place)
    _load(found)
    _hot_keys(found)
    for name, service in scenario.services.items():
        _of_service(found, f"services.{name}", service)
    for name, dependency in scenario.dependencies.items():
        if not callers_of(name, scenario):
            found.skip("slow", f"dependencies.{name}", "nobody calls it")
            continue
        _of_member(found, f"dependencies.{name}", dependency.service_time.mean())
    for name in scenario.topics:
        if name in consumers(scenario.services):
            found.passing("unavailable", f"topics.{name}", {"unavailable": True})
        else:
            found.skip("unavailable", f"topics.{name}", "nobody consumes it")
    _redrives(found, dead_letters, is_healthy=len(scenario.faults) < len(declared.faults))
    for fault in declared.faults:
        _declared(found, fault)
    return found.stresses, found.left_out


def chosen(only: Iterable[str], stresses: Sequence[Stress], left_out: Sequence[LeftOut]) -> list[Stress]:
    """The stresses of some kinds or targets; all without any.

    Raises:
        UserError: a word that is neither a kind nor a target, or nothing is left.
    """
    words = list(only)
    targets = dict.fromkeys(one.target for one in (*stresses, *left_out))
    names = {name: target for target in targets for name in (target, _short(target))}
    for word in words:
        if word not in KINDS and word not in names:
            close = nearest(word, [*KINDS, *names])
            raise UserError(
                f"--only {word}: expected a kind of stress ({', '.join(KINDS)}), or what is hit, such as"
                f" {next(iter(targets))}" + (f"; {did_you_mean(close)}" if close else "")
            )
    kept = [
        one for one in stresses if not words or {one.kind, one.target, _short(one.target)}.intersection(words)
    ]
    if not kept:
        whys = [
            f"{one.kind} of {_short(one.target)}: {one.why}"
            for one in left_out
            if {one.kind, one.target, _short(one.target)}.intersection(words)
        ]
        raise UserError("\n    ".join([f"no stress is left with --only {' '.join(words)}", *whys]))
    return kept


# Each kind


def _load(found: _Found) -> None:
    scenario = found.scenario
    open_loop = [name for name, its in scenario.producers.items() if not its.is_closed]
    clients = {
        name: its.arrivals.count
        for name, its in scenario.producers.items()
        if isinstance(its.arrivals, Clients)
    }
    from_files = [
        name for name, its in scenario.producers.items() if isinstance(its.arrivals, Trace | Counts)
    ]
    names = {name: found.name(f"more load {name}") for name in open_loop}

    def changed(level: float) -> Changes:
        faults = [
            _fault(
                names[name],
                0.0,
                scenario.run.duration,
                f"producers.{name}",
                {"rate_factor": write_factor(level)},
            )
            for name in open_loop
        ]
        counts = {
            f"producers.{name}.arrivals.clients.count": max(1, round(count * level))
            for name, count in clients.items()
        }
        return Changes(counts, faults)

    note = (
        f"{', '.join(from_files)} follow a file, which at 2x is over in half of its time"
        if from_files
        else ""
    )
    found.add(Stress("load", "load", "load", "factor", Ladder(1.0, FACTORS), changed, note=note))


def _hot_keys(found: _Found) -> None:
    scenario = found.scenario
    arrows, taken_by = service_arrows(scenario.services), consumers(scenario.services)
    for name, producer in scenario.producers.items():
        target = f"producers.{name}"
        passed = reachable(taken_by.get(producer.topic, ()), arrows)
        topics = {topic for service in passed for topic in scenario.services[service].consumes}
        if producer.keys is None:
            found.skip("hot-key", target, "its messages have no keys that could be made more uneven")
        elif all(scenario.topics[topic].partitions is None for topic in topics):
            found.skip("hot-key", target, "its messages meet no log, where a key decides the partition")
        elif producer.keys.count == 1:
            found.skip("hot-key", target, "there is one key only")
        else:
            skew = producer.keys.skew
            found.add(_hot_key(target, skew))


def _hot_key(target: str, skew: float) -> Stress:
    def changed(level: float) -> Changes:
        return Changes({f"{target}.keys.skew": write_number(level)}, [])

    ladder = Ladder(skew, tuple(rounded(skew + more) for more in MORE_SKEW))
    return Stress("hot-key", f"{_short(target)} hot key", target, "skew", ladder, changed)


def _of_service(found: _Found, target: str, service: Service) -> None:
    _of_member(found, target, service.service_time.mean())
    _crash(found, target, service)
    if service.startup_time.mean() > 0 or service.rebalance is not None:
        _restart(found, target)
    else:
        found.skip("restart", target, "takes no time: neither startup_time nor rebalance")
    if service.retry is not None:
        _poison(found, target, service)
    else:
        found.skip("poison", target, "no retries: the same as failing")


def _of_member(found: _Found, target: str, service_time_mean_s: float) -> None:
    """What can happen to a service and to a dependency alike."""
    if service_time_mean_s > 0:
        found.lasting("slow", target, lambda level: {"slowdown": write_factor(level)}, "factor", SLOWDOWNS)
    else:
        found.skip("slow", target, "its service time is 0")
    found.lasting("failing", target, lambda level: {"error_rate": write_share(level)}, "share", SHARES)
    found.passing("outage", target, {"outage": True})
    found.passing("stopped", target, {"pause": True})


def _crash(found: _Found, target: str, service: Service) -> None:
    place, fault_name = found.place, found.name(f"{_short(target)} crash")

    def changed(level: float) -> Changes:
        effect = {"crash": {"instances": int(level)}}
        return Changes({}, [_fault(fault_name, place.at_s, place.crash_s, target, effect)])

    ladder = Ladder(0.0, _counts(service.instances_at_most), whole=True)
    found.add(
        Stress(
            "crash",
            f"{_short(target)} crash",
            target,
            "instances",
            ladder,
            changed,
            trigger=fault_name,
        )
    )


def _restart(found: _Found, target: str) -> None:
    place, fault_name = found.place, found.name(f"{_short(target)} restart")

    def changed(level: float) -> Changes:
        return Changes(
            {},
            [
                _fault(
                    fault_name,
                    place.at_s,
                    place.crash_s,
                    target,
                    {"rolling_restart": {"pause_between": "0s"}},
                )
            ],
        )

    ladder = Ladder(0.0, (1.0,), whole=True)
    found.add(
        Stress("restart", f"{_short(target)} restart", target, "once", ladder, changed, trigger=fault_name)
    )


def _poison(found: _Found, target: str, service: Service) -> None:
    failures = service.failures

    def changed(level: float) -> Changes:
        value = {
            "probability": write_share(failures.probability),
            "poison": write_share(level),
            "at": failures.at,
        }
        return Changes({f"{target}.failures": value}, [])

    rungs = tuple(share for share in POISON_SHARES if share > failures.poison)
    if not rungs:
        found.skip("poison", target, "every message is poison already")
        return
    found.add(
        Stress("poison", f"{_short(target)} poison", target, "share", Ladder(failures.poison, rungs), changed)
    )


def _redrives(found: _Found, dead_letters: bool, is_healthy: bool) -> None:
    """The declared redrives faster; else what rests in a dead-letter topic goes back to who gave it up.

    is_healthy  the declared faults, which may leave dead letters, are left out
    """
    scenario, taken_by = found.scenario, consumers(found.scenario.services)
    declared = {fault.target: fault for fault in scenario.faults if fault.effect.redrive is not None}
    givers = {service.dead_letter: service for service in scenario.services.values() if service.dead_letter}
    for topic in scenario.topics:
        target = f"topics.{topic}"
        if target in declared:
            _faster_redrive(found, [one for one in scenario.faults if one.target == target])
        elif topic not in givers or topic in taken_by:
            continue
        elif not dead_letters:
            hint = "; the scenario's own faults may leave some: --with-faults" if is_healthy else ""
            found.skip("redrive", target, f"without stress no dead letter comes to rest{hint}")
        else:
            _redrive(found, target, givers[topic].consumes[0])


def _faster_redrive(found: _Found, faults: Sequence[Fault]) -> None:
    redrive = faults[0].effect.redrive
    assert redrive is not None
    indices = [index for index, one in enumerate(found.scenario.faults) if one in faults]

    def changed(level: float) -> Changes:
        return Changes({f"faults[{index}].effect.redrive.rate": write_rate(level) for index in indices}, [])

    ladder = Ladder(redrive.rate, tuple(rounded(redrive.rate * factor) for factor in FACTORS))
    found.add(
        Stress("redrive", f"{_short(faults[0].target)} redrive", faults[0].target, "per_s", ladder, changed)
    )


def _redrive(found: _Found, target: str, to: str) -> None:
    name, at_s = f"{_short(target)} redrive", found.place.at_s
    left_s = found.scenario.run.duration - at_s

    def changed(level: float) -> Changes:
        effect = {"redrive": {"to": to, "rate": write_rate(level)}}
        return Changes({}, [_fault(found.name(name), at_s, left_s, target, effect)])

    rates = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
    found.add(Stress("redrive", name, target, "per_s", Ladder(0.0, rates), changed, note=f"back to {to}"))


def _declared(found: _Found, fault: Fault) -> None:
    """A declared fault that lasts longer; beside those that are left out, it is one from nothing on."""
    target = f"faults[{fault.name}]"
    if fault.effect.redrive is not None:
        return  # has a ladder of its own
    if fault.effect.rolling_restart is not None:
        found.skip("declared", target, "a rolling restart ends by itself")
        return
    if fault.random is not None or fault.repeat_every is not None:
        found.skip("declared", target, "it comes more than once")
        return
    assert fault.at is not None
    assert fault.duration is not None
    is_kept = fault in found.scenario.faults
    base_s = fault.duration if is_kept else 0.0
    most_s = rounded((found.scenario.run.duration - fault.at) / 2)
    if most_s <= base_s:
        found.skip("declared", target, "it lasts longer than the time that is left after it")
        return
    written = Record(Fault).write(fault)

    def changed(level: float) -> Changes:
        if is_kept:
            index = found.scenario.faults.index(fault)
            return Changes({f"faults[{index}].for": write_duration(level)}, [])
        return Changes({}, [{**written, "for": write_duration(level)}])

    ladder = Ladder(base_s, tuple(one for one in _lengths(most_s) if one > base_s))
    found.add(Stress("declared", fault.name, target, "s", ladder, changed, trigger=fault.name))


# Shapes


def _fault(name: str, at_s: float, for_s: float, target: str, effect: Any) -> dict[str, Any]:
    """A fault as in a file."""
    return {
        "name": name,
        "at": write_duration(at_s),
        "for": write_duration(for_s),
        "target": target,
        "effect": effect,
    }


def _lengths(most_s: float) -> tuple[float, ...]:
    """Lengths of time up to the longest, s."""
    shorter = [
        length * unit
        for unit in (1e-6, 1e-3, 1.0)
        for length in LENGTHS_S
        if most_s * SHORTEST_OF_MOST <= length * unit < most_s / 1.2 and (unit == 1.0 or length < 1000)
    ]
    return (*sorted({rounded(one) for one in shorter}), most_s)


def _counts(most: int) -> tuple[float, ...]:
    """1, 2, 4 ... up to the most."""
    counts = [float(2**power) for power in range(most.bit_length()) if 2**power < most]
    return (*counts, float(most))


def _short(target: str) -> str:
    return target.partition(".")[2] or target
