"""Settings of a training run: everything that is needed to repeat it."""

from __future__ import annotations

from pathlib import Path

import pydantic
import yaml

from kipuka.convert.files import existing_file, replacing
from kipuka.errors import KipukaError


class TrainConfig(pydantic.BaseModel):
    """Settings of a training run.

    Attributes
    ----------
    network, data : str
        Names; see `kipuka.train.networks.NETWORKS` and `kipuka.train.datasets.DATASETS`.
    hidden : int
        Neurons of each hidden layer.
    epochs, batch_size : int
    learning_rate : float
        Of weights and biases, in nominal units (Adam, one cycle).
    delay_learning_rate : float
        Of delays, in steps.
    spike_gain : float
        Logits per output spike.
    label_smoothing : float
        Probability mass that the loss spreads evenly over all classes.
    input_drop : float
        Fraction of input spikes left out at random while training.
    gradient_clip : float
        Limit on the norm of the gradient of weights and biases.
    seed : int
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    network: str = "sgru-delay"
    data: str = "digits"
    hidden: int = pydantic.Field(default=128, ge=1, le=1 << 16)
    epochs: int = pydantic.Field(default=40, ge=1)
    batch_size: int = pydantic.Field(default=64, ge=1)
    learning_rate: float = pydantic.Field(default=5e-3, gt=0)
    delay_learning_rate: float = pydantic.Field(default=0.2, ge=0)
    spike_gain: float = pydantic.Field(default=0.5, gt=0)
    label_smoothing: float = pydantic.Field(default=0.1, ge=0, lt=1)
    input_drop: float = pydantic.Field(default=0.1, ge=0, lt=1)
    gradient_clip: float = pydantic.Field(default=1.0, gt=0)
    seed: int = pydantic.Field(default=0, ge=0)


def save_config(path: str | Path, config: TrainConfig) -> None:
    """Write settings as YAML."""
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))


def load_config(path: str | Path) -> TrainConfig:
    """Read settings from YAML.

    Raises
    ------
    KipukaError
        If the file is missing, is not YAML, or has an unknown key or a value out of range.
    """
    path = existing_file(path, "configuration")
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise KipukaError(
            "the configuration is not YAML",
            where=str(path),
            limit="a mapping of settings",
            value=" ".join(str(error).split()),
            remedy="correct the line that is named, or write the file again with kipuka train",
        ) from error
    return make_config(values if isinstance(values, dict) else {"": values}, str(path))


def make_config(values: dict[str, object], where: str) -> TrainConfig:
    """Check settings from a file or the command line.

    Raises
    ------
    KipukaError
        At the first setting that is unknown or out of range.
    """
    try:
        return TrainConfig.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise KipukaError(
            "a setting of the training run cannot be used",
            where=f"{where}, key {key}",
            limit=first["msg"],
            value=first["input"],
            remedy=f"change it; known settings are {', '.join(TrainConfig.model_fields)}",
        ) from error
