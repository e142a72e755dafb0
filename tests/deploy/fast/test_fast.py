import dataclasses
import gc
import itertools
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.compiling import fingerprint
from kipuka.convert.program import Encoder, Reset
from kipuka.deploy import COUNTERS, Events, Record, simulate, simulate_each, simulate_reference
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.neuron_layout import LAYOUTS
from kipuka.deploy.fast.recording import Columns
from kipuka.deploy.fast.run import STEPS_AT_ONCE, Run
from kipuka.errors import KipukaError
from kipuka_cases import (
    cuba,
    dense,
    even,
    gru,
    program,
    pulses,
    random_cuba,
    random_delays,
    random_gru,
    random_inputs,
    random_spikes,
)
from kipuka_comparison import assert_same, assert_same_counters, assert_same_traces
from kipuka_random import random_network

STEPS = 70
SILENT_STEPS = 320
TO_GATES = [dense(np.full((3, 1), 40), target=gate) for gate in "irz"]


def assert_every_bit_and_every_count(network, inputs):
    assert_same(simulate(network, inputs), simulate_reference(network, inputs))


def listed(spikes, rng=None):
    """A sample as events, in a random order if there is a generator."""
    units, times = np.nonzero(spikes)
    order = rng.permutation(units.size) if rng else np.arange(units.size)
    return Events(times[order], units[order], spikes.shape[1])


@pytest.fixture
def network(rng):
    first = random_gru(rng, 5, 40, delays_own=random_delays(rng, 40), scale=120)
    return program(5, first, random_cuba(rng, 40, 3, delays=random_delays(rng, 40)))


@pytest.fixture
def spikes(rng):
    return random_spikes(rng, 6, 5, STEPS, 0.4)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_give_every_bit_and_every_count_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, STEPS, 0.3)
    assert_every_bit_and_every_count(network, inputs)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_networks_that_fall_silent_and_wake_up_keep_every_bit_and_every_count(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_inputs(rng, network, 2, SILENT_STEPS, 0.3)
    inputs[:, :, rng.integers(1, 20) : rng.integers(200, SILENT_STEPS)] = 0
    assert_every_bit_and_every_count(network, inputs)


@pytest.mark.parametrize(
    ("layer", "settles"),
    [
        (cuba(3, dense(np.full((3, 1), 40)), current_decay=1024, voltage_decay=512), True),
        (cuba(3, dense(np.full((3, 1), 40)), voltage_decay=512, threshold=99, bias=12), True),
        (cuba(3, dense(np.full((3, 1), 40)), voltage_decay=512, bias=12), False),
        (gru(3, *TO_GATES, bias_i=-22, bias_z=12), True),
        (gru(3, *TO_GATES, bias_i=60), False),
    ],
    ids=["decaying", "biased", "spiking by its bias", "gru", "gru spiking by its bias"],
)
def test_a_layer_rests_once_nothing_in_it_changes(layer, settles):
    """Rest is what the time of a silent stretch depends on; results do not show it."""
    network = program(1, layer)
    run = Run(Columns(network, COUNTERS), None)
    worker = run.worker()
    for last_spike, rests in ((0, settles), (299, False)):
        spikes = pulses(1, 300, (0, 0), (0, last_spike))[0]
        run.streamed(worker, spikes, "input")
        assert worker.work.settled.tolist() == [False, rests]


def test_arrivals_beyond_32_bits(rng):
    """A recording without end may bring more spikes than the counts of one pass hold."""
    there = rng.random((60, 100)) < 1 / 60
    network = program(100, cuba(60, dense(np.where(there, 40, 0))))
    run = Run(Columns(network, COUNTERS), None)
    assert run.network.groups["kind"].tolist() == [at.SPARSE]
    work = run.worker().work
    spikes = rng.integers(0, 1 << 34, 100) * (rng.random(100) < 0.7)
    work.emitted[:100] = spikes
    (counters,) = run.result([work], run.columns.recordings(1, 1), 1).counters.layers
    np.testing.assert_array_equal(counters.arrivals_per_neuron, there @ spikes)


def test_equal_programs_share_their_layout_and_are_forgotten_with_it():
    first, second, other = (
        program(1, cuba(3, dense(np.full((3, 1), weight)))) for weight in (40, 40, 42)
    )
    layout = Run(Columns(first, COUNTERS), None).packed
    assert Run(Columns(first, COUNTERS), None).packed is layout
    assert Run(Columns(second, COUNTERS), None).packed is layout
    assert Run(Columns(other, COUNTERS), None).packed is not layout
    gone = weakref.ref(layout)
    del first, second, layout
    gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_saturations_and_wraps_are_counted_by_neuron(rng):
    gru = random_gru(rng, 9, 5, scale=256, threshold=2047, bias_i=254, bias_r=128)
    wrapping = cuba(2, dense(np.full((2, 5), 254), exponent=7), current_decay=1, threshold=131071)
    network = program(9, gru, wrapping)
    inputs = random_spikes(rng, 2, 9, 3000, 0.7)
    found, expected = simulate(network, inputs).counters, simulate_reference(network, inputs)
    assert_same_counters(found, expected.counters)
    assert found.layers[0].saturations.any()
    assert found.layers[1].wraps.any()


def test_a_layer_wider_than_a_sum_of_16_bits_holds(rng):
    n = 500
    network = program(n, cuba(40, dense(np.full((40, n), -256)), current_decay=4096))
    inputs = np.ones((1, n, 5), bool)
    found, expected = simulate(network, inputs), simulate_reference(network, inputs)
    assert_same_traces(found.trace, expected.trace)
    assert found.trace.layers[0].states["u"].min() == -256 * n * 64


def test_events_in_any_order_are_the_dense_array(network, spikes, rng):
    expected = simulate(network, spikes)
    found = simulate(network, [listed(sample, rng) for sample in spikes])
    assert_same_traces(found.trace, expected.trace)
    assert_same_counters(found.counters, expected.counters)


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.int64])
def test_events_of_any_integer_type(network, spikes, dtype):
    events = listed(spikes[0])
    typed = Events(events.times.astype(dtype), events.units.astype(dtype), STEPS)
    expected = simulate(network, spikes[:1])
    assert_same_traces(simulate(network, [typed]).trace, expected.trace)


@pytest.mark.parametrize("threads", [1, 2, 5, 20])
def test_threads_change_nothing(network, spikes, threads):
    expected = simulate_reference(network, spikes)
    found = simulate(network, spikes, threads=threads)
    assert_same_traces(found.trace, expected.trace)
    assert_same_counters(found.counters, expected.counters)


def test_only_what_is_asked_for_is_recorded(network, spikes):
    expected = simulate_reference(network, spikes)
    record = Record(spikes=(-1,), states=((0, "v"),))
    found = simulate(network, spikes, record=record)
    hidden, last = found.trace.layers
    assert hidden.spikes.shape == (6, 40, 0)
    np.testing.assert_array_equal(hidden.states["v"], expected.trace.layers[0].states["v"])
    assert set(hidden.states) == {"v"}
    np.testing.assert_array_equal(last.spikes, expected.trace.layers[1].spikes)
    assert last.states == {}
    assert_same_counters(found.counters, expected.counters)


def test_counters_alone_hold_the_sums_over_steps(network, spikes):
    expected = simulate_reference(network, spikes).counters
    found = simulate(network, spikes, record=COUNTERS)
    assert all(layer.spikes.shape[2] == 0 for layer in found.trace.layers)
    assert not found.counters.per_step
    for a, b in zip(found.counters.layers, expected.layers, strict=True):
        for name in ("spikes", "synaptic_operations"):
            summed = getattr(b, name).sum(axis=1, keepdims=True)
            np.testing.assert_array_equal(getattr(a, name), summed)
        np.testing.assert_array_equal(a.arrivals_per_neuron, b.arrivals_per_neuron)
        assert (a.updates, a.peaks) == (b.updates, b.peaks)


def test_a_stream_gives_each_sample_by_itself(network, spikes):
    expected = [simulate_reference(network, spikes[k : k + 1]) for k in range(6)]
    for threads in (1, 2):
        found = list(simulate_each(network, iter(spikes), threads=threads))
        for a, b in zip(found, expected, strict=True):
            assert_same_traces(a.trace, b.trace)
            assert_same_counters(a.counters, b.counters)


def test_an_endless_stream_is_taken_as_it_is_needed(network, spikes):
    taken = 0

    def endless():
        nonlocal taken
        for sample in itertools.cycle(spikes):
            taken += 1
            yield sample

    results = simulate_each(network, endless(), threads=2)
    for _ in range(10):
        next(results)
    results.close()
    assert taken < 20


@pytest.mark.parametrize("reset", [None, Reset(16, 3)])
def test_a_sample_in_pieces_is_the_whole(network, spikes, reset, rng):
    network = dataclasses.replace(network, reset=reset)
    expected = simulate_reference(network, spikes[:1])
    cuts = [0, 1, 8, 9, 40, STEPS]
    parts = [spikes[0][:, a:b] for a, b in itertools.pairwise(cuts)]
    parts[2] = listed(parts[2], rng)
    (found,) = simulate_each(network, [iter(parts)])
    assert_same_traces(found.trace, expected.trace)
    assert_same_counters(found.counters, expected.counters)


def test_a_million_steps_take_the_memory_of_ten_thousand(network, rng):
    piece = listed(random_spikes(rng, 1, 5, 10_000, 0.01)[0])
    peaks = []
    for pieces in (1, 100):
        stream = itertools.repeat(piece, pieces)
        tracemalloc.start()
        (found,) = simulate_each(network, [stream], record=COUNTERS, threads=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.counters.n_steps == 10_000 * pieces
    assert found.counters.input_spikes.item() == 100 * piece.times.size
    assert peaks[1] < peaks[0] + 100_000


@pytest.mark.slow
def test_a_long_run_needs_no_recording_of_its_input(rng):
    network = program(2, random_cuba(rng, 2, 3))
    spikes = pulses(2, 3 * STEPS_AT_ONCE, (0, 5), (1, 2 * STEPS_AT_ONCE + 7))
    expected = simulate_reference(network, spikes)
    assert_same_traces(simulate(network, spikes).trace, expected.trace)


def test_progress_is_told_until_the_end(network, spikes):
    told = []
    simulate(network, spikes, threads=2, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == [STEPS * k for k in range(1, 7)]
    assert {total for _, total in told} == {6 * STEPS}


@pytest.mark.parametrize(
    ("times", "units", "where", "limit", "value"),
    [
        ([0, 70], [1, 1], "time of event 1", "0 to 69", "70"),
        ([3, -1], [1, 1], "time of event 1", "0 to 69", "-1"),
        ([3, 4], [5, 1], "unit of event 0", "0 to 4", "5"),
        ([3, 4], [2, -7], "unit of event 1", "0 to 4", "-7"),
        ([3, 4, 3], [2, 2, 2], "event 2", "one spike", "unit 2 in step 3"),
        ([3.0, 4.0], [2, 2], "times of events", "integer", "float64"),
        ([3, 4], [2], "sample 1", "as many times as units", "(2,) and (1,)"),
    ],
)
def test_events_that_cannot_be(network, spikes, times, units, where, limit, value, check_error):
    samples = [listed(spikes[0]), Events(np.array(times), np.array(units), STEPS)]
    with pytest.raises(KipukaError) as error:
        simulate(network, samples)
    check_error(error.value, where=where, limit=limit, value=value)
    assert "sample 1" in error.value.where


def test_units_of_images_may_have_their_places(rng, check_error):
    network = program((2, 3, 4), random_cuba(rng, 24, 5))
    rows = random_spikes(rng, 3, 24, STEPS)
    images = rows.reshape(3, 2, 3, 4, STEPS)
    expected = simulate_reference(network, rows).trace.layers[0].spikes
    for form in (rows, images, np.asfortranarray(images), list(images), [*rows[:2], images[2]]):
        np.testing.assert_array_equal(simulate(network, form).trace.layers[0].spikes, expected)
    for number, one in enumerate(simulate_each(network, images)):
        np.testing.assert_array_equal(one.trace.layers[0].spikes[0], expected[number])
    with pytest.raises(KipukaError) as caught:
        simulate(network, images.swapaxes(1, 2))
    check_error(caught.value, where="input", limit="24 units x steps, or samples x 2 x 3 x 4 x")


def test_inputs_that_do_not_fit(network, spikes, check_error):
    encoded = program(
        5, cuba(5), random_cuba(np.random.default_rng(0), 5, 2), encoder=Encoder(3, 1)
    )
    for inputs, asked, limit in (
        (spikes[0], network, "samples x 5 units x steps"),
        (spikes[:, :4], network, "5 units x steps"),
        (2 * spikes.astype(np.uint8), network, "0 or 1"),
        ([0.5 * spikes[0]], network, "0 or 1"),
        ([], network, "at least 1 sample"),
        ([spikes[0], spikes[1][:, :9]], network, "70 steps"),
        ([listed(spikes[0])], encoded, "int32 activations"),
        (spikes, encoded, "int32 activations"),
    ):
        with pytest.raises(KipukaError) as error:
            simulate(asked, inputs)
        check_error(error.value, where="input", limit=limit)


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"spikes": 3}, "record, spikes"),
        ({"spikes": "0"}, "record, spikes"),
        ({"states": (0,)}, "record, states"),
        ({"states": "v"}, "record, states"),
        ({"steps": 3}, "record, steps"),
    ],
)
def test_a_record_of_another_kind_is_refused(given, where, check_error):
    with pytest.raises(KipukaError) as caught:
        Record(**given)
    check_error(caught.value, where=where, value=repr(next(iter(given.values()))))


@pytest.mark.parametrize("record", [None, "all", 3])
def test_what_is_no_record_is_refused(network, spikes, record, check_error):
    with pytest.raises(KipukaError) as caught:
        simulate(network, spikes, record=record)
    check_error(caught.value, where="argument record", limit="Record")


@pytest.mark.parametrize(
    ("record", "limit"),
    [(Record(spikes=(2,)), "-2 to 1"), (Record(states=((0, "u"),)), "i, v")],
)
def test_records_of_what_is_not_there(network, spikes, record, limit, check_error):
    with pytest.raises(KipukaError) as error:
        simulate(network, spikes, record=record)
    check_error(error.value, where="record", limit=limit)


def test_an_error_in_a_stream_ends_it(network, spikes, check_error):
    results = simulate_each(network, [spikes[0], spikes[0][:3]], threads=2)
    next(results)
    with pytest.raises(KipukaError) as caught:
        next(results)
    check_error(caught.value, where="sample 1", value="shape (")


def test_the_cache_knows_all_sources_of_the_kernels(tmp_path):
    one, other = tmp_path / "a.py", tmp_path / "b.py"
    one.write_text("1")
    other.write_text("2")
    before = fingerprint([one, other])
    assert fingerprint([other, one]) == before
    other.write_text("3")
    assert fingerprint([one, other]) != before


@pytest.mark.slow
def test_processes_share_the_compiled_kernels(rng):
    # This process has compiled or loaded them by now; a new one only loads.
    simulate(program(3, random_cuba(rng, 3, 2)), random_spikes(rng, 1, 3, 5))
    code = """
import numpy as np
from kipuka.convert.formats.net.file import load_net
from kipuka.deploy import simulate
import sys; sys.path.insert(0, "tests/support")
from kipuka_cases import program, random_cuba, random_spikes
rng = np.random.default_rng(0)
simulate(program(3, random_cuba(rng, 3, 2)), random_spikes(rng, 1, 3, 5))
print("numba" in sys.modules, "kipuka.deploy.fast.kernels.network" in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_weights_do_not_change_by_running(network, spikes, rng):
    first = simulate(network, spikes)
    again = simulate(network, spikes)
    assert_same_traces(first.trace, again.trace)
    other = program(5, cuba(3, dense(even(rng, (3, 5)))))
    simulate(other, spikes)
    assert_same_counters(simulate(network, spikes).counters, first.counters)


def test_every_update_is_compiled_for_the_networks_that_need_it():
    """An update of neither list would be left out without a word."""
    kernels = [at.CUBA_SHARED, at.CUBA_OWN, *at.GATED, *at.GRADED]
    assert sorted(kernels) == list(range(len(LAYOUTS) + 1))  # CUBA has two.
