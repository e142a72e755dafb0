"""The step of the CUBA neuron on vectors of int32, as LLVM's instructions, for the simulator.

Together the functions equal `kipuka.convert.neurons.cuba.cuba_step` where sums fit 32 bits.
Few vectors overflow, so that a step has two parts: `integrated` gives states as they are before
their limits, and `within_limits` is for vectors of which `overflows` is true. From a loop over
lanes LLVM makes a quarter more instructions. Floats must be rounded towards zero meanwhile: see
`kipuka.vectors.set_rounding`. Importing this module loads Numba.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from llvmlite import ir

from kipuka.convert import fixed
from kipuka.vectors import product_toward_zero

LIMIT, PERIOD_MASK = fixed.CUBA_STATE_LIMIT, 2 * fixed.CUBA_STATE_LIMIT - 1


class Parameters(NamedTuple):
    """Vectors of parameters, the last two in state units.

    Factors are what a step leaves of a state, floats from 0 to 1; there is none of the current
    where that is nothing.
    """

    current_factor: Any
    voltage_factor: Any
    bias: Any
    threshold: Any


def integrated(
    builder: Any, parameters: Parameters, u: Any, v: Any, arrived: Any
) -> tuple[Any, Any]:
    """Current and membrane after a step in which `arrived` came in, before their limits.

    A membrane to which a current is added that must wrap is not yet what `cuba_step` limits.
    """
    new_u = arrived
    if parameters.current_factor is not None:
        new_u = builder.add(arrived, _decayed(builder, u, parameters.current_factor))
    new_v = builder.add(_decayed(builder, v, parameters.voltage_factor), parameters.bias)
    return new_u, builder.add(new_v, new_u)


def magnitude(builder: Any, state: Any) -> Any:
    """Distances of states from 0."""
    return larger(builder, state, builder.neg(state))


def larger(builder: Any, a: Any, b: Any) -> Any:
    """Larger states of two vectors, lane by lane."""
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def overflows(builder: Any, *magnitudes: Any) -> Any:
    """Whether any state may be beyond its limit."""
    any_of_them = functools.reduce(builder.or_, magnitudes)
    beyond = builder.and_(any_of_them, _all(any_of_them.type, -LIMIT))
    bits = ir.IntType(beyond.type.element.width * beyond.type.count)
    return builder.icmp_unsigned("!=", builder.bitcast(beyond, bits), bits(0))


def within_limits(builder: Any, u: Any, v: Any) -> tuple[Any, Any, Any]:
    """Current that has wrapped, membrane that is limited, and membrane before it was limited."""
    limit = _all(u.type, LIMIT)
    wrapped = builder.and_(builder.sub(limit, u), _all(u.type, PERIOD_MASK))
    wrapped = builder.sub(limit, wrapped)
    exact_v = builder.add(builder.sub(v, u), wrapped)
    limited = larger(builder, exact_v, _all(u.type, 1 - LIMIT))
    limit = _all(u.type, LIMIT - 1)
    limited = builder.select(builder.icmp_signed("<", limited, limit), limited, limit)
    return wrapped, limited, exact_v


def reset(builder: Any, v: Any, threshold: Any) -> tuple[Any, Any]:
    """Membrane after its spikes, and which lanes spike."""
    spiked = builder.icmp_signed(">", v, threshold)
    return builder.select(spiked, _all(v.type, 0), v), spiked


def _decayed(builder: Any, state: Any, factor: Any) -> Any:
    """``shift_toward_zero(state * (4096 factor), 12)`` of 24-bit states.

    The 24 bits of a float hold states and factors. Of a product they hold the highest, and what is
    below them is less than 1: as long as nothing is rounded up, the whole number next to it towards
    zero is the right one. This takes 3 instructions, and 9 in whole numbers: products have 36 bits.
    """
    product = product_toward_zero(builder, builder.sitofp(state, factor.type), factor)
    return builder.fptosi(product, state.type)


def _all(vector: Any, number: int) -> Any:
    return ir.Constant(vector, [number] * vector.count)
