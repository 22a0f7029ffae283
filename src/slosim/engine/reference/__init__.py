"""The reference engine: the rules of docs/semantics.md in plain Python, written to be read.

It takes the resolved scenario itself, keeps one calendar, and shares no code with the compiled kernel; the
tests compare the two message by message. Reading order: `chance`, `order`, `calendar`, `faults`; `records`,
`simulation` (the loop), `producers`, `arrivals`, `clients`, `publishing`, `lines`; `services` (what is taken
when), `attempts`, `instances`, `partitions`, `deliveries`, `batches`, `joins`, `calls`; `breaker`, `budget`,
`shedding`, `autoscaler`; `flows`, `measures`, `results`.
"""

from slosim.engine.reference.results import Reference, simulate
from slosim.engine.reference.simulation import Event

__all__ = ["Event", "Reference", "simulate"]
