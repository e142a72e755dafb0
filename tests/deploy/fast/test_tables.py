"""Convolutions by tables: the same bits and counts as spike by spike, and as the reference."""

import weakref

import numpy as np
import pytest

from kipuka.convert.program import RECURRENT
from kipuka.deploy import Record, simulate, simulate_reference
from kipuka.deploy.fast import run, table_layout
from kipuka.deploy.fast.kernels.layout import NEVER
from kipuka.deploy.fast.program_layout import pack
from kipuka.deploy.verification import verify
from kipuka_cases import (
    conv,
    conv_cuba,
    even,
    program,
    random_conv_gru,
    random_inputs,
    random_spikes,
)
from kipuka_comparison import assert_same_counters
from kipuka_random import random_network
from kipuka_seeds import seeds

STEPS = 40
ALWAYS, SOMETIMES = 1, 5
WAYS = (ALWAYS, SOMETIMES, NEVER)


@pytest.fixture
def simulated(monkeypatch):
    """Simulate with tables from a number of spikes on."""

    def go(network, inputs, fewest, record=None):
        monkeypatch.setattr(table_layout, "fewest_spikes", lambda synapses, listed=True: fewest)
        # A network that was run before keeps its layout.
        monkeypatch.setattr(run, "_PACKED", weakref.WeakKeyDictionary())
        monkeypatch.setattr(run, "_SEEN", {})
        return simulate(network, inputs, record=record or Record(), threads=1)

    return go


def assert_every_way(simulated, network, inputs):
    expected = simulate_reference(network, inputs)
    for fewest in WAYS:
        found = simulated(network, inputs, fewest)
        traces = {"reference": expected.trace, "fast": found.trace}
        assert verify(network, traces).mismatches == ()
        assert_same_counters(found.counters, expected.counters)
        # Spikes that nobody records need not be listed.
        counted = simulated(network, inputs, fewest, Record(spikes=(), states=()))
        assert_same_counters(counted.counters, expected.counters)


def convolution(rng, shape, outputs, kernel, **geometry):
    """A layer with a delay for each source, and weights as large as they can be."""
    channels = shape[0] // geometry.get("groups", 1)
    weights = 2 * rng.integers(-128, 128, (outputs, channels, *kernel))
    delays = rng.integers(0, 4, int(np.prod(shape)))
    return conv_cuba(
        conv(weights, shape, delays=delays, **geometry),
        threshold=int(rng.integers(1, 2000)),
        voltage_decay=int(rng.integers(0, 4096)),
    )


@pytest.mark.parametrize(
    ("shape", "outputs", "kernel", "geometry"),
    [
        ((1, 1, 1), 1, (1, 1), {}),
        ((2, 9, 11), 3, (3, 3), {"padding": (1, 2)}),
        ((3, 12, 10), 16, (5, 4), {"stride": (2, 3)}),
        ((17, 6, 5), 17, (3, 2), {"padding": (2, 1)}),
        ((30, 5, 6), 33, (2, 3), {"stride": (1, 2), "padding": (0, 1)}),
        ((64, 4, 4), 48, (3, 3), {}),
        ((4, 9, 9), 64, (3, 3), {"dilation": (2, 1), "padding": (2, 0)}),
        ((5, 7, 3), 2, (1, 1), {"stride": (3, 3), "padding": (1, 1)}),
        ((1, 3, 3), 1, (2, 2), {"stride": (2, 2), "output_shape": (1, 2, 2)}),
        ((3, 9, 9), 40, (3, 3), {"padding": (1, 1)}),
        ((2, 9, 10), 150, (5, 5), {"stride": (2, 2)}),
    ],
)
@pytest.mark.parametrize("activity", [0.02, 0.5, 1.0])
def test_every_geometry(simulated, rng, shape, outputs, kernel, geometry, activity):
    layer = convolution(rng, shape, outputs, kernel, **geometry)
    network = program(shape, layer)
    assert pack(network).network.groups["fewest"].max() < NEVER
    spikes = random_spikes(rng, 2, int(np.prod(shape)), STEPS, activity)
    assert_every_way(simulated, network, spikes)


@pytest.mark.parametrize(
    "geometry",
    [{"dilation": (1, 2)}, {"dilation": (1, 2), "stride": (1, 2)}, {"groups": 2}],
    ids=["dilated", "dilated and strided", "grouped"],
)
def test_what_has_no_tables_goes_spike_by_spike(simulated, rng, geometry):
    network = program((4, 8, 8), convolution(rng, (4, 8, 8), 6, (3, 3), **geometry))
    assert pack(network).network.groups["fewest"].tolist() == [NEVER]
    assert_every_way(simulated, network, random_spikes(rng, 2, 256, STEPS, 0.5))


def test_two_layers_one_of_which_sends_back_to_itself(simulated, rng):
    """The image of one convolution is drawn over that of another."""
    first = convolution(rng, (2, 12, 12), 20, (3, 3), stride=(2, 2))
    own = conv(
        even(rng, (20, 20, 3, 3), 60), (20, 5, 5), source=RECURRENT, padding=(1, 1), delays=2
    )
    first = conv_cuba(*first.projections, own, threshold=600, voltage_decay=300)
    second = convolution(rng, (20, 5, 5), 40, (3, 3))
    network = program((2, 12, 12), first, second)
    assert_every_way(simulated, network, random_spikes(rng, 2, 288, STEPS, 0.3))


def test_a_gru_has_no_tables(simulated, rng):
    network = program((2, 5, 5), random_conv_gru(rng, (2, 5, 5), 3))
    assert (pack(network).network.groups["fewest"] == NEVER).all()
    assert_every_way(simulated, network, random_spikes(rng, 1, 50, STEPS, 0.4))


def test_tables_pay_from_some_share_of_the_spikes_on():
    """Neither a single spike nor more than all of them decide for tables."""
    for shape, outputs, stride in (((2, 34, 34), 16, (2, 2)), ((16, 15, 15), 32, (2, 2))):
        weights = np.full((outputs, shape[0], 3, 3), 2)
        synapses = conv(weights, shape, stride=stride).synapses
        assert 0.01 < table_layout.fewest_spikes(synapses) / synapses.n_sources < 0.5


@pytest.mark.parametrize("seed", seeds(60, quick=15))
def test_random_networks(simulated, seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 1, STEPS, 0.4)
    assert_every_way(simulated, network, inputs)
