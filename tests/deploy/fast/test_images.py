"""Spikes of layers that convolutions look at: bits of an image from the update to the sums."""

import dataclasses
import weakref

import numpy as np
import pytest

from kipuka.convert.program import Encoder, Reset
from kipuka.deploy import Record, simulate, simulate_reference
from kipuka.deploy.fast import run, table_layout
from kipuka.deploy.fast.kernels.constants import BLOCKS_AT_HAND, LANES, MOST_MASKS
from kipuka.deploy.fast.neuron_layout import LONGEST_PERIOD, repeating
from kipuka_cases import conv, conv_cuba, cuba, even, program, random_cuba, random_spikes

NOTHING = Record(spikes=(), states=())


@pytest.fixture(autouse=True)
def images_from_the_first_spike(monkeypatch):
    monkeypatch.setattr(table_layout, "fewest_spikes", lambda synapses, listed=True: 1)
    # A network that was run before keeps its layout.
    monkeypatch.setattr(run, "_PACKED", weakref.WeakKeyDictionary())
    monkeypatch.setattr(run, "_SEEN", {})


def assert_counted_alike(network, inputs, record=NOTHING):
    expected = simulate_reference(network, inputs)
    found = simulate(network, inputs, record=record, threads=1)
    for a, b in zip(found.counters.layers, expected.counters.layers, strict=True):
        for field in dataclasses.fields(b):
            one, other = getattr(a, field.name), getattr(b, field.name)
            np.testing.assert_equal(one, other, err_msg=f"layer {b.layer}, {field.name}")
    return expected, found


def convolution(rng, shape, outputs, kernel, delays=0, **geometry):
    """A layer whose channels have a bias each, and whose sources one delay."""
    weights = even(rng, (outputs, shape[0], *kernel), 200)
    projection = conv(weights, shape, delays=delays, **geometry)
    pixels = int(np.prod(projection.synapses.output_shape[1:]))
    return conv_cuba(
        projection,
        threshold=int(rng.integers(50, 1500)),
        voltage_decay=int(rng.integers(0, 2000)),
        current_decay=int(rng.integers(0, 4097)),
        bias=np.repeat(rng.integers(-20, 60, outputs), pixels),
    )


def stack(rng, shape, *channels, **geometry):
    layers = []
    for outputs in channels:
        layers.append(convolution(rng, shape, outputs, (3, 3), **geometry))
        shape = layers[-1].shape
    return layers


@pytest.mark.slow
@pytest.mark.parametrize("channels", [(5, 3), (24, 40), (33, 7), (1, 1), (70, 16)])
@pytest.mark.parametrize("delay", [0, 1, 7])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1)])
def test_convolutions_behind_each_other(rng, channels, delay, padding):
    layers = stack(rng, (2, 11, 10), *channels, 4, delays=delay, padding=padding)
    network = program((2, 11, 10), *layers)
    expected, _ = assert_counted_alike(network, random_spikes(rng, 2, 220, 30, 0.3))
    assert sum(int(layer.spikes.sum()) for layer in expected.counters.layers[:-1])


def test_an_encoder_is_looked_at_in_the_order_of_its_pixels(rng):
    shape = (3, 9, 8)
    first = cuba(216, shape=shape, threshold=30, voltage_decay=1000, bias=2)
    network = program(shape, first, *stack(rng, shape, 6, 5), encoder=Encoder(1, 0))
    image = rng.integers(-40, 90, (2, 216, 1)).astype(np.int32)
    assert_counted_alike(network, np.repeat(image, 30, axis=2))
    moving = rng.integers(-40, 90, (2, 216, 30)).astype(np.int32)
    expected, found = assert_counted_alike(network, moving, Record())
    for a, b in zip(found.trace.layers, expected.trace.layers, strict=True):
        np.testing.assert_array_equal(a.spikes, b.spikes)
        for name in b.states:
            np.testing.assert_array_equal(a.states[name], b.states[name])


@pytest.mark.parametrize("far", [0, 1 << 24, (1 << 24) + 77, 1 << 30, (1 << 31) - 1])
@pytest.mark.parametrize("fine", [False, True])
def test_activations_beyond_all_states_wrap_as_they_do(rng, far, fine):
    n = 70
    first = cuba(n, threshold=1000, current_decay=rng.integers(0, 4097, n), voltage_decay=500)
    network = program(n, first, random_cuba(rng, n, 3), encoder=Encoder(2, 0, fine))
    signs = rng.choice([-1, 1], (1, n, 12))
    inputs = np.clip(signs * (far - rng.integers(0, 100, (1, n, 12))), -(1 << 31) + 1, None)
    expected = simulate_reference(network, inputs.astype(np.int32))
    found = simulate(network, inputs.astype(np.int32), threads=1)
    np.testing.assert_array_equal(
        found.trace.layers[0].states["u"], expected.trace.layers[0].states["u"]
    )


def test_spikes_of_long_runs_are_all_counted(rng):
    network = program((2, 6, 6), *stack(rng, (2, 6, 6), 5, 3))
    assert_counted_alike(network, random_spikes(rng, 1, 72, 3 * MOST_MASKS + 10, 0.5))


def test_a_reset_between_images(rng):
    network = program((2, 9, 9), *stack(rng, (2, 9, 9), 5, 3, delays=2), reset=Reset(7, 2))
    assert_counted_alike(network, random_spikes(rng, 2, 162, 40, 0.4))


def test_one_layer_looked_at_twice(rng):
    first, second = stack(rng, (2, 9, 9), 6, 5, padding=(1, 1))
    third = conv_cuba(
        conv(even(rng, (3, 5, 3, 3)), second.shape, padding=(1, 1)),
        conv(even(rng, (3, 6, 3, 3)), first.shape, padding=(1, 1), source=2, delays=3),
        threshold=200,
    )
    network = program((2, 9, 9), first, second, third)
    assert_counted_alike(network, random_spikes(rng, 2, 162, 30, 0.4))


def test_who_is_recorded_is_listed(rng):
    network = program((2, 9, 9), *stack(rng, (2, 9, 9), 6, 5, 4))
    inputs = random_spikes(rng, 2, 162, 30, 0.4)
    record = Record(spikes=(1,), states=())
    expected, found = assert_counted_alike(network, inputs, record)
    np.testing.assert_array_equal(found.trace.layers[1].spikes, expected.trace.layers[1].spikes)


@pytest.mark.parametrize("n_blocks", [1, 2, 15, 16, 17, 33, 48, 100, 700])
@pytest.mark.parametrize("period", [1, 3, 16, 20, 90, LONGEST_PERIOD, None])
def test_blocks_that_repeat_are_found_again(rng, n_blocks, period):
    blocks = rng.integers(-9, 9, (n_blocks, LANES)).astype(np.int32)
    if period is not None:
        blocks = np.resize(blocks[:period], blocks.shape)
    blocks[-1, 5:] = 0
    found, kept = repeating(blocks)
    for first in range(0, n_blocks, BLOCKS_AT_HAND):
        part = blocks[first : first + BLOCKS_AT_HAND]
        last = first + BLOCKS_AT_HAND >= n_blocks
        there = found + BLOCKS_AT_HAND if last else first % found
        np.testing.assert_array_equal(kept[there : there + len(part)], part)
    if period is not None and period < LONGEST_PERIOD:
        assert found <= max(period, 1)
