"""NIR graphs, made by the nir package, become the integers that their equations ask for."""

from itertools import pairwise

import numpy as np
import pytest

from kipuka.convert import load_network, save_network
from kipuka.convert.formats.nir.file import floats_of, load_nir, quantized_nir, save_nir
from kipuka.convert.program import OWN
from kipuka.convert.quantization import simulate_floats
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
    assert first.from_source(OWN)[0].delays.tolist() == [0, 2, 5, 61]
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
    own = dense(even(rng, (6, 6)), OWN, "a", random_delays(rng, 6))
    last = random_cuba(rng, 6, 3, delays=random_delays(rng, 6), current_decay=300, voltage_decay=70)
    hidden = cuba(6, second, own, voltage_decay=512, bias=12, threshold=400)
    return program((2, 5, 4), conv_cuba(first), hidden, last, readout_delays=[0, 4, 62])


def test_a_program_comes_back_with_the_same_integers(tmp_path, rng):
    network = random_program(rng)
    save_network(tmp_path / "p.nir", network)
    again = load_network(tmp_path / "p.nir", dt=DT)
    assert again.layers == network.layers
    assert again.readout == network.readout


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
