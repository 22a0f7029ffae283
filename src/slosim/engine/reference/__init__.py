"""The reference engine: the rules of docs/semantics.md in plain Python, written to be read.

It takes the resolved scenario itself, keeps one calendar, and shares no code with the compiled kernel; the
tests compare the two message by message. Reading order: `chance`, `order`, `arrivals`, `records`,
`simulation`, `flows`, `measures`.
"""

from slosim.engine.reference.simulation import Event, Reference, simulate

__all__ = ["Event", "Reference", "simulate"]
