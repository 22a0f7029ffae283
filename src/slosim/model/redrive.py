"""Redrives as services: what both engines run in place of the `redrive` effects of faults."""

from __future__ import annotations

import dataclasses

from slosim.model.distributions import Constant
from slosim.model.faults import Redrive
from slosim.model.scenario import Scenario, assembled
from slosim.model.topology import Emit, Emits, RateLimit, Service

REDRIVE_SUFFIX = "/redrive"  # no name of a file can hold a slash


def with_redrives(scenario: Scenario) -> Scenario:
    """The scenario with one more service for each topic that is redriven, behind all others.

    It takes the messages of the topic and publishes them to the other one at the rate of the redrive; an
    engine pauses it outside the times of those faults, which stay in `faults`.
    """
    redrives = redrives_of(scenario)
    if not redrives:
        return scenario
    hidden = {topic + REDRIVE_SUFFIX: _service(topic, redrive) for topic, redrive in redrives.items()}
    values = {one.name: getattr(scenario, one.name) for one in dataclasses.fields(Scenario)}
    return assembled(values | {"services": scenario.services | hidden})


def is_redrive(service_name: str) -> bool:
    """Whether a service stands for a redrive."""
    return service_name.endswith(REDRIVE_SUFFIX)


def redrives_of(scenario: Scenario) -> dict[str, Redrive]:
    """The redrive of each topic that has one, in the order of the topics."""
    found = {
        fault.target_in("topics"): fault.effect.redrive
        for fault in scenario.faults
        if fault.effect.redrive is not None
    }
    return {topic: found[topic] for topic in scenario.topics if topic in found}


def _service(topic: str, redrive: Redrive) -> Service:
    return Service(
        consumes=(topic,),
        instances=1,
        concurrency=1,
        service_time=Constant(0.0),
        emitted=Emits(all=(Emit(redrive.to),)),
        rate_limit=RateLimit(redrive.rate, burst=1),
    )
