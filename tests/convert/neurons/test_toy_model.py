"""A model that is entered in one table works where nothing has to know it."""

import importlib.util

import numpy as np
import pytest

from kipuka.commands.backends import BACKENDS
from kipuka.convert import fixed, inspect, load_net, save_net
from kipuka.convert.analysis.state_ranges import analyse_ranges
from kipuka.convert.neurons import MODELS
from kipuka.convert.program import RECURRENT, Layer
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.lowered import lower
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import dense, even, program, random_delays, random_spikes
from kipuka_toy_model import MODEL, LeakyParameters


@pytest.fixture(autouse=True)
def entered(monkeypatch):
    monkeypatch.setitem(MODELS, MODEL.name, MODEL)


@pytest.fixture
def network(rng):
    n = 6
    own = dense(even(rng, (n, n)), RECURRENT, "a", random_delays(rng, n, 5))
    neurons = LeakyParameters(np.full(n, 300), rng.integers(20, 90, n))
    last = LeakyParameters(np.full(3, 4096), np.full(3, 40))
    return program(
        4,
        Layer(neurons, (n,), (dense(even(rng, (n, 4)), delays=[0, 1, 2, 62]), own)),
        Layer(last, (3,), (dense(even(rng, (3, n))),)),
    )


def test_it_runs_as_its_step_says(rng, network):
    inputs = random_spikes(rng, 2, 4, 30, 0.4)
    first, last = simulate_reference(network, inputs).trace.layers
    weights = network.layers[1].projections[0].synapses.weights.astype(int)
    for step in range(1, 30):
        # All of the last layer's state leaks away in each step.
        v = weights @ first.spikes[..., step - 1].T << fixed.STATE_SHIFT
        assert np.array_equal(last.spikes[..., step].T, v > 40 << fixed.STATE_SHIFT)
    assert last.spikes.any()


def test_it_survives_a_file_with_the_same_bits(rng, network, tmp_path):
    inputs = random_spikes(rng, 2, 4, 30, 0.4)
    save_net(tmp_path / "toy.net", network, golden_vectors(network, inputs))
    loaded = load_net(tmp_path / "toy.net")
    assert loaded.layers == network.layers
    traces = [simulate_reference(each, inputs).trace for each in (loaded, network)]
    assert traces[0].digest(0) == traces[1].digest(0)


def test_it_is_inspected_mapped_and_priced(rng, network):
    first, _ = inspect(network)
    assert (first.model, first.kind, first.neurons) == ("LEAKY", "dense_rec", 6)
    assert first.netx == ("does not know the neuron type LEAKY", *first.netx[1:])
    state = analyse_ranges(network, 30).of(1, "v")
    assert state.verdict.startswith("may saturate: not proven")
    inputs = random_spikes(rng, 2, 4, 30, 0.4)
    cost = profile(network, inputs, simulate_reference(network, inputs), load_profile("loihi2"))
    assert cost.dynamic_energy_j.typical > 0
    assert cost.layers[0].neuron_updates == 6 * 30


@pytest.mark.parametrize("engine", [name for name in BACKENDS if name != "reference"])
def test_every_other_engine_refuses_it_by_name(rng, network, engine, check_error):
    if engine != "fast" and not importlib.util.find_spec("lava"):
        pytest.skip("needs the lava extra")
    with pytest.raises(KipukaError) as caught:
        BACKENDS[engine](network, random_spikes(rng, 1, 4, 5))
    check_error(caught.value, what=engine, where="layer 1", value="LEAKY", remedy="reference")


def test_the_lowering_refuses_it_by_name(network, check_error):
    with pytest.raises(KipukaError) as caught:
        lower(network)
    check_error(
        caught.value, what="lowered has no model LEAKY", where="layer 1", value="LEAKY",
        limit="CUBA, SPIKING_GRU", remedy="reference",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("leak", "threshold", "rule", "key"),
    [(4097, 1, "leak_within_unity", "leak"), (1, 0, "threshold_in_reach", "vThMant")],
)
def test_its_rules_hold(leak, threshold, rule, key, check_error):
    neurons = LeakyParameters(np.array([leak]), np.array([threshold]))
    with pytest.raises(KipukaError) as caught:
        program(1, Layer(neurons, (1,), (dense([[2]]),)))
    value = str(leak if key == "leak" else threshold)
    check_error(caught.value, what=rule, where=f"layer 1, key {key}", value=value)
