"""Settings of a training run: everything that is needed to repeat it."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pydantic
import yaml

from kipuka.convert import fixed
from kipuka.errors import KipukaError, choose
from kipuka.files import replacing
from kipuka.names import DATASET_NAMES, NETWORK_FILE, NETWORK_NAMES
from kipuka.strangers import as_path
from kipuka.train.runs.old_settings import current_form
from kipuka.train.runs.setting_texts import settings_section
from kipuka.yaml_text import parse_yaml, read_limited, short

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(pydantic.BaseModel)

WHAT = "training configuration"

CONFIG_FILE, CHECKPOINT_FILE = "config.yaml", "checkpoint.safetensors"
STATE_FILE, METRICS_FILE = "state.safetensors", "metrics.jsonl"
RUN_FILES = (CONFIG_FILE, CHECKPOINT_FILE, STATE_FILE, METRICS_FILE)
"""What a run folder holds."""

REACHING = ("data_dir", "download")
"""Settings that lead out of the file that they stand in: they count only if the user gives them.
So does `data` where it is no name of a data set."""

ARGUMENTS = "argument of TrainConfig"
"""Where settings stand that were given in Python, for messages."""

WEIGHT_MAX = 1e6
"""Largest factor in the loss that float32 adds to others without losing them."""


class _OwnNames(ModelMetaclass):
    """Keeps what pydantic adds to its classes out of their `help`."""

    def __dir__(self) -> list[str]:
        return [name for name in vars(self) if not name.startswith(("_", "model_"))]


class _Settings(pydantic.BaseModel, metaclass=_OwnNames):
    """Settings whose descriptions are the texts below the fields."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _taken_for_what_it_is(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        """Refuse truth values in the place of numbers, which are 0 and 1 to pydantic."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and kind is not bool:
            raise ValueError("a truth value is none of the values of this setting")
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    def __dir__(self) -> list[str]:
        return [*type(self).model_fields, *dir(type(self))]

    def __setattr__(self, name: str, value: Any) -> None:
        raise KipukaError(
            "settings do not change",
            where=f"{type(self).__name__}, {name}",
            limit="the values that they were made with",
            value=short(value),
            remedy="make others: config.with_settings(hidden=64, delays=dict(rule=...)), or one "
            'setting of a group, config.with_settings(**{"delays.rule": ...})',
        )


class SplitSettings(_Settings):
    """What is held out of own data that come without parts of their own."""

    test: float = pydantic.Field(default=0.2, gt=0, lt=1)
    """Fraction of the samples for the test part."""

    validation: float = pydantic.Field(default=0.1, gt=0, lt=1)
    """Fraction of the other samples for the validation part."""

    seed: int = pydantic.Field(default=0, ge=0, lt=1 << 63)
    """Of the draw, whatever the seed of the training."""


class ArraySettings(_Settings):
    """What own .npz files call their arrays."""

    times: str = "times"
    """Times of the events."""

    units: str = "units"
    """Units (channels) of the events."""

    n_steps: str = "n_steps"
    """Number of steps, if times are steps."""

    samples: str = "samples"
    """Recording of each event, if a file has several."""

    labels: str = "labels"
    """Class of each recording."""

    groups: str = "groups"
    """Person, session or sensor of each recording; of a single one it may be a number alone."""

    parts: str = "parts"
    """0 training, 1 validation, 2 test, for each recording."""

    @pydantic.model_validator(mode="after")
    def _each_its_own(self) -> ArraySettings:
        names = list(self.model_dump().values())
        if not all(names) or len(set(names)) < len(names):
            raise ValueError("each array has a name, and no two of them the same")
        return self


class DelaySettings(_Settings):
    """How delays start and learn."""

    learning_rate: float = pydantic.Field(default=0.2, ge=0, le=fixed.DELAY_MAX)
    """Of delays, in steps per update; 0 leaves them where they were drawn."""

    rule: Literal["finite-difference", "annealed"] = "finite-difference"
    """How delays learn; see `kipuka.train.delays.axonal`."""

    init_steps: float | None = pydantic.Field(default=None, ge=0, le=fixed.DELAY_MAX)
    """Delays are drawn evenly from 0 to here; none for the network's own range."""

    width_steps: float = pydantic.Field(default=8.0, ge=0, le=fixed.DELAY_MAX)
    """Half width in steps from which the annealed rule starts; it ends at 0."""

    recurrent_min_steps: int = pydantic.Field(default=0, ge=0, le=fixed.DELAY_MAX)
    """Least delay in the recurrence of spiking GRU layers that have one. From 4 on it hides the way
    through the gates, so that a chip without microcode is fast; see docs/loihi2.md."""


class AugmentationSettings(_Settings):
    """Random changes of training samples."""

    input_drop: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Fraction of input spikes left out at random."""

    time_stretch: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Largest random change of a sample's tempo, as a fraction, either way."""

    time_shift_steps: int = pydantic.Field(default=0, ge=0, le=1 << 20)
    """Largest random shift of a sample in time, in steps, either way."""

    channel_shift: int = pydantic.Field(default=0, ge=0, le=1 << 16)
    """Largest random shift of a sample along its channels, either way."""


class PenaltySettings(_Settings):
    """What the loss holds against a network beside its errors."""

    rate: float = pydantic.Field(default=0.0, ge=0, le=WEIGHT_MAX)
    """Weight of the penalty on mean spike rates outside `rate_low` to `rate_high`."""

    rate_low: float = pydantic.Field(default=0.01, ge=0, le=1)
    """Spikes per neuron and step above which a layer's mean rate is free."""

    rate_high: float = pydantic.Field(default=0.15, ge=0, le=1)
    """Spikes per neuron and step below which a layer's mean rate is free."""

    overshoot: float = pydantic.Field(default=0.0, ge=0, le=WEIGHT_MAX)
    """Weight of the penalty on GRU states beyond half of their range, where saturation is near."""

    @pydantic.model_validator(mode="after")
    def _leaves_some_free(self) -> PenaltySettings:
        if self.rate_low > self.rate_high:
            raise ValueError("rate_low should be at most rate_high, or no rate is free")
        return self


class TrainConfig(_Settings):
    """Settings of a training run, five groups of them and those that stand alone.

    Names of version 0.1.0 are understood, and so are dotted ones: ``delay_rule="annealed"``,
    ``delays=dict(rule="annealed")`` and ``**{"delays.rule": "annealed"}`` mean the same.

    Raises
    ------
    KipukaError
        At the first setting that is unknown or out of range.
    """

    network: str = "sgru-delay"
    """Name of the network; see `kipuka.train.networks.NETWORKS`."""

    data: str = "digits"
    """Name of the data set, or where own data are; see `kipuka.train.load_dataset`."""

    data_dir: str | None = None
    """Folder that the data set's files were downloaded to."""

    bin_ms: float | None = pydantic.Field(default=None, ge=1e-3, le=1e3)
    """Width of a step in milliseconds, from a microsecond to a second; none for the data set's."""

    steps: int | None = pydantic.Field(default=None, ge=1, le=1 << 20)
    """Steps of each sample; what lies beyond is left out and counted."""

    channels: int | None = pydantic.Field(default=None, ge=1, le=1 << 16)
    """Input channels; neighbours are pooled, so it must divide the number that was recorded."""

    validation: Literal["speakers", "samples"] = "speakers"
    """Whether whole speakers (groups of own data) are held out, or single samples."""

    download: bool = False
    """Let tonic download what is missing."""

    time_unit: Literal["s", "ms", "us"] | None = None
    """Unit of the times in own .npz files; null for steps where the file has n_steps, and seconds
    as floating-point numbers otherwise."""

    groups_from: str | None = None
    """Pattern of own files' names whose parenthesis is the person, session or sensor that must not
    stand in two parts, such as person(\\d+)."""

    hidden: int = pydantic.Field(default=128, ge=1, le=1 << 16)
    """Neurons of each hidden layer."""

    layout: Literal["csgru", "frequency"] = "csgru"
    """How convolutional networks see audio; see `kipuka.train.audio_layout.audio_shape`."""

    update_gate_input: Literal["spikes", "current"] = "spikes"
    """What the update gates of spiking GRU layers see; see `kipuka.train.SpikingGRU`."""

    start_sha256: str | None = pydantic.Field(default=None, pattern="^[0-9a-f]{64}$")
    """Digest of the checkpoint that parameters started from; `--start` gives file and digest."""

    epochs: int = pydantic.Field(default=40, ge=1, le=1 << 20)
    """Passes over the training part."""

    batch_size: int = pydantic.Field(default=64, ge=1, le=1 << 20)
    """Samples of an update, of all processes together."""

    learning_rate: float = pydantic.Field(default=5e-3, gt=0, le=1e3)
    """Of weights and biases, in nominal units (Adam, one cycle)."""

    spike_gain: float = pydantic.Field(default=0.5, gt=0, le=WEIGHT_MAX)
    """Logits per output spike."""

    label_smoothing: float = pydantic.Field(default=0.1, ge=0, lt=1)
    """Probability mass that the loss spreads evenly over all classes."""

    proven_ranges: bool = False
    """Keep weights of spiking GRU layers where no state can saturate, whatever the spikes: what a
    network without microcode has to spend least on; see `kipuka.train.gru.ranges`."""

    gradient_clip: float = pydantic.Field(default=1.0, gt=0, le=WEIGHT_MAX)
    """Limit on the norm of the gradient of weights and biases."""

    selection: Literal["accuracy", "loss", "last"] = "accuracy"
    """Which epoch is kept: the best one on the validation part, by its accuracy (of equals the
    later epoch) or by its cross entropy, which tells apart epochs that are equally often right; or
    the last one."""

    train_on_validation: bool = False
    """Train on the validation part as well, once it has chosen the settings; it then selects no
    epoch, and its accuracy says nothing about new samples."""

    tensorboard: bool = False
    """Write events for TensorBoard beside the metrics."""

    device: Literal["cpu", "cuda"] = "cpu"
    """Where the network trains."""

    seed: int = pydantic.Field(default=0, ge=0, lt=1 << 63)
    """Of all randomness."""

    splits: SplitSettings = SplitSettings()
    """What is held out of own data that come without parts of their own."""

    arrays: ArraySettings = ArraySettings()
    """What own .npz files call their arrays."""

    delays: DelaySettings = DelaySettings()
    """How delays start and learn."""

    augmentation: AugmentationSettings = AugmentationSettings()
    """Random changes of training samples."""

    penalties: PenaltySettings = PenaltySettings()
    """What the loss holds against a network beside its errors."""

    def __init__(self, **settings: Any) -> None:
        _fill(self, current_form(settings, ARGUMENTS), ARGUMENTS)

    def with_settings(self, **changes: Any) -> TrainConfig:
        """Return these settings with some of them changed, checked like new ones.

        Parameters
        ----------
        **changes
            As for a new object; of a group only what is given changes.

        Returns
        -------
        TrainConfig

        Raises
        ------
        KipukaError
            At the first setting that is unknown or out of range.
        """
        return make_config(changes, ARGUMENTS, self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Any:
        """Copy as pydantic does, but check what is changed."""
        return self.with_settings(**update) if update else super().model_copy(deep=deep)

    @pydantic.field_validator("train_on_validation")
    @classmethod
    def _selects_nothing(cls, value: bool, info: pydantic.ValidationInfo) -> bool:
        if value and info.data.get("selection") != "last":
            raise ValueError("samples that are trained on cannot select: give selection=last too")
        return value


def setting_fields() -> dict[str, pydantic.fields.FieldInfo]:
    """Return every setting by its dotted name, with default, range and description."""
    fields = {}
    for name, field in TrainConfig.model_fields.items():
        if isinstance(field.default, _Settings):
            inner = type(field.default).model_fields
            fields.update({f"{name}.{key}": setting for key, setting in inner.items()})
        else:
            fields[name] = field
    return fields


def setting_values(config: TrainConfig) -> dict[str, Any]:
    """Return the values of a run by their dotted names."""
    values: dict[str, Any] = {}
    for name, value in config.model_dump().items():
        inner = {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {}
        values.update(inner or {name: value})
    return values


def save_config(path: str | Path, config: TrainConfig) -> None:
    """Write settings as YAML."""
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))


def load_config(path: str | Path) -> TrainConfig:
    """Read settings from YAML, also as version 0.1.0 wrote it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    TrainConfig

    Raises
    ------
    KipukaError
        If the file is missing, is not YAML, or has an unknown key or a value out of range.
    """
    remedy = "check the path, or write the file again with kipuka train"
    path = as_path(path)
    _, values = parse_yaml(read_limited(path, WHAT, remedy), str(path), WHAT)
    return make_config(values if isinstance(values, dict) else {"": values}, str(path))


def refuse_reach(config: TrainConfig, given: Mapping[str, object], where: str | Path) -> None:
    """Refuse settings of a file that lead out of it, unless the user gives the same ones too.

    Raises
    ------
    KipukaError
        If the file names a folder or has something downloaded, and `given` does not.
    """
    own = () if config.data in DATASET_NAMES else ("data",)
    for key in (*REACHING, *own):
        if getattr(config, key) and given.get(key) is None:
            raise KipukaError(
                "a configuration cannot reach beyond its own file",
                where=f"{where}, key {key}",
                limit="data, folders and downloads that are given on the command line, or as "
                "arguments in Python",
                value=getattr(config, key),
                remedy=f"look whether you want that, and give --{key.replace('_', '-')} yourself "
                f"({_in_python(key)}); the network of a finished run is in its {NETWORK_FILE}",
            )


def _in_python(key: str) -> str:
    return "in Python data=, or dataset= for data in memory" if key == "data" else f"{key}="


def make_config(
    values: Mapping[str, Any], where: str, base: TrainConfig | None = None
) -> TrainConfig:
    """Check settings from a file or the command line.

    Parameters
    ----------
    values : mapping of str to anything
        Groups, or dotted names such as ``delays.rule``; names of version 0.1.0 are understood.
    where : str
        File or command line, for messages.
    base : TrainConfig, optional
        What settings that are not in `values` are taken from, instead of the defaults.

    Raises
    ------
    KipukaError
        At the first setting that is unknown or out of range.
    """
    given = current_form(values, where)
    form = {} if base is None else base.model_dump()
    for key, value in given.items():
        together = isinstance(value, dict) and isinstance(form.get(key), dict)
        form[key] = {**form[key], **value} if together else value
    config = TrainConfig.__new__(TrainConfig)
    _fill(config, form, where)
    return config


def _fill(config: TrainConfig, form: Mapping[str, Any], where: str) -> None:
    """Check settings in groups and set them on a new object, as pydantic's own ``__init__`` does.

    Raises
    ------
    KipukaError
        At the first setting that is unknown or out of range.
    """
    network = form.get("network")
    if isinstance(network, str):
        choose(dict.fromkeys(NETWORK_NAMES), network, "network", f"{where}, key network")
    try:
        config.__pydantic_validator__.validate_python(dict(form), self_instance=config)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        near = difflib.get_close_matches(key, setting_fields(), 1)
        unknown = first["type"] == "extra_forbidden" and near
        raise KipukaError(
            "a setting of the training run cannot be used",
            where=f"{where}, key {key}",
            limit=first["msg"].removeprefix("Value error, "),
            value=short(first["input"]),
            remedy=(f"did you mean {near[0]}? " if unknown else "change it; ")
            + f"known settings are {', '.join(setting_fields())}",
        ) from None


def _signature() -> inspect.Signature:
    """Return what a notebook shows of the call: each setting's name and default, by its group."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    defaults = {name: field.default for name, field in TrainConfig.model_fields.items()}
    return inspect.Signature(
        [
            inspect.Parameter(name, keyword, default=... if isinstance(value, _Settings) else value)
            for name, value in defaults.items()
        ]
    )


TrainConfig.__doc__ = f"{TrainConfig.__doc__}\n{settings_section(setting_fields())}"
TrainConfig.__signature__ = _signature()
