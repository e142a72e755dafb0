"""One catalogue of networks; every engine gives the spikes and states of the reference."""

from __future__ import annotations

import functools
import importlib.util

import numpy as np
import pytest

from kipuka.commands.backends import BACKENDS
from kipuka.convert.formats.slayer.network import program_from_blocks
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka_cases import random_spikes
from kipuka_catalogue import (
    AXONAL_DELAYS_CASES,
    CASES,
    NO_SPIKES,
    SIGMA_DELTA_CASES,
    STEPS,
    drawn,
    gru_then_cuba,
    recurrent_cuba,
    saturating_gru,
    saturating_gru_with_current,
    wrapping_current,
)
from kipuka_engines import ENGINES

BY_NAME = {engine.name: engine for engine in ENGINES}


@functools.cache
def drawn_and_run(case):
    """Network, inputs and trace of the reference."""
    network, inputs = drawn(case)
    return network, inputs, simulate_reference(network, inputs).trace


@pytest.fixture(scope="module")
def found():
    """Traces of an engine on all cases that it supports, from one start of it."""

    @functools.cache
    def of(name):
        engine = BY_NAME[name]
        cases = [case for case in CASES if case.__name__ not in engine.unsupported]
        jobs = [
            (network, engine.given(network, inputs))
            for network, inputs, _ in map(drawn_and_run, cases)
        ]
        return dict(zip(cases, engine.run(name, jobs), strict=True))

    return of


@pytest.fixture(scope="module")
def stale(tmp_path_factory):
    """What an engine makes of one sample of the cases that it is said not to run, or None."""

    @functools.cache
    def of(name):
        engine = BY_NAME[name]
        cases = [case for case in CASES if case.__name__ in engine.unsupported]
        jobs = [
            (network, inputs[:1])
            for network, inputs, _ in map(drawn_and_run, (*cases, recurrent_cuba))
        ]
        *others, control = engine.tried(jobs, tmp_path_factory.mktemp(name))
        # A case that all run comes last, so that refusals are not those of the test itself.
        network, inputs = jobs[-1]
        expected = simulate_reference(network, inputs).trace
        assert verify(network, {"reference": expected, name: control}).agree
        return dict(zip(cases, others, strict=True))

    return of


def joined():
    """Every engine with every case."""
    for engine in ENGINES:
        missing = [name for name in engine.needs if not importlib.util.find_spec(name)]
        marks = [pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")]
        marks += [getattr(pytest.mark, name) for name in engine.marks]
        for case in CASES:
            name = f"{engine.name}-{case.__name__}"
            yield pytest.param(engine, case, id=name, marks=marks)


@pytest.mark.parametrize(("engine", "case"), list(joined()))
def test_backend_gives_the_reference(engine, case, found, stale):
    network, inputs, expected = drawn_and_run(case)
    assert expected.layers[0].spikes.any() or case in NO_SPIKES
    if case.__name__ in engine.unsupported:
        # A reason that no longer holds must go: refusal or disagreement is expected.
        trace = stale(engine.name)[case]
        if trace is not None:
            expected = simulate_reference(network, inputs[:1]).trace
            assert not verify(network, {"reference": expected, engine.name: trace}).agree
        return
    trace = found(engine.name)[case]
    given = engine.given(network, inputs)
    if given.shape != inputs.shape:
        expected = simulate_reference(network, given).trace
        assert expected.layers[0].spikes.any() or case in NO_SPIKES
    assert verify(network, {"reference": expected, engine.name: trace}).mismatches == ()


def test_every_backend_has_an_entry_and_every_reason_a_case():
    assert set(BY_NAME) >= BACKENDS.keys() - {"reference"}
    assert len(BY_NAME) == len(ENGINES)
    names = {case.__name__ for case in CASES}
    for engine in ENGINES:
        assert engine.unsupported.keys() <= names
        assert all(engine.unsupported.values())


def test_the_catalogue_reaches_what_it_is_for(rng):
    inputs = random_spikes(rng, 2, 4, STEPS, 0.25)
    assert simulate_reference(saturating_gru(rng), inputs).counters.saturations > 0
    full = np.ones((1, 9, STEPS * 10), dtype=bool)
    assert simulate_reference(wrapping_current(rng), full).counters.wraps > 0


@pytest.mark.parametrize(
    "case", [*SIGMA_DELTA_CASES, *AXONAL_DELAYS_CASES], ids=lambda case: case.__name__
)
def test_sigma_delta_cases_send_much_and_meet_no_limit(case):
    network, inputs, trace = drawn_and_run(case)
    # Lava's words have no limit, so that it differs where one is met.
    assert simulate_reference(network, inputs).counters.saturations == 0
    assert all(np.count_nonzero(layer.spikes) > 5 for layer in trace.layers)


@pytest.mark.parametrize("case", [saturating_gru, saturating_gru_with_current])
def test_a_shorter_run_saturates_too(case):
    network, inputs, _ = drawn_and_run(case)
    given = BY_NAME["lowered"].given(network, inputs)
    assert given.shape[2] < STEPS
    assert simulate_reference(network, given).counters.saturations > 0


@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_a_program_survives_the_training_blocks(rng):
    from kipuka.train.from_program.network import blocks_from_program

    network = gru_then_cuba(rng)
    inputs = random_spikes(rng, 2, 4, STEPS)
    again = program_from_blocks(blocks_from_program(network))
    traces = {
        "before": simulate_reference(network, inputs).trace,
        "after": simulate_reference(again, inputs).trace,
    }
    assert verify(network, traces).agree
    np.testing.assert_array_equal(again.readout.delays, network.readout.delays)
