"""Design rules of a Program: small functions whose name heads the error that they raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.program import Layer, Program, Projection


def check_program(program: Program) -> None:
    """Apply every rule, first to last.

    Raises
    ------
    KipukaError
        At the first rule that is broken.
    """
    program_has_layers(program)
    n_sources = int(np.prod(program.input_shape))
    for number, layer in enumerate(program.layers, start=1):
        where = f"layer {number}"
        for rule in LAYER_RULES:
            rule(layer, where)
        for projection in layer.projections:
            expected = layer.n_neurons if projection.source == "self" else n_sources
            for check in PROJECTION_RULES:
                check(projection, f"{where}, projection {projection.source} to {projection.target}")
            projection_connects_neighbours(projection, layer, expected, where)
        n_sources = layer.n_neurons
    readout_fits_last_layer(program)


def program_has_layers(program: Program) -> None:
    """A network has an input and at least one layer."""
    if not program.layers or not program.input_shape or min(program.input_shape) < 1:
        raise KipukaError(
            "program_has_layers: the network has no layer or no input",
            where="network",
            limit="at least 1 layer and 1 input unit",
            value=f"{len(program.layers)} layers, input shape {tuple(program.input_shape)}",
            remedy="export the network again with its layers",
        )


def parameters_match_shape(layer: Layer, where: str) -> None:
    """Every neuron parameter is an int64 vector with one entry per neuron."""
    for key, array in zip(layer.neuron._fields, layer.neuron, strict=True):
        if array.shape != (layer.n_neurons,) or array.dtype != np.int64:
            raise KipukaError(
                f"parameters_match_shape: {key} does not fit the layer",
                where=f"{where}, key {key}",
                limit=f"an int64 vector of {layer.n_neurons} entries, one per neuron",
                value=f"shape {array.shape}, dtype {array.dtype}",
                remedy="give one value per neuron",
            )


def layer_is_fed_by_input(layer: Layer, where: str) -> None:
    """At most one projection joins each source and target, and one comes from the layer before."""
    pairs = [(p.source, p.target) for p in layer.projections]
    wrong = [pair for pair in pairs if pairs.count(pair) > 1 or pair[1] not in layer.targets]
    if wrong or not any(source == "previous" for source, _ in pairs):
        raise KipukaError(
            "layer_is_fed_by_input: the projections do not fit the neuron model",
            where=where,
            limit=f"one projection per source and target out of {', '.join(layer.targets)}, "
            "at least one of them from the previous layer",
            value=pairs,
            remedy="merge doubled projections and connect the layer to the one before",
        )


def decays_within_unity(layer: Layer, where: str) -> None:
    """CUBA decays lie between 0 and 4096."""
    if isinstance(layer.neuron, CubaParameters):
        for key, netx in (("current_decay", "iDecay"), ("voltage_decay", "vDecay")):
            _check_range(
                "decays_within_unity",
                getattr(layer.neuron, key),
                (0, fixed.UNITY),
                f"{where}, key {netx}",
                "4096 stands for 1.0",
                "train with decays between 0 and 1",
            )


def bias_within_bits(layer: Layer, where: str) -> None:
    """CUBA biases have 13 bits; GRU biases are even 8-bit integers like weights."""
    if isinstance(layer.neuron, CubaParameters):
        _check_range(
            "bias_within_bits",
            layer.neuron.bias,
            (fixed.CUBA_BIAS_MIN, fixed.CUBA_BIAS_MAX),
            f"{where}, key bias",
            "signed 13-bit weight units",
            "scale the layer down or train with smaller biases",
        )
        return
    for key in ("bias_i", "bias_r", "bias_z"):
        _check_weights("bias_within_bits", getattr(layer.neuron, key), f"{where}, key {key}")


def threshold_can_be_reached(layer: Layer, where: str) -> None:
    """A threshold is positive and not above what the membrane can hold."""
    threshold = layer.neuron.threshold
    if isinstance(layer.neuron, SpikingGruParameters):
        high = fixed.GRU_THRESHOLD_MAX
    else:
        high = fixed.THRESHOLD_MAX
        threshold = threshold[threshold != fixed.NEVER_SPIKES]
    _check_range(
        "threshold_can_be_reached",
        threshold,
        (1, high),
        f"{where}, key vThMant",
        f"weight units; {fixed.NEVER_SPIKES} means a CUBA neuron without spikes",
        "choose a threshold inside the range and scale the weights with it",
    )


def weights_are_even_8_bit(projection: Projection, where: str) -> None:
    """Weights are even integers between -256 and 254."""
    weights = projection.synapses.weights
    if weights.ndim != 2 or weights.dtype != np.int16:
        raise KipukaError(
            "weights_are_even_8_bit: the weights are not a matrix of int16",
            where=where,
            limit="int16 matrix (targets, sources)",
            value=f"shape {weights.shape}, dtype {weights.dtype}",
            remedy="quantize the weights before building the network",
        )
    _check_weights("weights_are_even_8_bit", weights, f"{where}, key weight")


def delays_within_hardware(projection: Projection, where: str) -> None:
    """Delays are int16, 0 to 62 steps, per source neuron or per synapse."""
    _check_delays(projection.delays, f"{where}, key delay")


def weight_exponent_is_small(projection: Projection, where: str) -> None:
    """Weight exponents shift left by 0 to 7 bits; a right shift would round, sums differently."""
    _check_range(
        "weight_exponent_is_small",
        np.asarray(projection.weight_exponent),
        (0, 7),
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
    if found != expected or delays not in ((n_sources,), expected):
        raise KipukaError(
            "projection_connects_neighbours: weights or delays do not fit the neurons they join",
            where=f"{where}, projection {projection.source} to {projection.target}",
            limit=f"weights {expected} as (targets, sources), "
            f"delays {(n_sources,)} per source or {expected} per synapse",
            value=f"weights {found}, delays {delays}",
            remedy="check the order of the layers and the orientation of the matrix",
        )


def readout_fits_last_layer(program: Program) -> None:
    """The readout has a delay per output neuron and decides on something that neuron model has."""
    last, readout = program.layers[-1], program.readout
    _check_delays(readout.delays, "readout, key delay")
    cuba = isinstance(last.neuron, CubaParameters)
    silent = cuba and bool(np.all(last.neuron.threshold == fixed.NEVER_SPIKES))
    fits = {"spike_count": not silent, "membrane": silent}.get(readout.kind, False)
    if not fits or readout.delays.shape != (last.n_neurons,):
        raise KipukaError(
            "readout_fits_last_layer: the readout does not fit the last layer",
            where=f"readout, after layer {len(program.layers)} ({last.model})",
            limit=f"spike_count after neurons that spike, membrane after CUBA neurons with "
            f"vThMant {fixed.NEVER_SPIKES}; {last.n_neurons} delays",
            value=f"{readout.kind}, {readout.delays.size} delays",
            remedy="choose the other readout or change the last layer's threshold",
        )


def _check_range(
    rule: str, array: np.ndarray, limits: tuple[int, int], where: str, unit: str, remedy: str
) -> None:
    low, high = limits
    outside = (array < low) | (array > high)
    if np.any(outside):
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        raise KipukaError(
            f"{rule}: {int(outside.sum())} value(s) out of range",
            where=f"{where}, index {index}",
            limit=f"{low} to {high} ({unit})",
            value=int(array[index]),
            remedy=remedy,
        )


def _check_weights(rule: str, array: np.ndarray, where: str) -> None:
    remedy = "quantize with SLAYER's 8-bit hook, which gives even integers in weight units"
    limits = (fixed.WEIGHT_MIN, fixed.WEIGHT_MAX)
    _check_range(rule, array, limits, where, "even integers, 8 bits", remedy)
    odd = array % fixed.WEIGHT_STEP != 0
    if np.any(odd):
        index = tuple(int(i) for i in np.argwhere(odd)[0])
        raise KipukaError(
            f"{rule}: {int(odd.sum())} odd value(s)",
            where=f"{where}, index {index}",
            limit="even integers",
            value=int(array[index]),
            remedy=remedy,
        )


def _check_delays(delays: np.ndarray, where: str) -> None:
    if delays.dtype != np.int16:
        raise KipukaError(
            "delays_within_hardware: delays are not int16",
            where=where,
            limit="int16, in steps",
            value=delays.dtype,
            remedy="floor learned delays to integers",
        )
    _check_range(
        "delays_within_hardware",
        delays,
        (0, fixed.DELAY_MAX),
        where,
        "steps",
        "train with delays capped at the limit, or spread a longer delay over relay neurons",
    )


LAYER_RULES: tuple[Callable[[Layer, str], None], ...] = (
    parameters_match_shape,
    layer_is_fed_by_input,
    decays_within_unity,
    bias_within_bits,
    threshold_can_be_reached,
)
PROJECTION_RULES: tuple[Callable[[Projection, str], None], ...] = (
    weights_are_even_8_bit,
    delays_within_hardware,
    weight_exponent_is_small,
)
