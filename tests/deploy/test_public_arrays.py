"""Whatever stands where an array belongs, in every public function, is taken or refused."""

import dataclasses
import importlib
import warnings

import numpy as np
import pytest

from kipuka.convert import (
    Decisions,
    GoldenVector,
    Layer,
    LayerTrace,
    PairedDifference,
    Projection,
    Readout,
    Trace,
    decide,
    fixed,
    load_golden,
    save_net,
    save_network,
)
from kipuka.convert.float_network import FloatLayer, FloatNetwork, FloatProjection
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.program import Encoder, Program
from kipuka.convert.quantization import quantize
from kipuka.convert.synapses import DenseSynapses
from kipuka.deploy import (
    ReportContents,
    golden_vectors,
    measure_fidelity,
    save_spikes,
    simulate_reference,
    verify,
)
from kipuka.deploy.report.page import write_report
from kipuka.errors import KipukaError
from kipuka_cases import cuba, dense, program, random_cuba, random_gru, random_spikes
from kipuka_operands import STEPS, random_operand

RNG = np.random.default_rng(5)
NETWORK = program(8, random_gru(RNG, 8, 5), random_cuba(RNG, 5, 3))
SPIKES = random_spikes(np.random.default_rng(0), 2, 8, STEPS, 0.4)
RUN = simulate_reference(NETWORK, SPIKES)
VECTOR = golden_vectors(NETWORK, SPIKES)[0]
ONE_FLOAT = FloatLayer(
    name="n",
    shape=(3,),
    projections=(FloatProjection(np.ones((3, 8)), 1, np.zeros(8, np.int64)),),
    gain=np.ones(3),
    current_decay=np.ones(3),
    voltage_decay=np.zeros(3),
    threshold=np.ones(3),
    bias=np.zeros(3),
    scale=None,
)
FLOATS = FloatNetwork((8,), (ONE_FLOAT,), np.zeros(3, np.int64))


def with_trace(**changes):
    first = dataclasses.replace(RUN.trace.layers[0], **changes)
    return verify(NETWORK, {"reference": RUN.trace, "x": Trace((first, *RUN.trace.layers[1:]))})


def with_states(x):
    return with_trace(states=dict.fromkeys(RUN.trace.layers[0].states, x))


def with_projection(x, folder):
    return program(8, cuba(3, Projection(DenseSynapses(np.zeros((3, 8), np.int16)), 1, "a", x)))


def with_weights(x, folder):
    return program(8, cuba(3, Projection(DenseSynapses(x), 1, "a", np.zeros(8, np.int16))))


def with_parameters(x, folder):
    zeros = np.zeros(3, np.int64)
    layer = Layer(CubaParameters(x, zeros, zeros + 1, zeros), (3,), (dense(zeros[:, None]),))
    return program(1, layer)


def with_inputs(x, folder):
    contents = ReportContents(
        title="x", program=NETWORK, inputs=x, simulation=RUN, profiles=(), verification=None,
        accuracy={}, delays_before=None, seconds={},
    )  # fmt: skip
    write_report(folder / "r.html", contents)


def as_golden(key, save=save_net):
    return lambda x, folder: save(
        folder / "a.net", NETWORK, [dataclasses.replace(VECTOR, **{key: x})]
    )


def drawn(name):
    def draw(x, folder):
        from matplotlib.figure import Figure

        plot = importlib.import_module("kipuka.deploy.report.axes")
        getattr(plot, name)(x, Figure().add_subplot())

    return draw


def data_set(name):
    def make(x, folder):
        pytest.importorskip("lava", reason="needs the lava extra")
        from kipuka.train.datasets import Dataset, Split

        makers = {
            "spikes": lambda: Dataset.from_arrays(x, [0, 1]),
            "labels": lambda: Dataset.from_arrays(SPIKES, x),
            "groups": lambda: Dataset.from_arrays(SPIKES, [0, 1], groups=x),
            "times": lambda: Dataset.from_events([(x, [0] * STEPS)] * 4, [0, 1, 0, 1], shape=8),
            "units": lambda: Dataset.from_events([([0.1] * STEPS, x)] * 4, [0, 1, 0, 1], shape=8),
            "part": lambda: Split(x, np.array([0, 1])),
            "labels of a part": lambda: Split(SPIKES, x),
        }
        makers[name]()

    return make


TAKES = {
    "GoldenVector": (as_golden("input"), as_golden("output")),
    "save_net": (as_golden("input"),),
    "save_network": (as_golden("output", save_network),),
    "LayerTrace": (
        lambda x, folder: LayerTrace(x, {}),
        lambda x, folder: LayerTrace(SPIKES, {"v": x}),
    ),
    "Trace": (lambda x, folder: Trace((LayerTrace(x, {}),)).digest(0),),
    "Decisions": (
        lambda x, folder: Decisions.of(NETWORK, RUN.trace.layers[-1], x),
        lambda x, folder: Decisions.of(NETWORK, RUN.trace.layers[-1], [0, 1], group_of=x),
    ),
    "PairedDifference": (
        lambda x, folder: PairedDifference.of(x, [True, False]),
        lambda x, folder: PairedDifference.of([True, False], x),
    ),
    "decide": (
        lambda x, folder: decide(NETWORK, LayerTrace(x, {})),
        lambda x, folder: Encoder(64, 0).activation(x),
        lambda x, folder: Encoder(64, 0, eight_bit=True).activation(x),
    ),
    "measure_fidelity": (lambda x, folder: measure_fidelity(FLOATS, quantize(FLOATS), x),),
    "verify": (lambda x, folder: with_trace(spikes=x), lambda x, folder: with_states(x)),
    "Projection": (with_projection, with_weights),
    "Layer": (with_parameters,),
    "Readout": (lambda x, folder: Program((8,), NETWORK.layers, Readout("spike_count", x)),),
    "Program": (lambda x, folder: Program(x, NETWORK.layers, NETWORK.readout),),
    "save_spikes": (
        lambda x, folder: save_spikes(folder / "x.npy", x, True),
        lambda x, folder: save_spikes(folder / "x.npy", x, False),
    ),
    "ReportContents": (with_inputs,),
    "write_report": (with_inputs,),
    "raster": (drawn("raster"),),
    "membranes": (drawn("membranes"),),
    "Dataset": tuple(map(data_set, ["spikes", "labels", "groups", "times", "units"])),
    "Split": tuple(map(data_set, ["part", "labels of a part"])),
}  # fmt: skip
"""Public names with what stands where an array belongs: in them, or in what one gives them."""

ELSEWHERE = {
    "simulate", "simulate_each", "simulate_reference", "golden_vectors", "profile", "run_lava",
    "trace_blocks", "Events", "compare_script",
}  # fmt: skip
"""Names whose arrays are those of `test_kind_operands`, or of a test of their own."""

NO_ARRAYS = {
    "LayerSummary", "inspect", "load_golden", "load_net", "load_network", "program_from_blocks",
    "COUNTERS", "EVERYTHING", "Cost", "Record", "Simulation", "Verification", "dry_run",
    "load_inputs", "lower", "plan_stream", "AudioLayout", "AxonalDelay", "ConvSpikingGRU",
    "DataOptions", "SpikingGRU", "TrainConfig", "blocks_from_program", "build_network",
    "counting_baseline", "load_run", "program_of", "core_map", "delays", "paired_interval",
    "floats_of", "quantized_nir", "Fidelity", "Splits", "TrainingResult", "load_config",
    "load_dataset", "train", "ScriptComparison", "keep_in_range", "read_as_trained",
    "compare_decisions",
}  # fmt: skip
"""Names that take none: files, numbers, networks, modules, or what other functions return."""


def test_every_public_name_is_listed():
    names = set()
    for package in ("convert", "deploy", "train", "deploy.report.axes"):
        if package == "train":
            pytest.importorskip("lava", reason="needs the lava extra")
        names |= set(importlib.import_module(f"kipuka.{package}").__all__)
    assert names == set(TAKES) | ELSEWHERE | NO_ARRAYS


def small_operand(rng):
    """An operand, or the first of its numbers in a row."""
    operand = random_operand(rng)
    return np.asarray(operand).ravel()[: int(rng.integers(1, 9))] if rng.random() < 0.3 else operand


@pytest.mark.slow
@pytest.mark.parametrize("name", TAKES)
@pytest.mark.parametrize("seed", range(2))
def test_any_array_is_taken_or_refused(name, seed, tmp_path):
    for place, function in enumerate(TAKES[name]):
        for k in range(25):
            operand = small_operand(np.random.default_rng([seed, place, k]))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    function(operand, tmp_path)
                except KipukaError as error:
                    assert error.where
                    assert error.remedy


def test_a_mask_is_no_part_of_a_network(check_error):
    weights = np.ma.masked_array(np.zeros((3, 8), np.int16), mask=True)
    with pytest.raises(KipukaError) as caught:
        with_weights(weights, None)
    check_error(
        caught.value,
        what="parts_are_arrays",
        where="DenseSynapses, weights",
        limit="without a mask",
        value="MaskedArray",
        remedy="numpy.asarray",
    )


@pytest.mark.parametrize("shape", [8, "8", (8.0,), (True,), np.array([8]), None, ((8,),)])
def test_a_shape_is_a_row_of_whole_numbers(shape, check_error):
    with pytest.raises(KipukaError) as caught:
        Program(shape, NETWORK.layers, NETWORK.readout)
    check_error(caught.value, what="parts_are_arrays", where="input_shape", limit="(units,)")
    assert Program((np.int64(8),), NETWORK.layers, NETWORK.readout).n_inputs == 8


@pytest.mark.parametrize("byte", [2, 255])
def test_bytes_of_bools_are_spikes_in_files_and_data_sets(byte, tmp_path):
    odd = (SPIKES * np.uint8(byte)).view(bool)
    save_spikes(tmp_path / "x.npy", odd, batched=True)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), SPIKES.astype(np.uint8))
    save_net(tmp_path / "a.net", NETWORK, [GoldenVector(odd[0], VECTOR.output, VECTOR.digest)])
    np.testing.assert_array_equal(load_golden(tmp_path / "a.net")[0].input, SPIKES[0])
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.datasets import Split

    plain = Split(odd, np.array([0, 1])).spikes
    np.testing.assert_array_equal(plain.view(np.uint8), SPIKES.astype(np.uint8))


def test_a_trace_of_another_layer_decides_nothing(check_error):
    with pytest.raises(KipukaError) as caught:
        decide(NETWORK, RUN.trace.layers[0])
    check_error(
        caught.value,
        what="not that of the network's last layer",
        where="last layer",
        limit="3 neurons",
        value="5",
        remedy="everything recorded",
    )
    last = cuba(3, dense(np.zeros((3, 8), np.int16)), threshold=fixed.NEVER_SPIKES)
    by_membrane = program(8, last, kind="membrane")
    with pytest.raises(KipukaError) as caught:
        decide(by_membrane, LayerTrace(RUN.trace.layers[-1].spikes, {}))
    check_error(caught.value, what="lacks", where="last layer", limit="state v", value="no states")


@pytest.mark.parametrize("labels", [[0], [0.0, 1.0], [[0, 1]], None, "ab"])
def test_labels_that_do_not_fit(labels, check_error):
    with pytest.raises(KipukaError) as caught:
        Decisions.of(NETWORK, RUN.trace.layers[-1], labels)
    check_error(caught.value, what="labels do not fit", where="labels", limit="2 whole numbers")


@pytest.mark.parametrize("metadata", [None, "a", {"a": 1}, {1: "a"}, {"a": None}, [("a", "b")]])
def test_metadata_are_words(metadata, check_error):
    with pytest.raises(KipukaError) as caught:
        Program((8,), NETWORK.layers, NETWORK.readout, metadata)
    check_error(caught.value, what="metadata are no words", where="metadata", limit="text to text")
