"""What only some services need (docs/semantics.md S42 to S67), compiled when a scenario first uses it.

Bottom up: `places` (where a message is), `protection` (breaker, budget, shedding), `owners` (partitions that
change hands), `returns` (redelivery, and leaving for good), `joins`, `attempts` (how they end), `publishing`,
`calls`, `instances`, `taking`, `scaling`, and `loop`, which handles the events of one coupling group.

Here an attempt is a record of its own beside its message: several attempts of one message may go on at once,
and an instance knows what would be lost with it.
"""
