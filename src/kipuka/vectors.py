"""Vectors and bits as LLVM has them, for what Numba compiles; importing this module loads Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def pointer_in(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Where the entries of an array begin; the simulator's kernels know most by that alone."""
    if isinstance(kind, types.CPointer):
        return value
    return context.make_array(kind)(context, builder, value).data


def vector_at(context: Any, builder: Any, kind: Any, place: Any, vector: Any) -> Any:
    """Pointer to a vector in an array; `place` is the array and an index."""
    data = pointer_in(context, builder, kind, place[0])
    return builder.bitcast(builder.gep(data, [place[1]]), vector.as_pointer())


def everywhere(builder: Any, value: Any, vector: Any) -> Any:
    """Vector with the same value in all lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, value, cgutils.int32_t(0))
    zeros = ir.Constant(ir.VectorType(cgutils.int32_t, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, undefined, zeros)


@intrinsic
def lowest_bit(typing_context: Any, mask: Any) -> Any:
    """Number of the lowest bit that is set in a mask that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build
