"""Reading and writing `.nir` files as Programs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.float_network import FloatNetwork
from kipuka.convert.formats.net.file import GoldenVector
from kipuka.convert.formats.nir.graph import read_graph
from kipuka.convert.formats.nir.network import (
    BIASES,
    EXPONENT_KEY,
    RESETS,
    SCALE_KEY,
    Reading,
    float_network,
)
from kipuka.convert.formats.nir.presets import PRESETS
from kipuka.convert.neurons import CUBA
from kipuka.convert.operands import real_number
from kipuka.convert.program import RECURRENT, Layer, Program, Projection, expect_program
from kipuka.convert.quantization import MAGNITUDE_MAX, Quantized, quantize
from kipuka.convert.synapses import ConvSynapses
from kipuka.errors import KipukaError, choose
from kipuka.files import replacing


def load_nir(path: str | Path, **options: Any) -> Program:
    """Read a NIR graph and round it to integers; see `quantized_nir` for the options.

    The Program's metadata say under ``quantization`` what became of each layer.
    """
    return quantized_nir(path, **options).program


def quantized_nir(
    path: str | Path,
    *,
    dt: float | None = None,
    preset: str = "plain",
    bias: str = "refuse",
    reset: str = "zero",
    weight_max: int = fixed.WEIGHT_MAX,
    percentile: float = 100.0,
    decays: str = "nearest",
) -> Quantized:
    """Read a NIR graph and round it to integers, with a report on every layer.

    Parameters
    ----------
    path : str or Path
    dt : float
        Step in the unit of the file's time constants (seconds). A NIR file does not hold it;
        left out, it is that of the preset, if that has one.
    preset : {"plain", "norse", "sinabs", "snntorch"}
        Habit of the exporter; see `kipuka.convert.formats.nir.presets`.
    bias : {"refuse", "steady"}
        What becomes of biases before a synaptic filter.
    reset : {"zero", "subtract"}
        How the network was trained to reset, which no NIR file says; ``subtract`` is refused.
    weight_max : int
        Integer that the largest weight of each layer becomes.
    percentile, decays
        See `kipuka.convert.quantization.quantize`.

    Raises
    ------
    KipukaError
        If the graph cannot be read, or holds what would have to be dropped; it names the node.
    """
    return quantize(
        floats_of(path, dt=dt, preset=preset, bias=bias, reset=reset),
        weight_max,
        percentile,
        decays,
    )


def floats_of(
    path: str | Path,
    *,
    dt: float | None = None,
    preset: str = "plain",
    bias: str = "refuse",
    reset: str = "zero",
) -> FloatNetwork:
    """Read a NIR graph as layers in floats, for `kipuka.convert.float_network.simulate_floats`.

    Parameters
    ----------
    path : str or path
    dt, preset, bias, reset
        As `quantized_nir` takes them.

    Returns
    -------
    FloatNetwork

    Raises
    ------
    KipukaError
        If the graph or an option is one that `quantized_nir` refuses.
    """
    habit = choose(PRESETS, preset, "preset", "argument or option preset")
    choose({name: name for name in BIASES}, bias, "treatment of biases", "argument or option bias")
    step = _step(path, habit.dt_s if dt is None else dt)
    known = {name: name for name in RESETS}
    if choose(known, reset, "reset", "argument or option reset") != "zero":
        raise KipukaError(
            "a soft reset is not a reset of Lava's neuron",
            where=f"{path}, argument or option reset",
            limit="zero: a membrane that returns to 0 after a spike",
            value=reset,
            remedy="train the network with a reset to zero; the file would read the same, and "
            "every spike after the first come out wrong",
        )
    return float_network(read_graph(path), Reading(step, habit, bias))


def _step(path: str | Path, dt: Any) -> float:
    """Return a step in seconds as Python's own number."""
    step = real_number(dt)
    if step is None or not 1 / MAGNITUDE_MAX <= step <= MAGNITUDE_MAX:
        raise KipukaError(
            "the step of a NIR graph is not known",
            where=f"{path}, argument or option dt",
            limit=f"seconds per step, more than 0, from {1 / MAGNITUDE_MAX:g} to {MAGNITUDE_MAX:g}",
            value="none given" if dt is None else repr(dt),
            remedy="give the dt that the network was trained with: exporters use 1e-4, 1e-3 or 1, "
            "and no file says which",
        )
    return step


def save_nir(
    path: str | Path,
    program: Program,
    golden: Sequence[GoldenVector] = (),
    *,
    dt: float = 1e-3,
) -> None:
    """Write a Program of CUBA layers as a NIR graph whose reading gives the same integers.

    Parameters
    ----------
    path : str or Path
    program : Program
    golden : sequence of GoldenVector
        A NIR file has no place for them; they are not written.
    dt : float
        Step in seconds that the time constants are written for.

    Raises
    ------
    KipukaError
        If the Program has what NIR has no node for, or the file cannot be written.
    """
    import nir

    expect_program(program)
    dt = _step(path, dt)
    del golden
    if program.encoder or program.reset or program.readout.population > 1:
        raise _no_node("network", "no encoder, reset or population", "one of them")
    nodes: dict[str, Any] = {"input": nir.Input(np.array(program.input_shape))}
    edges: list[tuple[str, str]] = []
    for position, layer in enumerate(program.layers):
        where = f"layer {program.numbers[position]}"
        name = f"layer_{position}"
        nodes[name] = _neurons(nir, layer, dt, where)
        # Gains of 1 leave weights in weight units, and the file says so.
        exponent = _exponent(layer, where)
        nodes[name].metadata = {SCALE_KEY: 1.0, EXPONENT_KEY: exponent}
        for number, projection in enumerate(layer.projections):
            sender = position - projection.source
            weights, delay = f"{name}_weights_{number}", f"{name}_delay_{number}"
            nodes[weights] = _weights(nir, projection, 1 << exponent, where)
            source = "input" if sender < 0 else f"layer_{sender}"
            if _flattens(program, position, projection):
                nodes[f"{weights}_flat"] = _flatten(nir, program.shape_of(sender))
                edges.append((source, f"{weights}_flat"))
                source = f"{weights}_flat"
            steps = projection.delays.astype(float) - max(projection.source - 1, 0)
            if np.any(steps < 0):
                raise _no_node(where, "delays that cover the layers passed by", "shorter ones")
            if np.any(steps):
                nodes[delay] = nir.Delay(steps * dt)
                edges.append((source, delay))
                source = delay
            edges += [(source, weights), (weights, name)]
    last = f"layer_{len(program.layers) - 1}"
    if np.any(program.readout.delays):
        nodes["readout_delay"] = nir.Delay(program.readout.delays.astype(float) * dt)
        edges.append((last, "readout_delay"))
        last = "readout_delay"
    nodes["output"] = nir.Output(np.array(program.layers[-1].shape))
    edges.append((last, "output"))
    graph = nir.NIRGraph(nodes=nodes, edges=edges, type_check=False)
    image = io.BytesIO()
    nir.write(image, graph)
    with replacing(path) as temporary:
        temporary.write_bytes(image.getvalue())


def _neurons(nir: Any, layer: Layer, dt: float, where: str) -> Any:
    """Node whose parameters, read with this dt, are the layer's integers."""
    if layer.model != CUBA:
        raise _no_node(where, f"{CUBA} neurons", f"{layer.model} neurons")
    neuron = layer.neuron
    ones = np.ones(layer.shape)
    unity = float(fixed.UNITY)
    current = (neuron.current_decay / unity).reshape(layer.shape)
    voltage = (neuron.voltage_decay / unity).reshape(layer.shape)
    threshold = neuron.threshold.astype(float).reshape(layer.shape)
    spikes = bool(np.all(neuron.threshold <= fixed.THRESHOLD_MAX))
    if np.any(current == 0) or (np.any(voltage == 0) and not np.all(voltage == 0)):
        raise _no_node(where, "a current that decays; membranes that all leak or none", "others")
    bias = neuron.bias.astype(float).reshape(layer.shape)
    ends: dict[str, Any] = {"v_threshold": threshold, "v_reset": 0 * ones} if spikes else {}
    if np.all(current == 1) and np.all(voltage == 0):
        if np.any(bias) or not spikes:
            raise _no_node(where, "no bias, and spikes, of neurons that never leak", "others")
        return nir.IF(r=ones / dt, **ends)
    if np.all(voltage == 0):
        raise _no_node(where, "a membrane that leaks behind a current that lasts", "none")
    v_leak = bias / voltage
    if np.all(current == 1):
        kind = nir.LIF if spikes else nir.LI
        return kind(tau=dt / voltage, r=1 / voltage, v_leak=v_leak, **ends)
    kind = nir.CubaLIF if spikes else nir.CubaLI
    return kind(
        tau_syn=dt / current,
        tau_mem=dt / voltage,
        r=1 / voltage,
        v_leak=v_leak,
        w_in=1 / current,
        **ends,
    )


def _exponent(layer: Layer, where: str) -> int:
    found = {projection.weight_exponent for projection in layer.projections}
    if len(found) > 1 or min(found) < 0:
        raise _no_node(
            where, "one weight exponent from 0 on for all of a layer", f"{sorted(found)}"
        )
    return found.pop()


def _weights(nir: Any, projection: Projection, unit: int, where: str) -> Any:
    synapses = projection.synapses
    if projection.delays.ndim > 1:
        raise _no_node(where, "a delay per source neuron", "a delay per synapse")
    if isinstance(synapses, ConvSynapses):
        if synapses.output_shape != synapses.formula_shape():
            raise _no_node(where, "an output by the convolution's formula", "a larger one")
        return nir.Conv2d(
            input_shape=synapses.input_shape[1:],
            weight=synapses.weights.astype(float) * unit,
            stride=synapses.stride,
            padding=synapses.padding,
            dilation=synapses.dilation,
            groups=synapses.groups,
            bias=np.zeros(synapses.output_shape[0]),
        )
    entries = synapses.entries()
    matrix = np.zeros((synapses.n_targets, synapses.n_sources))
    matrix[entries.targets, entries.sources] = entries.weights * float(unit)
    return nir.Linear(matrix)


def _flattens(program: Program, position: int, projection: Projection) -> bool:
    sender = program.shape_of(position - projection.source)
    dense = not isinstance(projection.synapses, ConvSynapses)
    return dense and len(sender) > 1 and projection.source != RECURRENT


def _flatten(nir: Any, shape: tuple[int, ...]) -> Any:
    return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)


def _no_node(where: str, limit: str, value: str) -> KipukaError:
    return KipukaError(
        "NIR has no node that says the same",
        where=where,
        limit=limit,
        value=value,
        remedy="save the network as .net",
    )
