"""A scenario's topology as a drawing in text: who publishes where, who takes from it, what comes out.

checkout, poisson 12/s
└─ orders.new, 6 partitions ─▶ orders, 2 instances × 4 slots
   └─ payments, 6 partitions ─▶ payment, 4 instances × 8 slots, at most 5 attempts
      ├─ stock ─▶ inventory, 1 instance × 8 slots
      └┄ payments.dlq (dead letters)
"""

from __future__ import annotations

from collections.abc import Iterator

from slosim.model import (
    Bernoulli,
    Bursts,
    Clients,
    Counts,
    Every,
    Poisson,
    Producer,
    Scenario,
    Service,
    Trace,
)
from slosim.model.redrive import redrives_of

ENDS_HERE = "nobody takes from it"


def draw(scenario: Scenario) -> str:
    """Every producer and what follows from it; what was drawn before is only named, so cycles end."""
    drawn: set[str] = set()
    lines: list[str] = []
    for name, producer in scenario.producers.items():
        lines.append(f"{name}, {_arrivals(producer)}")
        lines += _branches([(producer.topic, _copies(producer.copies), "─")], scenario, drawn, "")
    untouched = [topic for topic in scenario.topics if topic not in drawn]
    for topic in untouched:
        if topic not in drawn:
            lines.append("(no producer reaches)")
            lines += _branches([(topic, "", "─")], scenario, drawn, "")
    return "\n".join(lines)


def slots(service: Service) -> str:
    """`4 instances × 8 slots`, `2 to 20 instances × 8 slots`"""
    instances = f"{service.instances} instance{'' if service.instances == 1 else 's'}"
    if service.autoscale is not None:
        instances = f"{service.autoscale.minimum} to {service.autoscale.maximum} instances"
    if service.concurrency is None:
        return f"{instances}, unlimited slots"
    return f"{instances} × {service.concurrency} slot{'' if service.concurrency == 1 else 's'}"


def _branches(
    outputs: list[tuple[str, str, str]], scenario: Scenario, drawn: set[str], indent: str
) -> Iterator[str]:
    """One line per (topic, note, line style) and consumer of it, then what that consumer emits."""
    ends = [
        (topic, note, style, consumer)
        for topic, note, style in outputs
        for consumer in _consumers(scenario, topic) or [""]
    ]
    for position, (topic, note, style, consumer) in enumerate(ends):
        is_last = position == len(ends) - 1
        line = f"{indent}{'└' if is_last else '├'}{style} {_topic(scenario, topic, note)}"
        below = indent + ("   " if is_last else "│  ")
        this = f" {consumer}" if consumer else topic  # no name begins with a space
        known = this in drawn
        drawn.update((topic, this))
        if not consumer:
            redrive = redrives_of(scenario).get(topic)
            yield line if style == "┄" or redrive else f"{line}, {ENDS_HERE}"
            if redrive and not known:
                yield from _branches([(redrive.to, "redriven", "┄")], scenario, drawn, below)
        elif known:
            yield f"{line} ─▶ {consumer} (above)"
        else:
            service = scenario.services[consumer]
            yield f"{line} ─▶ {consumer}, {_service(service)}"
            yield from _branches(_outputs(scenario, service), scenario, drawn, below)


def _consumers(scenario: Scenario, topic: str) -> list[str]:
    return [name for name, service in scenario.services.items() if topic in service.consumes]


def _outputs(scenario: Scenario, service: Service) -> list[tuple[str, str, str]]:
    outputs = [(emit.topic, _emit_note(emit.probability, emit.copies), "─") for emit in service.emits]
    outputs += [(choice.topic, f"{100 * choice.share:.4g}%", "─") for choice in service.choose]
    if service.dead_letter is not None:
        outputs.append((service.dead_letter, "dead letters", "┄"))
    expired = {topic: scenario.topics[topic].dead_letter for topic in service.consumes}
    outputs += [
        (target, f"lost from {topic}", "┄") for topic, target in expired.items() if target is not None
    ]
    return outputs


def _emit_note(probability: float, copies: int) -> str:
    share = "" if probability == 1.0 else f"{100 * probability:.4g}%"
    return ", ".join(part for part in (share, _copies(copies)) if part)


def _copies(copies: int) -> str:
    return "" if copies == 1 else f"{copies} copies"


def _topic(scenario: Scenario, name: str, note: str) -> str:
    topic = scenario.topics[name]
    kind = (
        ""
        if topic.partitions is None
        else f", {topic.partitions} partition{'' if topic.partitions == 1 else 's'}"
    )
    return f"{name}{kind}{f' ({note})' if note else ''}"


def _service(service: Service) -> str:
    from slosim.report.units import enumeration

    parts = [slots(service)]
    if service.join:
        parts.append(f"joins {enumeration(list(service.consumes))}")
    if service.batch is not None:
        parts.append(f"batches of up to {service.batch.max_messages}")
    if service.calls:
        parts.append(f"calls {', '.join(call.dependency for call in service.calls)}")
    if service.rate_limit is not None:
        parts.append(f"at most {service.rate_limit.rate:g}/s")
    if service.retry is not None:
        maximum = service.retry.maximum_attempts
        parts.append("unlimited attempts" if maximum is None else f"at most {maximum} attempts")
    return ", ".join(parts)


def _arrivals(producer: Producer) -> str:
    arrivals = producer.arrivals
    if isinstance(arrivals, Bernoulli):
        return f"with probability {arrivals.probability:g} every {arrivals.every:g} s"
    if isinstance(arrivals, Bursts):
        return f"bursts of {arrivals.rate:g}/s"
    if isinstance(arrivals, Clients):
        count = f"{arrivals.count} client{'' if arrivals.count == 1 else 's'}"
        return f"{count}, thinking {arrivals.think_time.mean():g} s on average"
    if isinstance(arrivals, Trace | Counts):
        return f"{arrivals.kind} of {arrivals.file}"
    profiled = ", with a profile" if arrivals.profile else ""
    if isinstance(arrivals, Poisson):
        return f"poisson {arrivals.rate:g}/s{profiled}"
    if isinstance(arrivals, Every):
        return f"one every {arrivals.interval:g} s{profiled}"
    return f"one every {arrivals.gap.mean():g} s on average{profiled}"
