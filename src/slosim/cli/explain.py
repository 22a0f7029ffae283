"""`slosim explain`: what a scenario says, with nothing left out, and what it asks of each service."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slosim.cli.options import ScenarioFile, Sets, load_scenario
from slosim.cli.terminal import print_out
from slosim.files import yaml_text
from slosim.model import Clients

if TYPE_CHECKING:
    from slosim.compile.offered_load import DependencyLoad, ServiceLoad
    from slosim.model import Scenario, Service

WITHOUT_END = "without end: a cycle of emits or of retries only ever grows"
AS_MUCH_AS_IT_CAN = "as much as it can do: its clients do not think"


def explain(scenario: ScenarioFile, sets: Sets = None) -> None:
    """Print a scenario with every default filled in, its topology, and the offered load of each service.

    The offered load is arithmetic, not simulation: rate × attempts × mean service time ÷ slots; no faults.
    """
    from slosim.cli.drawing import draw

    loaded = load_scenario(scenario, sets)
    sections = [
        ("Scenario, with every default filled in", yaml_text(loaded.resolved()).rstrip("\n")),
        ("Topology", draw(loaded)),
        ("Offered load, without faults", offered_load(loaded)),
    ]
    print_out("\n\n".join(f"{title}\n{'─' * len(title)}\n{text}" for title, text in sections))


def offered_load(scenario: Scenario) -> str:
    """The sum for each service and dependency at the mean rates, and at the peak where that differs."""
    from slosim.compile.offered_load import dependency_loads, offered_loads

    mean, peak = offered_loads(scenario, "mean"), offered_loads(scenario, "peak")
    asked, asked_most = dependency_loads(scenario, "mean"), dependency_loads(scenario, "peak")
    blocks: list[tuple[str, list[str]]] = []
    for name, producer in scenario.producers.items():
        if isinstance(producer.arrivals, Clients):
            blocks.append((name, [clients(producer.arrivals)]))
    for name, load in mean.items():
        service, most = scenario.services[name], peak[name]
        lines = [arithmetic(load, service)]
        if most.arrival_rate_per_s > load.arrival_rate_per_s:
            lines.append(f"at the peak: {arithmetic(most, service)}")
        blocks.append((name, [*lines, *_notes(most, service)]))
    for name, load in asked.items():
        lines = [requests(load)]
        if asked_most[name].request_rate_per_s > load.request_rate_per_s:
            lines.append(f"at the peak: {requests(asked_most[name])}")
        blocks.append((name, lines))
    width = max((len(name) for name, _ in blocks), default=0)
    texts = [
        f"{'' if row else name:<{width}}  {line}" for name, lines in blocks for row, line in enumerate(lines)
    ]
    return "\n".join(texts) if mean else "no services"


def clients(arrivals: Clients) -> str:
    """The most that closed-loop clients could publish."""
    from slosim.report.units import duration, plural, three_digits

    thinking, count = arrivals.think_time.mean(), plural(arrivals.count, "client")
    if thinking == 0.0:
        return f"{count} without thinking: as many messages/s as are answered"
    rate = three_digits(arrivals.count / thinking)
    return f"{count} ÷ {duration(thinking)} of thinking = at most {rate} messages/s"


def arithmetic(load: ServiceLoad, service: Service) -> str:
    """The sum in words and numbers that a reader can check by hand."""
    from slosim.report.units import duration, plural, three_digits

    if math.isinf(load.arrival_rate_per_s) or math.isinf(load.offered_load):
        return AS_MUCH_AS_IT_CAN if load.is_bound else WITHOUT_END
    factors = [f"{three_digits(load.arrival_rate_per_s)} messages/s"]
    if load.attempts_per_message != 1.0:
        factors.append(f"{three_digits(load.attempts_per_message)} attempts")
    factors.append(duration(load.service_time_mean_s) + _what_it_holds(load, service))
    product = ("at most " if load.is_bound else "") + " × ".join(factors)
    if load.slots is None or load.utilisation_ratio is None:
        return f"{product} = {three_digits(load.offered_load)} busy slots, without limit"
    return f"{product} ÷ {plural(load.slots, 'slot')} = utilisation {three_digits(load.utilisation_ratio)}"


def requests(load: DependencyLoad) -> str:
    """The sum of a dependency, as of a service."""
    from slosim.report.units import duration, three_digits

    if math.isinf(load.request_rate_per_s):
        return AS_MUCH_AS_IT_CAN if load.is_bound else WITHOUT_END
    product = f"{three_digits(load.request_rate_per_s)} requests/s × {duration(load.service_time_mean_s)}"
    product = ("at most " if load.is_bound else "") + product
    if load.capacity is None or load.utilisation_ratio is None:
        return f"{product} = {three_digits(load.offered_load)} at once, without limit"
    sign = "! " if load.utilisation_ratio >= 1.0 and not load.is_bound else ""
    return f"{sign}{product} ÷ {load.capacity} at once = utilisation {three_digits(load.utilisation_ratio)}"


def _what_it_holds(load: ServiceLoad, service: Service) -> str:
    """What the time of a slot is made of, where that is not the service time alone."""
    from slosim.report.units import duration

    if service.batch is not None:
        return f" (its share of a batch of {service.batch.max_messages})"
    return f" (calls: {duration(load.calls_mean_s)})" if load.calls_mean_s else ""


def _notes(load: ServiceLoad, service: Service) -> list[str]:
    """What a reader should know about a load: too much for the slots, or for the rate limit."""
    from slosim.report.units import plural, three_digits

    notes: list[str] = []
    too_much = load.utilisation_ratio is not None and load.utilisation_ratio >= 1.0
    if too_much and load.is_bound and math.isfinite(load.offered_load):
        notes.append("it can limit how fast its clients are answered")
    elif too_much and not load.is_bound:
        needed = load.instances_needed
        remedy = "no number of instances" if needed is None else plural(needed, "instance")
        notes.append(f"! more than it can do: its lag grows for as long as this lasts; {remedy} would do")
    if service.autoscale is not None and load.most_slots is not None and math.isfinite(load.offered_load):
        most = plural(service.autoscale.maximum, "instance")
        ratio = three_digits(load.offered_load / load.most_slots)
        notes.append(
            f"autoscaled to at most {most}: ÷ {plural(load.most_slots, 'slot')} = utilisation {ratio}"
        )
    if load.rate_limit_per_s is not None and math.isfinite(load.attempt_rate_per_s):
        rate, limit = load.attempt_rate_per_s, load.rate_limit_per_s
        sign = "! " if rate >= limit and not load.is_bound else ""
        quotient = f"{three_digits(rate)} ÷ {three_digits(limit)} attempts/s = {three_digits(rate / limit)}"
        notes.append(f"{sign}rate limit: {quotient}")
    return notes
