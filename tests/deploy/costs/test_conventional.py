"""Energies on conventional processors: counts times a figure with source and boundary."""

import numpy as np
import pytest

from kipuka.deploy.costs.conventional import on_processors
from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.fast.simulator import simulate
from kipuka.hardware_profiles.processors import load_processors
from kipuka_cases import program, random_cuba, random_spikes


def test_each_figure_states_source_and_boundary():
    bundled = load_processors()
    assert len(bundled.processors) == 4
    for one in bundled.processors:
        assert "Boundary:" in one.multiply_accumulate.note
        assert "[" in one.multiply_accumulate.source
    quoted = [one.name for one in bundled.processors if one.multiply_accumulate.secondary]
    assert quoted == ["CPU at its best", "GPU at its best"]


@pytest.mark.parametrize("number", range(2))
def test_measured_figures_are_what_their_formula_gives(number):
    one = load_processors().processors[number].multiply_accumulate
    given = {each.name: each.in_si() for each in one.inputs}
    low, typical, high = one.in_si()
    assert typical == pytest.approx(given["one_at_a_time"] / given["operations"], rel=1e-4)
    assert low == pytest.approx(given["of_64_at_a_time"] / given["operations"], rel=1e-4)
    assert high is None
    assert given["operations"] == 390 * 256 + 256 * 256 + 256 * 29


def test_operations_of_a_run_are_priced_one_by_one():
    rng = np.random.default_rng(3)
    network = program(6, random_cuba(rng, 6, 5))
    inputs = random_spikes(rng, 4, 6, 20)
    counters = simulate(network, inputs).counters
    counted = neurobench(network, counters)
    updates = 5 * 20
    assert counted.membrane_updates == updates
    assert counted.dense_operations == 5 * 6 * 20
    at_its_best = on_processors(network, counters)[2]
    assert at_its_best.processor.title == "CPU at its best, Intel i7-4960X"
    assert at_its_best.every_step_j == (None, pytest.approx(8.6e-9 * (600 + updates)), None)
    sparse = counted.effective_acs + updates
    assert at_its_best.where_spikes_arrive_j.typical == pytest.approx(8.6e-9 * sparse)
    assert 0 < counted.effective_acs < 600
