"""Design rules of a Program: small functions whose name heads the error that they raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.neurons import CubaParameters, SpikingGruParameters
from kipuka.convert.synapses import OWN, PREVIOUS, ConvSynapses, DenseSynapses, SparseSynapses
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.program import Layer, Program, Projection, Reset

SOURCE_NAMES = {OWN: "self", PREVIOUS: "previous"}
RESET_INTERVAL_MAX = (1 << 31) - 1


def check_program(program: Program) -> None:
    """Apply every rule, first to last.

    Raises
    ------
    KipukaError
        At the first rule that is broken.
    """
    program_has_layers(program)
    encoder_drives_first_layer(program)
    if program.reset:
        reset_interval_is_positive(program.reset)
    for position, layer in enumerate(program.layers):
        where = f"layer {program.numbers[position]}"
        for rule in LAYER_RULES:
            rule(layer, where)
        convolutions_share_geometry(layer, where)
        if not (program.encoder and position == 0):
            layer_is_fed_by_input(layer, where)
        for projection in layer.projections:
            named = f"{where}, projection {SOURCE_NAMES.get(projection.source, 'skip')}"
            named = f"{named} to {projection.target}"
            if projection.message != "spikes":
                named = f"{named}, message {projection.message}"
                current_stays_in_the_layer(projection, layer, named)
            for check in PROJECTION_RULES:
                check(projection, named)
            source_is_a_layer(program, position, projection, named)
            sender = program.shape_of(position - projection.source)
            projection_connects_neighbours(projection, layer, int(np.prod(sender)), named)
            if isinstance(projection.synapses, ConvSynapses):
                convolution_fits_shapes(projection.synapses, sender, layer.shape, named)
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


def encoder_drives_first_layer(program: Program) -> None:
    """With an encoder the first layer is CUBA and has no projections."""
    if program.encoder is None:
        return
    first = program.layers[0]
    if first.projections or not isinstance(first.neuron, CubaParameters):
        raise KipukaError(
            "encoder_drives_first_layer: the first layer does not take a real-valued input",
            where=f"layer {program.numbers[0]}",
            limit="CUBA neurons without projections",
            value=f"{first.model} neurons, {len(first.projections)} projections",
            remedy="give the input neurons a layer of their own, or leave the encoder out",
        )


def reset_interval_is_positive(reset: Reset) -> None:
    """A reset comes every step or less often."""
    _check_range(
        "reset_interval_is_positive",
        np.asarray(reset.interval),
        (1, RESET_INTERVAL_MAX),
        "network, reset interval",
        "steps",
        "leave the reset out if samples are run one by one",
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
    """At most one projection joins each source and target, and one comes from the layer before.

    All projections from other layers are of one kind, and those of one target share a weight
    exponent, because a file keeps them in one array.
    """
    pairs = [(p.source, p.target, p.message) for p in layer.projections]
    wrong = [pair for pair in pairs if pairs.count(pair) > 1 or pair[1] not in layer.targets]
    feeding = [p for p in layer.projections if p.source != OWN]
    exponents = {(p.target, p.weight_exponent) for p in feeding}
    targets, kinds = {p.target for p in feeding}, {type(p.synapses) for p in feeding}
    mixed = len(exponents) > len(targets) or len(kinds) > 1
    if wrong or PREVIOUS not in layer.sources or mixed:
        raise KipukaError(
            "layer_is_fed_by_input: the projections do not fit the neuron model",
            where=where,
            limit=f"one projection per source and target out of {', '.join(layer.targets)}, "
            "at least one of them from the previous layer; one kind of synapses from other layers, "
            "one weight exponent per target",
            value=[(SOURCE_NAMES.get(s, f"{s} layers back"), t) for s, t, _ in pairs],
            remedy="merge doubled projections and connect the layer to the one before",
        )


def source_is_a_layer(program: Program, position: int, projection: Projection, where: str) -> None:
    """A source is the layer itself, a layer before it, or the input unless it is real-valued."""
    first = 0 if program.encoder else -1
    if not 0 <= projection.source <= position - first:
        raise KipukaError(
            "source_is_a_layer: the projection comes from nowhere",
            where=where,
            limit=f"0 to {position - first} layers back",
            value=projection.source,
            remedy="count back from the layer that receives; only earlier layers can be sources",
        )


def convolutions_share_geometry(layer: Layer, where: str) -> None:
    """Convolutions from other layers share their geometry, and so do those of own spikes."""
    for own, name in ((False, "other layers"), (True, "own spikes")):
        found = {
            (s.kernel, s.stride, s.padding, s.dilation, s.groups)
            for p in layer.projections
            if (p.source == OWN) == own and p.message == "spikes"
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
    fits = (
        projection.message == "current"
        and isinstance(layer.neuron, SpikingGruParameters)
        and (projection.source, projection.target) == (OWN, "z")
        and not isinstance(projection.synapses, SparseSynapses)
        and projection.weight_exponent == 0
        and not np.any(projection.delays)
    )
    if not fits:
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
    axes = tuple(range(1, projection.synapses.weights.ndim))
    largest = int(
        np.abs(projection.synapses.weights.astype(np.int64)).sum(axis=axes).max(initial=0)
    )
    if largest * fixed.MESSAGE_LIMIT > fixed.INT32_MAX:
        raise KipukaError(
            "current_stays_in_the_layer: the weighted sum of the messages may leave 32 bits",
            where=f"{where}, key weight",
            limit=f"a sum of magnitudes per neuron up to {fixed.INT32_MAX // fixed.MESSAGE_LIMIT}",
            value=largest,
            remedy="make the weights smaller, or connect fewer neurons, as a convolution does",
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
    """A threshold is positive and not above what the membrane can hold.

    CUBA thresholds beyond 17 bits stand for neurons without spikes; lava-dl writes two of them.
    """
    gru = isinstance(layer.neuron, SpikingGruParameters)
    _check_range(
        "threshold_can_be_reached",
        layer.neuron.threshold,
        (1, fixed.GRU_THRESHOLD_MAX if gru else fixed.NEVER_SPIKES),
        f"{where}, key vThMant",
        "weight units" if gru else f"weight units; above {fixed.THRESHOLD_MAX} without spikes",
        "choose a threshold inside the range and scale the weights with it",
    )


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
    _check_weights("weights_are_even_8_bit", weights, f"{where}, key weight")


def sparse_rows_are_in_order(projection: Projection, where: str) -> None:
    """Sparse rows follow each other, and each names its targets once, in ascending order."""
    synapses = projection.synapses
    if not isinstance(synapses, SparseSynapses):
        return
    targets, offsets = synapses.targets, synapses.offsets
    typed = (targets.dtype, offsets.dtype) == (np.int32, np.int64)
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


def readout_fits_last_layer(program: Program) -> None:
    """The readout has a delay per output neuron and decides on something that neuron model has."""
    last, readout = program.layers[-1], program.readout
    _check_delays(readout.delays, "readout, key delay")
    cuba = isinstance(last.neuron, CubaParameters)
    # At the 17-bit limit itself both make sense: such a neuron spikes in one of 2^23 states.
    spiking = not cuba or bool(np.any(last.neuron.threshold <= fixed.THRESHOLD_MAX))
    silent = cuba and never_spikes(last)
    fits = {"spike_count": spiking, "membrane": silent}.get(readout.kind, False)
    grouped = readout.population >= 1 and last.n_neurons % readout.population == 0
    if not fits or not grouped or readout.delays.shape != (last.n_neurons,):
        raise KipukaError(
            "readout_fits_last_layer: the readout does not fit the last layer",
            where=f"readout, after layer {program.numbers[-1]} ({last.model})",
            limit=f"spike_count after neurons that spike, membrane after CUBA neurons with "
            f"vThMant {fixed.THRESHOLD_MAX} or more; {last.n_neurons} delays; a population that "
            f"divides {last.n_neurons}",
            value=f"{readout.kind}, {readout.delays.size} delays, population {readout.population}",
            remedy="choose the other readout or change the last layer's threshold",
        )


def never_spikes(layer: Layer) -> bool:
    """Tell whether all thresholds are at the 17-bit limit or above: a layer read by membrane."""
    return bool(np.all(layer.neuron.threshold >= fixed.THRESHOLD_MAX))


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
    decays_within_unity,
    bias_within_bits,
    threshold_can_be_reached,
)
PROJECTION_RULES: tuple[Callable[[Projection, str], None], ...] = (
    weights_are_even_8_bit,
    sparse_rows_are_in_order,
    delays_within_hardware,
    weight_exponent_is_small,
)
