"""How compiled code holds the state: one pointer to a table of where the arrays are.

Forty arrays passed by value would make every plain call copy three hundred numbers, and the compiler take minutes.
The table does not change while compiled code runs (arrays grow between calls), so its loads may be merged and moved.
Uncompiled, `State` is used as it is.
"""

from __future__ import annotations

from hashlib import blake2b

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.imputils import lower_getattr_generic
from numba.core.typing.templates import AttributeTemplate
from numba.extending import NativeValue, infer_getattr, models, register_model, typeof_impl, unbox
from numba.np.arrayobj import make_array, populate_array

from slosim.engine.state import LAYOUTS, State


class StateType(types.Type):
    """Type of a State: the names and types of its arrays."""

    def __init__(self, arrays: tuple[tuple[str, types.Array], ...]) -> None:
        self.arrays = arrays
        described = ", ".join(f"{name}={array}" for name, array in arrays)
        super().__init__(name=f"State({blake2b(described.encode(), digest_size=8).hexdigest()})")


class NamedRecord(types.Record):
    """A record type whose compiled functions have the same symbols in every process."""

    def __init__(self, layout: str, record: types.Record) -> None:
        self.layout = layout
        fields = [(name, vars_of(info)) for name, info in record.fields.items()]
        super().__init__(fields, record.size, record.aligned)

    @property
    def mangling_args(self) -> tuple[str, tuple]:
        return f"Record_{self.layout}", ()


register_model(NamedRecord)(models.RecordModel)


def vars_of(info) -> dict:
    return {"type": info.type, "offset": info.offset, "alignment": info.alignment, "title": info.title}


def _array_type(name: str, dtype: np.dtype, dimensions: int) -> types.Array:
    if dtype.names:
        return types.Array(NamedRecord(name, numba.from_dtype(dtype)), dimensions, "C")
    return types.Array(numba.from_dtype(dtype), dimensions, "C")


STATE = StateType(tuple((name, _array_type(name, np.dtype(dtype), ndim)) for name, (dtype, ndim) in LAYOUTS.items()))


def record_type(array: str) -> types.Record:
    """Type of one record of an array of the state."""
    return dict(STATE.arrays)[array].dtype


@typeof_impl.register(State)
def _type_of_state(state, context):
    return STATE


@register_model(StateType)
class _StateModel(models.PrimitiveModel):
    """A pointer to the table (engine/state.py:table_of)."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.IntType(64).as_pointer())


@unbox(StateType)
def _unbox_state(kind, value, context):
    address = context.pyapi.object_getattr_string(value, "address")
    number = context.pyapi.long_as_voidptr(address)
    context.pyapi.decref(address)
    return NativeValue(context.builder.bitcast(number, ir.IntType(64).as_pointer()))


@infer_getattr
class _StateAttributes(AttributeTemplate):
    key = StateType

    def generic_resolve(self, kind, name):
        return dict(kind.arrays).get(name)


@lower_getattr_generic(StateType)
def _get_array(context, builder, kind, table, name):
    """An array of the state, without ownership: loads its place from the table."""
    position = 0
    for field, array_type in kind.arrays:
        if field == name:
            break
        position += 1 + array_type.ndim
    once = builder.module.add_metadata([])

    def entry(i):
        loaded = builder.load(builder.gep(table, [ir.IntType(64)(position + i)]))
        loaded.set_metadata("invariant.load", once)
        return loaded

    array = make_array(array_type)(context, builder)
    data = builder.inttoptr(entry(0), context.get_data_type(array_type.dtype).as_pointer())
    shape = [entry(1 + axis) for axis in range(array_type.ndim)]
    item_bytes = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    strides = [ir.IntType(64)(item_bytes)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(array, data, shape, strides, ir.IntType(64)(item_bytes), None)
    return array._getvalue()
