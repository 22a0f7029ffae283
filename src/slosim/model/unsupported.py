"""Keys of the language that this version cannot simulate yet: they are refused by name, never ignored.

Building one of them means deleting its line here.
"""

from __future__ import annotations

NOT_YET = "this key belongs to the language, but this version of slosim cannot simulate it"

# class whose mapping would hold the key -> keys
KEYS: dict[str, tuple[str, ...]] = {}

# sections whose members a fault cannot have as its target yet
FAULT_TARGETS: tuple[str, ...] = ("topics", "dependencies")
SEVERAL_TOPICS = "several topics in consumes"
PARQUET = "Parquet files"


def keys_of(owner: str) -> tuple[str, ...]:
    return KEYS.get(owner, ())
