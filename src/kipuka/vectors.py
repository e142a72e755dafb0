"""Vectors and bits as LLVM has them, for what Numba compiles; importing this module loads Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


def processor() -> tuple[str, str]:
    """Name of the processor that Numba compiles for, and its features: ``"+a,-b,..."``."""
    name = config.CPU_NAME or binding.get_host_cpu_name()
    return name, config.CPU_FEATURES or binding.get_host_cpu_features().flatten()


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


TOWARD_ZERO = 0
"""Rounding of floats as `set_rounding` takes it."""


@intrinsic
def set_rounding(typing_context: Any, rounding: Any) -> Any:
    """Have this thread round floats in another way; return how it did before.

    Python and NumPy expect to find it as it was.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        get, put = (
            cgutils.get_or_insert_function(builder.module, ir.FunctionType(*kind), name)
            for name, kind in {
                "llvm.get.rounding": (number, []),
                "llvm.set.rounding": (ir.VoidType(), [number]),
            }.items()
        )
        before = builder.call(get, [])
        builder.call(put, [builder.trunc(arguments[0], number)])
        return builder.sext(before, cgutils.intp_t)

    return types.int64(types.int64), build


def product_toward_zero(builder: Any, a: Any, b: Any) -> Any:
    """Product of vectors of float32, rounded towards zero where `set_rounding` has said so."""
    text = ir.MetaDataType()
    product = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(a.type, [a.type, a.type, text, text]),
        f"llvm.experimental.constrained.fmul.v{a.type.count}f32",
    )
    told = ("round.towardzero", "fpexcept.ignore")
    return builder.call(product, [a, b, *(ir.MetaDataString(builder.module, t) for t in told)])


@intrinsic
def lowest_bit(typing_context: Any, mask: Any) -> Any:
    """Number of the lowest bit that is set in a mask that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build
