"""What is known after each epoch, as lines of JSON and, if asked for, in TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.strangers import inside
from kipuka.train.runs.config import METRICS_FILE


@dataclass(frozen=True)
class EpochMetrics:
    """What is known after an epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean cross entropy over the training samples as they were seen.
    validation_accuracy : float
        Of the quantized forward pass, which is the integer network; of samples that were trained
        on if the settings say so.
    validation_loss : float
        Its mean cross entropy, without smoothing.
    mean_delay_steps : float or None
        Over all learnable delays; None without any.
    seconds : float
        Wall time of training so far, over all of its starts.
    best : bool
        Whether this epoch's parameters are the best so far, and kept.
    spike_rate : float
        Spikes per hidden neuron and step of the training samples.
    overshoot : float
        Of the GRU states; see `kipuka.train.gru.cell.GruStates`.
    learning_rate, delay_learning_rate, delay_width_steps : float
        As in the last update; see `kipuka.train.runs.phases.Phase`.
    delay_histograms : mapping of str to list of int
        Neurons that have a delay of 0, 1, 2, ... steps, by name as in `named_delays`.
    """

    epoch: int
    loss: float
    validation_accuracy: float
    validation_loss: float
    mean_delay_steps: float | None
    seconds: float
    best: bool
    spike_rate: float
    overshoot: float
    learning_rate: float
    delay_learning_rate: float
    delay_width_steps: float
    delay_histograms: Mapping[str, Sequence[int]]


def write_metrics(folder: Path, metrics: Sequence[EpochMetrics]) -> None:
    """Write all epochs, one line each, replacing the file only when complete."""
    with replacing(inside(folder, METRICS_FILE)) as temporary:
        temporary.write_text("".join(json.dumps(asdict(m)) + "\n" for m in metrics))


def tensorboard_writer(folder: Path) -> Any:
    """Writer of TensorBoard events in the run folder.

    Raises
    ------
    KipukaError
        If TensorBoard is not installed.
    """
    try:
        from torch.utils import tensorboard
    except ImportError as error:
        raise KipukaError(
            "TensorBoard is not installed",
            where="setting tensorboard",
            limit="the package tensorboard",
            value=str(error),
            remedy="install it with: pip install tensorboard, or leave the setting out",
        ) from None
    writer: Any = vars(tensorboard)["SummaryWriter"]
    return writer(str(inside(folder, "tensorboard", is_folder=True)))


def write_tensorboard(writer: Any, metrics: EpochMetrics) -> None:
    """Add an epoch's numbers."""
    for name, value in asdict(metrics).items():
        if isinstance(value, float):
            writer.add_scalar(name, value, metrics.epoch)
    writer.flush()
