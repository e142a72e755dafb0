"""A lava-dl training loop with one block replaced by a spiking GRU, to a verified network file."""

import numpy as np
import torch

from kipuka.convert import decide, load_net, program_from_blocks, save_net
from kipuka.deploy import golden_vectors, simulate_reference, verify
from kipuka.train import SpikingGRU, load_dataset, trace_blocks

import lava.lib.dl.slayer as slayer  # isort: skip (after kipuka, which Lava needs from Python 3.11 on)

NEURON = {"threshold": 1.0, "tau_grad": 0.01, "scale_grad": 10.0}
READOUT = {**NEURON, "current_decay": 1.0, "voltage_decay": 0.0}


class Network(torch.nn.Module):
    """Blocks one after the other, as in lava-dl's tutorials."""

    def __init__(self, n_inputs: int, n_classes: int) -> None:
        super().__init__()
        self.blocks = torch.nn.ModuleList(
            [
                # Was: slayer.block.cuba.Recurrent(params, n_inputs, 32)
                SpikingGRU(NEURON, n_inputs, 32, weight_scale=2, delay=True),
                slayer.block.cuba.Dense(READOUT, 32, n_classes),
            ]
        )

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Return output spikes [batch, classes, time]."""
        for block in self.blocks:
            spikes = block(spikes)
        return spikes


torch.manual_seed(0)
data = load_dataset("digits")
network = Network(data.n_units, data.n_classes)
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
spikes, labels = torch.from_numpy(data.train.spikes).float(), torch.from_numpy(data.train.labels)
for epoch in range(3):
    for batch in torch.randperm(len(labels)).split(64):
        counts = network(spikes[batch]).sum(-1)
        loss = torch.nn.functional.cross_entropy(0.5 * counts, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
network.eval()
save_net("slayer.net", program_from_blocks(network.blocks))
program = load_net("slayer.net")
test = data.test.spikes[:20]
traces = {"reference": simulate_reference(program, test).trace}
traces["torch"] = trace_blocks(network.blocks, test)
outcome = verify(program, traces)
print(f"{outcome.values_compared:,} spikes and states compared, agree: {outcome.agree}")
right = np.mean(decide(program, traces["reference"].layers[-1]) == data.test.labels[:20])
print(f"{right:.0%} of 20 test samples right in integers")
save_net("slayer.net", program, golden_vectors(program, data.validation.spikes[:3]))
