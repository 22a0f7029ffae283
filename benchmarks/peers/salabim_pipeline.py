"""The pipeline benchmark in salabim: a component for each order, resources as stages, own monitors off."""

import random

import salabim
from tally import (
    ARRIVAL_RATE_PER_S,
    FAILURE_PROBABILITY,
    PAYMENT,
    RETRY_S,
    SERVICE_S,
    SLOTS,
    Histogram,
    StageTally,
    cpu_seconds,
    main,
)

rng = random.Random()
resources = []
stages = []
latency = Histogram()


class Publisher(salabim.Component):
    orders = 0

    def process(self):
        while True:
            yield self.hold(rng.expovariate(ARRIVAL_RATE_PER_S))
            self.orders += 1
            Order()


class Order(salabim.Component):
    def process(self):
        env, uniform = self.env, rng.uniform
        published = env.now()
        for s, stage in enumerate(stages):
            resource = resources[s]
            shortest, longest = SERVICE_S[s]
            first_visible = env.now()
            while True:
                visible = env.now()
                stage.waits(visible)
                yield self.request(resource)
                started = env.now()
                stage.taken(started)
                stage.attempts += 1
                stage.wait.record(started - visible)
                yield self.hold(uniform(shortest, longest))
                self.release(resource)
                ended = env.now()
                stage.service.record(ended - started)
                stage.busy_s += ended - started
                if s != PAYMENT or rng.random() >= FAILURE_PROBABILITY:
                    break
                stage.failed += 1
                yield self.hold(uniform(*RETRY_S))
            stage.succeeded += 1
            stage.sojourn.record(ended - first_visible)
        latency.record(env.now() - published)


def simulate(duration_s, seed):
    rng.seed(seed)
    env = salabim.Environment(yieldless=False, trace=False)
    resources.extend(salabim.Resource(capacity=slots, monitor=False) for slots in SLOTS)
    stages.extend(StageTally() for _ in SLOTS)
    before = cpu_seconds()
    publisher = Publisher()
    env.run(till=duration_s)
    for stage in stages:
        stage.close(duration_s)
    return publisher.orders, latency, stages, cpu_seconds() - before


main("salabim", simulate)
