"""When what learns, and how fast: functions of how far the training is, without a state."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kipuka.train.runs.config import TrainConfig

WARM_UP = 0.1
"""Part of a cycle in which the learning rate rises."""

START_DIVISOR, END_DIVISOR = 25.0, 25e4
"""What the peak of a learning rate is divided by where a cycle starts and ends."""


INTEGER_FROM = 0.8
"""Part of the training after which the annealed rule's width has reached 0, so that weights and
delays still learn with the integer delays that they end with."""


@dataclass(frozen=True)
class Phase:
    """What holds during an update.

    Attributes
    ----------
    learning_rate, delay_learning_rate : float
        0 for what does not learn at present.
    delay_width_steps : float
        Half width of the annealed delay rule.
    """

    learning_rate: float
    delay_learning_rate: float
    delay_width_steps: float


def one_cycle(progress: float) -> float:
    """Factor on a learning rate: a cosine up and a longer cosine down (Smith, arXiv:1708.07120)."""
    low, end = 1 / START_DIVISOR, 1 / END_DIVISOR
    if progress < WARM_UP:
        return low + (1 - low) * (1 - math.cos(math.pi * progress / WARM_UP)) / 2
    fall = (progress - WARM_UP) / (1 - WARM_UP)
    return end + (1 - end) * (1 + math.cos(math.pi * fall)) / 2


def phase_at(config: TrainConfig, progress: float) -> Phase:
    """Phase of an update.

    Parameters
    ----------
    config : TrainConfig
    progress : float
        Part of all updates that lie behind, in [0, 1).
    """
    cycle = one_cycle(progress)
    # The annealed rule spreads spikes from the start, so that weights never see it jump.
    left = max(0.0, 1 - progress / INTEGER_FROM)
    delays = config.delays
    width_steps = delays.width_steps * left if delays.rule == "annealed" else 0.0
    return Phase(config.learning_rate * cycle, delays.learning_rate * cycle, width_steps)
