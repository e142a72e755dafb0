"""Random networks: Lava gives the reference, and a file gives back what was written.

``KIPUKA_RANDOM_NETWORKS=200 pytest tests/conformance/test_random_networks.py`` runs 200 of them
in Lava, and 200 sigma-delta networks as training blocks; ``KIPUKA_RANDOM_SEED`` draws others.
"""

import importlib.util
import itertools
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kipuka.commands.backends import BACKENDS, obstacles
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.verification import verify
from kipuka_cases import random_inputs
from kipuka_engines import run_jobs
from kipuka_random import random_network
from kipuka_sigma_delta import random_sigma_delta, random_values

NETWORKS = int(os.environ.get("KIPUKA_RANDOM_NETWORKS", "16"))
FIRST_SEED = int(os.environ.get("KIPUKA_RANDOM_SEED", "0"))
STEPS = 70
"""Longer than the longest delay."""

EXACT_BELOW = 1 << 23
"""State units of sigma-delta neurons, half of what single precision holds: parts of a sum may be
larger than the sum."""


def drawn(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    return network, random_inputs(rng, network, 1, STEPS, 0.3)


@pytest.mark.lava
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_lava_gives_the_reference():
    seeds = range(FIRST_SEED, FIRST_SEED + NETWORKS)
    jobs = [drawn(seed) for seed in seeds]
    for seed, (network, inputs), trace in zip(seeds, jobs, run_jobs("lava", jobs), strict=True):
        traces = {"reference": BACKENDS["reference"](network, inputs), "lava": trace}
        assert verify(network, traces).mismatches == (), f"seed {seed}"


def trainable_sigma_delta():
    """Random sigma-delta networks of which there are training blocks, with inputs."""
    seed = FIRST_SEED
    while True:
        rng = np.random.default_rng(seed)
        network = random_sigma_delta(rng, common=True)
        # Floats in single precision are exact below 64 nominal units.
        values = random_values(rng, network, 2, STEPS, largest=int(rng.choice([4, 16])))
        if not obstacles(["torch"], network, STEPS):
            run = simulate_reference(network, values)
            peaks = [peak for layer in run.counters.layers for peak in layer.peaks.values()]
            if run.counters.saturations == 0 and max(peaks) < EXACT_BELOW:
                yield seed, network, values, run.trace
        seed += 1


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_training_blocks_and_fast_give_the_reference_of_sigma_delta_networks():
    models = set()
    for seed, network, values, trace in itertools.islice(trainable_sigma_delta(), NETWORKS):
        traces = {name: BACKENDS[name](network, values) for name in ("fast", "torch")}
        outcome = verify(network, {"reference": trace, **traces})
        assert outcome.mismatches == (), f"seed {seed}"
        models |= {(layer.model, layer.convolutional) for layer in network.layers}
    assert {("SIGMA_DELTA", True), ("SIGMA_DELTA", False), ("SIGMA", False)} <= models


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_file_gives_back_the_network(tmp_path_factory, seed):
    network, inputs = drawn(seed)
    path = tmp_path_factory.mktemp("net") / "x.net"
    save_net(path, network)
    again = load_net(path)
    traces = {
        "written": BACKENDS["reference"](network, inputs),
        "read": BACKENDS["reference"](again, inputs),
    }
    assert verify(network, traces).mismatches == ()
    assert (again.numbers, again.reset, again.encoder) == (
        network.numbers,
        network.reset,
        network.encoder,
    )
