"""NeuroBench's metrics, against its own code and by hand."""

import numpy as np
import pytest

from kipuka.deploy.costs.neurobench import neurobench
from kipuka.deploy.reference import simulate_reference
from kipuka_cases import cuba, dense, even, program, pulses, random_gru, random_spikes


def test_metrics_by_hand():
    # 2 inputs, 2 neurons, one of 4 weights is 0; 3 input spikes, one of which meets the 0.
    network = program(2, cuba(2, dense([[200, 0], [200, 2]])))
    run = simulate_reference(network, pulses(2, 5, (0, 0), (0, 1), (1, 2)))
    found = neurobench(network, run.counters)
    assert found.connection_sparsity == 0.25
    assert found.effective_acs == 2 + 2 + 1
    assert found.effective_macs == 0
    assert found.dense_operations == 4 * 5
    assert found.membrane_updates == 2 * 5
    spikes = int(run.trace.layers[0].spikes.sum())
    assert found.activation_sparsity == 1 - spikes / 10
    # 4 weights of a byte; 4 parameters, 1 activation and 2 states of 4 bytes for 2 neurons.
    assert found.footprint_bytes == 4 + 4 * 2 * (4 + 1 + 2)


def test_recurrent_gate_and_delay_work_is_counted(rng):
    network = program(5, random_gru(rng, 5, 4, delays_own=np.array([0, 1, 2, 3])))
    found = neurobench(network, simulate_reference(network, random_spikes(rng, 2, 5, 20)).counters)
    weights = {(p.source, p.target): p.synapses.weights for p in network.layers[0].projections}
    own = [w for (source, _), w in weights.items() if source == 0]
    gates = [w for (_, target), w in weights.items() if target != "i"]
    assert found.recurrent_synapses == sum(np.count_nonzero(w) for w in own)
    assert found.gate_synapses == sum(np.count_nonzero(w) for w in gates)
    assert found.delayed_synapses == sum(np.count_nonzero(w[:, 1:]) for w in own)


STEPS, THRESHOLD = 25, 64


@pytest.fixture
def measured_twice(rng):
    """A feed-forward network and its run, and NeuroBench's wrapper with the hooks of the same."""
    torch = pytest.importorskip("torch", reason="needs the lava extra")
    models = pytest.importorskip("neurobench.models", reason="needs neurobench")
    matrices = even(rng, (30, 20)) * (rng.random((30, 20)) < 0.5), even(rng, (10, 30))
    network = program(20, cuba(30, dense(matrices[0])), cuba(10, dense(matrices[1])))
    inputs = random_spikes(rng, 3, 20, STEPS)

    class IntegrateAndFire(torch.nn.Module):
        def forward(self, arriving):
            self.v = getattr(self, "v", 0) + arriving
            spikes = self.v > THRESHOLD
            self.v = self.v * ~spikes
            return spikes.float()

    def linear(weights):
        layer = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False)
        layer.weight.data = torch.tensor(weights, dtype=torch.float32)
        return layer

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([linear(m) for m in matrices])
            self.neurons = torch.nn.ModuleList([IntegrateAndFire() for _ in matrices])

        def forward(self, batch):
            hidden, emitted = torch.zeros(len(batch), 30), []
            for step in range(STEPS):
                # Spikes of the hidden layer arrive one step after they were emitted.
                arriving, hidden = hidden, self.neurons[0](self.layers[0](batch[:, step]))
                emitted.append(self.neurons[1](self.layers[1](arriving)))
            return torch.stack(emitted, dim=1)

    model = models.TorchModel(Net())
    model.add_activation_module(IntegrateAndFire)
    model.register_hooks()
    data = torch.tensor(inputs.transpose(0, 2, 1), dtype=torch.float32)
    with torch.no_grad():
        spikes = model(data)
    run = simulate_reference(network, inputs)
    emitted = run.trace.layers[1].spikes
    np.testing.assert_array_equal(spikes.numpy().transpose(0, 2, 1) > 0, emitted)
    assert emitted.any()
    return network, run, model, data


def test_counts_equal_those_of_neurobench(measured_twice):
    from neurobench.metrics.static import ConnectionSparsity
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations

    network, run, model, data = measured_twice
    found = neurobench(network, run.counters)
    theirs = SynapticOperations()(model, None, (data, None))
    assert found.effective_acs == theirs["Effective_ACs"] > 0
    assert found.effective_macs == theirs["Effective_MACs"] == 0
    assert found.dense_operations == theirs["Dense"]
    sparsity = ActivationSparsity()(model, None, None)
    assert found.activation_sparsity == pytest.approx(sparsity, rel=1e-12)
    assert 0 < found.activation_sparsity < 1
    # NeuroBench rounds this one.
    assert round(found.connection_sparsity, 4) == ConnectionSparsity()(model) > 0


def test_footprint_equals_that_of_neurobench(measured_twice):
    import torch
    from neurobench.metrics.static import Footprint
    from neurobench.models import TorchModel

    network, run, _, _ = measured_twice

    class Stored(torch.nn.Module):
        """The network as the chip keeps it: weights in bytes, parameters and states in words."""

        def __init__(self):
            super().__init__()
            for k, layer in enumerate(network.layers):
                halves = layer.projections[0].synapses.weights // 2
                self.register_buffer(f"weights{k}", torch.tensor(halves.astype(np.int8)))
                for name in ("du", "dv", "vth", "bias", "a_in", "u", "v"):
                    values = torch.zeros(layer.n_neurons, dtype=torch.int32)
                    self.register_buffer(f"{name}{k}", values)

    found = neurobench(network, run.counters).footprint_bytes
    assert found == Footprint()(TorchModel(Stored()))
