"""Random cells of each gated kind as Lava's own processes, in real Lava: every spike and state."""

import importlib.util

import numpy as np
import pytest

from kipuka.commands.backends import BACKENDS
from kipuka.convert.program import RECURRENT
from kipuka.deploy.lowered import lower, run_lowered
from kipuka.deploy.verification import verify
from kipuka_cases import dense, even, gru, mgu, program, random_cuba
from kipuka_engines import run_jobs

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")

STEPS = 68
"""A spike of the first steps still arrives with the longest delay."""


KINDS = {"GRU": ("irz", "irz", gru), "minimal": ("if", "if", mgu), "light": ("iz", "irz", gru)}
"""Activations that synapses feed, those with a bias, and what makes a layer; the gate that decides
what the current keeps comes first of the gates that have a bias."""


def cells_side_by_side(rng, cells, scale, longest, kind="GRU"):
    """One layer that holds many random cells without synapses between them.

    A cell has 1 to 4 inputs and neurons, weights, biases, thresholds and delays of its own.
    """
    fed, biased, layer = KINDS[kind]
    inputs, neurons = rng.integers(1, 5, (2, cells))
    first_in, first = (np.concatenate([[0], np.cumsum(n)]) for n in (inputs, neurons))
    n_in, n = first_in[-1], first[-1]
    weights = {target: [np.zeros((n, k)) for k in (n_in, n)] for target in fed}
    for cell in range(cells):
        own = slice(first[cell], first[cell + 1])
        arriving = slice(first_in[cell], first_in[cell + 1])
        for target in fed:
            for matrix, columns in zip(weights[target], (arriving, own), strict=True):
                matrix[own, columns] = even(rng, matrix[own, columns].shape, int(rng.choice(scale)))
    delays = rng.integers(0, longest + 1, n)
    delays[:2] = 0, longest
    projections = [
        dense(matrix, source, target, delays if source == RECURRENT else rng.integers(0, 3, n_in))
        for target in fed
        for source, matrix in zip((1, RECURRENT), weights[target], strict=True)
    ]
    biases = {f"bias_{t}": even(rng, n, 60).astype(np.int64) for t in biased}
    # Where the scale is large, some neurons are driven until they saturate, at either end.
    driven = rng.random(n) < (0.3 if max(scale) > 200 else 0.0)
    biases["bias_i"][driven] = rng.choice([-256, 254], driven.sum())
    biases[f"bias_{biased[1]}"][driven] = 128
    threshold = rng.choice([1, 20, 64, 201, 2047], n, p=[0.1, 0.3, 0.4, 0.1, 0.1])
    return n_in, layer(n, *projections, threshold=threshold, **biases)


def calm_cells(rng, cells, least, kind="GRU"):
    """The same without saturation, recurrent delays from `least` on, half with constant resets."""
    n_in, layer = cells_side_by_side(rng, cells, (20, 60), least, kind)
    _, (_, reset, *_), make = KINDS[kind]
    constant = rng.random(layer.n_neurons) < 0.5
    projections = []
    for p in layer.projections:
        weights, delays = p.synapses.weights, p.delays
        if p.target == reset:
            weights = np.where(constant[:, None], 0, -np.abs(weights)).astype(weights.dtype)
        if p.source == RECURRENT:
            delays = np.maximum(delays, least)
        projections.append(dense(weights, p.source, p.target, delays))
    values = layer.neuron._asdict()
    values[f"bias_{reset}"] = -np.abs(values[f"bias_{reset}"])
    return n_in, make(layer.n_neurons, *projections, **values)


def jobs(kind="GRU"):
    rng = np.random.default_rng(7)
    made = []
    for cells, scale, longest in ((14, (40, 120, 254), 62), (10, (4, 20), 20)):
        n_in, layer = cells_side_by_side(rng, cells, scale, longest, kind)
        network = program(n_in, layer, random_cuba(rng, layer.n_neurons, 3, bias=[0, 5, -7]))
        made.append((network, rng.random((1, n_in, STEPS)) < 0.3))
    n_in, layer = calm_cells(rng, 12, least=4, kind=kind)
    network = program(n_in, layer, random_cuba(rng, layer.n_neurons, 3))
    made.append((network, rng.random((1, n_in, 40)) < 0.3))
    return made


@pytest.mark.lava
@pytest.mark.parametrize("kind", KINDS)
def test_two_dozen_random_cells_give_the_reference(kind):
    given = jobs(kind)
    for (network, inputs), trace in zip(given, run_jobs("lowered", given), strict=True):
        traces = {
            "reference": BACKENDS["reference"](network, inputs),
            "lowered": trace,
            "interpreter": run_lowered(lower(network, inputs.shape[2]), inputs).trace,
        }
        assert verify(network, traces).mismatches == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_cells_reach_what_they_are_for(kind):
    from kipuka.deploy.reference import simulate_reference

    (saturating, inputs), (proven, others), (hidden, more) = jobs(kind)
    counters = simulate_reference(saturating, inputs).counters
    assert counters.saturations > 0
    assert (counters.layers[0].spikes_per_neuron > 0).mean() > 0.5
    assert simulate_reference(proven, others).counters.saturations == 0
    graph = lower(saturating, STEPS)
    assert graph.period == (4 if kind == "light" else 6)
    assert any(f"relay {graph.period - 1}" in node.name for node in graph.nodes)
    assert lower(hidden, 40).period == 1
    assert simulate_reference(hidden, more).counters.layers[0].spikes_per_neuron.any()
