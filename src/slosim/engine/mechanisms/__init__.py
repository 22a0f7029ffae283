"""What only some services need (docs/semantics.md S42 to S67), compiled when a scenario first uses it.

Bottom up: `places` (where a message is), `protection` (breaker, budget, shedding), `owners` (of partitions),
`returns` (redelivery, and leaving for good), `joins`, `instances` (how they come and go), `room`
(who could take), `attempts` (how they end), `publishing`, `calls`, `taking`, `scaling`, `stops` (crashes and
restarts), and `loop`, which handles the events of one coupling group.

Here an attempt is a record of its own beside its message: several attempts of one message may go on at once,
and an instance knows what would be lost with it.
"""
