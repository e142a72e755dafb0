"""NeuroBench's metrics, against its own code where it is installed, and by hand."""

import numpy as np
import pytest

from kipuka.deploy.neurobench import neurobench
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


def test_synaptic_operations_equal_those_of_neurobench(rng):
    layers = pytest.importorskip("neurobench.metrics.utils.layers", reason="needs neurobench")
    torch = pytest.importorskip("torch")
    first, second = even(rng, (30, 20)) * (rng.random((30, 20)) < 0.5), even(rng, (10, 30))
    network = program(20, cuba(30, dense(first)), cuba(10, dense(second)))
    inputs = random_spikes(rng, 3, 20, 25)
    run = simulate_reference(network, inputs)
    found = neurobench(network, run.counters)
    emitted = run.trace.layers[0].spikes
    hidden = np.zeros_like(emitted)
    hidden[..., 1:] = emitted[..., :-1]
    operations = total = zeros = 0
    for weights, spikes in ((first, inputs), (second, hidden)):
        linear = torch.nn.Linear(weights.shape[1], weights.shape[0], bias=False)
        linear.weight.data = torch.tensor(weights, dtype=torch.float32)
        zeros += int((linear.weight == 0).sum())
        for step in range(25):
            arriving = torch.tensor(spikes[..., step], dtype=torch.float32)
            if arriving.any():
                counted, spiking = layers.single_layer_MACs(arriving, linear)
                assert spiking
                operations += int(counted)
            total += int(layers.single_layer_MACs(arriving, linear, total=True)[0])
    assert found.effective_acs * 3 == operations
    assert found.dense_operations * 3 == total
    assert found.connection_sparsity == zeros / (first.size + second.size)
