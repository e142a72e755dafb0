"""Parameters of a network in a safetensors file; no pickle is ever written or loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.train.runs.tensor_files import Header, read_header


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
    from safetensors import safe_open

    with _reading(path):
        header = read_header(path, "checkpoint")
        _refuse_another_network(path, header, network)
        with safe_open(path, "pt") as file:
            stored = {name: file.get_tensor(name) for name in header.tensors}
    _refuse_strange_values(path, stored)
    with torch.no_grad():
        for name, tensor in _learned(network):
            tensor.copy_(stored[name])


def checkpoint_digest(path: str | Path) -> str:
    """Return the SHA-256 of a checkpoint's file, whose header is read first.

    Raises
    ------
    KipukaError
        If there is no such file, or it is no safetensors file.
    """
    with _reading(path):
        read_header(path, "checkpoint")
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Say in one paragraph what is wrong with a file that is read within the block."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise KipukaError(
            "the checkpoint cannot be read",
            where=str(path),
            limit="a complete safetensors file",
            value=" ".join(str(error).split()),
            remedy="train again; checkpoints are written whole, so look for a disk fault",
        ) from None


def _refuse_another_network(path: str | Path, header: Header, network: torch.nn.Module) -> None:
    expected = {name: ("F32", tuple(tensor.shape)) for name, tensor in _learned(network)}
    wrong = sorted(set(expected.items()) ^ set(header.tensors.items()))
    if wrong:
        name = wrong[0][0]
        raise KipukaError(
            "the checkpoint is of another network",
            where=f"{path}, tensor {name}",
            limit=_described(expected.get(name)),
            value=_described(header.tensors.get(name)),
            remedy="use the config.yaml that was written beside the checkpoint",
        )


def _described(entry: tuple[str, tuple[int, ...]] | None) -> str:
    return f"{entry[1]} of {entry[0]}" if entry else "no such tensor"


def _refuse_strange_values(path: str | Path, stored: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in stored.items():
        if not torch.isfinite(tensor).all():
            raise KipukaError(
                "the checkpoint has values that are not numbers",
                where=f"{path}, tensor {name}",
                limit="finite numbers",
                value=f"{int((~torch.isfinite(tensor)).sum())} others",
                remedy="train again with a lower learning rate, or take another checkpoint",
            )


def _learned(network: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Parameters only: SLAYER's buffers hold the state of the last run, not of the network."""
    return [(name, p.detach()) for name, p in network.named_parameters()]
