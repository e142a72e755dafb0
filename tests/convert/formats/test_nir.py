"""NIR graphs, made by the nir package, become the integers that their equations ask for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from kipuka.convert import load_network, save_network
from kipuka.convert.float_network import simulate_floats
from kipuka.convert.formats.nir.file import floats_of, load_nir, quantized_nir, save_nir
from kipuka.convert.program import RECURRENT
from kipuka.convert.synapses import ConvSynapses
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import (
    conv,
    conv_cuba,
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_delays,
    random_spikes,
)

nir = pytest.importorskip("nir")
DT = 1e-3


def lif(n, tau=0.01, threshold=1.0, **others):
    ones = np.ones(n)
    values = {"r": ones, "v_leak": 0 * ones, "v_reset": 0 * ones, **others}
    return nir.LIF(tau=tau * ones, v_threshold=threshold * ones, **values)


def write(tmp_path, nodes, edges):
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
    return tmp_path / "g.nir"


def chain(tmp_path, shape, *nodes):
    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{k}": node for k, node in enumerate(nodes)} | {"output": nir.Output(np.array([1]))}
    names = list(named)
    return write(tmp_path, named, list(pairwise(names)))


def test_a_leaky_neuron_has_the_decay_gain_and_threshold_of_euler(tmp_path, rng):
    weights = rng.normal(size=(3, 4))
    path = chain(tmp_path, [4], nir.Linear(weights), lif(3, tau=0.01, threshold=0.5))
    layer = load_nir(path, dt=DT).layers[0]
    scale = 254 / (np.abs(weights).max() * 0.1)
    assert layer.neuron.voltage_decay.tolist() == [round(4096 * 0.1)] * 3
    assert layer.neuron.current_decay.tolist() == [4096] * 3
    assert layer.neuron.threshold.tolist() == [round(scale * 0.5)] * 3
    expected = 2 * np.round(weights * 0.1 * scale / 2)
    assert np.array_equal(layer.projections[0].synapses.weights, expected)


def test_a_current_based_neuron_folds_its_gains_into_the_weights(tmp_path, rng):
    ones = np.ones(2)
    node = nir.CubaLIF(
        tau_syn=0.004 * ones,
        tau_mem=0.02 * ones,
        r=3 * ones,
        v_leak=0 * ones,
        v_threshold=0.7 * ones,
        v_reset=0 * ones,
        w_in=5 * ones,
    )
    weights = rng.normal(size=(2, 3))
    layer = load_nir(chain(tmp_path, [3], nir.Linear(weights), node), dt=DT).layers[0]
    assert layer.neuron.current_decay.tolist() == [1024, 1024]
    assert layer.neuron.voltage_decay.tolist() == [round(4096 * 0.05)] * 2
    scale = 254 / np.abs(weights * (5 * 0.25 * 3 * 0.05)).max()
    assert layer.neuron.threshold.tolist() == [round(0.7 * scale)] * 2


def test_per_step_integrators_take_no_dt(tmp_path):
    ones = np.ones(2)
    node = nir.IF(r=ones, v_threshold=ones, v_reset=0 * ones)
    path = chain(tmp_path, [2], nir.Linear(np.array([[0.5, 0], [0, 1.0]])), node)
    sinabs, plain = (quantized_nir(path, dt=0.1, preset=p) for p in ("sinabs", "plain"))
    assert sinabs.program.layers[0].neuron.threshold.tolist() == [254, 254]
    assert plain.program.layers[0].neuron.threshold.tolist() == [2540, 2540]


@pytest.mark.parametrize(("weight", "rating"), [(100, "exact"), (101, "rounded")])
def test_a_layer_that_loses_nothing_is_called_exact(tmp_path, weight, rating):
    # The gain is 1/8, so that these are the integers themselves at a scale of 1.
    weights = np.array([[254.0, weight]]) * 8
    path = chain(tmp_path, [2], nir.Linear(weights), lif(1, 0.008, 300))
    (report,) = quantized_nir(path, dt=DT).layers
    assert (report.rating, report.threshold) == (rating, 300)


def test_a_coarse_threshold_raises_the_weight_exponent(tmp_path):
    weights = np.array([[1.0, 0.37]])
    path = chain(tmp_path, [2], nir.Linear(weights), lif(1, 0.001, 0.0371))
    (report,), network = quantized_nir(path, dt=DT).layers, load_nir(path, dt=DT)
    # At exponent 0 the threshold would be 9.42 weight units; 6 bits more make it 603.1.
    assert (report.weight_exponent, report.threshold) == (6, 603)
    assert network.layers[0].projections[0].weight_exponent == 6
    assert network.layers[0].projections[0].synapses.weights.tolist() == [[254, 94]]
    assert report.threshold_error < 2**-9
    assert report.headroom == 131071 / 603
    assert "exponent 6" in network.metadata["quantization"]


def test_a_report_says_what_the_range_analysis_proves(tmp_path):
    def reports(weight):
        return quantized_nir(
            chain(tmp_path, [2], nir.Linear(np.array([[1.0, weight]])), lif(1, 1.0, 0.01)), dt=DT
        ).layers

    assert "no state can overflow" in reports(0.5)[0].range_verdict
    assert "v may saturate" in reports(-1.0)[0].range_verdict


def test_thresholds_that_differ_are_kept_and_named_and_noise_is_not(tmp_path):
    def loaded(threshold):
        node = lif(2)
        node.v_threshold = np.array([1.0, threshold])
        found = quantized_nir(chain(tmp_path, [2], nir.Linear(np.eye(2)), node), dt=DT)
        return found.program.layers[0].neuron.threshold.tolist(), found.layers[0]

    thresholds, report = loaded(1.5)
    assert thresholds == [2540, 3810]
    assert not report.uniform
    assert "no Lava backend" in str(report)
    thresholds, report = loaded(1.0 + 3e-6)
    assert thresholds == [2540, 2540]
    assert report.uniform


def test_time_constants_that_differ_by_float_noise_are_one_decay(tmp_path):
    node = lif(3)
    node.tau = np.array([0.01, 0.01 + 2e-9, 0.01 - 2e-9], dtype=np.float32)
    node.v_reset = np.zeros(3)
    layer = load_nir(chain(tmp_path, [2], nir.Linear(np.ones((3, 2))), node), dt=DT).layers[0]
    assert len(set(layer.neuron.voltage_decay.tolist())) == 1
    # One step exactly, but for the noise of float32.
    node.tau = np.full(3, np.float32(1e-3) * (1 - 6e-8))
    layer = load_nir(chain(tmp_path, [2], nir.Linear(np.ones((3, 2))), node), dt=DT).layers[0]
    assert set(layer.neuron.voltage_decay.tolist()) == {4096}


def cubalif(n, **others):
    ones = np.ones(n)
    values = {"r": ones, "v_leak": 0 * ones, "v_threshold": ones, "w_in": ones, **others}
    return nir.CubaLIF(tau_syn=0.004 * ones, tau_mem=0.02 * ones, v_reset=0 * ones, **values)


def test_presets_read_what_their_exporters_mean(tmp_path):
    weights = nir.Linear(np.array([[2.0]]))
    plain, norse = (
        floats_of(chain(tmp_path, [1], weights, cubalif(1)), dt=DT, preset=p).layers[0]
        for p in ("plain", "norse")
    )
    # Norse's current jumps by its input; NIR's rises by dt / tau_syn of it.
    assert np.allclose([plain.gain[0], norse.gain[0]], [0.25 * 0.05, 0.05])
    path = chain(tmp_path, [1], weights, lif(1, tau=10.0))
    sinabs = floats_of(path, preset="sinabs").layers[0]
    assert np.allclose([sinabs.voltage_decay[0], sinabs.gain[0]], 1 - np.exp(-0.1))
    path = chain(tmp_path, [1], weights, lif(1, tau=1e-3, r=np.array([10.0])))
    snntorch = floats_of(path, preset="snntorch").layers[0]
    assert np.allclose([snntorch.voltage_decay[0], snntorch.gain[0]], [0.1, 1.0])


@pytest.mark.parametrize("kind", ["LI", "CubaLI"])
def test_a_last_layer_without_spikes_is_read_by_its_membrane(tmp_path, rng, kind):
    ones = np.ones(3)
    node = nir.LI(tau=0.01 * ones, r=ones, v_leak=0 * ones)
    if kind == "CubaLI":
        node = nir.CubaLI(0.004 * ones, 0.02 * ones, ones, 0 * ones, w_in=ones)
    weights = rng.normal(size=(3, 5))
    network = load_nir(chain(tmp_path, [5], nir.Linear(weights), node), dt=DT)
    assert network.readout.kind == "membrane"
    spikes = random_spikes(rng, 2, 5, 50, 0.2)
    assert not simulate_reference(network, spikes).trace.layers[0].spikes.any()


def test_parameters_of_one_value_stand_for_all_neurons(tmp_path, rng):
    weights = nir.Linear(rng.normal(size=(3, 2)))
    one = lif(1, tau=0.02, threshold=0.3)
    scalar = nir.LIF(*(np.array([x]) for x in (0.02, 1.0, 0.0, 0.3, 0.0)))
    for node in (one, scalar):
        path = chain(tmp_path, [2], weights, node)
        assert load_nir(path, dt=DT) == load_nir(
            chain(tmp_path, [2], weights, lif(3, 0.02, 0.3)), dt=DT
        )


@pytest.mark.parametrize("shape", [[2, 6, 5], [1, 2, 6, 5], [1, 1, 2, 6, 5]])
def test_images_come_with_and_without_batch_axes(tmp_path, rng, shape):
    conv2d = nir.Conv2d((6, 5), np.ones((3, 2, 3, 3)), 1, np.array([1, 1]), 1, 1, np.zeros(3))
    network = load_nir(chain(tmp_path, shape, conv2d, lif((3, 6, 5))), dt=DT)
    assert network.input_shape == (2, 6, 5)
    assert network.layers[0].shape == (3, 6, 5)


def test_images_of_several_samples_are_refused(tmp_path, check_error):
    conv2d = nir.Conv2d((6, 5), np.ones((3, 2, 3, 3)), 1, 1, 1, 1, np.zeros(3))
    with pytest.raises(KipukaError) as caught:
        load_nir(chain(tmp_path, [4, 2, 6, 5], conv2d, lif((3, 6, 5))), dt=DT)
    check_error(caught.value, what="Input", where="shape", limit="channels", value="4")


def recurrent_block(rng, n, delay_steps):
    """Input, neurons and a delayed loop, as exporters nest them."""
    nodes = {
        "input": nir.Input(np.array([n])),
        "lif": lif(n),
        "late": nir.Delay(np.full(n, delay_steps * DT)),
        "w_rec": nir.Linear(rng.normal(size=(n, n))),
        "output": nir.Output(np.array([n])),
    }
    edges = [("input", "lif"), ("lif", "late"), ("late", "w_rec"), ("w_rec", "lif")]
    return nir.NIRGraph(nodes=nodes, edges=[*edges, ("lif", "output")], type_check=False)


def nested(tmp_path, rng, delay_steps):
    nodes = {
        "input": nir.Input(np.array([3])),
        "w": nir.Linear(rng.normal(size=(4, 3))),
        "block": nir.NIRGraph(
            nodes={
                "input": nir.Input(np.array([4])),
                "inner": recurrent_block(rng, 4, delay_steps),
                "output": nir.Output(np.array([4])),
            },
            edges=[("input", "inner"), ("inner", "output")],
            type_check=False,
        ),
        "w2": nir.Linear(rng.normal(size=(2, 4))),
        "last": lif(2),
        "output": nir.Output(np.array([2])),
    }
    return write(tmp_path, nodes, list(pairwise(nodes)))


def test_a_loop_with_a_delay_within_nested_graphs(tmp_path, rng):
    network = load_nir(nested(tmp_path, rng, 7), dt=DT)
    first, last = network.layers
    assert first.from_source(RECURRENT)[0].delays.tolist() == [7, 7, 7, 7]
    assert first.from_source(1)[0].delays.tolist() == [0, 0, 0]
    assert last.from_source(1)[0].delays.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("steps", "value"), [(2.5, "2.5 steps"), (63, "63 steps")])
def test_a_loop_off_the_grid_or_too_late_is_refused(tmp_path, rng, steps, value, check_error):
    with pytest.raises(KipukaError) as caught:
        load_nir(nested(tmp_path, rng, steps), dt=DT)
    check_error(
        caught.value, what="grid", where="block.inner.lif", limit="0 to 62", value=value,
        remedy="steps",
    )  # fmt: skip


def test_pooling_before_a_convolution_stays_a_convolution_and_the_same_operator(tmp_path, rng):
    def conv2d(shape, weights, padding=0):
        return nir.Conv2d(shape, weights, 1, padding, 1, 1, np.zeros(len(weights)))

    first = conv2d((8, 6), rng.normal(size=(3, 2, 3, 3)), padding=1)
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    second = conv2d((4, 3), rng.normal(size=(2, 3, 2, 2)), padding=1)
    n = 2 * 5 * 4
    nodes = (
        first,
        lif((3, 8, 6)),
        pool,
        second,
        lif((2, 5, 4)),
        nir.Flatten({"input": np.array([2, 5, 4])}, 0, -1),
    )
    path = chain(tmp_path, [2, 8, 6], *nodes, nir.Linear(rng.normal(size=(4, n))), lif(4))
    network, floats = load_nir(path, dt=DT), floats_of(path, dt=DT)
    kinds = [type(layer.projections[0].synapses) for layer in network.layers]
    assert kinds[:2] == [ConvSynapses, ConvSynapses]
    assert network.layers[1].projections[0].synapses.stride == (2, 2)
    # Against torch-free pooling by hand: sums of squares of four.
    x = rng.normal(size=(3, 8, 6))
    pooled = x.reshape(3, 4, 2, 3, 2).sum((2, 4))
    by_hand = np.zeros((2, 5, 4))
    padded = np.pad(pooled, ((0, 0), (1, 1), (1, 1)))
    for i in range(2):
        for j in range(2):
            window = padded[:, i : i + 5, j : j + 4]
            by_hand += np.tensordot(second.weight[:, :, i, j], window, 1)
    found = floats.layers[1].projections[0].linear.matrix() @ x.ravel()
    assert np.allclose(found, by_hand.ravel())


def test_recurrence_and_skips_and_delays(tmp_path, rng):
    nodes = {
        "input": nir.Input(np.array([3])),
        "w1": nir.Linear(rng.normal(size=(4, 3))),
        "l1": lif(4),
        "late": nir.Delay(np.array([0.0, 2.0, 5.0, 61.0]) * DT),
        "rec": nir.Linear(rng.normal(size=(4, 4))),
        "w2": nir.Linear(rng.normal(size=(2, 4))),
        "l2": lif(2),
        "w3": nir.Linear(rng.normal(size=(2, 4))),
        "w4": nir.Linear(rng.normal(size=(2, 2))),
        "l3": lif(2),
        "output": nir.Output(np.array([2])),
    }
    edges = [("input", "w1"), ("w1", "l1"), ("l1", "late"), ("late", "rec"), ("rec", "l1")]
    edges += [("l1", "w2"), ("w2", "l2"), ("l2", "w4"), ("w4", "l3"), ("l1", "w3"), ("w3", "l3")]
    edges += [("l3", "output")]
    network = load_nir(write(tmp_path, nodes, edges), dt=DT)
    first, _, last = network.layers
    assert first.from_source(RECURRENT)[0].delays.tolist() == [0, 2, 5, 61]
    assert first.from_source(1)[0].delays.tolist() == [0, 0, 0]
    # What passes the second layer by waits for the step that it takes.
    assert last.from_source(2)[0].delays.tolist() == [1, 1, 1, 1]


def test_graphs_within_graphs_and_batch_axes(tmp_path, rng):
    inner = nir.NIRGraph(
        nodes={
            "in": nir.Input(np.array([3])),
            "w": nir.Linear(rng.normal(size=(2, 3))),
            "lif": lif(2),
            "out": nir.Output(np.array([2])),
        },
        edges=[("in", "w"), ("w", "lif"), ("lif", "out")],
    )
    nodes = {"input": nir.Input(np.array([1, 1, 3])), "block": inner}
    nodes["output"] = nir.Output(np.array([1, 1, 2]))
    network = load_nir(write(tmp_path, nodes, [("input", "block"), ("block", "output")]), dt=DT)
    assert network.input_shape == (3,)
    assert network.layers[0].n_neurons == 2


def test_floats_and_integers_agree_where_rounding_is_small(tmp_path, rng):
    path = chain(tmp_path, [5], nir.Linear(rng.normal(size=(6, 5))), lif(6, threshold=0.2))
    spikes = random_spikes(rng, 4, 5, 200, 0.2)
    (floats,) = simulate_floats(floats_of(path, dt=DT), spikes)
    integers = simulate_reference(load_nir(path, dt=DT), spikes).trace.layers[0].spikes
    assert floats.sum() > 50
    assert (floats != integers).mean() < 0.02


def random_program(rng):
    first = conv(even(rng, (3, 2, 3, 3)), (2, 5, 4), padding=(1, 1))
    delays = np.repeat(random_delays(rng, 3), 20)
    second = dense(even(rng, (6, 60)), delays=delays)
    own = dense(even(rng, (6, 6)), RECURRENT, "a", random_delays(rng, 6))
    last = random_cuba(rng, 6, 3, delays=random_delays(rng, 6), current_decay=300, voltage_decay=70)
    hidden = cuba(6, second, own, voltage_decay=512, bias=12, threshold=400)
    return program((2, 5, 4), conv_cuba(first), hidden, last, readout_delays=[0, 4, 62])


def test_weight_exponents_come_back(tmp_path, rng):
    network = program(3, cuba(4, dense(even(rng, (4, 3)), exponent=5), threshold=900))
    save_network(tmp_path / "p.nir", network)
    assert load_network(tmp_path / "p.nir", dt=DT).layers == network.layers


def test_a_program_comes_back_with_the_same_integers(tmp_path, rng):
    network = random_program(rng)
    save_network(tmp_path / "p.nir", network)
    again = load_network(tmp_path / "p.nir", dt=DT)
    assert again.layers == network.layers
    assert again.readout == network.readout


def test_integers_that_differ_by_one_come_back_as_they_were(tmp_path, rng):
    network = random_program(rng)
    first = network.layers[0]
    n = first.n_neurons
    apart = first.neuron._replace(
        voltage_decay=100 + np.arange(n) % 2, threshold=120_000 + np.arange(n) % 2
    )
    network = replace(network, layers=(replace(first, neuron=apart), *network.layers[1:]))
    save_network(tmp_path / "p.nir", network)
    assert load_network(tmp_path / "p.nir", dt=DT).layers == network.layers


@pytest.mark.parametrize(
    ("nodes", "options", "where", "limit"),
    [
        ((nir.Linear(np.ones((1, 2))), lif(1)), {}, "option dt", "seconds"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": 0.1}, "tau", "one step"),
        ((nir.Linear(np.ones((1, 2))), lif(1, v_reset=np.ones(1))), {"dt": DT}, "v_reset", "0"),
        ((nir.Linear(np.zeros((1, 2))), lif(1)), {"dt": DT}, "node n1", "not 0"),
        ((nir.Linear(np.ones((1, 3))), lif(1)), {"dt": DT}, "weight", "(targets, 2)"),
        ((nir.Linear(np.full((1, 2), np.nan)), lif(1)), {"dt": DT}, "weight", "finite"),
        ((nir.I(np.ones(2)), lif(2)), {"dt": DT}, "node n0", "Affine"),
        ((nir.Linear(np.ones((1, 2))),), {"dt": DT}, "node graph", "LIF"),
        (
            (nir.Delay(np.array([0.0, 1.5e-3])), nir.Linear(np.ones((1, 2))), lif(1)),
            {"dt": DT},
            "node n2",
            "whole steps",
        ),
        (
            (nir.Delay(np.array([0.0, 63e-3])), nir.Linear(np.ones((1, 2))), lif(1)),
            {"dt": DT},
            "node n2",
            "0 to 62",
        ),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "preset": "x"}, "preset", "sinabs"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "bias": "x"}, "bias", "steady"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "reset": "x"}, "reset", "subtract"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "reset": "subtract"}, "reset", "to 0"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "decays": "x"}, "decays", "nearest"),
        ((nir.Linear(np.ones((1, 2))), lif(1)), {"dt": DT, "weight_max": 300}, "weight_max", "254"),
        ((nir.Linear(np.ones((1, 2))), lif(1), nir.Linear(np.ones((1, 1)))), {"dt": DT}, "output",
         "right before"),
    ],
)  # fmt: skip
def test_what_would_be_silently_wrong_is_refused(
    tmp_path, nodes, options, where, limit, check_error
):
    path = chain(tmp_path, [2], *nodes)
    with pytest.raises(KipukaError) as caught:
        load_network(path, **options)
    check_error(caught.value, what="", where=where, limit=limit, value="", remedy="")


@pytest.mark.parametrize(
    "options",
    [
        {"dt": "1e-3"},
        {"dt": True},
        {"dt": 10**400},
        {"dt": 1e-3 + 0j},
        {"weight_max": 100.5},
        {"weight_max": "254"},
        {"percentile": "99"},
        {"percentile": float("nan")},
        {"preset": None},
        {"bias": ["steady"]},
        {"decays": 3},
    ],
)
def test_options_of_another_type_are_refused(tmp_path, options, check_error):
    path = chain(tmp_path, [2], nir.Linear(np.ones((1, 2))), lif(1))
    (name,) = options
    with pytest.raises(KipukaError) as caught:
        load_network(path, **{"dt": DT} | options)
    check_error(caught.value, what="", where=name, limit="", value="", remedy="")


@pytest.mark.parametrize("dt", [0, -1, float("nan"), float("inf"), 1e-320, 1e308, "1", None])
def test_no_graph_is_written_for_a_step_that_is_none(tmp_path, rng, dt, check_error):
    with pytest.raises(KipukaError) as caught:
        save_nir(tmp_path / "p.nir", random_program(rng), dt=dt)
    check_error(caught.value, what="step", where="dt", limit="seconds", value="", remedy="dt")
    assert not list(tmp_path.iterdir())


def image(**others):
    """A convolution over 2 x 4 x 4 units."""
    geometry = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(3)}
    return nir.Conv2d(
        **{"input_shape": (4, 4), "weight": np.ones((3, 2, 3, 3)), **geometry, **others}
    )


def row(**others):
    """A convolution over 2 x 7 units."""
    geometry = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(3)}
    return nir.Conv1d(**{"input_shape": 7, "weight": np.ones((3, 2, 3)), **geometry, **others})


INTEGRATOR = nir.IF(np.ones(1), np.ones(1))


@pytest.mark.parametrize(
    ("shape", "nodes", "where", "value"),
    [
        ([2, 4, 4], (image(padding="same"), INTEGRATOR), "padding", "the text same"),
        ([2, 7], (row(padding="same"), INTEGRATOR), "padding", "the text same"),
        ([2, 7], (row(padding=-1), INTEGRATOR), "padding", "-1"),
        ([2, 7], (row(stride=np.array([2, 1])), INTEGRATOR), "stride", "(2, 1)"),
        (
            [2, 4, 4],
            (image(), nir.IF(np.ones((2, 2, 3)), np.ones((2, 2, 3)))),
            "v_reset",
            "(2, 2, 3)",
        ),
        ([2, 4, 4], (nir.Scale(np.ones((4, 4, 2))), image(), INTEGRATOR), "scale", "(4, 4, 2)"),
        ([2], (nir.Delay(np.full(5, 1e-3)), nir.Linear(np.ones((1, 2))), lif(1)), "delay", "(5,)"),
        ([2], (nir.Delay(np.array([-1e-3, 0])), nir.Linear(np.ones((1, 2))), lif(1)), "n2", "-1"),
        ([2], (nir.Linear(np.zeros((0, 2))), lif(0)), "weight", "(0, 2)"),
    ],
)
def test_parameters_of_other_axes_are_refused(tmp_path, shape, nodes, where, value, check_error):
    with pytest.raises(KipukaError) as caught:
        load_network(chain(tmp_path, shape, *nodes), dt=DT)
    check_error(caught.value, what="", where=where, limit="", value=value, remedy="")


def test_an_image_of_one_channel_and_one_row_is_convolved(tmp_path, rng):
    weights = rng.normal(size=(2, 1, 3))
    for sizes in ([1, 7], [1, 1, 7]):
        path = chain(tmp_path, sizes, row(weight=weights, bias=np.zeros(2)), INTEGRATOR)
        assert load_network(path, dt=DT).layers[0].shape == (2, 1, 5)
    (projection,) = floats_of(path, dt=DT).layers[0].projections
    spikes = rng.random(7)
    expected = [np.correlate(spikes, one[0], "valid") for one in weights]
    assert np.allclose(projection.linear.matrix() @ spikes, np.ravel(expected))


def nodes_of(**others):
    ends = {"input": nir.Input(np.array([2])), "output": nir.Output(np.array([2]))}
    return ends | {"w": nir.Linear(np.eye(2)), "last": lif(2)} | others


PATH = [("input", "w"), ("w", "last"), ("last", "output")]


@pytest.mark.parametrize(
    ("others", "edges", "where", "value"),
    [
        ({"b": nir.Affine(np.eye(2), np.ones(2))}, [("b", "last")], "node b", "nothing arrives"),
        ({}, [("last", "input")], "node input", "edges from last"),
        (
            {"li": nir.LI(np.ones(2), np.ones(2), np.zeros(2))},
            [("w", "li"), ("li", "last")],
            "node li",
            "last behind it",
        ),
    ],
)
def test_what_would_be_left_out_of_a_graph_is_refused(
    tmp_path, others, edges, where, value, check_error
):
    path = write(tmp_path, nodes_of(), PATH)
    assert load_nir(path, dt=DT).n_inputs == 2
    with pytest.raises(KipukaError) as caught:
        load_nir(write(tmp_path, nodes_of(**others), PATH + edges), dt=DT)
    check_error(caught.value, what="form", where=where, limit="", value=value, remedy="")


def test_a_bias_before_a_synaptic_filter_is_asked_for(tmp_path, check_error):
    ones = np.ones(1)
    node = nir.CubaLIF(0.002 * ones, 0.01 * ones, ones, 0 * ones, 50 * ones, 0 * ones, ones)
    path = chain(tmp_path, [1], nir.Affine(np.ones((1, 1)), np.array([0.3])), node)
    with pytest.raises(KipukaError) as caught:
        load_nir(path, dt=DT)
    check_error(
        caught.value, what="synaptic filter", where="n1", limit="no bias", value="0.3",
        remedy="steady",
    )  # fmt: skip
    floats = floats_of(path, dt=DT, bias="steady").layers[0]
    # The filter settles at w_in b, of which each step adds r dt / tau_mem to the membrane.
    assert np.allclose(floats.bias, 0.3 * 0.1)


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({"population": 3}, "population"),
        ({"current_decay": 0}, "decays"),
        ({"matrix": True}, "per source"),
    ],
)
def test_what_nir_cannot_say_is_not_written(tmp_path, rng, change, limit, check_error):
    delays = np.ones((3, 2), int) if change.pop("matrix", False) else 0
    if isinstance(delays, np.ndarray):
        delays[0, 0] = 5
    settings = {"population": change.pop("population", 1)}
    network = program(2, cuba(3, dense(even(rng, (3, 2)), delays=delays), **change), **settings)
    with pytest.raises(KipukaError) as caught:
        save_nir(tmp_path / "p.nir", network)
    check_error(
        caught.value, what="NIR has no node", where="", limit=limit, value="", remedy=".net"
    )
    assert not list(tmp_path.iterdir())
