"""Weights, biases, delays and neuron parameters of SLAYER blocks as integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.encoder import Encoder
from kipuka.convert.formats.slayer.blocks import Block, plain_class, unsupported
from kipuka.convert.formats.slayer.effective import RUN_ONCE, check_class, run_pre_hooks
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.synapses import ConvSynapses, Shape3
from kipuka.errors import KipukaError

NORMS = ("MeanOnlyBatchNorm", "WgtScaleBatchNorm")
"""Normalizations of SLAYER's whose only effect can be a bias."""

SYNAPSES = "lava.lib.dl.slayer.synapse.layer"
DROPOUTS = ("lava.lib.dl.slayer.neuron.dropout", "torch.nn.modules.dropout")
DELAYS = {
    "lava.lib.dl.slayer.axon.delay": ("Delay",),
    "kipuka.train.delays.axonal": ("AxonalDelay",),
}


def cuba_neurons(
    block: Block, shape: tuple[int, ...], threshold: int | None = None
) -> CubaParameters:
    """Parameters of a block's neurons.

    Parameters
    ----------
    block : Block
    shape : tuple of int
        Of the layer, channels first.
    threshold : int, optional
        In weight units, where it is not SLAYER's.

    Raises
    ------
    KipukaError
        If the neuron does something that a CUBA neuron does not.
    """
    neuron = block.module.neuron
    _check_neuron(block, neuron)
    parameters = CubaParameters(
        spread(_decay(block, "current_decay"), shape, block.where),
        spread(_decay(block, "voltage_decay"), shape, block.where),
        spread(_threshold(block) if threshold is None else threshold, shape, block.where),
        spread(norm_bias(block, neuron.norm), shape, block.where),
    )
    leaking = np.any(parameters.current_decay != fixed.UNITY)
    if block.kind == "Recurrent" and leaking and np.any(parameters.bias):
        # Its persistent state is taken after the normalization.
        raise unsupported(
            block.where,
            "a normalization whose shift SLAYER's recurrence adds to the decaying current",
            "current_decay = 1 or no norm",
        )
    return parameters


def _check_neuron(block: Block, neuron: Any) -> None:
    check_class(block.where, "neurons", neuron, {"lava.lib.dl.slayer.neuron.cuba": ("Neuron",)})
    if neuron.graded_spike:
        raise unsupported(block.where, "graded spikes", "graded_spike = False")
    if neuron.w_scale != fixed.WEIGHT_SCALE or neuron.s_scale != fixed.STATE_SCALE:
        raise unsupported(block.where, f"scale {neuron.w_scale}", f"scale = {fixed.WEIGHT_SCALE}")
    if hasattr(neuron, "current_decay_min"):
        found = "decays per channel that the first forward pass has yet to draw"
        raise unsupported(block.where, found, "drawn decays", RUN_ONCE)
    drop = neuron.drop
    if drop is not None and plain_class(drop).__module__ not in DROPOUTS:
        found = f"a dropout of class {type(drop).__name__}"
        raise unsupported(block.where, found, "slayer.neuron.Dropout or none")


def _decay(block: Block, name: str) -> np.ndarray:
    """Decay as the forward pass rounds it, one or one per channel."""
    neuron = block.module.neuron
    values = np.rint(getattr(neuron, name).detach().cpu().numpy())
    if not np.all(np.isfinite(values)):
        raise _no_number(f"{block.where}, key {name}")
    # SLAYER limits decays that it learns in each forward pass, and no others.
    if neuron.requires_grad and name in neuron._parameters:
        values = np.clip(values, 0, fixed.UNITY)
    return values


def _threshold(block: Block) -> int:
    """Threshold in weight units, above which a neuron spikes."""
    neuron = block.module.neuron
    exact = (neuron.threshold or 0) * fixed.WEIGHT_SCALE
    # SLAYER spikes where the membrane reaches the threshold and a hundredth of a state unit.
    if exact != int(exact) or not 0 < neuron.threshold_eps * fixed.STATE_SCALE < 1:
        found = f"a threshold of {neuron.threshold} and {neuron.threshold_eps}"
        limit = f"multiples of 1/{fixed.WEIGHT_SCALE}, and less than a state unit"
        raise unsupported(block.where, found, limit, "build the block with neuron_params")
    return int(exact)


def norm_bias(block: Block, norm: Any) -> np.ndarray:
    """Bias in weight units, one or one per channel, as the evaluated norm subtracts it."""
    if norm is None:
        return np.zeros(1, dtype=np.int64)
    kind = plain_class(norm)
    if kind.__module__ != "lava.lib.dl.slayer.neuron.norm" or kind.__name__ not in NORMS:
        found = f"a normalization {kind.__module__}.{kind.__name__}"
        raise unsupported(block.where, found, f"{' or '.join(NORMS)} or none")
    if hasattr(norm, "std") and float(norm.std(norm.running_var).detach()) != 1:
        scale = float(norm.std(norm.running_var).detach())
        found = f"a normalization that divides by {scale}"
        raise unsupported(
            block.where, found, "a weight exponent of 0", "use MeanOnlyBatchNorm instead"
        )
    return -integers(norm.pre_hook_fx(norm.running_mean), f"{block.where}, key norm")


def weights(block: Block, name: str = "synapse") -> np.ndarray:
    """Quantized weights of a synapse in weight units, int16, in the synapse's own shape.

    Parameters
    ----------
    block : Block
    name : str
        Attribute that holds the synapse.

    Raises
    ------
    KipukaError
        If SLAYER's forward pass would compute with other weights than those that were learned.
    """
    synapse = getattr(block.module, name)
    flat = name != "synapse" or block.kind in ("Affine", "Output")
    expected = "Dense" if flat else block.kind
    if block.kind == "ConvSpikingGRU":
        expected = "Conv"
    kind = plain_class(synapse)
    known = kind.__name__ == expected and kind.__module__ == SYNAPSES
    if not known or synapse.complex or synapse.bias is not None:
        bias = " with bias" if getattr(synapse, "bias", None) is not None else ""
        found = f"a synapse {kind.__module__}.{kind.__name__}{bias}"
        raise unsupported(block.where, found, f"slayer.synapse.{expected}, real and without bias")
    applied = synapse.weight
    quantized = _quantized(synapse, applied, block.where)
    if block.kind == "Recurrent" and name == "recurrent_synapse":
        # Its forward pass never comes, and with it no pre-hook.
        run_pre_hooks(synapse)
        _check_applied(synapse, quantized, synapse.weight, block.where)
    mask = getattr(block.module, "mask", None)
    if mask is not None:
        masked = _quantized(synapse, applied * mask, block.where)
        if "weight" not in synapse._parameters:
            _check_applied(synapse, masked, applied, block.where)
        quantized = masked
    return quantized


def _check_applied(synapse: Any, one: np.ndarray, other: Any, where: str) -> None:
    """Refuse weights of which SLAYER shows some and computes with others."""
    if not np.array_equal(one, _quantized(synapse, other, where)):
        raise unsupported(
            where,
            "weights that SLAYER's forward pass does not use: with weight_norm = True, pruning or "
            "a parametrization it leaves out masks, and does not update the recurrence",
            "weight_norm = False, and a weight that is a plain parameter",
            "train without them, or remove them (disable_weight_norm(), prune.remove) and test "
            "the network again",
        )


def _quantized(synapse: Any, weight: Any, where: str) -> np.ndarray:
    hook = synapse.pre_hook_fx
    exact = integers(weight if hook is None else hook(weight), f"{where}, key weight")
    narrow = np.iinfo(np.int16)
    # What 16 bits cannot hold stays out of range, so that the design rule names it.
    return np.clip(exact, narrow.min, narrow.max).astype(np.int16)


def integers(nominal: Any, where: str) -> np.ndarray:
    """Quantized tensor in nominal units as int64 weight units.

    Raises
    ------
    KipukaError
        If a value lies between two weight units.
    """
    values = nominal.detach().cpu().numpy().astype(np.float64) * fixed.WEIGHT_SCALE
    if not np.all(np.isfinite(values)):
        raise _no_number(where)
    whole: np.ndarray = np.rint(values).astype(np.int64)
    if not np.array_equal(whole, values):
        found = f"{values[whole != values][0] / fixed.WEIGHT_SCALE}"
        limit = f"multiples of 1/{fixed.WEIGHT_SCALE}, as SLAYER's 8-bit hook gives"
        raise unsupported(where, found, limit, "leave pre_hook_fx at SLAYER's default")
    return whole


def _no_number(where: str) -> KipukaError:
    return unsupported(
        where,
        "a value that is no number",
        "finite values",
        "go back to a checkpoint from before the loss stopped being a number",
    )


def delays(delay: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Integer delays of a SLAYER or Kipuka delay module, int16 (neurons,), in steps.

    Parameters
    ----------
    delay : torch.nn.Module or None
        None stands for zeros.
    shape : tuple of int
        Of the layer; in a convolution one delay holds for a channel.
    where : str

    Raises
    ------
    KipukaError
        If a delay is no number, is still to be drawn, or counts other steps than the neurons.
    """
    if delay is None:
        return np.zeros(int(np.prod(shape)), dtype=np.int16)
    where = f"{where}, key delay"
    check_class(where, "delays", delay, DELAYS)
    if getattr(delay, "sampling_time", 1) != 1:
        found = f"sampling_time = {delay.sampling_time}"
        raise unsupported(where, found, "sampling_time = 1, delays in the steps of the neurons")
    learned = delay.delay.detach().cpu().numpy().astype(np.float64)
    if not np.all(np.isfinite(learned)):
        raise unsupported(where, "a delay that is no number", "finite delays")
    least = getattr(delay, "min_delay", 0)
    steps = np.floor(np.clip(learned, least, delay.max_delay))
    # SLAYER's first forward pass draws delays below 1 in the place of what is there.
    if not getattr(delay, "init", True) and np.any(steps):
        found = "delays that the first forward pass has yet to draw"
        remedy = f"{RUN_ONCE}, or set delay.init = True where they were loaded"
        raise unsupported(where, found, "drawn delays", remedy)
    narrow = np.minimum(steps, np.iinfo(np.int16).max)
    return spread(narrow, shape, where).astype(np.int16)


def encoder(block: Block) -> Encoder:
    """How a ``cuba.Input`` block with neurons makes activations of its input."""
    values = {"weight": fixed.WEIGHT_SCALE, "bias": 0}
    for key in values:
        value = getattr(block.module, key)
        if value is not None:
            quantized = block.module.pre_hook_fx(value)
            values[key] = int(integers(quantized, f"{block.where}, key {key}").item())
    return Encoder(values["weight"], values["bias"], eight_bit=True)


def gru_bias(block: Block) -> list[np.ndarray]:
    """Biases of current and gates in weight units, int64 (channels,) each."""
    hook = block.module.input_synapse.pre_hook_fx
    values = integers(hook(block.module.bias), f"{block.where}, key bias")
    return list(values.reshape(-1, block.module.channels))


def convolution(
    synapse: Any, weights: np.ndarray, sender: Shape3, groups: int | None = None
) -> ConvSynapses:
    """Synapses with the geometry of one of SLAYER's, whose output shape is that of the sender."""
    geometry = {key: getattr(synapse, key)[:2] for key in ("stride", "padding", "dilation")}
    return ConvSynapses(weights, sender, sender, groups=groups or synapse.groups, **geometry)


def fitted(block: Block, synapses: ConvSynapses, output: Shape3 | None = None) -> ConvSynapses:
    """Give synapses their output shape, that of the formula if it is not said."""
    output = output or synapses.formula_shape()
    if min(output) < 1:
        found = f"kernel {synapses.kernel} on input {synapses.input_shape}"
        raise unsupported(block.where, found, "a kernel that fits", "enlarge the input")
    return replace(synapses, output_shape=output)


def spread(values: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """One value per neuron, int64, from one for all, one per channel or one per neuron."""
    given = np.asarray(values, dtype=np.int64).ravel()
    neurons = int(np.prod(shape))
    if given.size not in (1, shape[0], neurons):
        limit = f"1, {shape[0]} or {neurons} values"
        raise unsupported(where, f"{given.size} values", limit, "check the order of the blocks")
    return np.array(np.broadcast_to(np.repeat(given, neurons // given.size), (neurons,)))
