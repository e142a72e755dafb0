"""Estimates against published measurements; docs/silicon.md is the list that this test makes."""

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.program import Reset
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.fast.simulator import Record, simulate
from kipuka.hardware_profiles import load_profile
from kipuka_observations import PILOTNET, PILOTNET_CORES
from kipuka_silicon import (
    core_rows,
    core_table,
    dense_table,
    digits_table,
    host_table,
    kernel_table,
    own_counts_step,
    pilotnet_table,
    placed,
    small_steps_table,
    static_table,
)

SPEC = importlib.util.find_spec("lava")
if SPEC is None or not SPEC.submodule_search_locations:
    pytest.skip("needs the networks that lava-dl carries", allow_module_level=True)
NETWORK = Path(next(iter(SPEC.submodule_search_locations))).parent
NETWORK = NETWORK / "tests/lava/lib/dl/netx/gts/pilotnet_lif"
DOCUMENT = Path(__file__).parents[2] / "docs" / "silicon.md"

# [lava-dl] netx/pilotnet_snn/benchmark.ipynb, 2023-01: one chip on Oheo Gulch, 16 steps per frame.
STEPS, MEASURED_J, MEASURED_STEP_S = 16, 1.094e-3, 152.8e-6


@pytest.fixture(scope="module")
def chip():
    return load_profile("oheo_gulch")


@pytest.fixture(scope="module")
def cost(chip):
    network = load_net(NETWORK / "network.net")
    network = dataclasses.replace(network, reset=Reset(17))
    image = np.load(NETWORK / "image.npy").transpose(2, 1, 0).reshape(1, network.n_inputs, 1)
    inputs = np.repeat(image, STEPS, axis=2).astype(np.int32)
    run = simulate(network, inputs, record=Record(states=()))
    return profile(network, inputs, run, chip)


def test_dynamic_energy_of_pilotnet_lies_between_its_bounds(cost):
    assert cost.dynamic_energy_j.low < MEASURED_J < cost.dynamic_energy_j.high
    for run in PILOTNET:
        assert cost.dynamic_energy_j.low < run.dynamic_j < cost.dynamic_energy_j.high


def test_latency_of_pilotnet_is_a_lower_bound_within_a_factor_of_3(cost):
    step_s = cost.latency_s.typical / STEPS
    assert step_s < MEASURED_STEP_S < 3 * step_s


def test_measured_steps_of_pilotnet_lie_inside_bounds_of_a_factor_of_3(cost, chip):
    step = [bound / STEPS for bound in cost.latency_s]
    for bounds in (step, list(own_counts_step(chip))):
        assert bounds[2] <= 3 * bounds[0]
        for run in PILOTNET:
            assert bounds[0] < run.step_s < bounds[2]


def test_measured_static_energy_of_pilotnet_lies_inside_its_bounds(cost):
    for run in PILOTNET:
        assert cost.static_energy_j.low < run.static_j < cost.static_energy_j.high


def test_cores_of_pilotnet_are_in_the_range(cost):
    low, high = cost.cores
    assert low <= PILOTNET_CORES <= high
    convolutions = [own.n_cores for own in cost.halved.groups if own.name != "layer 0"][:5]
    assert convolutions == [25, 13, 3, 3, 2]


@pytest.mark.slow
def test_every_layer_of_the_compiler_s_tables_is_in_the_range():
    for row, low, high in core_rows(load_profile("loihi2")):
        assert low <= row.cores <= high, row


@pytest.mark.slow
def test_the_list_in_the_documentation_is_what_comes_out(cost, chip):
    text = DOCUMENT.read_text("utf-8")
    made = text
    for name, table in (
        ("dense", dense_table(chip)),
        ("kernels", kernel_table(chip)),
        ("cores", core_table(load_profile("loihi2"))),
        ("pilotnet", pilotnet_table(cost, chip)),
        ("small", small_steps_table(chip)),
        ("host", host_table(chip)),
        ("static", static_table(chip)),
        ("shd", digits_table(chip)),
    ):
        made = placed(made, name, table)
    if os.environ.get("KIPUKA_WRITE_TABLES"):
        DOCUMENT.write_text(made, "utf-8")
    else:
        assert text == made
