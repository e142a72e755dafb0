"""Arrays that a kernel is told of by their addresses, as C functions are."""

from __future__ import annotations

from typing import Any

from numba import from_dtype, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from kipuka.deploy.fast.kernels import layout as at


def reader(kind: type, parts: tuple[bool, ...] = ()) -> Any:
    """Make a function that reads a named tuple of arrays from where `layout.table_of` put it."""
    members = [
        _member(at.WITH_LENGTHS[kind].get(name, 0), from_dtype(dtype))
        for name, dtype in at.DTYPES[kind].items()
    ]
    values = types.NamedTuple([*members, *map(types.literal, parts)], kind)

    @intrinsic
    def read(typing_context: Any, table: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = context.get_value_type(types.intp)
            entries = builder.inttoptr(arguments[0], word.as_pointer())

            def entry(number: int) -> Any:
                return builder.load(builder.gep(entries, [word(number)]))

            read = []
            for number, member in enumerate(members):
                first = number * at.ENTRIES
                dtype = member.dtype
                pointer = builder.inttoptr(entry(first), context.get_data_type(dtype).as_pointer())
                if isinstance(member, types.Array):
                    size = context.get_abi_sizeof(context.get_data_type(dtype))
                    shape = [entry(first + 1 + axis) for axis in range(member.ndim)]
                    strides = [word(size)]
                    for length in reversed(shape[1:]):
                        strides.insert(0, builder.mul(strides[0], length))
                    array = context.make_array(member)(context, builder)
                    populate_array(array, pointer, shape, strides, word(size), None)
                    read.append(array._getvalue())
                else:
                    read.append(pointer)
            read += [context.get_constant(types.boolean, part) for part in parts]
            return context.make_tuple(builder, values, read)

        return values(table), build

    return read


def _member(axes: int, dtype: Any) -> Any:
    """Type of an array in a kernel; without axes to look at it is an address alone."""
    if axes:
        return types.Array(dtype, axes, "C")
    # What a pointer to truth values reads is no truth value for Numba.
    return types.CPointer(types.int8 if dtype == types.boolean else dtype)


def _pointer(dtype: Any) -> Any:
    kind = types.CPointer(dtype)

    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(kind))

        return kind(address), build

    return pointer


bytes_at, sums_at, numbers_at, counts_at = map(
    _pointer, (types.int8, types.int16, types.int32, types.int64)
)
"""Arrays of bytes and of integers of 16, 32 and 64 bits at an address."""
