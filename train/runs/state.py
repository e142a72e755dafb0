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
from typing import Annotated

import numpy as np
import pydantic
import torch

from kipuka.convert import fixed
from kipuka.errors import KipukaError
from kipuka.strangers import exists
from kipuka.train.runs.checkpoint import write_tensors
from kipuka.train.runs.metrics import EpochMetrics
from kipuka.train.runs.tensor_files import Header, read_header

FORMAT = 1
SECONDS_MAX = 1e10
"""Three centuries."""

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
    data_sha256 : str
        Digest of the data that the run is trained on; empty in files of version 0.1.0.
    """

    metrics: tuple[EpochMetrics, ...]
    delays_before: dict[str, np.ndarray]
    data_sha256: str = ""


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
        "data_sha256": state.data_sha256,
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

    try:
        header = read_header(path, "state of the run")
        facts = json.loads(header.metadata["run"])
        state = RunState(
            _checked_metrics(facts["metrics"]),
            {
                name: np.array(steps, dtype=np.int64)
                for name, steps in _STEPS.validate_python(facts["delays_before"]).items()
            },
            _DIGEST.validate_python(facts.get("data_sha256", "")),
        )
        _check_tensors(header, network)
        with safe_open(path, "pt") as file:
            stored = {name: file.get_tensor(name) for name in header.tensors}
        for name, tensor in stored.items():
            if not torch.isfinite(tensor).all():
                raise ValueError(f"{name} has values that are not numbers")
        generator.set_state(stored["generator"])
        _restore(stored, network, optimizer)
        return state
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise KipukaError(
            "the run cannot be resumed",
            where=str(path),
            limit="a complete state of this network's training",
            value=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            remedy="train again in a new folder; the best checkpoint so far is beside this file",
        ) from None


def data_digest(path: Path) -> str:
    """Return the digest of the data that a run is trained on.

    Parameters
    ----------
    path : Path
        Of the run's state.

    Returns
    -------
    str
        Empty if the state is not there, or was written by version 0.1.0, which kept none.

    Raises
    ------
    KipukaError
        If the file is damaged.
    """
    if not exists(path):
        return ""
    try:
        facts = json.loads(read_header(path, "state of the run").metadata["run"])
        return _DIGEST.validate_python(facts.get("data_sha256", ""))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise KipukaError(
            "what the run was trained on cannot be read",
            where=str(path),
            limit="a complete state of a training run",
            value=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            remedy="remove this file, if you know that the data are the run's",
        ) from None


_Steps = Annotated[int, pydantic.Field(ge=0, le=fixed.DELAY_MAX)]
_METRICS = pydantic.TypeAdapter(list[EpochMetrics])
_STEPS = pydantic.TypeAdapter(dict[str, list[_Steps]])
_DIGEST = pydantic.TypeAdapter(str)


def _checked_metrics(stored: object) -> tuple[EpochMetrics, ...]:
    """Metrics of the epochs so far, of which the first is the best for as long as it is alone."""
    metrics = _METRICS.validate_python(stored)
    seconds = [one.seconds for one in metrics]
    if [one.epoch for one in metrics] != [*range(1, len(metrics) + 1)]:
        raise ValueError("epochs that do not follow each other")
    if metrics and not metrics[0].best:
        raise ValueError("a first epoch that was not kept")
    if not all(0 <= one < SECONDS_MAX for one in seconds) or seconds != sorted(seconds):
        raise ValueError("seconds that do not follow each other")
    return tuple(metrics)


def _check_tensors(header: Header, network: torch.nn.ModuleList) -> None:
    """Check that every tensor is one of the network's, of its shape and type."""
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, parameter in network.named_parameters():
        shape = tuple(parameter.shape)
        expected[f"parameter.{name}"] = ("F32", shape)
        for key in MOMENTS:
            expected[f"adam.{name}.{key}"] = ("F32", () if key == "step" else shape)
    for name, found in header.tensors.items():
        if name != "generator" and expected.get(name) != found:
            raise ValueError(f"{name} is {found}, not {expected.get(name, 'there')}")


def _restore(
    stored: Mapping[str, torch.Tensor],
    network: torch.nn.ModuleList,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Set parameters and moments once all of them are there."""
    found = []
    for name, parameter in network.named_parameters():
        moments = {}
        if f"adam.{name}.step" in stored:
            moments = {key: stored[f"adam.{name}.{key}"] for key in MOMENTS}
            if min(moments["step"].item(), moments["exp_avg_sq"].min().item()) < 0:
                raise ValueError(f"{name} has negative moments")
        found.append((parameter, stored[f"parameter.{name}"], moments))
    for parameter, saved, moments in found:
        with torch.no_grad():
            parameter.copy_(saved)
        if moments:
            # Adam keeps its count of updates on the CPU.
            optimizer.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device)
                for key, value in moments.items()
            }
