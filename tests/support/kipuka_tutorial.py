"""A network as lava-dl's tutorials write it, and the neurons of theirs."""

import h5py
import torch

TUTORIAL = {
    "threshold": 1.25,
    "current_decay": 0.25,
    "voltage_decay": 0.03,
    "tau_grad": 0.03,
    "scale_grad": 3,
    "requires_grad": True,
}


class Network(torch.nn.Module):
    """Blocks one after the other, with the two methods that tutorials copy from each other."""

    def __init__(self, *blocks):
        super().__init__()
        self.blocks = torch.nn.ModuleList(blocks)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def grad_flow(self):
        return [b.synapse.grad_norm for b in self.blocks if hasattr(b, "synapse")]

    def export_hdf5(self, filename):
        with h5py.File(filename, "w") as file:
            layer = file.create_group("layer")
            for number, block in enumerate(self.blocks):
                block.export_hdf5(layer.create_group(f"{number}"))
