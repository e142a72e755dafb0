"""Random changes of training samples that leave their class as it is."""

from __future__ import annotations

import torch

from kipuka.train.runs.config import TrainConfig


class Augmentation:
    """Draws changed copies of training samples.

    Parameters
    ----------
    config : TrainConfig
    spikes : bool tensor (samples, units, time)
    labels : int64 tensor (samples,)
        Of the whole training part, from which partners for blending are drawn.
    """

    def __init__(self, config: TrainConfig, spikes: torch.Tensor, labels: torch.Tensor) -> None:
        self.config = config
        self.spikes = spikes
        self.labels = labels
        self._by_class = torch.argsort(labels, stable=True)
        counts = torch.bincount(labels)
        self._counts, self._first = counts, counts.cumsum(0) - counts

    def draw(self, samples: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Changed copies of some samples, as float (samples, units, time).

        What is drawn depends on the generator's state and on nothing else.
        """
        config = self.config
        x = self.spikes[samples]
        if config.blend:
            partners = self.spikes[self._partners(samples, generator)]
            chosen = torch.rand(len(x), generator=generator) < config.blend
            x = torch.where(chosen[:, None, None], blended(x, partners, generator), x)
        if config.time_stretch:
            x = stretched(x, 1 + config.time_stretch * _around_zero(len(x), generator))
        if config.time_shift_steps:
            x = shifted(x, _up_to(config.time_shift_steps, len(x), generator), axis=2)
        if config.channel_shift:
            x = shifted(x, _up_to(config.channel_shift, len(x), generator), axis=1)
        if config.input_drop:
            x = x & (torch.rand(x.shape, generator=generator) >= config.input_drop)
        return x.float()

    def _partners(self, samples: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        labels = self.labels[samples]
        place = torch.rand(len(samples), generator=generator, dtype=torch.float64)
        number = (place * self._counts[labels]).long()
        return self._by_class[self._first[labels] + number]


def blended(x: torch.Tensor, other: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of the spikes of each of two samples, brought to the same mean time before.

    After the blend augmentation of Nowotny, Turner and Knight (arXiv:2212.01232).

    Parameters
    ----------
    x, other : bool tensor (samples, units, time)
    generator : torch.Generator
    """
    lead = torch.round(_mean_time(x) - _mean_time(other)).long()
    other = shifted(other, lead, axis=2)
    mine, theirs = (torch.rand(x.shape, generator=generator) < 0.5 for _ in range(2))
    return (x & mine) | (other & theirs)


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


def _mean_time(x: torch.Tensor) -> torch.Tensor:
    per_step = x.sum(1).float()
    return (per_step * torch.arange(x.shape[2])).sum(1) / per_step.sum(1).clamp(min=1)
