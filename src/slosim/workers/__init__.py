"""Replications side by side: in threads, in processes, or on the machines of a cluster.

Whatever works, a replication is decided by its scenario and its number alone, so the results are the same
bytes on every backend and with any number of workers.
"""

from __future__ import annotations

from slosim.workers.backends import BACKENDS, open_workers, processors
from slosim.workers.pool import Status, Workers
from slosim.workers.work import Done, Work, digest_of_runs

__all__ = [
    "BACKENDS",
    "Done",
    "Status",
    "Work",
    "Workers",
    "digest_of_runs",
    "open_workers",
    "processors",
]
