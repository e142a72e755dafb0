"""Public NIR graphs, and a Loihi 2 chip's trace of one of them (skipped without the data)."""

import os
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.float_network import simulate_floats
from kipuka.convert.formats.nir.file import floats_of, quantized_nir
from kipuka.convert.quantization import quantize
from kipuka.deploy import simulate, simulate_reference
from kipuka.deploy.fidelity import measure_fidelity
from kipuka.errors import KipukaError
from kipuka_cases import random_spikes

FOLDER = Path(
    os.environ.get("KIPUKA_NIR_DATA", Path(__file__).parents[2].parent / "shared" / "data" / "nir")
)
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the public NIR graphs")

LAG = 1
"""Steps by which the chip's record is behind the network's."""


@pytest.mark.parametrize("record", ["loihi", "cpu"])
def test_with_plain_options_every_spike_of_the_traces_comes_out(record):
    trace = np.loadtxt(FOLDER / f"lif_lava_{record}_fixed.csv", delimiter=",")
    found = quantized_nir(FOLDER / "lif_norse.nir", dt=1e-4)
    assert [int(x[0]) for x in found.program.layers[0].neuron] == [4096, 164, 635, 0]
    layer = simulate(found.program, trace[None, None, :, 0] > 0).trace.layers[0]
    assert np.array_equal(layer.spikes[0, 0, :-LAG], trace[LAG:, 2] > 0)


def test_the_norse_graph_does_what_lava_did():
    trace = np.loadtxt(FOLDER / "lif_lava_cpu_fixed.csv", delimiter=",")
    found = quantized_nir(FOLDER / "lif_norse.nir", dt=1e-4, weight_max=10, decays="down")
    layer = simulate(found.program, trace[None, None, :, 0] > 0).trace.layers[0]
    assert np.array_equal(layer.spikes[0, 0, :-LAG], trace[LAG:, 2] > 0)
    assert np.array_equal(layer.states["v"][0, 0, :-LAG], trace[LAG:, 1])


def test_the_norse_graph_does_what_the_chip_did():
    trace = np.loadtxt(FOLDER / "lif_lava_loihi_fixed.csv", delimiter=",")
    spikes, membranes, fired = trace[:, 0] > 0, trace[:, 1], trace[:, 2] > 0
    # The converter behind the trace cut decays off, and gave the weight 10 of 127.
    found = quantized_nir(FOLDER / "lif_norse.nir", dt=1e-4, weight_max=10, decays="down")
    neuron = found.program.layers[0].neuron
    assert [int(x[0]) for x in neuron] == [4096, 163, 25, 0]
    for run in (simulate, simulate_reference):
        layer = run(found.program, spikes[None, None]).trace.layers[0]
        assert np.array_equal(layer.spikes[0, 0, :-LAG], fired[LAG:])
        different = np.flatnonzero(layer.states["v"][0, 0, :-LAG] != membranes[LAG:])
        assert (different + LAG).tolist() == np.flatnonzero(fired).tolist()
    assert fired.sum() == 4


@pytest.mark.parametrize(
    ("name", "options", "different"),
    [
        ("lif_norse", {"dt": 1e-4}, 0.0),
        ("lif_rockpool", {"dt": 1e-4}, 0.0),
        ("two_lif_neurons", {"dt": 1e-3}, 0.0),
        ("cnn_sinabs", {"dt": 1.0, "preset": "sinabs"}, 0.07),
        ("braille_noDelay_bias_zero", {"dt": 1e-4, "bias": "steady"}, 0.35),
        ("braille_noDelay_noBias_subtract", {"dt": 1e-4}, 0.03),
    ],
)
def test_public_graphs_run_as_their_floats_do(rng, name, options, different):
    path = FOLDER / f"{name}.nir"
    found = quantized_nir(path, **options)
    assert all(report.rating == "rounded" for report in found.layers)
    spikes = random_spikes(rng, 2, found.program.n_inputs, 60, 0.1)
    floats = simulate_floats(floats_of(path, **options), spikes)[-1]
    integers = simulate(found.program, spikes).trace.layers[-1].spikes
    assert (floats != integers).mean() <= different


@pytest.mark.parametrize(
    ("name", "options", "samples", "layers", "decisions"),
    [
        ("cnn_sinabs", {"preset": "sinabs"}, 4, [0.98, 0.94, 0.88, 0.95, 0.96], 4),
        ("braille_noDelay_bias_zero", {"dt": 1e-4, "bias": "steady"}, 40, [0.99, 0.75], 31),
        ("braille_noDelay_noBias_subtract", {"dt": 1e-4}, 40, [0.99, 0.98], 35),
    ],
)
def test_figures_of_the_documents(name, options, samples, layers, decisions):
    floats = floats_of(FOLDER / f"{name}.nir", **options)
    quantized = quantize(floats)
    spikes = np.random.default_rng(0).random((samples, quantized.program.n_inputs, 60)) < 0.1
    found = measure_fidelity(floats, quantized, spikes)
    for one, least in zip(found.layers, layers, strict=True):
        assert one.agreement >= least
    assert found.same_decisions >= decisions


def test_a_soft_reset_that_the_user_flags_is_refused(check_error):
    with pytest.raises(KipukaError) as caught:
        quantized_nir(FOLDER / "braille_noDelay_noBias_subtract.nir", dt=1e-4, reset="subtract")
    check_error(caught.value, what="soft reset", where="option reset", limit="zero")


def test_biases_through_a_filter_are_asked_for(check_error):
    with pytest.raises(KipukaError) as caught:
        quantized_nir(FOLDER / "braille_noDelay_bias_zero.nir", dt=1e-4)
    check_error(caught.value, what="synaptic filter", where="lif1.lif", limit="no bias")
