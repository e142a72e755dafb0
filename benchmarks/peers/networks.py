"""The networks that the peers are measured on, and their arrays on disk."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cases import (
    LONGEST_DELAY,
    Case,
    convolution,
    dense_layer,
    pilotnet,
    shd_recurrent,
    sparse_layer,
)

from kipuka.convert.fixed import UNITY
from kipuka.convert.program import Layer, Projection
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses
from kipuka.deploy.fast.simulator import Events

SAMPLES = 32
PILOTNET_STEPS = 16
"""Those of one image; in the whole sample of ten, the network is reset behind each."""


def without_delays(case: Case) -> Case:
    """Make every delay 0."""
    layers = tuple(
        dataclasses.replace(
            layer,
            projections=tuple(
                dataclasses.replace(p, delays=np.zeros_like(p.delays)) for p in layer.projections
            ),
        )
        for layer in case.program.layers
    )
    return dataclasses.replace(case, program=dataclasses.replace(case.program, layers=layers))


def with_input_delays(case: Case) -> Case:
    """Give every input a delay of its own."""
    rng = np.random.default_rng(1)
    (layer,) = case.program.layers
    (projection,) = layer.projections
    delays = rng.integers(0, LONGEST_DELAY + 1, projection.delays.shape, dtype=np.int16)
    layer = dataclasses.replace(
        layer, projections=(dataclasses.replace(projection, delays=delays),)
    )
    return dataclasses.replace(case, program=dataclasses.replace(case.program, layers=(layer,)))


def one_image() -> Case:
    """PilotNet LIF on the first steps of its sample: one image from rest, which needs no reset."""
    case = pilotnet()
    samples = [np.ascontiguousarray(x[:, :PILOTNET_STEPS]) for x in case.samples]
    program = dataclasses.replace(case.program, reset=None)
    return dataclasses.replace(case, program=program, samples=samples)


def with_thresholds(case: Case, thresholds: tuple[int, ...]) -> Case:
    """Give each layer another threshold, so that all of them spike."""
    layers = []
    for layer, threshold in zip(case.program.layers, thresholds, strict=True):
        full = np.full(layer.n_neurons, threshold, np.int64)
        layers.append(dataclasses.replace(layer, neuron=layer.neuron._replace(threshold=full)))
    program = dataclasses.replace(case.program, layers=tuple(layers))
    return dataclasses.replace(case, program=program)


def sparse() -> Case:
    """1e5 neurons with 100 synapses from each of 1e5 inputs, of which 1 % spike in a step."""
    return with_thresholds(sparse_layer("", 100_000, 0.01, 200), (600,))


CASES: dict[str, Callable[[], Case]] = {
    "700-256r-20, delays 0 to 62": shd_recurrent,
    "700-256r-20, no delays": lambda: without_delays(shd_recurrent()),
    "conv 2x34x34-16c5s2-32c3s2-10": lambda: with_thresholds(convolution(0.018), (300, 1500, 500)),
    "PilotNet LIF, 16 steps": one_image,
    "PilotNet LIF, 160 steps": pilotnet,
    "dense 1024 x 1024 at 20 %": lambda: with_thresholds(dense_layer(0.2), (20_000,)),
    "1e5 sparse, no delays": sparse,
    "1e5 sparse, delays 0 to 62": lambda: with_input_delays(sparse()),
}


def write_case(name: str, folder: Path) -> None:
    """Write a case's network and its first samples as ``network.npz`` and ``network.pickle``."""
    case = CASES[name]()
    samples = case.samples[:SAMPLES]
    (folder / "network.pickle").write_bytes(pickle.dumps(case.program))
    arrays: dict[str, np.ndarray] = {}
    layers = [_layer(k, layer, arrays) for k, layer in enumerate(case.program.layers)]
    if isinstance(samples[0], Events):
        for k, events in enumerate(samples):
            arrays[f"times.{k}"], arrays[f"units.{k}"] = events.times, events.units
    else:
        arrays["values"] = np.stack(samples)
    description = {
        "name": name,
        "n_inputs": case.program.n_inputs,
        "n_steps": case.n_steps,
        "samples": len(samples),
        "reset_interval": case.program.reset.interval if case.program.reset else 0,
        "layers": layers,
    }
    np.savez(folder / "network.npz", description=np.array(json.dumps(description)), **arrays)


def _layer(position: int, layer: Layer, arrays: dict[str, np.ndarray]) -> dict[str, object]:
    neuron = layer.neuron
    decays = {}
    for key in ("current_decay", "voltage_decay"):
        (value,) = set((np.unique(getattr(neuron, key)) / UNITY).tolist())
        decays[key] = value
    for key in ("threshold", "bias"):
        arrays[f"{position}.{key}"] = getattr(neuron, key)
    projections = [
        _projection(position, number, projection, arrays)
        for number, projection in enumerate(layer.projections)
    ]
    return {"n": layer.n_neurons, **decays, "projections": projections}


def _projection(
    position: int, number: int, projection: Projection, arrays: dict[str, np.ndarray]
) -> dict[str, object]:
    source = position - projection.source
    synapses = projection.synapses
    kinds = {DenseSynapses: "dense", ConvSynapses: "conv", SparseSynapses: "sparse"}
    empty = np.zeros(0, np.int64)
    own = {
        "weights": synapses.weights.astype(np.float32) * 2.0**projection.weight_exponent,
        # What a layer emits is on its way for a step; the input is not.
        "lags": projection.delays.astype(np.int64) + (source >= 0),
        "targets": getattr(synapses, "targets", empty),
        "offsets": getattr(synapses, "offsets", empty),
    }
    arrays.update({f"{position}.{number}.{key}": value for key, value in own.items()})
    geometry = {}
    if isinstance(synapses, ConvSynapses):
        keys = ("input_shape", "output_shape", "stride", "padding", "dilation", "groups")
        geometry = {key: getattr(synapses, key) for key in keys}
    return {"source": source, "kind": kinds[type(synapses)], "geometry": geometry}


def count_samples(folder: Path) -> int:
    """Tell how many samples a case's arrays have."""
    with np.load(folder / "network.npz") as stored:
        return json.loads(str(stored["description"]))["samples"]
