"""Relations between faults and what they hit."""

from __future__ import annotations

from slosim.model.faults import OCCURRENCES_MAX, Fault, Redrive
from slosim.model.fields import has_invalid
from slosim.model.graph import published_topics
from slosim.model.kinds import Reading
from slosim.model.parts import Parts
from slosim.model.values import quoted, write_duration


def check_faults(parts: Parts, reading: Reading) -> None:
    if parts.run_duration is not None:
        for path, fault in parts.faults:
            _check_times(path, fault, parts.run_duration, reading)
    readable = [(path, fault) for path, fault in parts.faults if not has_invalid(fault)]
    for path, fault in readable:
        _check_random_times(path, fault, parts, reading)
        _check_crash(path, fault, parts, reading)
        _check_rate(path, fault, parts, reading)
    if parts.has_all_services:
        _check_redrives(readable, parts, reading)


def _check_times(path: str, fault: Fault, run_duration: float, reading: Reading) -> None:
    if fault.at is None or has_invalid((fault.at, fault.duration, fault.repeat_every)):
        return
    if fault.at >= run_duration:
        found = f"got at {write_duration(fault.at)} of duration {write_duration(run_duration)}"
        reading.problem_at(f"{path}.at", f"the fault starts after the end of the run, {found}")
    elif fault.repeat_every is not None and fault.occurrence_count(run_duration) > OCCURRENCES_MAX:
        count = fault.occurrence_count(run_duration)
        what = f"the fault would occur {count:,} times, got {write_duration(fault.repeat_every)}"
        reading.problem_at(f"{path}.repeat_every", what, f"at most {OCCURRENCES_MAX:,} times")


def _check_random_times(path: str, fault: Fault, parts: Parts, reading: Reading) -> None:
    if fault.random is None or parts.run_duration is None:
        return
    count = parts.run_duration / (fault.random.mtbf + fault.random.mttr)
    service = parts.services.get(fault.target_in("services") or "")
    if fault.random.per == "instance" and service:
        count *= service.instances_at_most
    if count > OCCURRENCES_MAX:
        what = f"the fault would occur about {count:,.0f} times, got {write_duration(fault.random.mtbf)}"
        reading.problem_at(f"{path}.random.mtbf", what, f"at most {OCCURRENCES_MAX:,} times")


def _check_crash(path: str, fault: Fault, parts: Parts, reading: Reading) -> None:
    crash, service = fault.effect.crash, parts.services.get(fault.target_in("services") or "")
    if crash is None or crash.instances is None or service is None:
        return
    most = service.instances_at_most
    if crash.instances > most:
        what = f"more instances than there are, got {crash.instances} of {most}"
        reading.problem_at(f"{path}.effect.crash", what, f"at most {most}, or all")


def _check_rate(path: str, fault: Fault, parts: Parts, reading: Reading) -> None:
    producer = parts.producers.get(fault.target_in("producers") or "")
    if "rate_factor" in fault.effect.active() and producer and producer.is_closed:
        what = f"clients have no rate that it could multiply, got target {fault.target}"
        reading.problem_at(f"{path}.effect.rate_factor", what, "a producer with arrivals of another form")


def _check_redrives(faults: list[tuple[str, Fault]], parts: Parts, reading: Reading) -> None:
    first: dict[str, tuple[Fault, Redrive]] = {}
    for path, fault in faults:
        redrive, topic = fault.effect.redrive, fault.target_in("topics")
        if redrive is None or topic not in parts.topics:
            continue
        where = f"{path}.effect.redrive"
        _check_redrive(where, topic, redrive, parts, reading)
        before, same = first.setdefault(topic, (fault, redrive))
        if same != redrive:
            what = f"a topic has one redrive, got another than that of {quoted(before.name)}"
            reading.problem_at(where, what, "the same to and the same rate in all faults of one topic")


def _check_redrive(where: str, topic: str, redrive: Redrive, parts: Parts, reading: Reading) -> None:
    if takers := parts.taken_by.get(topic):
        what = f"only a topic that nobody consumes can be redriven, but {takers[0]} consumes {topic}"
        reading.problem_at(where, what, "target: a topic where messages rest, such as a dead-letter topic")
    elif topic not in published_topics(parts.producers, parts.services, parts.topics):
        what = f"there is nothing to redrive: no message can arrive in {topic}"
        reading.problem_at(where, what, "a topic that somebody publishes to, or that is a dead_letter")
    if redrive.to == topic:
        reading.problem_at(f"{where}.to", "messages would come straight back, got the topic itself")
    elif not parts.taken_by.get(redrive.to):
        what = f"nobody consumes {redrive.to}, so messages would rest there again"
        reading.problem_at(f"{where}.to", what, f"a service with consumes: {redrive.to}")
