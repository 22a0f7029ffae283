"""The pipeline benchmark in SimPy, as its manual has it: an order is a process, a stage a resource."""

import random

import simpy
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


class Pipeline:
    def __init__(self, seed):
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.resources = [simpy.Resource(self.env, capacity=slots) for slots in SLOTS]
        self.stages = [StageTally() for _ in SLOTS]
        self.latency = Histogram()
        self.orders = 0

    def publish(self):
        env = self.env
        while True:
            yield env.timeout(self.random.expovariate(ARRIVAL_RATE_PER_S))
            self.orders += 1
            env.process(self.order())

    def order(self):
        env, uniform = self.env, self.random.uniform
        published = env.now
        for s, stage in enumerate(self.stages):
            first_visible = env.now
            resource = self.resources[s]
            shortest, longest = SERVICE_S[s]
            while True:
                visible = env.now
                stage.waits(visible)
                with resource.request() as slot:
                    yield slot
                    started = env.now
                    stage.taken(started)
                    stage.attempts += 1
                    stage.wait.record(started - visible)
                    yield env.timeout(uniform(shortest, longest))
                ended = env.now
                stage.service.record(ended - started)
                stage.busy_s += ended - started
                if s != PAYMENT or self.random.random() >= FAILURE_PROBABILITY:
                    break
                stage.failed += 1
                yield env.timeout(uniform(*RETRY_S))
            stage.succeeded += 1
            stage.sojourn.record(ended - first_visible)
        self.latency.record(env.now - published)


def simulate(duration_s, seed):
    pipeline = Pipeline(seed)
    before = cpu_seconds()
    pipeline.env.process(pipeline.publish())
    pipeline.env.run(until=duration_s)
    for stage in pipeline.stages:
        stage.close(duration_s)
    return pipeline.orders, pipeline.latency, pipeline.stages, cpu_seconds() - before


main("simpy", simulate)
