"""The state of one run: the arrays of the program, copied, and those that grow with the backlog."""

from __future__ import annotations

from collections import namedtuple
from typing import NamedTuple

import numpy as np

from slosim.compile import program as P
from slosim.compile.clocks import Occurrence
from slosim.compile.program import Program
from slosim.compile.streams import run_key, stream_of
from slosim.engine.drawn import draw_bursts, draw_faults
from slosim.measure.histogram import BUCKET_COUNT

FIRST_MESSAGES = 4096
FIRST_HEAP = 256
TRACE_ROWS = 1 << 16
WAKES_LAST, DEPENDENCIES_LAST = 1 << 61, 1 << 62
"""In the order of timers: before them come the other timers of services."""

LAYOUTS: dict[str, tuple[object, int]] = {
    "run": (P.RUN, 1),
    "groups": (P.GROUP, 1),
    "members": ("i8", 1),  # i8: services of each group, in file order
    "edges": (P.EDGE, 1),
    "edge_of": ("i4", 2),  # i4[groups, lines]: edge from a group to a line, -1 inside the group
    "services": (P.SERVICE_RECORD, 1),
    "mechanisms": (P.MECHANISM, 1),  # of each service
    "instances": (P.INSTANCE, 1),
    "lines": (P.LINE, 1),
    "queues": (P.QUEUE, 1),
    "topics": (P.TOPIC, 1),
    "consumers": ("i8", 1),  # i8: lines of each topic
    "blocking_topics": ("i8", 1),  # i8: blocking topics of each group
    "producers": (P.PRODUCER, 1),
    "outlets": (P.OUTLET, 1),
    "rotations": ("i8", 1),  # i8: messages each publisher has spread over each topic
    "group_dependencies": ("i8", 1),  # i8: dependencies of each group
    "closed_producers": ("i8", 1),  # i8: producers with clients of each group
    "calls": (P.CALL, 1),
    "dependencies": (P.DEPENDENCY, 1),
    "effects": (P.EFFECT, 1),
    "windows": (P.WINDOW, 1),
    "stops": (P.STOP, 1),
    "outcomes": ("u1", 1),  # u1: windows of circuit breakers, 1 for a failure
    "readings": ("f8", 1),  # f8: metrics of autoscalers, messages, s or slots per instance
    "advice": ("f8", 2),  # f8[, 2]: time s and instances that autoscalers wanted
    "scalings": ("f8", 2),  # f8[, 3]: time s, instances wanted before and after
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
    "details": (P.DETAIL, 1),  # of each message, where mechanisms are used
    "parts": ("f8", 2),  # f8[messages, parts] s
    "flow_instances": (P.FLOW_INSTANCE, 1),
    "finish_parts": ("f8", 2),  # f8[flow instances, parts] s
    "heap_times": ("f8", 1),  # f8 s
    "heap_messages": ("i4", 1),  # i4
    "histograms": ("i8", 2),  # i8[services x 3, buckets]
    "event_lags": ("i8", 2),  # i8[lines, buckets]
    "dependency_waits": ("i8", 2),  # i8[dependencies, buckets]
    "latencies": ("i8", 2),  # i8[flows, buckets]
    "finished": ("i8", 2),  # i8[flows, coarse buckets]
    "part_ticks": ("i8", 3),  # i8[flows, coarse buckets, parts] 2**-30 s
    "turned": ("i8", 3),  # i8[objectives, 2, samples + 1]: good, bad by sample; last: after all samples
    "samples": ("f8", 3),  # f8[lines, P.SAMPLE_FIELDS, samples]
    "service_samples": ("f8", 3),  # f8[services, P.SERVICE_SAMPLE_FIELDS, samples]
    "dependency_samples": ("f8", 3),  # f8[dependencies, busy and waiting, samples]
    "trace": (P.TRACE_ROW, 1),
}
"""Every array the kernel sees: its layout (compile/program.py) or type, and its dimensions."""

Arrays = namedtuple("Arrays", LAYOUTS)


class State(Arrays):
    """The arrays, with the address of the table that says where they are (engine/handle.py).

    occurrences  when random faults occur in this run
    """

    occurrences: list[Occurrence]

    def __new__(cls, **arrays: np.ndarray) -> State:
        state = super().__new__(cls, **arrays)
        state.table = table_of(state)
        state.address = state.table.ctypes.data
        state.occurrences = []
        return state

    def replaced(self, **arrays: np.ndarray) -> State:
        """The same state with some arrays exchanged for longer ones."""
        state = State(**(self._asdict() | arrays))
        state.occurrences = self.occurrences
        return state


def table_of(arrays: Arrays) -> np.ndarray:
    """For each array in order: its address and its shape; all are contiguous: int64."""
    entries: list[int] = []
    for array in arrays:
        assert array.flags.c_contiguous
        entries += [array.ctypes.data, *array.shape]
    return np.array(entries, np.int64)


def new_state(program: Program, seed: int, replication: int, tracing: bool = False) -> State:
    """A run at time 0: the program's arrays copied, its streams keyed, room for a small backlog."""
    arrays = {name: array.copy() for name, array in program.arrays.items()}
    run = run_key(seed, replication)
    for name, field in program.streams:
        keys = arrays[name][field]
        keys[:] = [stream_of(int(key), run) for key in keys]
    drawn = draw_faults(program, run)
    if drawn:
        arrays |= program.timelines.lay(arrays, [*program.timelines.occurrences(), *drawn])
    arrays["run"]["stops"] = len(arrays["stops"])
    draw_bursts(program, arrays, run)
    info = arrays["run"][0]
    services, flows, lines = len(arrays["services"]), len(arrays["flows"]), len(arrays["lines"])
    dependencies = len(arrays["dependencies"])
    coarse = (BUCKET_COUNT >> P.COARSE) + 1
    arrays |= {
        "messages": np.zeros(0, P.MESSAGE),
        "details": np.zeros(0 if info["mechanisms"] else 1, P.DETAIL),
        "parts": np.zeros((0, max(1, info["parts"]))),
        "flow_instances": np.zeros(0, P.FLOW_INSTANCE),
        "finish_parts": np.zeros((0, max(1, info["parts"]))),
        "heap_times": np.zeros(0),
        "heap_messages": np.zeros(0, np.int32),
        "histograms": np.zeros((services * P.HISTOGRAMS_PER_SERVICE, BUCKET_COUNT), np.int64),
        "event_lags": np.zeros((lines, BUCKET_COUNT), np.int64),
        "dependency_waits": np.zeros((dependencies, BUCKET_COUNT), np.int64),
        "latencies": np.zeros((flows, BUCKET_COUNT), np.int64),
        "finished": np.zeros((flows, coarse), np.int64),
        "part_ticks": np.zeros((flows, coarse, max(1, info["parts"])), np.int64),
        "turned": np.zeros((len(arrays["objectives"]), 2, info["samples"] + 1), np.int64),
        "samples": np.zeros((lines, P.SAMPLE_FIELDS, info["samples"])),
        "service_samples": np.zeros((services, P.SERVICE_SAMPLE_FIELDS, info["samples"])),
        "dependency_samples": np.zeros((dependencies, P.DEPENDENCY_SAMPLE_FIELDS, info["samples"])),
        "trace": np.zeros(TRACE_ROWS + 64 * int(info["margin"]) if tracing else 1, P.TRACE_ROW),
    }
    info["tracing"], info["trace_capacity"] = tracing, len(arrays["trace"])
    info["free_head"] = info["instance_head"] = P.NONE
    state = State(**{name: as_records(array) for name, array in arrays.items()})
    state.occurrences = drawn
    timers = timers_of(state)
    state = grow_messages(state, FIRST_MESSAGES + 2 * int(info["margin"]) + len(timers))
    for group in range(len(state.groups)):
        state = grow_calendar(state, group, FIRST_HEAP + 4 * int(info["margin"]) + len(timers))
    reserve(state, timers)
    return state


def as_records(array: np.ndarray) -> np.ndarray:
    """Structured arrays as record arrays: compiled and plain Python code then read their fields alike."""
    return array.view(np.recarray) if array.dtype.names else array


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
    details = _longer(state.details, capacity) if run.mechanisms else state.details
    return state.replaced(
        messages=as_records(messages),
        details=as_records(details),
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


# Timers.


class Timer(NamedTuple):
    """A message record that is a timer of something else than a message.

    order     stands for the origin in the message order
    instance  that it is of, -1
    call      dependency or row of `stops` that it is of
    """

    line: int
    order: int
    instance: int = P.NONE
    call: int = 0


def timers_of(state: State) -> list[Timer]:
    """The timers, in the order of their records; tells those that have them where they are.

    Record s is the timer by which service s takes again. Where there are mechanisms the others follow.
    """
    services = state.services
    timers = [Timer(services[s].line, WAKES_LAST + s) for s in range(len(services))]
    if not state.run[0].mechanisms:
        return timers
    for s in range(len(services)):
        line, first = services[s].line, int(services[s].first_instance)
        state.mechanisms[s].first_timer = len(timers)
        timers += [
            Timer(line, timer_order(s, stage)) for stage in range(P.STAGE_REBALANCE, P.STAGE_SCALES + 1)
        ]
        for i in range(first, first + int(services[s].instance_count)):
            state.instances[i].timer = len(timers)
            number = int(state.instances[i].number)
            for stage in (P.STAGE_COMES_UP, P.STAGE_SESSION):
                timers.append(Timer(line, timer_order(s, stage, number=number), instance=i))
    for k in range(len(state.stops)):
        stop = state.stops[k]
        stop.timer = len(timers)
        number = int(stop.instance) + 1
        order = timer_order(int(stop.service), P.STAGE_STOP_BEGINS, int(stop.place), number)
        timers.append(Timer(services[stop.service].line, order, call=k))
    for d in range(len(state.dependencies)):
        state.dependencies[d].timer = len(timers)
        timers.append(Timer(0, DEPENDENCIES_LAST + d, call=d))
    for p in range(len(state.producers)):
        state.producers[p].first_client = len(timers)
        timers += [Timer(0, p << 48)] * int(state.producers[p].clients)
    return timers


def timer_order(service: int, stage: int, place: int = 0, number: int = 0) -> int:
    """Place of a service's timer among those of its instant: after all messages (rule S1)."""
    return service << 48 | stage << 44 | place << 24 | number


def reserve(state: State, timers: list[Timer]) -> None:
    """Take the first message records for timers."""
    for record, timer in enumerate(timers):
        message = state.messages[record]
        message.start, message.origin, message.line = np.inf, timer.order, timer.line
        message.instance = P.NONE
        if state.run[0].mechanisms:
            state.details[record].instance, state.details[record].call = timer.instance, timer.call
    run = state.run[0]
    run.free_head, run.free_count = len(timers), run.free_count - len(timers)


def bytes_of(state: State) -> int:
    """Memory the state takes."""
    return sum(array.nbytes for array in state)


def _longer(array: np.ndarray, length: int) -> np.ndarray:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return np.asarray(longer)
