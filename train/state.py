"""Where a training run stands, complete enough to go on as if it had never stopped.

One safetensors file, replaced only when complete: parameters, both moments of Adam, the
generator's state, and as JSON in the file's metadata the epochs so far. The learning rates follow
from the number of updates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from kipuka.convert.files import existing_file
from kipuka.errors import KipukaError
from kipuka.train.checkpoint import write_tensors
from kipuka.train.metrics import EpochMetrics

STATE_FILE = "state.safetensors"
FORMAT = 1
MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, eq=False)
class RunState:
    """What is not in the network, the optimizer or the generator.

    Attributes
    ----------
    metrics : tuple of EpochMetrics
        Of all epochs so far.
    delays_before : dict of str to int64 array
        Delays before training, by name.
    """

    metrics: tuple[EpochMetrics, ...]
    delays_before: dict[str, np.ndarray]


def save_state(
    path: Path,
    state: RunState,
    network: torch.nn.ModuleList,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> None:
    """Write where the run stands."""
    tensors = {f"parameter.{name}": p.detach() for name, p in network.named_parameters()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam.{name}.{key}"] = value
    tensors["generator"] = generator.get_state()
    facts = {
        "format": FORMAT,
        "metrics": [asdict(m) for m in state.metrics],
        "delays_before": {name: steps.tolist() for name, steps in state.delays_before.items()},
    }
    write_tensors(path, tensors, {"run": json.dumps(facts)})


def load_state(
    path: Path,
    network: torch.nn.ModuleList,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> RunState:
    """Set network, optimizer and generator to where the run stood.

    Raises
    ------
    KipukaError
        If the file is damaged, or of another network.
    """
    from safetensors import SafetensorError, safe_open

    path = existing_file(path, "state of the run")
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["run"])
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        _restore(stored, network, optimizer)
        generator.set_state(stored["generator"])
        return RunState(
            tuple(EpochMetrics(**values) for values in facts["metrics"]),
            {name: np.array(steps) for name, steps in facts["delays_before"].items()},
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise KipukaError(
            "the run cannot be resumed",
            where=str(path),
            limit="a complete state of this network's training",
            value=" ".join(f"{type(error).__name__}: {error}".split()),
            remedy="train again in a new folder; the best checkpoint so far is beside this file",
        ) from error


def _restore(
    stored: Mapping[str, torch.Tensor],
    network: torch.nn.ModuleList,
    optimizer: torch.optim.Optimizer,
) -> None:
    for name, parameter in network.named_parameters():
        saved = stored[f"parameter.{name}"]
        if saved.shape != parameter.shape:
            raise ValueError(f"{name} has shape {tuple(saved.shape)}, not {tuple(parameter.shape)}")
        with torch.no_grad():
            parameter.copy_(saved)
        if f"adam.{name}.step" in stored:
            moments = {key: stored[f"adam.{name}.{key}"] for key in MOMENTS}
            # Adam keeps its count of updates on the CPU.
            optimizer.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device)
                for key, value in moments.items()
            }


def deterministic_part(metrics: EpochMetrics) -> dict[str, object]:
    """Return an epoch's metrics without the seconds, in which equal runs differ."""
    values = asdict(metrics)
    del values["seconds"]
    return json.loads(json.dumps(values))
