"""One catalogue of networks; every backend gives the spikes and states of the reference."""

from __future__ import annotations

import contextlib
import importlib.util

import numpy as np
import pytest

from kipuka.backends import BACKENDS
from kipuka.convert import fixed
from kipuka.convert.quantize import program_from_blocks
from kipuka.deploy.verify import verify
from kipuka.errors import KipukaError
from kipuka_cases import (
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_delays,
    random_gru,
    random_spikes,
)

STEPS = 90
"""Longer than the longest delay plus a step."""


def gru_then_cuba(rng):
    n = 6
    return program(
        4,
        random_gru(rng, 4, n, delays_own=random_delays(rng, n)),
        random_cuba(rng, n, 3, delays=random_delays(rng, n)),
        readout_delays=[0, 5, 62],
    )


def gru_without_delays(rng):
    return program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))


def two_grus(rng):
    return program(
        4,
        random_gru(rng, 4, 5, delays_own=random_delays(rng, 5, 7)),
        random_gru(rng, 5, 4, delays_in=random_delays(rng, 5), threshold=20),
    )


def saturating_gru(rng):
    return program(4, random_gru(rng, 4, 5, scale=256, threshold=2047, bias_i=254, bias_r=128))


def all_weights_at_the_lower_end(rng):
    layer = cuba(3, dense(np.full((3, 4), -256)), bias=2000, voltage_decay=100)
    return program(4, layer, random_cuba(rng, 3, 2))


def leaky_cuba(rng):
    first = random_cuba(rng, 4, 6, current_decay=700, voltage_decay=333)
    return program(4, first, random_cuba(rng, 6, 3, delays=random_delays(rng, 6)))


def cuba_extremes(rng):
    first = random_cuba(rng, 4, 6, current_decay=1, voltage_decay=4096, threshold=131071)
    return program(4, first, random_cuba(rng, 6, 3, current_decay=4096, threshold=1))


def wrapping_current(rng):
    layer = cuba(2, dense(np.full((2, 9), 254)), current_decay=1, threshold=131071)
    return program(9, layer)


def recurrent_cuba(rng):
    return program(4, random_cuba(rng, 4, 6, recurrent=True, bias=5), random_cuba(rng, 6, 2))


def recurrent_cuba_delays(rng):
    n = 6
    projections = (
        dense(even(rng, (n, 4))),
        dense(even(rng, (n, n)), "self", "a", random_delays(rng, n)),
    )
    return program(4, cuba(n, *projections, current_decay=900, voltage_decay=200))


def membrane_readout(rng):
    last = random_cuba(rng, 6, 3, threshold=fixed.NEVER_SPIKES)
    return program(4, random_gru(rng, 4, 6), last, kind="membrane")


CASES = [
    gru_then_cuba,
    gru_without_delays,
    two_grus,
    saturating_gru,
    all_weights_at_the_lower_end,
    leaky_cuba,
    cuba_extremes,
    wrapping_current,
    recurrent_cuba,
    recurrent_cuba_delays,
    membrane_readout,
]

UNSUPPORTED = {
    ("torch", "all_weights_at_the_lower_end"): "SLAYER's Dense block has no bias",
    ("torch", "recurrent_cuba"): "backend torch builds no recurrent CUBA blocks",
    ("torch", "recurrent_cuba_delays"): "SLAYER has no delays inside a recurrence",
    ("torch", "cuba_extremes"): "SLAYER fires at the threshold from 64 nominal units on",
    ("torch", "wrapping_current"): "SLAYER's current has no 24-bit limit",
    ("torch", "membrane_readout"): "SLAYER fires at the threshold from 64 nominal units on",
}
"""Cases that a backend cannot run, each with its reason."""


def rate_of(case):
    return 1.0 if case is wrapping_current else 0.25


@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "reference"])
def test_backend_gives_the_reference(backend, case, rng):
    network = case(rng)
    inputs = random_spikes(rng, 2, network.n_inputs, STEPS, rate_of(case))
    expected = BACKENDS["reference"](network, inputs)
    assert expected.layers[0].spikes.any() or case in (wrapping_current, cuba_extremes)
    if (backend, case.__name__) in UNSUPPORTED:
        # A reason that no longer holds must go: refusal or disagreement is expected.
        with contextlib.suppress(KipukaError):
            found = BACKENDS[backend](network, inputs)
            assert not verify(network, {"reference": expected, backend: found}).agree
        return
    found = BACKENDS[backend](network, inputs)
    assert verify(network, {"reference": expected, backend: found}).mismatches == ()


def test_the_catalogue_reaches_what_it_is_for(rng):
    from kipuka.deploy.reference import simulate_reference

    inputs = random_spikes(rng, 2, 4, STEPS, 0.25)
    assert simulate_reference(saturating_gru(rng), inputs).counters.saturations > 0
    full = np.ones((1, 9, STEPS * 10), dtype=bool)
    assert simulate_reference(wrapping_current(rng), full).counters.wraps > 0


@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_a_program_survives_the_training_blocks(rng):
    from kipuka.train.torch_backend import blocks_from_program

    network = gru_then_cuba(rng)
    inputs = random_spikes(rng, 2, 4, STEPS)
    again = program_from_blocks(blocks_from_program(network))
    traces = {
        "before": BACKENDS["reference"](network, inputs),
        "after": BACKENDS["reference"](again, inputs),
    }
    assert verify(network, traces).agree
    np.testing.assert_array_equal(again.readout.delays, network.readout.delays)
