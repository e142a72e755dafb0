"""Lava as a process that can fail: it is ended with all it started, and the error says so."""

import os
import subprocess
import tempfile
import time

import numpy as np
import pytest

from kipuka.deploy import lava_run
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_spikes

pytest.importorskip("lava", reason="needs the lava extra")


@pytest.fixture
def network(rng):
    return program(3, random_cuba(rng, 3, 2))


@pytest.fixture
def left_behind(tmp_path, monkeypatch):
    """Processes that this test started and that still run: their folder is in their arguments."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def listed():
        ps = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True)
        return [x for x in ps.stdout.splitlines() if str(tmp_path) in x and x[0] != "Z"]

    return listed


def test_a_hang_is_noticed_and_nothing_is_left_behind(network, rng, left_behind, check_error):
    start = time.monotonic()
    with pytest.raises(KipukaError) as caught:
        lava_run.run_lava(network, random_spikes(rng, 1, 3, 5), stall_limit_s=0.05)
    assert time.monotonic() - start < 30
    check_error(
        caught.value,
        what="did not finish",
        where="backend lava",
        value="no step finished within 0.05 s after step 0",
        remedy="have been ended",
    )
    assert left_behind() == []


def test_a_failing_worker_is_reported_with_its_message(network, rng, left_behind, check_error):
    # Inputs with a unit too few make the graph's first connection impossible.
    with pytest.raises(KipukaError) as caught:
        lava_run.run_lava(network, random_spikes(rng, 1, 2, 5))
    check_error(caught.value, what="did not finish", value="exit status 1 after step 0")
    assert left_behind() == []


def test_progress_counts_algorithmic_steps(network, rng):
    seen = []
    lava_run.run_lava(network, random_spikes(rng, 2, 3, 6), lambda *x: seen.append(x))
    assert seen[-1] == (12, 12)
    assert sorted(seen) == seen


def test_samples_shared_out_over_workers_come_back_in_order(network, rng, monkeypatch):
    from kipuka.deploy.reference import simulate_reference

    monkeypatch.setattr(lava_run, "SAMPLES_PER_WORKER", 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    inputs = random_spikes(rng, 3, 3, 6)
    found = lava_run.run_lava(network, inputs).layers[0]
    expected = simulate_reference(network, inputs).trace.layers[0]
    np.testing.assert_array_equal(found.spikes, expected.spikes)
    np.testing.assert_array_equal(found.states["v"], expected.states["v"])


def test_decays_that_differ_are_refused(rng, check_error):
    layer = random_cuba(rng, 3, 2, current_decay=[1, 2])
    with pytest.raises(KipukaError) as caught:
        lava_run.run_lava(program(3, layer), random_spikes(rng, 1, 3, 5))
    check_error(caught.value, where="layer 1, key current_decay", value="2 diff")


def test_lava_missing(network, rng, monkeypatch, check_error):
    monkeypatch.setattr(lava_run.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(KipukaError) as caught:
        lava_run.run_lava(network, random_spikes(rng, 1, 3, 5))
    check_error(caught.value, what="not installed", limit="Python 3.10", remedy="kipuka[lava]")
