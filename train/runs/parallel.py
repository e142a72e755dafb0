"""Training on several processes: `torchrun` starts them, gradients are summed over them.

All processes draw the same batch and the same random changes, and each takes its own part of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed


@dataclass(frozen=True)
class Processes:
    """A process among those that train together.

    Attributes
    ----------
    rank, count : int
        The first process, of rank 0, is the one that writes files.
    device : str
        Where tensors must lie that are sent: nccl takes only those on a GPU.
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def part(self, samples: torch.Tensor) -> torch.Tensor:
        """Part of a batch that this process takes; the parts differ by one sample at most."""
        return samples.tensor_split(self.count)[self.rank]

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""
        if self.count == 1:
            return
        learning = [p for p in parameters if p.requires_grad]
        for p in learning:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        together = torch.cat([p.grad.flatten() for p in learning if p.grad is not None])
        torch.distributed.all_reduce(together)
        for p, grad in zip(learning, together.split([p.numel() for p in learning]), strict=True):
            p.grad = grad.reshape(p.shape)

    def sum_values(self, values: torch.Tensor) -> torch.Tensor:
        """Sum of a tensor over all processes, on the CPU."""
        if self.count == 1:
            return values
        sent = values.to(self.device)
        torch.distributed.all_reduce(sent)
        return sent.cpu()

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.count > 1:
            torch.distributed.barrier()


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` has started, if it has.

    Parameters
    ----------
    device : str
        ``cuda`` for nccl, with a GPU for each process of a machine; otherwise gloo.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        rank, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
        yield Processes(rank, count, device)
    finally:
        torch.distributed.destroy_process_group()
