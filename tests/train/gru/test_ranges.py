"""Weights kept in range: the proof holds for the integer network, and no more than it asks for."""

import numpy as np
import pytest
import torch

from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.fast.simulator import simulate
from kipuka.errors import KipukaError
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.gru.ranges import keep_in_range, overrun
from kipuka_cases import random_spikes
from kipuka_seeds import seeds

NEURON = {"threshold": 1.0}
STEPS = 5000


def drawn(seed, scale=4.0, threshold=1.0, **settings):
    torch.manual_seed(seed)
    block = SpikingGRU({"threshold": threshold}, 9, 7, weight_scale=scale, **settings).eval()
    torch.nn.init.uniform_(block.bias, -1, 1)
    return block


def convolutional(seed, groups=1):
    torch.manual_seed(seed)
    return ConvSpikingGRU(NEURON, 4, 6, 3, padding=1, groups=groups, weight_scale=9).eval()


def learned(block):
    return [
        p.detach().clone() for p in (block.input_synapse.weight, block.recurrent_synapse.weight)
    ]


def proven(block, shape):
    """Whether the range analysis of the Program proves both states."""
    with torch.no_grad():
        block(torch.zeros(1, *shape, 1))
    found = analyse_ranges(program_from_blocks([block], input_shape=shape), STEPS)
    return all(found.of(1, name).safe for name in ("i", "v"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, *seeds(4, quick=1)])
@pytest.mark.parametrize("threshold", [0.25, 1.0, 20.0])
def test_the_analysis_proves_what_is_kept_in_range(seed, threshold):
    block = drawn(seed, threshold=threshold, update_gate_input="current" if seed == 4 else "spikes")
    assert not proven(block, (9,))
    keep_in_range(block)
    assert (overrun(block) <= 0).all()
    assert proven(block, (9,))


@pytest.mark.slow
@pytest.mark.parametrize("gates", ["shared", "update"])
@pytest.mark.parametrize("seed", range(3))
def test_so_it_does_of_blocks_with_one_gate(seed, gates):
    block = drawn(seed, scale=20.0, gates=gates)
    assert not proven(block, (9,))
    keep_in_range(block)
    assert (overrun(block) <= 0).all()
    assert proven(block, (9,))


@pytest.mark.slow
@pytest.mark.parametrize("groups", [1, 2])
def test_so_it_does_for_convolutions(groups):
    block = convolutional(groups, groups)
    assert not proven(block, (4, 5, 5))
    keep_in_range(block)
    assert proven(block, (4, 5, 5))


def test_what_is_in_range_stays_as_it_is_and_other_weights_never_change():
    block = drawn(1)
    before = learned(block)
    keep_in_range(block)
    after = learned(block)
    rows = [
        block.rows(s, b != a)
        for s, b, a in zip(
            (block.input_synapse, block.recurrent_synapse), before, after, strict=True
        )
    ]
    for current, reset, update in rows:
        assert current.any() or reset.any()
        assert not update.any()
    keep_in_range(block)
    for one, other in zip(learned(block), after, strict=True):
        assert torch.equal(one, other)


def test_the_change_is_small_where_little_is_missing():
    block = drawn(2)
    keep_in_range(block)
    before = [p.detach().clone() for p in block.parameters()]
    with torch.no_grad():
        for p in block.parameters():
            p.add_(torch.randn_like(p) * 0.1)
    moved = [p.detach().clone() for p in block.parameters()]
    keep_in_range(block)
    back, out = (
        sum(float(((a - b) ** 2).sum()) for a, b in zip(moved, other, strict=True))
        for other in ([p.detach() for p in block.parameters()], before)
    )
    assert 0 < back < out, (back, out)


def test_inputs_made_against_it_find_no_counterexample(rng):
    block = drawn(3, scale=9.0)
    keep_in_range(block)
    program = program_from_blocks([block])
    inputs = random_spikes(rng, 200, 9, 60, 0.5)
    weights = {p.target: p.synapses.weights for p in program.layers[0].projections if p.source}
    # Half of them drive one neuron's current to one end with a reset gate as open as can be.
    for sample in range(100):
        neuron, sign = sample % 7, 1 if sample % 2 else -1
        inputs[sample] = (sign * weights["i"][neuron] > rng.integers(-9, 9))[:, None]
    counters = simulate(program, inputs).counters
    assert counters.saturations == 0
    ranges = analyse_ranges(program, 60)
    assert np.max(counters.layers[0].peaks["i"]) <= ranges.of(1, "i").reach.max()


@pytest.mark.filterwarnings("ignore:.?torch.nn.utils.weight_norm.? is deprecated")
def test_normalized_weights_are_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        keep_in_range(drawn(0, weight_norm=True))
    check_error(caught.value, what="normalized", where="weight_norm", remedy="proven_ranges")


@pytest.mark.slow
def test_whatever_is_drawn_comes_into_range():
    for seed in range(20):
        block = drawn(seed, scale=float(10 ** np.random.default_rng(seed).uniform(-1, 2)))
        with torch.no_grad():
            block.bias.mul_(4)
        keep_in_range(block)
        assert (overrun(block) <= 0).all()
