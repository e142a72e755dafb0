"""Fewer samples than threads: every bit and every count are those of one thread."""

import dataclasses
import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.convert.program import Reset
from kipuka.convert.synapses import SparseSynapses
from kipuka.deploy import COUNTERS, EVERYTHING, Events, Record, simulate, simulate_reference
from kipuka.deploy.fast import side_by_side, stages
from kipuka.deploy.fast.recording import Columns
from kipuka.deploy.fast.side_by_side import SideBySide, worth_it
from kipuka.deploy.fast.stages import stages_of
from kipuka.errors import KipukaError
from kipuka_cases import (
    conv,
    conv_cuba,
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_spikes,
)
from kipuka_comparison import assert_same
from kipuka_random import random_network
from kipuka_sigma_delta import random_sigma_delta

STEPS = 60


@pytest.fixture(autouse=True)
def shares_of_any_size(monkeypatch):
    monkeypatch.setattr(stages, "FEWEST_NEURONS", 1)


def in_stages(network, inputs, n_threads=2, stretch=7, record=EVERYTHING, progress=None):
    """A run in stages, in stretches of about so many steps."""
    cut = stages_of(network, n_threads)
    slowest = max(share.time for stage in cut for share in stage)
    n_steps = inputs[0].shape[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "SHORTEST_STRETCH", stretch * slowest)
        patch.setattr(side_by_side, "MOST_STRETCHES", len(inputs) * n_steps)
        run = SideBySide(Columns(network, record), cut, inputs, n_steps, progress)
    return run.simulation(n_threads)


def three_layers(rng, **settings):
    first = random_cuba(rng, 6, 40, random_delays(rng, 6, 9), threshold=40, voltage_decay=300)
    middle = random_gru(rng, 40, 12, random_delays(rng, 40, 5), random_delays(rng, 12), scale=120)
    last = random_cuba(rng, 12, 5, random_delays(rng, 12), threshold=90)
    return program(6, first, middle, last, **settings)


def wide(rng, synapses=dense):
    """Two layers that may be shared, large enough to be worth it."""
    layers = [
        cuba(n, synapses(even(rng, (n, m), 40)), threshold=200, voltage_decay=200)
        for m, n in ((300, 1000), (1000, 400))
    ]
    return program(300, *layers)


def sparse(matrix):
    sources, targets = np.nonzero(matrix.T)
    offsets = np.searchsorted(sources, np.arange(matrix.shape[1] + 1))
    weights = matrix[targets, sources]
    synapses = SparseSynapses(weights, targets.astype(np.int32), offsets, len(matrix))
    return dataclasses.replace(dense(matrix), synapses=synapses)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_give_every_bit_and_every_count_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, STEPS, 0.3)
    n_threads, stretch = int(rng.integers(1, 5)), int(rng.choice([1, 2, 7, STEPS]))
    found = in_stages(network, inputs, n_threads, stretch)
    assert_same(found, simulate_reference(network, inputs))


@pytest.mark.parametrize("stretch", [1, 2, 13, STEPS - 1, STEPS])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_any_stretch_and_any_number_of_threads_give_the_same(rng, n_threads, stretch):
    network = three_layers(rng)
    assert [len(stage) for stage in stages_of(network, n_threads)] == [n_threads, 1, n_threads]
    inputs = random_spikes(rng, 2, 6, STEPS, 0.4)
    expected = simulate_reference(network, inputs)
    assert all(layer.spikes.any() for layer in expected.trace.layers)
    assert_same(in_stages(network, inputs, n_threads, stretch), expected)


def test_lists_of_spikes_take_bounded_memory(rng, monkeypatch):
    network, inputs = three_layers(rng), random_spikes(rng, 2, 6, STEPS, 0.4)
    # The first layer has two shares of 20 neurons.
    monkeypatch.setattr(side_by_side, "MOST_SPIKES", 5 * 20)
    seen = []
    found = in_stages(network, inputs, 2, STEPS, progress=lambda done, _: seen.append(done))
    # What two stages send a step later each makes the first stretch of the last one longer.
    lengths = [after - before for before, after in itertools.pairwise([0, *seen])]
    assert lengths == 2 * [5 + 2, *[5] * 10, 3]
    assert_same(found, simulate_reference(network, inputs))


def test_samples_of_one_step_end_in_every_stage(rng):
    network = three_layers(rng)
    inputs = random_spikes(rng, 3, 6, 1, 0.5)
    assert_same(in_stages(network, inputs), simulate_reference(network, inputs))


@pytest.mark.parametrize("offset", [-3, 0, 4])
def test_each_stage_is_reset_when_its_layers_are(rng, offset):
    network = three_layers(rng, reset=Reset(9, offset))
    inputs = random_spikes(rng, 1, 6, STEPS, 0.4)
    assert_same(in_stages(network, inputs), simulate_reference(network, inputs))


@pytest.mark.parametrize(
    "record",
    [COUNTERS, Record(spikes=(0,), states=((-1, "v"),)), Record(spikes=(1,), steps=False)],
    ids=["counters", "some", "no steps"],
)
def test_what_is_recorded_is_what_one_thread_records(rng, record):
    network = three_layers(rng)
    inputs = random_spikes(rng, 2, 6, STEPS, 0.4)
    found = in_stages(network, inputs, record=record)
    assert_same(found, simulate(network, inputs, record=record, threads=1))


def test_a_layer_that_hears_of_two_layers_begins_no_stage(rng):
    first, second = random_cuba(rng, 4, 9), random_cuba(rng, 9, 8)
    both = (dense(even(rng, (5, 8))), dense(even(rng, (5, 9)), source=2))
    network = program(4, first, second, cuba(5, *both))
    starts = [stage[0].first_layer for stage in stages_of(network, 2)]
    assert starts == [0, 1]
    inputs = random_spikes(rng, 2, 4, STEPS)
    assert_same(in_stages(network, inputs), simulate_reference(network, inputs))


def test_what_carries_payloads_and_convolutions_are_not_taken_apart(rng):
    graded = random_sigma_delta(rng)
    assert len(stages_of(graded, 4)) == 1
    image = conv_cuba(conv(even(rng, (4, 1, 3, 3)), (1, 8, 8)))
    readout = random_cuba(rng, image.n_neurons, 6)
    cut = stages_of(program((1, 8, 8), image, readout), 4)
    assert [len(stage) for stage in cut] == [1, 4]


@pytest.mark.parametrize("synapses", [dense, sparse])
def test_one_long_sample_is_cut_and_samples_for_all_threads_are_not(rng, synapses, monkeypatch):
    monkeypatch.setattr(stages, "FEWEST_NEURONS", 200)
    network = wide(rng, synapses)
    inputs = random_spikes(rng, 1, 300, 400, 0.02)
    cuts = []
    real = side_by_side.stages_of
    monkeypatch.setattr(
        side_by_side, "stages_of", lambda *given: cuts.append(real(*given)) or cuts[-1]
    )
    monkeypatch.setattr(side_by_side, "SHORTEST_RUN", 1e5)
    monkeypatch.setattr(side_by_side, "set_up_time", lambda _: 0)
    found = simulate(network, inputs, threads=2)
    assert [len(stage) for stage in cuts[0]] == [2, 2]
    assert_same(found, simulate(network, inputs, threads=1))
    assert worth_it(network, 2, 400, 2) is None
    assert worth_it(network, 1, 400, 1) is None


def test_a_short_run_is_not_cut(rng):
    assert worth_it(wide(rng), 1, 2, 8) is None


def test_progress_counts_the_steps_of_all_samples(rng):
    seen = []
    inputs = random_spikes(rng, 3, 6, STEPS)
    in_stages(three_layers(rng), inputs, progress=lambda *steps: seen.append(steps))
    assert seen[-1] == (3 * STEPS, 3 * STEPS)
    done = [0, *(steps for steps, _ in seen)]
    assert all(a <= b for a, b in itertools.pairwise(done))


def test_a_sample_that_does_not_fit_is_refused_and_no_thread_waits_for_it(rng, check_error):
    network = three_layers(rng)
    good, bad = (Events(np.array([3]), np.array([unit]), STEPS) for unit in (5, 6))
    cut = stages_of(network, 2)
    run = SideBySide(Columns(network, COUNTERS), cut, [good, bad], STEPS, None)
    with pytest.raises(KipukaError) as caught:
        run.simulation(3)
    check_error(caught.value, where="input, sample 1, unit of event 0", limit="0 to 5", value="6")
    again = SideBySide(Columns(network, COUNTERS), cut, [good], STEPS, None).simulation(2)
    assert_same(again, simulate(network, [good], record=COUNTERS, threads=1))


def test_an_error_in_progress_ends_all_threads(rng):
    def fail(done, total):
        time.sleep(0.01)
        raise ZeroDivisionError

    inputs = random_spikes(rng, 2, 6, STEPS)
    with pytest.raises(ZeroDivisionError):
        in_stages(three_layers(rng), inputs, 3, 1, progress=fail)
