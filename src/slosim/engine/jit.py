"""How the engine's functions are compiled.

`leaf`   inlined wherever it is called: the hot path is one machine-code function made of small readable ones.
`branch` inlined too, but its types are inferred by itself: branches of the loop, too large for a leaf.
`rule`   compiled once, by itself, and called like a C function: what is rare costs the hot path nothing, and
         the compiler, which would copy every callee into every caller, seconds instead of minutes.
`entry`  called from Python.

The types of a rule's parameters follow from their names (KINDS), everywhere the same; so one version is
compiled of each, and a call with another type is converted or refused.
"""

from __future__ import annotations

import dis
import gc
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numba
from numba import types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.typed_passes import NativeLowering

from slosim.engine.handle import STATE, record_type

KINDS = (
    {"S": STATE}
    | dict.fromkeys(
        ("now", "time", "start", "reading", "u", "tail", "value", "until", "slice_s", "end", "waited"),
        types.float64,
    )
    | dict.fromkeys(("succeeded", "has_slot"), types.boolean)
    | {"identity": types.uint64}
    | {
        name: record_type(array)
        for name, array in {
            "service": "services",
            "line": "lines",
            "queue": "queues",
            "topic": "topics",
            "outlet": "outlets",
            "producer": "producers",
            "group": "groups",
            "edge": "edges",
            "message": "messages",
            "mechanism": "mechanisms",
            "dependency": "dependencies",
            "stop": "stops",
        }.items()
    }
)
"""Types by parameter name; every other parameter is an index, a count or a code: int64."""

OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"nnan"}}
_PENDING: list[Callable] = []


@register_pass(mutates_CFG=False, analysis_only=False)
class _CallBySymbol(LoweringPass):
    """Lets callers of a rule call its symbol, instead of linking a copy of its code."""

    _name = "slosim_call_by_symbol"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state) -> bool:
        compiled = state["cr"]
        state.targetctx._defns.pop(compiled.cfunc)
        state.targetctx.insert_user_function(compiled.cfunc, compiled.fndesc, ())
        return True


class _Separate(CompilerBase):
    def define_pipelines(self) -> list:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_CallBySymbol, NativeLowering)
        passes.finalize()
        return [passes]


def leaf(function: Callable) -> Callable:
    return numba.njit(inline="always", **OPTIONS)(function)


def branch(function: Callable) -> Callable:
    return numba.njit(forceinline=True, no_cfunc_wrapper=True, no_cpython_wrapper=True, **OPTIONS)(function)


def rule(function: Callable) -> Callable:
    compiled = numba.njit(cache=True, pipeline_class=_Separate, no_cfunc_wrapper=True, **OPTIONS)(function)
    _PENDING.append(compiled)
    return compiled


def entry(function: Callable) -> Callable:
    compiled = numba.njit(cache=True, **OPTIONS)(function)
    _PENDING.append(compiled)
    return compiled


def compile_all(is_cached: bool) -> None:
    """Compile every rule and entry not compiled yet, or load it from the cache: callees before callers."""
    seen: set[int] = set()
    with ExitStack() as stack:
        stack.enter_context(_without_collecting())
        if is_cached:
            stack.enter_context(_refreshed(cpu_target.target_context))
            stack.enter_context(_refreshed(cpu_target.typing_context))
        for function in _PENDING:
            if isinstance(function, Dispatcher):
                _compile(function, seen)
    _PENDING.clear()


@contextmanager
def _without_collecting() -> Iterator[None]:
    """The compiler keeps almost everything it makes: looking for garbage costs a tenth of its time."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


@contextmanager
def _refreshed(context) -> Iterator[None]:
    """Every load from the cache would look for new registrations again: a third of a warm start."""
    context.refresh()
    context.refresh = lambda: None
    try:
        yield
    finally:
        del context.refresh


def _compile(function: Dispatcher, seen: set[int]) -> None:
    if id(function) in seen:
        return
    seen.add(id(function))
    body = function.py_func
    for name in (one.argval for one in dis.get_instructions(body) if one.opname == "LOAD_GLOBAL"):
        callee = body.__globals__.get(name)
        if isinstance(callee, Dispatcher):
            _compile(callee, seen)
    if function in _PENDING:
        function.compile(tuple(KINDS.get(name, types.int64) for name in inspect.signature(body).parameters))
        function.disable_compile()
