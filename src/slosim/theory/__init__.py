"""Closed forms of queueing theory, each with its formula, its units and its source.

Mathematics only: plain numbers in, plain numbers out, nothing of the simulator. They serve the tests, which
hold the simulator against them, and the findings of a report, which explain its numbers.

- `little`: L = λW, utilisation, growth of a saturated queue
- `erlang`: Erlang B and C, how many slots are enough
- `mm`: M/M/1, M/M/c, M/M/c/K
- `deterministic`: M/D/1 and M/D/c
- `mg1`: M/G/1, last come first served, M/G/c approximately, batches
- `priority`: priority classes
- `networks`: stations in series, fork and join, Jackson networks
- `batching`: loops that take all that waits, batches that wait for more
- `breakdowns`: slots that break down
- `clients`: a closed loop
- `fan_out`: waiting for the slowest of many, hedged requests
- `patience`: messages that expire or give up
- `retries`: success and load of retries, budgets, feedback, metastable overload
- `rate_limit`: token buckets
- `transients`: outages, draining, daily rhythms
- `keys`: keys of unequal weight
"""

from . import (
    batching,
    breakdowns,
    clients,
    deterministic,
    erlang,
    fan_out,
    keys,
    little,
    mg1,
    mm,
    networks,
    patience,
    priority,
    rate_limit,
    retries,
    transients,
)

__all__ = [
    "batching",
    "breakdowns",
    "clients",
    "deterministic",
    "erlang",
    "fan_out",
    "keys",
    "little",
    "mg1",
    "mm",
    "networks",
    "patience",
    "priority",
    "rate_limit",
    "retries",
    "transients",
]
