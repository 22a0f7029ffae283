"""The pipeline benchmark in plain Python: one loop over a `heapq`, statistics as everywhere."""

import random
from collections import deque
from heapq import heappop, heappush, heapreplace

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

PUBLISH = -1
COMPLETE = 0  # plus the stage
RETRY = len(SLOTS)  # plus the stage


class Order:
    __slots__ = ("first_visible", "published", "started", "visible")


def simulate(duration_s, seed):
    rng = random.Random(seed)
    draw, exponential = rng.random, rng.expovariate
    tallies = [StageTally() for _ in SLOTS]
    latency = Histogram()
    lines = [deque() for _ in SLOTS]
    free = list(SLOTS)
    shortest = [low for low, _ in SERVICE_S]
    spread = [high - low for low, high in SERVICE_S]
    orders = 0
    sequence = 0
    last = len(SLOTS) - 1

    before = cpu_seconds()
    calendar = [(exponential(ARRIVAL_RATE_PER_S), sequence, PUBLISH, None)]
    while True:
        now, _, kind, order = calendar[0]
        if now >= duration_s:
            break
        if kind == PUBLISH:
            sequence += 1
            heapreplace(calendar, (now + exponential(ARRIVAL_RATE_PER_S), sequence, PUBLISH, None))
            orders += 1
            order = Order()
            order.published = order.first_visible = now
            s = 0
        elif kind < RETRY:
            s = kind
            tally = tallies[s]
            service = now - order.started
            tally.service.record(service)
            tally.busy_s += service
            line = lines[s]
            if line:  # the slot takes the next one at once
                following = line.popleft()
                tally.taken(now)
                tally.attempts += 1
                tally.wait.record(now - following.visible)
                following.started = now
                sequence += 1
                heapreplace(calendar, (now + shortest[s] + spread[s] * draw(), sequence, kind, following))
            else:
                free[s] += 1
                heappop(calendar)
            if s == PAYMENT and draw() < FAILURE_PROBABILITY:
                tally.failed += 1
                sequence += 1
                back = now + RETRY_S[0] + (RETRY_S[1] - RETRY_S[0]) * draw()
                heappush(calendar, (back, sequence, RETRY + s, order))
                continue
            tally.succeeded += 1
            tally.sojourn.record(now - order.first_visible)
            if s == last:
                latency.record(now - order.published)
                continue
            s += 1
            order.first_visible = now
        else:
            s = kind - RETRY
            heappop(calendar)

        order.visible = now
        tally = tallies[s]
        if free[s]:
            free[s] -= 1
            tally.attempts += 1
            tally.wait.record(0.0)
            order.started = now
            sequence += 1
            heappush(calendar, (now + shortest[s] + spread[s] * draw(), sequence, COMPLETE + s, order))
        else:
            tally.waits(now)
            lines[s].append(order)

    for tally in tallies:
        tally.close(duration_s)
    return orders, latency, tallies, cpu_seconds() - before


main("heapq", simulate)
