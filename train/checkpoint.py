"""Parameters of a network in a safetensors file; no pickle is ever written or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from kipuka.convert.files import existing_file, replacing
from kipuka.errors import KipukaError


def save_checkpoint(path: str | Path, network: torch.nn.Module) -> None:
    """Write all parameters of `network`, replacing the file only when complete."""
    write_tensors(path, dict(_learned(network)))


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, replacing the old one only when complete.

    Raises
    ------
    KipukaError
        If the disk is full or the folder cannot be written to; the old file is then untouched.
    """
    from safetensors.torch import save

    content = save({name: tensor.contiguous() for name, tensor in tensors.items()}, metadata)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load_checkpoint(path: str | Path, network: torch.nn.Module) -> None:
    """Set the parameters of `network` from a file that fits it.

    Raises
    ------
    KipukaError
        If the file is missing, damaged, or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = existing_file(path, "checkpoint")
    try:
        stored = load_file(path)
    except (SafetensorError, ValueError) as error:
        raise KipukaError(
            "the checkpoint cannot be read",
            where=str(path),
            limit="a complete safetensors file",
            value=" ".join(str(error).split()),
            remedy="train again; checkpoints are written whole, so look for a disk fault",
        ) from error
    expected = {name: tuple(tensor.shape) for name, tensor in _learned(network)}
    found = {name: tuple(tensor.shape) for name, tensor in stored.items()}
    if expected != found:
        wrong = sorted(set(expected.items()) ^ set(found.items()))
        raise KipukaError(
            "the checkpoint is of another network",
            where=f"{path}, tensor {wrong[0][0]}",
            limit=f"{expected.get(wrong[0][0], 'no such tensor')}",
            value=f"{found.get(wrong[0][0], 'no such tensor')}",
            remedy="use the config.yaml that was written beside the checkpoint",
        )
    with torch.no_grad():
        for name, tensor in _learned(network):
            tensor.copy_(stored[name])


def _learned(network: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Parameters only: SLAYER's buffers hold the state of the last run, not of the network."""
    return [(name, p.detach()) for name, p in network.named_parameters()]
