"""The pipeline benchmark in Ciw: stages are nodes, waiting before a retry is a node with unlimited servers.

Ciw keeps a record of every visit in memory and computes statistics afterwards, so reading the records is part
of the time. The mean number waiting is the sum of the waits over the duration, which is the same number.
"""

import ciw
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

STAGES = len(SLOTS)


def network():
    backing_off = STAGES
    routing = [[0.0] * (STAGES + 1) for _ in range(STAGES + 1)]
    for s in range(STAGES - 1):
        routing[s][s + 1] = 1.0
    routing[PAYMENT][PAYMENT + 1] = 1.0 - FAILURE_PROBABILITY
    routing[PAYMENT][backing_off] = FAILURE_PROBABILITY
    routing[backing_off][PAYMENT] = 1.0
    return ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=ARRIVAL_RATE_PER_S)] + [None] * STAGES,
        service_distributions=[
            ciw.dists.Uniform(lower=low, upper=high) for low, high in (*SERVICE_S, RETRY_S)
        ],
        number_of_servers=[*SLOTS, float("inf")],
        routing=routing,
    )


def tally_records(records):
    """Statistics out of Ciw's records of visits."""
    latency, stages = Histogram(), [StageTally() for _ in SLOTS]
    visits = {}
    for visit in records:
        visits.setdefault(visit.id_number, []).append(visit)
    for visits_of_one in visits.values():
        visits_of_one.sort(key=lambda visit: visit.arrival_date)
        first_visible = [None] * STAGES
        for visit in visits_of_one:
            s = visit.node - 1
            if s == STAGES:
                continue
            stage = stages[s]
            if first_visible[s] is None:
                first_visible[s] = visit.arrival_date
            stage.attempts += 1
            stage.wait.record(visit.waiting_time)
            stage.waiting_area += visit.waiting_time
            stage.service.record(visit.service_time)
            stage.busy_s += visit.service_time
            if visit.destination == STAGES + 1:
                stage.failed += 1
            else:
                stage.succeeded += 1
                stage.sojourn.record(visit.exit_date - first_visible[s])
                if s == STAGES - 1:
                    latency.record(visit.exit_date - visits_of_one[0].arrival_date)
    return latency, stages


def simulate(duration_s, seed):
    ciw.seed(seed)
    simulation = ciw.Simulation(network())
    before = cpu_seconds()
    simulation.simulate_until_max_time(duration_s)
    latency, stages = tally_records(simulation.get_all_records(only=["service"]))
    seconds = cpu_seconds() - before
    return simulation.nodes[0].number_of_individuals, latency, stages, seconds


main("ciw", simulate)
