"""The state of one run: the arrays of the program, copied, and those that grow with the backlog."""

from __future__ import annotations

from collections import namedtuple

import numpy as np

from slosim.compile import program as P
from slosim.compile.clocks import rate_rows
from slosim.compile.lower import key_of
from slosim.compile.program import Program
from slosim.measure.histogram import BUCKET_COUNT
from slosim.model.distributions import Distribution

FIRST_MESSAGES = 4096
FIRST_HEAP = 256
TRACE_ROWS = 1 << 16
MASK = (1 << 64) - 1
G = 0x9E3779B97F4A7C15


LAYOUTS: dict[str, tuple[object, int]] = {
    "run": (P.RUN, 1),
    "groups": (P.GROUP, 1),
    "members": ("i8", 1),  # i8: services of each group, in file order
    "edges": (P.EDGE, 1),
    "edge_of": ("i4", 2),  # i4[groups, lines]: edge from a group to a line, -1 inside the group
    "services": (P.SERVICE_RECORD, 1),
    "instances": (P.INSTANCE, 1),
    "lines": (P.LINE, 1),
    "queues": (P.QUEUE, 1),
    "topics": (P.TOPIC, 1),
    "consumers": ("i8", 1),  # i8: lines of each topic
    "blocking_topics": ("i8", 1),  # i8: blocking topics of each group
    "producers": (P.PRODUCER, 1),
    "outlets": (P.OUTLET, 1),
    "rotations": ("i8", 1),  # i8: messages each publisher has spread over each topic
    "effects": (P.EFFECT, 1),
    "rates": (P.RATE, 1),
    "clocks": (P.CLOCK, 1),
    "trace_times": ("f8", 1),  # f8 s
    "trace_keys": ("i8", 1),  # i8: index into key_hashes
    "distributions": (P.DISTRIBUTION, 1),
    "knots": ("f8", 1),  # f8
    "key_shares": ("f8", 1),  # f8, cumulated
    "key_hashes": ("i8", 1),  # i8, positive 31 bits
    "priorities": (P.PRIORITY_SHARE, 1),
    "flows": (P.FLOW, 1),
    "objectives": (P.OBJECTIVE, 1),
    "matters": ("u1", 2),  # u1[lines, flows]: the end of the flow can be reached from this line's service
    "ends": ("u1", 2),  # u1[lines, flows]: the line's service ends the flow
    "topic_matters": ("u1", 2),  # u1[topics, flows]
    "messages": (P.MESSAGE, 1),
    "parts": ("f8", 2),  # f8[messages, parts] s
    "flow_instances": (P.FLOW_INSTANCE, 1),
    "finish_parts": ("f8", 2),  # f8[flow instances, parts] s
    "heap_times": ("f8", 1),  # f8 s
    "heap_messages": ("i4", 1),  # i4
    "histograms": ("i8", 2),  # i8[services x 4, buckets]
    "latencies": ("i8", 2),  # i8[flows, buckets]
    "finished": ("i8", 2),  # i8[flows, coarse buckets]
    "part_ticks": ("i8", 3),  # i8[flows, coarse buckets, parts] 2**-30 s
    "turned": (
        "i8",
        3,
    ),  # i8[objectives, 2, samples + 1]: good, bad by sample; the last column is what comes after
    "samples": ("f8", 3),  # f8[lines, P.SAMPLE_FIELDS, samples]
    "trace": (P.TRACE_ROW, 1),
}
"""Every array the kernel sees: its layout (compile/program.py) or type, and its dimensions."""

Arrays = namedtuple("Arrays", LAYOUTS)


class State(Arrays):
    """The arrays, with the address of the table that says where they are (engine/handle.py)."""

    def __new__(cls, **arrays: np.ndarray) -> State:
        state = super().__new__(cls, **arrays)
        state.table = table_of(state)
        state.address = state.table.ctypes.data
        return state

    def replaced(self, **arrays: np.ndarray) -> State:
        """The same state with some arrays exchanged for longer ones."""
        return State(**(self._asdict() | arrays))


def table_of(arrays: Arrays) -> np.ndarray:
    """For each array in order: its address and its shape; all are contiguous: int64."""
    entries: list[int] = []
    for array in arrays:
        assert array.flags.c_contiguous
        entries += [array.ctypes.data, *array.shape]
    return np.array(entries, np.int64)


def mix(x: int) -> int:
    """Finaliser of splitmix64 on a Python integer (rule S5)."""
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def run_key(seed: int, replication: int) -> int:
    """Key that every stream of a run is mixed with (rule S5)."""
    return mix(mix(seed + G & MASK) ^ (replication + 1) * G & MASK)


def stream_of(key: int, run: int) -> int:
    return mix(key ^ run)


def new_state(program: Program, seed: int, replication: int, tracing: bool = False) -> State:
    """A run at time 0: the program's arrays copied, its streams keyed, room for a small backlog."""
    arrays = {name: array.copy() for name, array in program.arrays.items()}
    run = run_key(seed, replication)
    for name, field in program.streams:
        keys = arrays[name][field]
        keys[:] = [stream_of(int(key), run) for key in keys]
    draw_bursts(program, arrays, run)
    info = arrays["run"][0]
    services, flows = len(arrays["services"]), len(arrays["flows"])
    coarse = (BUCKET_COUNT >> P.COARSE) + 1
    arrays |= {
        "messages": np.zeros(0, P.MESSAGE),
        "parts": np.zeros((0, max(1, info["parts"]))),
        "flow_instances": np.zeros(0, P.FLOW_INSTANCE),
        "finish_parts": np.zeros((0, max(1, info["parts"]))),
        "heap_times": np.zeros(0),
        "heap_messages": np.zeros(0, np.int32),
        "histograms": np.zeros((services * P.HISTOGRAMS_PER_SERVICE, BUCKET_COUNT), np.int64),
        "latencies": np.zeros((flows, BUCKET_COUNT), np.int64),
        "finished": np.zeros((flows, coarse), np.int64),
        "part_ticks": np.zeros((flows, coarse, max(1, info["parts"])), np.int64),
        "turned": np.zeros((len(arrays["objectives"]), 2, info["samples"] + 1), np.int64),
        "samples": np.zeros((services, P.SAMPLE_FIELDS, info["samples"])),
        "trace": np.zeros(TRACE_ROWS + 64 * int(info["margin"]) if tracing else 1, P.TRACE_ROW),
    }
    info["tracing"], info["trace_capacity"] = tracing, len(arrays["trace"])
    info["free_head"] = info["instance_head"] = P.NONE
    state = State(**{name: as_records(array) for name, array in arrays.items()})
    state = grow_messages(state, FIRST_MESSAGES + 2 * int(info["margin"]) + services)
    for group in range(len(state.groups)):
        state = grow_calendar(state, group, FIRST_HEAP + 4 * int(info["margin"]))
    reserve_wakes(state)
    return state


def as_records(array: np.ndarray) -> np.ndarray:
    """Structured arrays as record arrays: compiled and plain Python code then read their fields alike."""
    return array.view(np.recarray) if array.dtype.names else array


def draw_bursts(program: Program, arrays: dict[str, np.ndarray], run: int) -> None:
    """The on and off periods of this run, as rates (rule S9)."""
    for p, name, arrivals in program.bursts:
        producer = arrays["producers"][p]
        end = last_reading(producer, arrays["clocks"], float(arrays["run"]["duration"][0]))
        on, off = (
            Periods(
                getattr(arrivals, purpose),
                stream_of(key_of(f"producers.{name}/{purpose}"), run),
                int(producer["name_key"]),
            )
            for purpose in ("on", "off")
        )
        count = 64
        while on.first(count).sum() + off.first(count).sum() <= end:
            count *= 2
        widths = np.column_stack((on.first(count), off.first(count))).ravel()
        starts = np.concatenate(([0.0], np.cumsum(widths)[:-1]))
        lasts = np.append(widths[:-1] > 0.0, True)
        rows = rate_rows(starts[lasts], np.tile([arrivals.rate, arrivals.idle_rate], count)[lasts])
        producer["first_rate"] = producer["rate"] = len(arrays["rates"])
        producer["rate_count"] = len(rows)
        arrays["rates"] = np.concatenate((arrays["rates"], rows))


def last_reading(producer: np.void, clocks: np.ndarray, duration: float) -> float:
    """What a producer's clock shows at the end of the run, s."""
    if producer["clock_count"] == 0:
        return duration
    rows = clocks[producer["first_clock"] :][: producer["clock_count"]]
    row = rows[np.searchsorted(rows["at"], duration, side="right") - 1]
    rest = duration - row["at"]
    return float(row["integral"] + rest * (row["factor"] + 0.5 * row["slope"] * rest))


class Periods:
    """On or off periods of bursts, drawn by their number (rule S7)."""

    def __init__(self, distribution: Distribution, stream: int, name_key: int) -> None:
        self._distribution, self._stream, self._name_key = distribution, stream, name_key
        self._drawn = np.zeros(0)

    def first(self, count: int) -> np.ndarray:
        """The first `count` periods, s."""
        new = range(len(self._drawn), count)
        if new:
            identities = (mix(self._name_key + (j + 1) * G & MASK) for j in new)
            u = np.array([_uniform(self._stream, identity) for identity in identities])
            drawn = np.asarray(self._distribution.quantile(u, 1.0 - u), np.float64)
            self._drawn = np.concatenate((self._drawn, drawn))
        return self._drawn[:count]


def _uniform(stream: int, identity: int) -> float:
    return ((mix(stream ^ identity) >> 12) + 0.5) * 2.0**-52


# Growing.


def grow_messages(state: State, capacity: int) -> State:
    """The same state with more room for messages and flow instances; the new ones are free."""
    run = state.run[0]
    old, width = len(state.messages), int(run.flows_per_producer)
    messages = _longer(state.messages, capacity)
    instances = _longer(state.flow_instances, capacity * width)
    messages["next"][old:] = np.append(np.arange(old + 1, capacity), run.free_head)
    messages["heap"][old:] = P.NONE
    run.free_head, run.free_count = old, run.free_count + capacity - old
    heads = np.append(np.arange(old + 1, capacity), run.instance_head)
    instances["flow"][old * width :] = P.NONE
    instances["open"][old * width :: width] = heads
    run.instance_head = old
    return state.replaced(
        messages=as_records(messages),
        parts=_longer(state.parts, capacity),
        flow_instances=as_records(instances),
        finish_parts=_longer(state.finish_parts, capacity * width),
    )


def grow_calendar(state: State, group: int, capacity: int) -> State:
    """The same state with more room in the calendar of one group."""
    groups = state.groups
    more = capacity - int(groups[group].heap_capacity)
    end = int(groups[group].heap_first + groups[group].heap_capacity)
    times = np.insert(state.heap_times, np.full(more, end), 0.0)
    messages = np.insert(state.heap_messages, np.full(more, end), 0)
    groups["heap_first"][group + 1 :] += more
    groups[group].heap_capacity = capacity
    return state.replaced(heap_times=times, heap_messages=messages)


def reserve_wakes(state: State) -> None:
    """Message s of a service s is its own timer (kind SERVICE_WAKES), after the messages of that instant."""
    count = len(state.services)
    wakes = state.messages[:count]
    wakes["start"] = np.inf
    wakes["origin"] = np.arange(count)
    wakes["line"] = state.services["line"]
    wakes["queue"] = state.lines["first_queue"]
    wakes["instance"] = P.NONE
    run = state.run[0]
    run.free_head, run.free_count = count, run.free_count - count


def bytes_of(state: State) -> int:
    """Memory the state takes."""
    return sum(array.nbytes for array in state)


def _longer(array: np.ndarray, length: int) -> np.ndarray:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return np.asarray(longer)
