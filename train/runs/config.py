"""Settings of a training run: everything that is needed to repeat it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pydantic
import yaml

from kipuka.convert import fixed
from kipuka.errors import KipukaError
from kipuka.files import replacing
from kipuka.yaml_text import parse_yaml, read_limited, short

WHAT = "training configuration"


class TrainConfig(pydantic.BaseModel):
    """Settings of a training run.

    Attributes
    ----------
    network, data : str
        Names; see `kipuka.train.networks.NETWORKS` and `kipuka.train.datasets.DATASETS`.
    data_dir, bin_ms, steps, channels, validation, download
        How the data are read; see `kipuka.train.datasets.DataOptions`.
    hidden : int
        Neurons of each hidden layer.
    layout, update_gate_input : str
        Of convolutional networks and of spiking GRU layers; see
        `kipuka.train.networks.build_network`.
    epochs, batch_size : int
        The batch is that of all processes together.
    learning_rate : float
        Of weights and biases, in nominal units (Adam, one cycle).
    delay_learning_rate : float
        Of delays, in steps per update; 0 leaves them where they were drawn.
    delay_rule : {"finite-difference", "annealed"}
        See `kipuka.train.delays.axonal`.
    delay_init_steps : float or None
        Delays are drawn evenly from 0 to here; None for the network's own range.
    delay_start : float
        Part of the training after which delays start to learn. Until then weights learn with
        delays as they were drawn.
    delay_stop : float
        Part of the training at which the delays' learning rate has reached 0; the width of the
        annealed rule has so at four fifths of it.
    delay_alternation_epochs : int
        If not 0, weights and delays take turns of so many epochs while delays learn.
    delay_width_steps : float
        Half width from which the annealed rule starts.
    spike_gain : float
        Logits per output spike.
    label_smoothing : float
        Probability mass that the loss spreads evenly over all classes.
    input_drop : float
        Fraction of input spikes left out at random while training.
    time_stretch : float
        Largest random change of a training sample's tempo, as a fraction, either way.
    time_shift_steps, channel_shift : int
        Largest random shift of a training sample, in steps and in channels, either way.
    blend : float
        Fraction of training samples that are blended with another one of their class.
    rate_penalty : float
        Weight of the penalty on mean spike rates outside `rate_low` to `rate_high`.
    rate_low, rate_high : float
        Spikes per neuron and step between which a layer's mean rate is free.
    overshoot_penalty : float
        Weight of the penalty on GRU states beyond half of their range, where saturation is near.
    gradient_clip : float
        Limit on the norm of the gradient of weights and biases.
    selection : {"accuracy", "loss", "last"}
        Which epoch is kept: the best one on the validation part, by its accuracy (of equals the
        later epoch) or by its cross entropy, which tells apart epochs that are equally often right;
        or the last one.
    train_on_validation : bool
        Train on the validation part as well, once it has chosen the settings; it then selects no
        epoch, and its accuracy says nothing about new samples.
    tensorboard : bool
        Write events for TensorBoard beside the metrics.
    device : {"cpu", "cuda"}
    seed : int
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    network: str = "sgru-delay"
    data: str = "digits"
    data_dir: str | None = None
    bin_ms: float | None = pydantic.Field(default=None, gt=0)
    steps: int | None = pydantic.Field(default=None, ge=1, le=1 << 20)
    channels: int | None = pydantic.Field(default=None, ge=1, le=1 << 16)
    validation: Literal["speakers", "samples"] = "speakers"
    download: bool = False
    hidden: int = pydantic.Field(default=128, ge=1, le=1 << 16)
    layout: Literal["csgru", "frequency"] = "csgru"
    update_gate_input: Literal["spikes", "current"] = "spikes"
    epochs: int = pydantic.Field(default=40, ge=1, le=1 << 20)
    batch_size: int = pydantic.Field(default=64, ge=1, le=1 << 20)
    learning_rate: float = pydantic.Field(default=5e-3, gt=0)
    delay_learning_rate: float = pydantic.Field(default=0.2, ge=0)
    delay_rule: Literal["finite-difference", "annealed"] = "finite-difference"
    delay_init_steps: float | None = pydantic.Field(default=None, ge=0, le=fixed.DELAY_MAX)
    delay_start: float = pydantic.Field(default=0.0, ge=0, lt=1)
    delay_stop: float = pydantic.Field(default=1.0, gt=0, le=1)
    delay_alternation_epochs: int = pydantic.Field(default=0, ge=0, le=1 << 20)
    delay_width_steps: float = pydantic.Field(default=8.0, ge=0, le=fixed.DELAY_MAX)
    spike_gain: float = pydantic.Field(default=0.5, gt=0)
    label_smoothing: float = pydantic.Field(default=0.1, ge=0, lt=1)
    input_drop: float = pydantic.Field(default=0.1, ge=0, lt=1)
    time_stretch: float = pydantic.Field(default=0.0, ge=0, lt=1)
    time_shift_steps: int = pydantic.Field(default=0, ge=0, le=1 << 20)
    channel_shift: int = pydantic.Field(default=0, ge=0, le=1 << 16)
    blend: float = pydantic.Field(default=0.0, ge=0, le=1)
    rate_penalty: float = pydantic.Field(default=0.0, ge=0)
    rate_low: float = pydantic.Field(default=0.01, ge=0, le=1)
    rate_high: float = pydantic.Field(default=0.15, ge=0, le=1)
    overshoot_penalty: float = pydantic.Field(default=0.0, ge=0)
    gradient_clip: float = pydantic.Field(default=1.0, gt=0)
    selection: Literal["accuracy", "loss", "last"] = "accuracy"
    train_on_validation: bool = False
    tensorboard: bool = False
    device: Literal["cpu", "cuda"] = "cpu"
    seed: int = pydantic.Field(default=0, ge=0, lt=1 << 63)

    @pydantic.field_validator("train_on_validation")
    @classmethod
    def _selects_nothing(cls, value: bool, info: pydantic.ValidationInfo) -> bool:
        if value and info.data.get("selection") != "last":
            raise ValueError("samples that are trained on cannot select: give selection=last too")
        return value


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
    remedy = "check the path, or write the file again with kipuka train"
    path = Path(path)
    _, values = parse_yaml(read_limited(path, WHAT, remedy), str(path), WHAT)
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
            value=short(first["input"]),
            remedy=f"change it; known settings are {', '.join(TrainConfig.model_fields)}",
        ) from error
