"""Estimates against published measurements; docs/silicon.md is the table that this test makes."""

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

SPEC = importlib.util.find_spec("lava")
if SPEC is None or not SPEC.submodule_search_locations:
    pytest.skip("needs the networks that lava-dl carries", allow_module_level=True)
PILOTNET = Path(next(iter(SPEC.submodule_search_locations))).parent
PILOTNET = PILOTNET / "tests/lava/lib/dl/netx/gts/pilotnet_lif"
DOCUMENT = Path(__file__).parents[2] / "docs" / "silicon.md"

# [lava-dl] netx/pilotnet_snn/benchmark.ipynb, 2023-01: one chip on Oheo Gulch, 16 steps per frame.
STEPS, MEASURED_J, MEASURED_STEP_S, MEASURED_CORES = 16, 1.094e-3, 152.8e-6, 74
MEASURED_STATIC_J = (1.661 - 1.094) * 1e-3
MEASURED_OPERATIONS = 22.9e9 / 10_000


@pytest.fixture(scope="module")
def cost():
    network = load_net(PILOTNET / "network.net")
    network = dataclasses.replace(network, reset=Reset(17))
    image = np.load(PILOTNET / "image.npy").transpose(2, 1, 0).reshape(1, network.n_inputs, 1)
    inputs = np.repeat(image, STEPS, axis=2).astype(np.int32)
    run = simulate(network, inputs, record=Record(states=()))
    return profile(network, inputs, run, load_profile("oheo_gulch"))


def test_dynamic_energy_of_pilotnet_lies_between_its_bounds(cost):
    assert cost.dynamic_energy_j.low < MEASURED_J < cost.dynamic_energy_j.high


def test_latency_of_pilotnet_is_a_lower_bound_within_a_factor_of_3(cost):
    step_s = cost.latency_s.typical / STEPS
    assert step_s < MEASURED_STEP_S < 3 * step_s


def test_cores_of_pilotnet_are_about_those_of_the_compiler(cost):
    assert MEASURED_CORES <= cost.mapping.n_cores <= 1.1 * MEASURED_CORES


def row(name, measured, bounds, unit, scale, verdict):
    texts = ["not published" if x is None else f"{x * scale:.3g}" for x in bounds]
    return f"| {name} | {measured} {unit} | {' | '.join(texts)} | {verdict} |"


def table(cost):
    step = [None if x is None else x / STEPS for x in cost.latency_s]
    operations = cost.synaptic_operations / STEPS
    inside = [
        "inside" if b.low < m < b.high else "**outside**"
        for b, m in (
            (cost.dynamic_energy_j, MEASURED_J),
            (cost.static_energy_j, MEASURED_STATIC_J),
        )
    ]
    factor = MEASURED_STEP_S / step[1]
    above = "**above high**" if step[2] < MEASURED_STEP_S else "inside"
    return "\n".join(
        [
            "| quantity | measured | low | typical | high | measured value is |",
            "|---|---|---|---|---|---|",
            row("dynamic energy per frame", 1.094, cost.dynamic_energy_j, "mJ", 1e3, inside[0]),
            row("static energy per frame", 0.567, cost.static_energy_j, "mJ", 1e3, inside[1]),
            row("time per step", 152.8, step, "us", 1e6, f"{above}; {factor:.2f} x typical"),
            f"| neuro cores | 74 | | {cost.mapping.n_cores} | | the compiler's own mapping |",
            f"| synaptic operations per step | 2.29 M (plot reading) | | "
            f"{operations / 1e6:.2f} M | | counted, not estimated |",
        ]
    )


def test_the_table_in_the_documentation_is_what_comes_out(cost):
    text = DOCUMENT.read_text("utf-8")
    start, end = "<!-- pilotnet -->\n", "\n<!-- end -->"
    head, rest = text.split(start)
    old, tail = rest.split(end)
    if os.environ.get("KIPUKA_WRITE_TABLES"):
        DOCUMENT.write_text(head + start + table(cost) + end + tail, "utf-8")
    else:
        assert old == table(cost)


# [Meszaros25] and [Shoesmith25], secondary: published energy and what the document calls it.
SHD = (
    (0.28e-3, "0.28 mJ dynamic, feed-forward with delays", None),
    (0.21e-3, "0.21 mJ dynamic, recurrent with delays", None),
    (0.50e-3, "0.50 mJ, recurrent 1024, boundary not given", 1024),
)


def test_what_published_energies_of_spoken_digits_allow_is_what_the_document_says():
    price = load_profile("oheo_gulch").energy.synaptic_operation.in_si()
    text = DOCUMENT.read_text("utf-8").split("<!-- shd -->\n")[1].split("\n<!-- end of shd -->")[0]
    rows = text.splitlines()[2:]
    for shown, (energy_j, name, neurons) in zip(rows, SHD, strict=True):
        few, many = energy_j / price.high, energy_j / price.low
        rates = "not its size"
        if neurons:
            # A spike of a recurrent layer reaches every neuron of it.
            spikes = [round(count / neurons**2) for count in (few, many)]
            rates = f"{spikes[0]} to {spikes[1]} spikes per neuron and sample"
        assert shown == f"| {name} | {few / 1e6:.1f} to {many / 1e6:.1f} M per sample | {rates} |"
