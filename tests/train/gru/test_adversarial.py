"""A trained network whose states provably do not saturate, and inputs that try to make them."""

import dataclasses

import numpy as np
import pytest

from kipuka.convert import fixed
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.deploy.fast.simulator import simulate
from kipuka.train import load_dataset
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.result import program_of
from kipuka.train.runs.trainer import train

pytestmark = pytest.mark.slow

INPUTS, BATCH, STEPS = 100_000, 5_000, 40
HIDDEN = 12


RESET_GATES = {"sgru-delay": "r", "smgu-delay": "f", "slgru-delay": "r"}
"""The gate of each network that says how much of a current is kept; the last feeds it by a bias."""


def trained(folder, network):
    config = TrainConfig(
        network=network,
        hidden=HIDDEN,
        epochs=2,
        proven_ranges=True,
        delays={"recurrent_min_steps": 4},
    )
    result = train(config, folder, dataset=load_dataset("digits"))
    return program_of(result.network, config)


def adversarial(program, rng, count, reset):
    """Inputs that drive one neuron each to one end, with its reset gate as open as that allows.

    A quarter changes sides on the way, a quarter is stirred by chance.
    """
    weights = {p.target: p.synapses.weights for p in program.layers[0].projections if p.source > 0}
    neuron, sign = rng.integers(0, HIDDEN, count), rng.choice([-1, 1], count)
    # What a spike adds to the current, and what it keeps of a current of so much by its gate.
    held = rng.random(count)[:, None] * fixed.GRU_STATE_LIMIT * fixed.GATE_SLOPE / fixed.UNITY
    current = sign[:, None] * (weights["i"][neuron].astype(float) * fixed.to_state_units(1))
    worth = current + held * weights.get(reset, np.zeros_like(weights["i"]))[neuron]
    inputs = np.repeat(
        (worth > rng.normal(0, 0.05, worth.shape) * worth.std())[:, :, None], STEPS, 2
    )
    quarter = count // 4
    turning = int(rng.integers(1, STEPS))
    inputs[:quarter, :, turning:] = ~inputs[:quarter, :, turning:]
    stirred = inputs[quarter : 2 * quarter]
    stirred ^= rng.random(stirred.shape) < rng.random((quarter, 1, 1)) / 4
    return inputs


@pytest.mark.parametrize("network", RESET_GATES)
def test_a_hundred_thousand_inputs_made_against_it_find_no_counterexample(tmp_path, network):
    rng = np.random.default_rng(17)
    program, reset = trained(tmp_path / "run", network), RESET_GATES[network]
    ranges = analyse_ranges(program, STEPS)
    assert all(ranges.of(program.numbers[0], name).safe for name in ("i", "v"))
    for _ in range(INPUTS // BATCH):
        counters = simulate(program, adversarial(program, rng, BATCH, reset)).counters.layers[0]
        assert not counters.saturations.any()
        for name in ("i", "v"):
            reach = ranges.of(program.numbers[0], name).reach
            assert np.max(counters.peaks[name]) <= np.max(reach)

    # The same attack finds what is not proven: the network with its reset gates held open.
    first = program.layers[0]
    neuron = first.neuron._replace(**{f"bias_{reset}": np.full(HIDDEN, 254)})
    opened = dataclasses.replace(first, neuron=neuron)
    broken = dataclasses.replace(program, layers=(opened, *program.layers[1:]))
    counters = simulate(broken, adversarial(broken, rng, BATCH, reset)).counters.layers[0]
    assert counters.saturations.any()
