"""Fixed networks give the same bits and gradients whichever Python, torch, numpy and numba run."""

import numpy as np
import pytest
import torch

from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.golden import golden_vectors
from kipuka.train.from_program.network import trace_blocks
from kipuka.train.gru.convolutional import ConvSpikingGRU
from kipuka.train.gru.dense import SpikingGRU
from kipuka.train.slayer import cuba

NEURON = {"threshold": 1.0, "tau_grad": 0.1, "scale_grad": 3.0}
READOUT = NEURON | {"current_decay": 0.3, "voltage_decay": 0.1}
SAMPLES, STEPS = 2, 40


def dense():
    gru = SpikingGRU(NEURON, 24, 20, delay=True, delay_rec=True)
    current = SpikingGRU(NEURON, 20, 16, update_gate_input="current")
    return [gru, current, cuba.Dense(READOUT, 16, 5)], (24,)


def convolutional():
    gru = ConvSpikingGRU(NEURON, 2, 4, 3, padding=1, delay_rec=True)
    return [gru, cuba.Conv(READOUT, 4, 3, 3, stride=2)], (2, 6, 5)


EXPECTED = {
    dense: (
        (
            "0d9e24aeb833672776ca175f5c6b3634f0fcc951fe7fcfa117867e2cbf00c85e",
            "c62c50331f47ee798f721f3c32881e649c6b51d7306a82d27b86e22ac01da860",
        ),
        {
            "0.bias": 0.001724272,
            "0.input_synapse.weight": 0.0007171717,
            "0.recurrent_synapse.weight": 0.0003695953,
            "0.delay.delay": 0.02765373,
            "0.delay_rec.delay": 0.002066605,
            "1.bias": 0.01565394,
            "1.input_synapse.weight": 0.005559569,
            "1.recurrent_synapse.weight": 0.005119053,
            "1.current_synapse.weight": 0.01229361,
            "2.synapse.weight": 0.1852167,
        },
    ),
    convolutional: (
        (
            "b5b293e3920a7b2889f64c28249457469410e9793e4c6a6fe81654ea7d66066e",
            "d41d1f3cfbbdd629f30d7243f8a13c34865760b5523f68078d88d3e27127bb3d",
        ),
        {
            "0.bias": 0.07862748,
            "0.input_synapse.weight": 0.02771938,
            "0.recurrent_synapse.weight": 0.01482466,
            "0.delay_rec.delay": 0.1595365,
            "1.synapse.weight": 0.189292,
        },
    ),
}
"""Digests of the samples' spikes and states, and each gradient's mean magnitude, as computed with
Python 3.10.13, torch 2.3.1, numpy 1.26.4 and numba 0.68.1."""


@pytest.mark.parametrize("make", EXPECTED)
def test_bits_are_the_same_and_gradients_within_a_hundred_thousandth(make):
    # The one generator of numpy whose numbers are promised never to change.
    random = np.random.RandomState(11)

    def drawn(shape, low, high, unit):
        return torch.from_numpy(random.randint(low, high, tuple(shape)) / unit).float()

    layers, shape = make()
    blocks = torch.nn.ModuleList(layers)
    x = (drawn((SAMPLES, *shape, STEPS), 0, 10, 1) < 3).float()
    run(blocks, x)
    digests, means = EXPECTED[make]
    learned = dict(blocks.named_parameters())
    for name in means:
        if "delay" in name:
            learned[name].data = drawn(learned[name].shape, 0, 40, 4)
        else:
            learned[name].data = drawn(learned[name].shape, -34, 35, 64) * 4
            # Mostly beyond the limit of weights.
            learned[name].data.view(-1)[::16] *= 16
    program = program_from_blocks(layers, input_shape=shape)
    golden = golden_vectors(program, x.flatten(1, -2).numpy() > 0)
    assert tuple(vector.digest for vector in golden) == digests
    trace = trace_blocks(blocks, x.numpy() > 0)
    assert tuple(trace.digest(k) for k in range(SAMPLES)) == digests
    out = run(blocks, x)
    (out * drawn(out.shape, -50, 51, 50)).sum().backward()
    found = {name: learned[name].grad.abs().mean().item() for name in means}
    assert found == pytest.approx(means, rel=1e-5)


def run(blocks, x):
    for block in blocks:
        x = block(x)
    return x
