"""SLAYER blocks with delays: exported, run in Lava, and held against SLAYER's own forward pass."""

import numpy as np
import pytest

pytest.importorskip("lava", reason="needs the lava extra")

import torch

from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.convert.trace import readout_input
from kipuka.train.slayer import cuba
from kipuka_engines import run_jobs

NEURON = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1}
STEPS = 70


def with_delays(block, x, delays):
    """Give a block the delays; it must have seen data to know how many it needs."""
    with torch.no_grad():
        block(x)
    n = block.delay.delay.numel()
    block.delay.delay.data = torch.tensor(np.resize(delays, n), dtype=torch.float32)
    return block


def convolution():
    x = spikes(1, 5, 4)
    first = cuba.Conv(dict(NEURON), 1, 3, 2, weight_scale=3, delay=True)
    second = cuba.Conv(dict(NEURON), 3, 2, 2, weight_scale=3, delay=True)
    with_delays(first, x, [0.5, 7.0, 30.9])
    with torch.no_grad():
        middle = first(x)
    return [first, with_delays(second, middle, [2.0, 0.0])], x


def recurrent(n_in, n_out):
    x = spikes(n_in)
    block = cuba.Recurrent(dict(NEURON), n_in, n_out, weight_scale=3, delay=True)
    return [with_delays(block, x, [0.0, 1.5, 3.0, 9.0, 20.2])], x


def recurrent_then_dense():
    blocks, x = recurrent(4, 5)
    return [*blocks, cuba.Dense(dict(NEURON), 5, 3, weight_scale=3)], x


def spikes(*shape):
    return (torch.rand(2, *shape, STEPS) < 0.3).float()


CASES = {
    "conv with delays": convolution,
    "recurrent with delays, in != out": lambda: recurrent(4, 5),
    "recurrent with delays, in == out": lambda: recurrent(5, 5),
    "recurrent with delays before a dense layer": recurrent_then_dense,
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Each case as (Program read from its file, input, output of SLAYER's forward pass)."""
    torch.manual_seed(4)
    made = {}
    for name, case in CASES.items():
        blocks, x = case()
        network = torch.nn.Sequential(*blocks)
        for block in blocks:
            # SLAYER's recurrent block starts from where its last call ended.
            block.neuron.current_state = torch.zeros(1)
            block.neuron.voltage_state = torch.zeros(1)
        with torch.no_grad():
            out = network(x).numpy() > 0
        path = tmp_path_factory.mktemp("net") / "exported.net"
        save_net(path, program_from_blocks(network, input_shape=tuple(x.shape[1:-1])))
        made[name] = load_net(path), x.numpy().reshape(2, -1, STEPS) > 0, out
    return made


@pytest.fixture(scope="module")
def in_lava(exported):
    jobs = [(program, x) for program, x, _ in exported.values()]
    return dict(zip(exported, run_jobs("lava", jobs), strict=True))


@pytest.mark.lava
@pytest.mark.parametrize("name", CASES)
def test_lava_gives_slayers_own_forward_pass(name, exported, in_lava):
    program, _, out = exported[name]
    emitted = in_lava[name].layers[-1].spikes
    arrived = readout_input(program.readout, emitted)
    out = out.reshape(arrived.shape)
    assert out.any()
    # SLAYER adds the one step of propagation, which comparisons remove.
    np.testing.assert_array_equal(out[..., 1:], arrived[..., :-1])
