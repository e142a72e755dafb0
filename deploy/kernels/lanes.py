"""Groups of neurons that one vector operation takes, and masks with a bit for each of them.

States lie in blocks of `LANES` neurons, one row of lanes per variable. Loops over a block have a
constant length and constant distances between their rows, which is what lets LLVM turn them into
vector instructions without tests for overlapping arrays. Indices into them are unsigned: a signed
one may count from the end, and the test for that costs the vector instructions too.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from kipuka.convert import fixed

LANES = 32
"""Neurons per block: two 512-bit vectors of int32, or one 256-bit vector of weights."""

RUN = 8
"""Neighbouring weights that are added at a time where a row is short."""


def fingerprint(files: list[Path]) -> str:
    """Hash of the content of some files."""
    content = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(files))
    return hashlib.sha256(content).hexdigest()[:16]


SOURCES = fingerprint([*Path(__file__).parent.glob("*.py"), Path(fixed.__file__)])
"""What compiled kernels depend on."""


def compiled(function: Any) -> Any:
    """Compile a function on its first call and keep the result on disk for other processes.

    Numba keys its cache by the function's name and its own file alone; with the fingerprint in the
    name, a change in what is compiled into the function is noticed too.
    """
    function.__qualname__ += f"_{SOURCES}"
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def inlined(function: Any) -> Any:
    """Compile a function into those that call it, and for them alone."""
    return njit(
        nogil=True,
        error_model="numpy",
        forceinline=True,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )(function)


@intrinsic
def borrowed(typing_context: Any, arrays: Any) -> Any:
    """Give the same arrays without counting references to them: for use inside a kernel alone.

    Numba counts every use of an array that it takes out of a tuple, in atomic operations that would
    take most of the time of a step.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        uncounted = []
        for number, array_kind in enumerate(kind.types):
            array = context.make_array(array_kind)(
                context, builder, builder.extract_value(arguments[0], number)
            )
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            uncounted.append(array._getvalue())
        return context.make_tuple(builder, kind, uncounted)

    return arrays(arrays), build


@intrinsic
def lanes_with(typing_context: Any, array: Any, position: Any, bits: Any) -> Any:
    """Mask of the lanes whose value has any of `bits` set; lane 0 is the lowest bit.

    ``lanes_with(array, position, bits)`` looks at ``array[position : position + LANES]``.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lane = context.get_value_type(signature.args[0].dtype)
        vector = ir.VectorType(lane, LANES)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())
        values = builder.load(pointer, align=lane.width // 8)
        wanted = context.cast(builder, arguments[2], types.int64, signature.args[0].dtype)
        found = builder.icmp_unsigned(
            "!=",
            builder.and_(values, _everywhere(builder, wanted, vector)),
            ir.Constant(vector, [0] * LANES),
        )
        mask = builder.bitcast(found, ir.IntType(LANES))
        return builder.zext(mask, cgutils.intp_t)

    return types.int64(array, types.intp, types.int64), build


@intrinsic
def add_run(
    typing_context: Any, sums: Any, place: Any, weights: Any, first: Any, times: Any
) -> Any:
    """Add `times` the `RUN` weights from `first` on to the sums from `place` on.

    Written as a loop it would stay scalar: LLVM would have to test, for every few numbers, that the
    arrays do not overlap.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(number: int) -> Any:
            kind = signature.args[number]
            data = context.make_array(kind)(context, builder, arguments[number]).data
            vector = ir.VectorType(context.get_value_type(kind.dtype), RUN)
            place = builder.gep(data, [arguments[number + 1]])
            return builder.bitcast(place, vector.as_pointer()), vector

        into, vector = pointer(0)
        source, _ = pointer(2)
        width = signature.args[0].dtype.bitwidth // 8
        wide = builder.sext(builder.load(source, align=1), vector)
        factor = context.cast(builder, arguments[4], types.int64, signature.args[0].dtype)
        product = builder.mul(wide, _everywhere(builder, factor, vector))
        builder.store(builder.add(builder.load(into, align=width), product), into, align=width)
        return context.get_dummy_value()

    return types.void(sums, types.intp, weights, types.intp, types.int64), build


def _everywhere(builder: Any, value: Any, vector: Any) -> Any:
    """Vector with the same value in all lanes."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, value, cgutils.int32_t(0))
    zeros = ir.Constant(ir.VectorType(cgutils.int32_t, vector.count), [0] * vector.count)
    return builder.shuffle_vector(single, undefined, zeros)


@intrinsic
def lowest_lane(typing_context: Any, mask: Any) -> Any:
    """Number of the lowest bit that is set in a mask that is not 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), build
