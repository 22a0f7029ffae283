"""How compiled code holds the state: one pointer to a table of where the arrays are.

Forty arrays passed by value would make every plain call copy three hundred numbers, and the compiler take
minutes. The table does not change while compiled code runs (arrays grow between calls), so its loads may be
merged and moved. Indices are never negative, which saves a test at every access; NUMBA_BOUNDSCHECK=1 checks
them all. Uncompiled, `State` and its NumPy arrays are used as they are.
"""

from __future__ import annotations

import operator

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin, lower_getattr_generic
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_global, signature
from numba.extending import NativeValue, infer_getattr, models, register_model, typeof_impl, unbox

from slosim.engine.state import LAYOUTS, State

INT64 = ir.IntType(64)


class NamedRecord(types.Record):
    """A record type whose compiled functions have the same symbols in every process."""

    def __init__(self, layout: str, record: types.Record) -> None:
        self.layout = layout
        fields = [
            (name, {"type": info.type, "offset": info.offset, "alignment": info.alignment})
            for name, info in record.fields.items()
        ]
        super().__init__(fields, record.size, record.aligned)

    @property
    def mangling_args(self) -> tuple[str, tuple]:
        return f"Record_{self.layout}", ()


class TableType(types.Type):
    """Type of one array of the state; its value points to the entry that tells where the array is."""

    def __init__(self, name: str, item: types.Type, item_bytes: int, dimensions: int, position: int) -> None:
        self.item, self.item_bytes, self.dimensions, self.position = item, item_bytes, dimensions, position
        super().__init__(name=f"Table({name})")


class StateType(types.Type):
    """Type of the state."""

    def __init__(self, tables: dict[str, TableType]) -> None:
        self.tables = tables
        super().__init__(name="State")


def _state_type() -> StateType:
    tables = {}
    position = 0
    for name, (layout, dimensions) in LAYOUTS.items():
        dtype = np.dtype(layout)
        item = numba.from_dtype(dtype)
        if dtype.names:
            item = NamedRecord(name, item)
        tables[name] = TableType(name, item, dtype.itemsize, dimensions, position)
        position += 1 + dimensions
    return StateType(tables)


register_model(NamedRecord)(models.RecordModel)


@register_model(StateType)
@register_model(TableType)
class _EntryPointer(models.PrimitiveModel):
    """A pointer into the table of addresses and shapes (engine/state.py:table_of)."""

    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, INT64.as_pointer())


STATE = _state_type()


def record_type(array: str) -> types.Record:
    """Type of one record of an array of the state."""
    return STATE.tables[array].item


@typeof_impl.register(State)
def _type_of_state(state, context):
    return STATE


@unbox(StateType)
def _unbox_state(kind, value, context):
    address = context.pyapi.object_getattr_string(value, "address")
    number = context.pyapi.long_as_voidptr(address)
    context.pyapi.decref(address)
    return NativeValue(context.builder.bitcast(number, INT64.as_pointer()))


@infer_getattr
class _StateAttributes(AttributeTemplate):
    key = StateType

    def generic_resolve(self, kind, name):
        return kind.tables.get(name)


@lower_getattr_generic(StateType)
def _get_table(context, builder, kind, state, name):
    return builder.gep(state, [INT64(kind.tables[name].position)])


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], TableType):
            return signature(args[0].item, *args)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], TableType):
            return signature(types.none, args[0], args[1], args[0].item)
        return None


@lower_builtin(operator.getitem, TableType, types.Integer)
@lower_builtin(operator.getitem, TableType, types.BaseTuple)
def _get_item(context, builder, sig, args):
    place = _place(context, builder, sig.args[0], args[0], sig.args[1], args[1])
    if isinstance(sig.return_type, types.Record):
        return builder.bitcast(place, context.get_value_type(sig.return_type))
    return builder.load(builder.bitcast(place, context.get_data_type(sig.return_type).as_pointer()))


@lower_builtin(operator.setitem, TableType, types.Integer, types.Any)
@lower_builtin(operator.setitem, TableType, types.BaseTuple, types.Any)
def _set_item(context, builder, sig, args):
    place = _place(context, builder, sig.args[0], args[0], sig.args[1], args[1])
    builder.store(args[2], builder.bitcast(place, context.get_data_type(sig.args[2]).as_pointer()))
    return context.get_dummy_value()


def _place(context, builder, table, entry, index_type, index):
    """Address of an item, row by row; bounds are checked only when asked for."""
    is_tuple = isinstance(index_type, types.BaseTuple)
    kinds = list(index_type) if is_tuple else [index_type]
    values = cgutils.unpack_tuple(builder, index) if is_tuple else [index]
    indices = [
        context.cast(builder, value, kind, types.int64) for value, kind in zip(values, kinds, strict=True)
    ]
    if numba.config.BOUNDSCHECK:
        for axis, one in enumerate(indices):
            outside = builder.icmp_unsigned(">=", one, _entry(builder, entry, 1 + axis))
            with cgutils.if_unlikely(builder, outside):
                context.call_conv.return_user_exc(
                    builder, IndexError, (f"{table.name}: index is out of bounds",)
                )
    offset = indices[0]
    for axis in range(1, table.dimensions):
        offset = builder.add(builder.mul(offset, _entry(builder, entry, 1 + axis)), indices[axis])
    data = builder.inttoptr(_entry(builder, entry, 0), ir.IntType(8).as_pointer())
    return builder.gep(data, [builder.mul(offset, INT64(table.item_bytes))], inbounds=True)


def _entry(builder, entry, i):
    """Number i of a table's entry: the address, then the shape."""
    loaded = builder.load(builder.gep(entry, [INT64(i)]))
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded
