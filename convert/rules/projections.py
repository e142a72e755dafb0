"""Design rules of the projections of a Program, and of what joins them to their neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons.model import SPIKES
from kipuka.convert.rules.checks import check_delays, check_range, check_weights
from kipuka.convert.synapses import RECURRENT, ConvSynapses, DenseSynapses, SparseSynapses, Synapses
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.program import Layer, Program, Projection


def weights_are_even_8_bit(projection: Projection, where: str) -> None:
    """Weights are even integers between -256 and 254."""
    weights = projection.synapses.weights
    n_dimensions = {ConvSynapses: 4, DenseSynapses: 2, SparseSynapses: 1}[type(projection.synapses)]
    if weights.ndim != n_dimensions or weights.dtype != np.int16:
        raise KipukaError(
            "weights_are_even_8_bit: the weights are not an array of int16",
            where=where,
            limit="int16, (targets, sources) or, of a convolution, (output channels, "
            "input channels / groups, height, width) or, of sparse rows, (synapses,)",
            value=f"shape {weights.shape}, dtype {weights.dtype}",
            remedy="quantize the weights before building the network",
        )
    check_weights("weights_are_even_8_bit", weights, f"{where}, key weight")


def sparse_rows_are_in_order(projection: Projection, where: str) -> None:
    """Sparse rows follow each other, and each names its targets once, in ascending order."""
    synapses = projection.synapses
    if not isinstance(synapses, SparseSynapses):
        return
    targets, offsets = synapses.targets, synapses.offsets
    typed = targets.dtype == np.int32 and offsets.dtype == np.int64
    fits = (
        typed
        and targets.shape == synapses.weights.shape
        and offsets.ndim == 1
        and offsets.size > 1
        and offsets[0] == 0
        and offsets[-1] == targets.size
        and not np.any(np.diff(offsets) < 0)
    )
    if fits:
        ascending = np.diff(targets) > 0
        starts = offsets[1:-1]
        # A row may begin anywhere; between two rows the order starts anew.
        ascending[starts[(starts > 0) & (starts < targets.size)] - 1] = True
        inside = targets.size == 0 or (targets.min() >= 0 and targets.max() < synapses.n_targets)
        fits = bool(inside and ascending.all())
    if not fits:
        raise KipukaError(
            "sparse_rows_are_in_order: targets or offsets do not describe rows",
            where=f"{where}, key weight",
            limit=f"int32 targets from 0 to {synapses.n_targets - 1}, ascending in each row; "
            "int64 offsets from 0 to the number of synapses",
            value=f"{targets.size} targets of {targets.dtype}, {offsets.size} offsets of "
            f"{offsets.dtype}, {synapses.weights.size} weights",
            remedy="sort the synapses by source and target and merge doubled ones",
        )


def delays_within_hardware(projection: Projection, where: str) -> None:
    """Delays are int16, 0 to 62 steps, per source neuron or per synapse."""
    check_delays(projection.delays, f"{where}, key delay")


def weight_exponent_is_small(projection: Projection, where: str) -> None:
    """Weight exponents shift left by 0 to 7 bits, or right by one, which rounds no even sum."""
    check_range(
        "weight_exponent_is_small",
        np.asarray(projection.weight_exponent),
        (fixed.WEIGHT_EXPONENT_MIN, fixed.WEIGHT_EXPONENT_MAX),
        f"{where}, key wgtExp",
        "bits",
        "scale the weights instead",
    )


def projection_connects_neighbours(
    projection: Projection, layer: Layer, n_sources: int, where: str
) -> None:
    """A projection's weights and delays fit the neurons at both of its ends."""
    synapses = projection.synapses
    expected = (layer.n_neurons, n_sources)
    delays = projection.delays.shape
    found = (synapses.n_targets, synapses.n_sources)
    dense = isinstance(synapses, DenseSynapses)
    fits = delays == (n_sources,) or (dense and delays == expected)
    if found != expected or not fits:
        raise KipukaError(
            "projection_connects_neighbours: weights or delays do not fit the neurons they join",
            where=where,
            limit=f"weights {expected} as (targets, sources), "
            f"delays {(n_sources,)} per source or, of dense weights, {expected} per synapse",
            value=f"weights {found}, delays {delays}",
            remedy="check the order of the layers and the orientation of the matrix",
        )


def convolution_fits_shapes(
    synapses: ConvSynapses, sender: tuple[int, ...], receiver: tuple[int, ...], where: str
) -> None:
    """A convolution's shapes agree with its neighbours, its kernel and its geometry."""
    expected = synapses.formula_shape()
    channels = synapses.weights.shape[1] * synapses.groups
    output = synapses.output_shape
    geometry = (*synapses.stride, *synapses.dilation, synapses.groups)
    pooling = synapses.groups == channels == output[0]
    fits = (
        synapses.input_shape == sender
        and output == receiver
        and min(geometry) >= 1
        and min(synapses.padding) >= 0
        and synapses.padded_units() <= fixed.NEURONS_MAX
        and channels == synapses.input_shape[0]
        and output[0] % synapses.groups == 0
        and output[0] == expected[0]
        and all(0 < low <= n for low, n in zip(expected[1:], output[1:], strict=True))
        # Pooling may read past the edge, as long as every window sees some of the input.
        and all(
            n == low or (pooling and (n - 1) * stride - padding < size)
            for n, low, stride, padding, size in zip(
                output[1:],
                expected[1:],
                synapses.stride,
                synapses.padding,
                sender[1:],
                strict=True,
            )
        )
    )
    if not fits:
        raise KipukaError(
            "convolution_fits_shapes: shapes and geometry contradict each other",
            where=where,
            limit=f"input {sender}, output {receiver}, which stride, padding, dilation and groups "
            f"have to give; they give {expected}",
            value=f"kernel {synapses.weights.shape}, input {synapses.input_shape}, output "
            f"{output}, stride {synapses.stride}, padding {synapses.padding}, dilation "
            f"{synapses.dilation}, groups {synapses.groups}",
            remedy="check the geometry and export the network again",
        )


def convolutions_share_geometry(layer: Layer, where: str) -> None:
    """Convolutions from other layers share their geometry, and so do those of own spikes."""
    for own, name in ((False, "other layers"), (True, "own spikes")):
        found = {
            (s.kernel, s.stride, s.padding, s.dilation, s.groups)
            for p in layer.projections
            if (p.source == RECURRENT) == own and p.message == SPIKES.name
            for s in [p.synapses]
            if isinstance(s, ConvSynapses)
        }
        if len(found) > 1:
            raise KipukaError(
                "convolutions_share_geometry: the convolutions of a layer differ in geometry",
                where=f"{where}, projections of {name}",
                limit="one kernel size, stride, padding, dilation and number of groups",
                value=sorted(found),
                remedy="pad the smaller kernels with zeros, or convolve in a layer of their own",
            )


def current_stays_in_the_layer(projection: Projection, layer: Layer, where: str) -> None:
    """A current goes to the update gate of the GRU that it comes from, and its sum fits 32 bits."""
    message = layer.neuron_model.message(projection.message)
    fits = (
        message is not None
        and message.graded
        and (projection.source, projection.target) == (RECURRENT, "z")
        and not isinstance(projection.synapses, SparseSynapses)
        and projection.weight_exponent == 0
        and not np.any(projection.delays)
    )
    if not fits or message is None:
        raise KipukaError(
            "current_stays_in_the_layer: the projection cannot carry a graded message",
            where=where,
            limit="message current, of a spiking GRU layer to its own target z, dense or "
            "convolution, without delays and weight exponent",
            value=f"message {projection.message} of {layer.model} neurons, "
            f"{type(projection.synapses).__name__}, weight exponent {projection.weight_exponent}, "
            f"longest delay {projection.delays.max(initial=0)}",
            remedy="send spikes, or change what the limit names",
        )
    largest = _largest_fan_in(projection.synapses)
    if largest * message.limit > fixed.INT32_MAX:
        raise KipukaError(
            "current_stays_in_the_layer: the weighted sum of the messages may leave 32 bits",
            where=f"{where}, key weight",
            limit=f"a sum of magnitudes per neuron up to {fixed.INT32_MAX // message.limit}",
            value=largest,
            remedy="make the weights smaller, or connect fewer neurons, as a convolution does",
        )


def message_suits_receiver(
    program: Program, position: int, projection: Projection, where: str
) -> None:
    """Graded spikes go to neurons that add them up, spikes to all others."""
    layer, sender = program.layers[position], position - projection.source
    sent = program.layers[sender].neuron_model.sends if sender >= 0 else SPIKES
    graded = projection.message == SPIKES.name and sent.graded
    if graded != (layer.neuron_model.receives == "graded"):
        raise KipukaError(
            "message_suits_receiver: spikes and graded spikes meet the wrong neurons",
            where=where,
            limit=f"{layer.neuron_model.receives} for {layer.model} neurons",
            value=f"{'graded spikes' if graded else 'spikes'} of "
            f"{program.layers[sender].model if sender >= 0 else 'the input'}",
            remedy="put sigma-delta layers behind an encoder and before nothing but their kind",
        )


def weighted_payloads_fit_32_bits(program: Program, position: int, where: str) -> None:
    """What graded spikes can bring in a step fits 32-bit words, beside a sum of 24 bits."""
    layer = program.layers[position]
    if layer.neuron_model.receives != "graded":
        return
    largest = 0
    for projection in layer.projections:
        sender = program.layers[position - projection.source].neuron_model
        magnitudes = fixed.shift_left(
            _largest_fan_in(projection.synapses), projection.weight_exponent
        )
        largest += magnitudes * sender.sends.limit
    if largest > fixed.INT32_MAX - fixed.SIGMA_LIMIT:
        raise KipukaError(
            "weighted_payloads_fit_32_bits: the weighted sum of graded spikes may leave 32 bits",
            where=f"{where}, key weight",
            limit=f"a sum of weight magnitudes times payloads per neuron up to "
            f"{fixed.INT32_MAX - fixed.SIGMA_LIMIT}",
            value=largest,
            remedy="make the weights smaller, or connect fewer neurons, as a convolution does",
        )


def _largest_fan_in(synapses: Synapses) -> int:
    """Largest sum of weight magnitudes over a target's synapses, in weight units."""
    magnitudes = np.abs(synapses.weights.astype(np.int64))
    if isinstance(synapses, SparseSynapses):
        sums = np.bincount(synapses.targets, magnitudes, synapses.n_targets)
    else:
        sums = magnitudes.sum(axis=tuple(range(1, magnitudes.ndim)))
    return int(sums.max(initial=0))


PROJECTION_RULES: tuple[Callable[[Projection, str], None], ...] = (
    weights_are_even_8_bit,
    sparse_rows_are_in_order,
    delays_within_hardware,
    weight_exponent_is_small,
)
