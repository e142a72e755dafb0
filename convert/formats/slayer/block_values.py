"""Weights, biases, delays and neuron parameters of SLAYER blocks as integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.blocks import Block, unsupported
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.synapses import ConvSynapses, Shape3

RUN_ONCE = "run the network once before exporting it"
NORMS = ("MeanOnlyBatchNorm", "WgtScaleBatchNorm")
"""Normalizations of SLAYER's whose only effect can be a bias."""


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
    # Not from `device_params`, which fails on neurons whose threshold SLAYER has taken away.
    parameters = CubaParameters(
        _spread(neuron.cx_current_decay, shape, block.where),
        _spread(neuron.cx_voltage_decay, shape, block.where),
        _spread(neuron.v_th_mant if threshold is None else threshold, shape, block.where),
        _spread(_bias(block, neuron.norm), shape, block.where),
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
    if type(neuron).__module__ != "lava.lib.dl.slayer.neuron.cuba":
        kind = f"{type(neuron).__module__}.{type(neuron).__name__}"
        raise unsupported(block.where, f"neurons {kind}", "slayer.neuron.cuba.Neuron")
    if neuron.graded_spike:
        raise unsupported(block.where, "graded spikes", "graded_spike = False")
    if neuron.w_scale != fixed.WEIGHT_SCALE or neuron.s_scale != fixed.STATE_SCALE:
        raise unsupported(block.where, f"scale {neuron.w_scale}", f"scale = {fixed.WEIGHT_SCALE}")
    if hasattr(neuron, "current_decay_min"):
        found = "decays per channel that the first forward pass has yet to draw"
        raise unsupported(block.where, found, "drawn decays", RUN_ONCE)
    drop = neuron.drop
    if drop is not None and not type(drop).__name__.startswith("Dropout"):
        found = f"a dropout of class {type(drop).__name__}"
        raise unsupported(block.where, found, "slayer.neuron.Dropout or none")


def _bias(block: Block, norm: Any) -> np.ndarray:
    """Bias in weight units, one or one per channel, as the evaluated norm subtracts it."""
    if norm is None:
        return np.zeros(1, dtype=np.int64)
    kind = type(norm)
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
    expected = "Dense" if name != "synapse" or block.kind == "Affine" else block.kind
    if block.kind == "ConvSpikingGRU":
        expected = "Conv"
    if type(synapse).__name__ != expected or synapse.complex or synapse.bias is not None:
        bias = " with bias" if getattr(synapse, "bias", None) is not None else ""
        found = f"a synapse {type(synapse).__module__}.{type(synapse).__name__}{bias}"
        raise unsupported(block.where, found, f"slayer.synapse.{expected}, real and without bias")
    learned = _learned(synapse)
    quantized = _quantized(synapse, learned, block.where)
    if block.kind == "Recurrent" and name == "recurrent_synapse":
        _check_applied(synapse, quantized, synapse.weight, block.where)
    mask = getattr(block.module, "mask", None)
    if mask is not None:
        masked = _quantized(synapse, learned * mask, block.where)
        if synapse.weight_norm_enabled:
            _check_applied(synapse, masked, learned, block.where)
        quantized = masked
    return quantized


def _learned(synapse: Any) -> Any:
    # Weight normalization writes `weight` in a pre-hook of the forward pass only.
    for hook in synapse._forward_pre_hooks.values():
        if getattr(hook, "name", None) == "weight":
            return hook.compute_weight(synapse)
    return synapse.weight


def _check_applied(synapse: Any, meant: np.ndarray, applied: Any, where: str) -> None:
    """Refuse weights that SLAYER shows but does not compute with."""
    if not np.array_equal(meant, _quantized(synapse, applied, where)):
        raise unsupported(
            where,
            "weights that SLAYER's forward pass does not use: with weight_norm = True it leaves "
            "out masks, and does not update the recurrence",
            "weight_norm = False",
            "train without weight_norm, or call disable_weight_norm() and test the network again",
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
    values = nominal.detach().cpu().numpy() * fixed.WEIGHT_SCALE
    whole: np.ndarray = np.rint(np.nan_to_num(values)).astype(np.int64)
    if not np.array_equal(whole, values):
        found = f"{values[whole != values][0] / fixed.WEIGHT_SCALE}"
        limit = f"multiples of 1/{fixed.WEIGHT_SCALE}, as SLAYER's 8-bit hook gives"
        raise unsupported(where, found, limit, "leave pre_hook_fx at SLAYER's default")
    return whole


def delays(delay: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Integer delays of a SLAYER or Kipuka delay module, int16 (neurons,), in steps.

    Parameters
    ----------
    delay : torch.nn.Module or None
        None stands for zeros.
    shape : tuple of int
        Of the layer; in a convolution one delay holds for a channel.
    where : str
    """
    if delay is None:
        return np.zeros(int(np.prod(shape)), dtype=np.int16)
    learned = delay.delay.detach().cpu().numpy().astype(np.float64)
    if not np.all(np.isfinite(learned)):
        raise unsupported(f"{where}, key delay", "a delay that is no number", "finite delays")
    steps = np.floor(np.clip(learned, 0, delay.max_delay) / getattr(delay, "sampling_time", 1))
    narrow = np.minimum(steps, np.iinfo(np.int16).max)
    return _spread(narrow, shape, where).astype(np.int16)


def single(block: Block, key: str, default: int) -> int:
    """One quantized parameter of an input block in weight units, or what stands for none."""
    value = getattr(block.module, key)
    if value is None:
        return default
    return int(integers(block.module.pre_hook_fx(value), f"{block.where}, key {key}").item())


def gru_bias(block: Block) -> list[np.ndarray]:
    """Biases of current, reset gate and update gate in weight units, int64 (neurons,) each."""
    hook = block.module.input_synapse.pre_hook_fx
    return np.split(integers(hook(block.module.bias), f"{block.where}, key bias"), 3)


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


def _spread(values: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """One value per neuron, int64, from one for all, one per channel or one per neuron."""
    given = np.asarray(values, dtype=np.int64).ravel()
    neurons = int(np.prod(shape))
    if given.size not in (1, shape[0], neurons):
        limit = f"1, {shape[0]} or {neurons} values"
        raise unsupported(where, f"{given.size} values", limit, "check the order of the blocks")
    return np.array(np.broadcast_to(np.repeat(given, neurons // given.size), (neurons,)))
