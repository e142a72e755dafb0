"""Workers that wait for the next run of their Program: what they leave to it and what they take."""

import gc
import weakref

import numpy as np
import pytest

from kipuka.deploy import COUNTERS, simulate, simulate_each, simulate_reference
from kipuka.deploy.fast import workers
from kipuka.deploy.fast.recording import Columns
from kipuka.deploy.fast.run import Run
from kipuka.errors import KipukaError
from kipuka_cases import conv, conv_cuba, cuba, dense, even, program, random_delays, random_spikes

STEPS = 40


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch):
    monkeypatch.setattr(workers, "_IDLE", weakref.WeakKeyDictionary())


@pytest.fixture
def network(rng):
    """Spikes are on their way when a sample ends, and saturations and wraps happen."""
    first = conv_cuba(
        conv(even(rng, (4, 2, 3, 3), 200), (2, 6, 6), delays=3), threshold=900, current_decay=300
    )
    second = cuba(
        5,
        dense(even(rng, (5, first.n_neurons), 250), delays=random_delays(rng, first.n_neurons)),
        threshold=131071,
        current_decay=1,
    )
    return program((2, 6, 6), first, second)


def counts_of(result):
    names = ("spikes_per_neuron", "arrivals_per_neuron", "saturations", "wraps")
    return [
        ([getattr(layer, name).tolist() for name in names], dict(layer.peaks))
        for layer in result.counters.layers
    ]


def waiting():
    return sum(map(len, workers._IDLE.values()))


@pytest.mark.parametrize("threads", [1, 2])
def test_runs_leave_nothing_to_each_other(network, rng, threads):
    inputs = [random_spikes(rng, n, 72, STEPS, 0.5) for n in (3, 1, 2)]
    expected = [counts_of(simulate_reference(network, samples)) for samples in inputs]
    found = [simulate(network, samples, record=COUNTERS, threads=threads) for samples in inputs]
    assert 1 <= waiting() <= threads
    assert [counts_of(result) for result in found] == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_leaves_nothing_to_the_next(network, rng, threads):
    samples = random_spikes(rng, 5, 72, STEPS, 0.5)
    expected = [counts_of(simulate_reference(network, sample[None])) for sample in samples]
    for _ in range(2):
        found = list(simulate_each(network, iter(samples), record=COUNTERS, threads=threads))
        assert [counts_of(result) for result in found] == expected
        assert waiting() == threads


@pytest.mark.parametrize("threads", [1, 2])
def test_who_was_stopped_does_not_wait(network, rng, threads, check_error):
    samples = list(random_spikes(rng, 3, 72, STEPS, 0.5))
    wrong = [np.zeros((72, 3), bool), np.zeros((71, 3), bool)]
    with pytest.raises(KipukaError) as error:
        list(simulate_each(network, [*samples, iter(wrong)], threads=threads))
    check_error(error.value, where="sample 3", value="shape (71, 3)")
    with pytest.raises(KipukaError) as error:
        simulate(network, [*samples, np.zeros((71, STEPS), bool)], threads=threads)
    check_error(error.value, where="sample 3", value="shape (71, 40)")
    stream = simulate_each(network, iter(samples * 9), threads=threads)
    next(stream)
    stream.close()
    assert waiting() == 0


def test_those_who_wait_take_bounded_memory(network, rng, monkeypatch):
    inputs = random_spikes(rng, 1, 72, STEPS, 0.1)
    other = program((2, 6, 6), cuba(3, dense(even(rng, (3, 72)))))
    simulate(network, inputs, threads=1)
    (worker,) = workers._IDLE[Run(Columns(network, COUNTERS), None).packed]
    monkeypatch.setattr(workers, "IDLE_BYTES", worker.n_bytes)
    simulate(other, inputs, threads=1)
    assert [len(idle) for idle in workers._IDLE.values()] == [0, 1]
    monkeypatch.setattr(workers, "IDLE_BYTES", worker.n_bytes - 1)
    simulate(network, inputs, threads=1)
    assert [len(idle) for idle in workers._IDLE.values()] == [1, 0]


def test_nobody_waits_for_a_program_that_is_gone(network, rng):
    other = program((2, 6, 6), cuba(3, dense(even(rng, (3, 72)))))
    simulate(other, random_spikes(rng, 1, 72, STEPS, 0.1))
    assert waiting()
    del other
    gc.collect()
    assert waiting() == 0
