"""What graded spikes cost: counts by hand, NeuroBench's own, and what a chip must have."""

import numpy as np
import pytest

from kipuka.convert.neurons.sigma_delta import (
    DeltaParameters,
    DeltaState,
    SigmaDeltaParameters,
    SigmaDeltaState,
    delta_step,
    sigma_delta_step,
)
from kipuka.deploy.costs.advice import advise
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.ndns import ndns_proxy
from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka.hardware_profiles import load_profile
from kipuka_cases import dense, even, program, random_gru, random_spikes
from kipuka_sigma_delta import (
    delta,
    graded_program,
    random_sigma_delta,
    random_values,
    sigma,
    sigma_delta,
)


@pytest.fixture
def chip():
    return load_profile("loihi2")


def small():
    """Two inputs, two neurons, a decoder; a weight of each layer is 0."""
    return graded_program(
        delta((2,)),
        sigma_delta(2, dense([[4, 2], [6, 0]])),
        sigma(1, dense([[2, 0]])),
    )


def test_counts_by_hand(chip):
    network = small()
    # The first input changes in steps 0 and 2, the second in step 1.
    values = np.array([[[1, 1, 3, 3, 3, 3], [0, 5, 5, 5, 5, 5]]], dtype=np.int32)
    run = simulate_reference(network, values)
    cost = profile(network, values, run, chip)
    encoder, hidden, decoder = cost.layers
    assert (encoder.spikes, encoder.synaptic_operations, encoder.multiplications) == (3, 0, 0)
    # A change of the first input meets two weights, one of the second a single weight.
    assert (hidden.synaptic_operations, hidden.multiplications) == (5, 5)
    # Neuron 0 sends in steps 1, 2 and 3, neuron 1 in steps 1 and 3; the second weight is 0.
    assert (hidden.spikes, decoder.synaptic_operations) == (5, 3)
    assert cost.multiplications == cost.synaptic_operations == 8
    assert cost.neuron_updates == 5 * 6
    proxy = ndns_proxy(cost)
    assert (proxy.synops_per_step, proxy.neuronops_per_step) == (8 / 6, 5)
    assert proxy.operations_per_sample == 8 + 10 * 30
    assert proxy.operations_per_step == pytest.approx(308 / 6, rel=1e-15)
    # Messages to other cores: 3 of the encoder and 3 of the only neuron with a synapse behind it.
    assert [layer.messages for layer in cost.layers] == [3, 3, 0]
    found = neurobench(network, run.counters)
    assert (found.effective_macs, found.effective_acs) == (8, 0)
    assert found.activation_sparsity == 1 - (3 + 5 + int(decoder.spikes)) / 30


@pytest.mark.parametrize("seed", range(6))
def test_what_cores_do_adds_up_to_what_the_network_did(seed, chip):
    rng = np.random.default_rng(seed)
    network = random_sigma_delta(rng)
    values = random_values(rng, network, 3, 40)
    run = simulate_reference(network, values)
    cost = profile(network, values, run, chip)
    counted = [layer.synaptic_operations.sum() for layer in run.counters.layers]
    assert cost.activity.synaptic_operations.sum() == sum(counted) > 0
    assert [layer.multiplications for layer in cost.layers] == [n / 3 for n in counted]
    encoder = cost.mapping.groups[0]
    # What an encoder takes comes in every step.
    assert (
        cost.activity.active_updates[encoder.cores].sum()
        == cost.activity.updates[encoder.cores].sum()
    )


def test_the_current_of_a_gru_multiplies_and_its_spikes_do_not(rng):
    network = program(5, random_gru(rng, 5, 4, current=True))
    run = simulate_reference(network, random_spikes(rng, 2, 5, 20))
    found = neurobench(network, run.counters)
    currents = run.trace.layers[0].states["i"][..., :-1] >> 6
    fan_out = network.layers[0].of_current.synapses.fan_out()
    reached = np.einsum("sjt,j->", (currents != 0).astype(np.int64), fan_out)
    assert found.effective_macs == reached / 2 > 0
    operations = run.counters.layers[0].synaptic_operations.sum()
    assert found.effective_acs == (operations - reached) / 2 > 0


def test_what_payloads_add_is_left_out_and_said(chip):
    network = small()
    values = np.ones((1, 2, 4), dtype=np.int32)
    cost = profile(network, values, simulate_reference(network, values), chip)
    (note,) = [note for note in cost.left_out if "payload" in note]
    assert "16 bits" in note
    assert "not published" in note
    assert "above their high bounds" in note
    spiking = program(3, random_gru(np.random.default_rng(0), 3, 2))
    spikes = np.ones((1, 3, 4), dtype=bool)
    cost = profile(spiking, spikes, simulate_reference(spiking, spikes), chip)
    assert not any("payload" in note for note in cost.left_out)


def test_a_chip_without_graded_messages_refuses_by_name(check_error):
    network = small()
    values = np.ones((1, 2, 4), dtype=np.int32)
    with pytest.raises(KipukaError) as caught:
        profile(network, values, simulate_reference(network, values), load_profile("loihi1"))
    check_error(
        caught.value, what="the chip cannot compute this network", where="layer 0 (DELTA)",
        limit="no graded messages", value="graded messages", remedy="loihi2",
    )  # fmt: skip


def test_a_payload_of_more_bits_than_the_chip_carries_is_refused(chip, check_error):
    bits = chip.limits.spike_payload_bits.model_copy(update={"value": 15.0})
    narrow = chip.model_copy(
        update={"limits": chip.limits.model_copy(update={"spike_payload_bits": bits})}
    )
    network = small()
    values = np.ones((1, 2, 4), dtype=np.int32)
    with pytest.raises(KipukaError) as caught:
        profile(network, values, simulate_reference(network, values), narrow)
    check_error(
        caught.value, what="does not fit the chip", where="layer 1, bits of a payload",
        limit="15 bits", value="16", remedy="fewer bits",
    )  # fmt: skip


def test_advice_runs_and_prices_graded_networks(rng, chip):
    network = small()
    values = random_values(rng, network, 3, 30)
    run = simulate_reference(network, values)
    cost = profile(network, values, run, chip)
    found = advise(network, values, run, chip, cost)
    assert any("prune" in one.change for one in found)
    assert all(one.refusal is None for one in found)


STEPS, THRESHOLD = 25, 3


@pytest.fixture
def measured_twice(rng):
    """A sigma-delta network and its run, and NeuroBench's wrapper with the hooks of the same."""
    torch = pytest.importorskip("torch", reason="needs the lava extra")
    models = pytest.importorskip("neurobench.models", reason="needs neurobench")
    matrices = even(rng, (30, 20), 40) * (rng.random((30, 20)) < 0.5), even(rng, (10, 30), 20)
    network = graded_program(
        delta((20,), THRESHOLD),
        sigma_delta(30, dense(matrices[0]), threshold=THRESHOLD),
        sigma_delta(10, dense(matrices[1]), threshold=THRESHOLD),
    )
    values = random_values(rng, network, 3, STEPS)

    class Neurons(torch.nn.Module):
        """Neurons of the Program, whose messages are floats here."""

        def __init__(self, step, parameters, state):
            super().__init__()
            self.step, self.parameters_of, self.state = step, parameters, state

        def forward(self, arriving):
            a = arriving.numpy().astype(np.int64)
            self.state, payload, _ = self.step(self.parameters_of, self.state, a)
            return torch.tensor(payload, dtype=torch.float32)

    def linear(weights):
        layer = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False)
        layer.weight.data = torch.tensor(weights, dtype=torch.float32)
        return layer

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            zeros = [np.zeros((3, n), dtype=np.int64) for n in (20, 30, 10)]
            encoder, *hidden = (layer.neuron for layer in network.layers)
            self.encoder = Neurons(
                delta_step, DeltaParameters(*encoder), DeltaState(zeros[0], zeros[0])
            )
            self.synapses = torch.nn.ModuleList([linear(m) for m in matrices])
            self.neurons = torch.nn.ModuleList(
                [
                    Neurons(sigma_delta_step, SigmaDeltaParameters(*p), SigmaDeltaState(z, z, z))
                    for p, z in zip(hidden, zeros[1:], strict=True)
                ]
            )

        def forward(self, batch):
            late = [torch.zeros(3, 20), torch.zeros(3, 30)]
            emitted = []
            for step in range(STEPS):
                arriving, late[0] = late[0], self.encoder(batch[:, step])
                second, late[1] = late[1], self.neurons[0](self.synapses[0](arriving))
                emitted.append(self.neurons[1](self.synapses[1](second)))
            return torch.stack(emitted, dim=1)

    model = models.TorchModel(Net())
    model.add_activation_module(Neurons)
    model.register_hooks()
    data = torch.tensor(values.transpose(0, 2, 1), dtype=torch.float32)
    with torch.no_grad():
        sent = model(data)
    run = simulate_reference(network, values)
    np.testing.assert_array_equal(sent.numpy().transpose(0, 2, 1), run.trace.layers[-1].spikes)
    return network, run, model, data


def test_macs_equal_those_of_neurobench(measured_twice):
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations

    network, run, model, data = measured_twice
    found = neurobench(network, run.counters)
    theirs = SynapticOperations()(model, None, (data, None))
    assert found.effective_macs == theirs["Effective_MACs"] > 0
    assert found.effective_acs == theirs["Effective_ACs"] == 0
    assert found.dense_operations == theirs["Dense"]
    sparsity = ActivationSparsity()(model, None, None)
    assert found.activation_sparsity == pytest.approx(sparsity, rel=1e-12)
    assert 0 < found.activation_sparsity < 1
