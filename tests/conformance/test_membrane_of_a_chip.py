"""A membrane that was read from a Loihi 2 chip, step by step, through file, simulators and Lava.

The record is ``lif_lava_loihi_fixed.csv`` of the NIR paper's repository (neuromorphs/NIR, BSD-3,
1000 steps of input spike, membrane and output spike); its README there gives the parameters: weight
10, `du` 4095, `dv` 163, `vth` 25, no bias. The data are not part of this repository;
``KIPUKA_NIR_DATA`` names their folder, and without them the tests are skipped.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy import run_lava, simulate, simulate_reference
from kipuka_cases import cuba, dense, program

FOLDER = Path(
    os.environ.get("KIPUKA_NIR_DATA", Path(__file__).parents[2].parent / "shared" / "data" / "nir")
)
RECORD = FOLDER / "lif_lava_loihi_fixed.csv"
pytestmark = pytest.mark.skipif(not RECORD.is_file(), reason="needs the public record of a chip")

LAG = 1
"""Steps by which the chip's record is behind the network's."""

MARK = 128
"""What the chip's register reads in the step of a spike, where the rule gives 0."""


@pytest.fixture(scope="module")
def record():
    spikes, membranes, fired = np.loadtxt(RECORD, delimiter=",").T
    assert (spikes.sum(), fired.sum(), spikes.size) == (34, 4, 1000)
    return spikes > 0, membranes.astype(np.int64), fired > 0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The one-neuron network, written to a file and read again."""
    layer = cuba(1, dense([[10]]), current_decay=4096, voltage_decay=163, threshold=25)
    path = tmp_path_factory.mktemp("chip") / "one_neuron.net"
    save_net(path, program(1, layer))
    return load_net(path)


def compare(trace, record):
    _, membranes, fired = record
    layer = trace.layers[0]
    np.testing.assert_array_equal(layer.spikes[0, 0, :-LAG], fired[LAG:])
    found = layer.states["v"][0, 0, :-LAG]
    np.testing.assert_array_equal(found[~fired[LAG:]], membranes[LAG:][~fired[LAG:]])
    assert found[fired[LAG:]].tolist() == [0] * 4
    assert membranes[fired].tolist() == [MARK] * 4


@pytest.mark.parametrize("engine", [simulate_reference, simulate])
def test_simulators_have_the_membrane_of_the_chip(network, record, engine):
    compare(engine(network, record[0][None, None]).trace, record)


@pytest.mark.lava
@pytest.mark.skipif(importlib.util.find_spec("lava") is None, reason="needs the lava extra")
@pytest.mark.parametrize("backend", ["lava", "netx"])
def test_lava_has_the_membrane_of_the_chip(network, record, backend):
    compare(run_lava(network, record[0][None, None], backend=backend), record)
