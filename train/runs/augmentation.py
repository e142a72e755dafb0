"""Random changes of training samples that leave their class as it is."""

from __future__ import annotations

import torch

from kipuka.errors import KipukaError
from kipuka.train.runs.config import AugmentationSettings

SHIFTS = {"channel_shift": (1, "channels"), "time_shift_steps": (2, "steps")}
"""Settings that move samples, with the axis and what it counts."""


class Augmentation:
    """Draws changed copies of training samples.

    Parameters
    ----------
    settings : AugmentationSettings
    spikes : bool tensor (samples, units, time)
        The whole training part.

    Raises
    ------
    KipukaError
        If a shift may leave nothing of a sample.
    """

    def __init__(self, settings: AugmentationSettings, spikes: torch.Tensor) -> None:
        self.settings = settings
        self.spikes = spikes
        for name, (axis, places) in SHIFTS.items():
            shift, length = getattr(settings, name), spikes.shape[axis]
            if shift and shift >= length:
                raise KipukaError(
                    "the augmentation moves whole samples away",
                    where=f"setting augmentation.{name}",
                    limit=f"less than the {length} {places} of a sample",
                    value=shift,
                    remedy="choose a smaller shift",
                )

    def draw(self, samples: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Changed copies of some samples, as float (samples, units, time).

        What is drawn depends on the generator's state and on nothing else.
        """
        settings = self.settings
        x = self.spikes[samples]
        if settings.time_stretch:
            x = stretched(x, 1 + settings.time_stretch * _around_zero(len(x), generator))
        if settings.time_shift_steps:
            x = shifted(x, _up_to(settings.time_shift_steps, len(x), generator), axis=2)
        if settings.channel_shift:
            x = shifted(x, _up_to(settings.channel_shift, len(x), generator), axis=1)
        if settings.input_drop:
            x = x & (torch.rand(x.shape, generator=generator) >= settings.input_drop)
        return x.float()


def shifted(x: torch.Tensor, steps: torch.Tensor, axis: int) -> torch.Tensor:
    """Each sample moved along an axis by its own steps; what leaves is lost, what enters is silent.

    Parameters
    ----------
    x : bool tensor (samples, units, time)
    steps : int64 tensor (samples,)
    axis : {1, 2}
    """
    return _taken(x, torch.arange(x.shape[axis]) - steps[:, None], axis)


def stretched(x: torch.Tensor, tempo: torch.Tensor) -> torch.Tensor:
    """Each sample played at its own tempo from the first step on; after its end it is silent.

    Parameters
    ----------
    x : bool tensor (samples, units, time)
    tempo : float tensor (samples,)
        Steps of the sample per step of the result.
    """
    source = torch.round(torch.arange(x.shape[2]) * tempo[:, None]).long()
    return _taken(x, source, axis=2)


def _taken(x: torch.Tensor, source: torch.Tensor, axis: int) -> torch.Tensor:
    """Places of an axis filled from the places `source` (samples, length), silent if outside."""
    length = x.shape[axis]
    inside = (source >= 0) & (source < length)
    shape = [len(x), 1, 1]
    shape[axis] = length
    source, inside = source.clamp(0, length - 1).reshape(shape), inside.reshape(shape)
    return x.gather(axis, source.expand(x.shape)) & inside


def _up_to(limit: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(-limit, limit + 1, (count,), generator=generator)


def _around_zero(count: int, generator: torch.Generator) -> torch.Tensor:
    """Evenly drawn from -1 to 1."""
    return 2 * torch.rand(count, generator=generator) - 1
