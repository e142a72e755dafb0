"""Design rules of a Program: small functions whose name heads the error that they raise.

Those of its projections stand in `kipuka.convert.rules.projections`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.encoder import EIGHT_BIT_WEIGHTS
from kipuka.convert.neurons import CUBA
from kipuka.convert.neurons.model import SPIKES
from kipuka.convert.rules.checks import check_delays, check_range
from kipuka.convert.rules.projections import (
    PROJECTION_RULES,
    convolution_fits_shapes,
    convolutions_share_geometry,
    current_stays_in_the_layer,
    message_suits_receiver,
    projection_connects_neighbours,
    weighted_payloads_fit_32_bits,
)
from kipuka.convert.synapses import PREVIOUS, RECURRENT, ConvSynapses
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.convert.program import Layer, Program, Projection, Reset

SOURCE_NAMES = {RECURRENT: "self", PREVIOUS: "previous"}
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
    eight_bit_encoder_has_its_bits(program)
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
            if projection.message != SPIKES.name:
                named = f"{named}, message {projection.message}"
                current_stays_in_the_layer(projection, layer, named)
            for check in PROJECTION_RULES:
                check(projection, named)
            source_is_a_layer(program, position, projection, named)
            sender = program.shape_of(position - projection.source)
            projection_connects_neighbours(projection, layer, int(np.prod(sender)), named)
            message_suits_receiver(program, position, projection, named)
            if isinstance(projection.synapses, ConvSynapses):
                convolution_fits_shapes(projection.synapses, sender, layer.shape, named)
        weighted_payloads_fit_32_bits(program, position, where)
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
    """With an encoder the first layer takes real numbers and has no projections."""
    for position, layer in enumerate(program.layers):
        if layer.neuron_model.receives == "nothing" and (position or program.encoder is None):
            raise KipukaError(
                "encoder_drives_first_layer: neurons that encode an input have none",
                where=f"layer {program.numbers[position]}",
                limit=f"{layer.model} neurons in the first layer, with an encoder",
                value=f"layer {position} of {len(program.layers)}, counted from 0, "
                f"{'with' if program.encoder else 'without'} an encoder",
                remedy="put them first and give the network an encoder",
            )
    if program.encoder is None:
        return
    first = program.layers[0]
    if first.projections or not first.neuron_model.takes_input:
        raise KipukaError(
            "encoder_drives_first_layer: the first layer does not take a real-valued input",
            where=f"layer {program.numbers[0]}",
            limit="CUBA or DELTA neurons without projections",
            value=f"{first.model} neurons, {len(first.projections)} projections",
            remedy="give the input neurons a layer of their own, or leave the encoder out",
        )
    for key in ("weight", "bias"):
        check_range(
            "encoder_drives_first_layer",
            np.asarray(getattr(program.encoder, key)),
            (-fixed.INT32_MAX, fixed.INT32_MAX),
            f"layer {program.numbers[0]}, key {key}",
            "weight units in 32 bits",
            "scale the input instead",
        )


def eight_bit_encoder_has_its_bits(program: Program) -> None:
    """An 8-bit input has a weight of 8 bits; CUBA neurons alone take parts of a weight unit."""
    encoder = program.encoder
    if encoder is None or not encoder.eight_bit:
        return
    fine = program.layers[0].model == CUBA
    check_range(
        "eight_bit_encoder_has_its_bits",
        np.asarray(encoder.weight),
        (fixed.WEIGHT_MIN, fixed.WEIGHT_MAX),
        f"layer {program.numbers[0]}, key weight",
        "weight units, even" if fine else f"weight units, multiples of {EIGHT_BIT_WEIGHTS}",
        "choose such a weight and scale the threshold",
        step=fixed.WEIGHT_STEP if fine else EIGHT_BIT_WEIGHTS,
    )
    if encoder.fine:
        check_range(
            "eight_bit_encoder_has_its_bits",
            np.asarray(encoder.bias),
            (fixed.WEIGHT_MIN, fixed.WEIGHT_MAX),
            f"layer {program.numbers[0]}, key bias",
            "weight units, even",
            "choose such a bias and scale the threshold",
            step=fixed.WEIGHT_STEP,
        )


def reset_interval_is_positive(reset: Reset) -> None:
    """A reset comes every step or less often."""
    check_range(
        "reset_interval_is_positive",
        np.asarray(reset.interval),
        (1, RESET_INTERVAL_MAX),
        "network, reset interval",
        "steps",
        "leave the reset out if samples are run one by one",
    )
    check_range(
        "reset_interval_is_positive",
        np.asarray(reset.offset),
        (-RESET_INTERVAL_MAX, RESET_INTERVAL_MAX),
        "network, reset offset",
        "steps",
        "count the offset from the first step",
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
    feeding = [p for p in layer.projections if p.source != RECURRENT]
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


def parameters_within_range(layer: Layer, where: str) -> None:
    """Every parameter is in the range that its model states, whose rule heads the refusal."""
    for parameter in layer.neuron_model.parameters:
        check_range(
            parameter.rule,
            getattr(layer.neuron, parameter.name),
            (parameter.low, parameter.high),
            f"{where}, key {parameter.label}",
            parameter.unit,
            parameter.remedy,
            step=parameter.step,
        )


def readout_fits_last_layer(program: Program) -> None:
    """The readout has a delay per output neuron and decides on something that neuron model has."""
    last, readout = program.layers[-1], program.readout
    check_delays(readout.delays, "readout, key delay")
    fits = readout.kind in last.neuron_model.readouts(last.neuron)
    grouped = readout.population >= 1 and last.n_neurons % readout.population == 0
    if not fits or not grouped or readout.delays.shape != (last.n_neurons,):
        raise KipukaError(
            "readout_fits_last_layer: the readout does not fit the last layer",
            where=f"readout, after layer {program.numbers[-1]} ({last.model})",
            limit=f"spike_count after neurons that spike, membrane after CUBA neurons with "
            f"vThMant {fixed.THRESHOLD_MAX} or more, value after sigma-delta neurons or their "
            f"decoder; {last.n_neurons} delays; a population that "
            f"divides {last.n_neurons}",
            value=f"{readout.kind}, {readout.delays.size} delays, population {readout.population}",
            remedy="choose the other readout or change the last layer's threshold",
        )


LAYER_RULES: tuple[Callable[[Layer, str], None], ...] = (
    parameters_match_shape,
    parameters_within_range,
)
