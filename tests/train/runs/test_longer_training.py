"""When a run is said to have more to learn: a gain on validation near its end, and nothing else."""

from dataclasses import replace

import pytest

from kipuka.commands.train import _more_to_learn
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.metrics import EpochMetrics

EPOCH = EpochMetrics(1, 1.0, 0.5, 1.0, None, 1.0, True, 0.1, 0.0, 0.01, 0.01, 0.0, {})


def said(accuracies, losses, selection, counting=0.1):
    metrics = [
        replace(EPOCH, epoch=k, validation_accuracy=accuracy, validation_loss=loss)
        for k, (accuracy, loss) in enumerate(zip(accuracies, losses, strict=True), start=1)
    ]
    values = {
        "metrics": metrics,
        "accuracy": {"fast": 0.5},
        "counting_baseline": counting,
        "samples": {"training": 1000},
    }
    return _more_to_learn(values, TrainConfig(epochs=len(metrics), selection=selection))


FALLING = [1 - k / 100 for k in range(20)]


@pytest.mark.parametrize(
    ("gains", "selection", "gained"),
    [
        ([0.5] * 18 + [0.5, 0.6], "accuracy", 20),
        ([0.5] * 18 + [0.6, 0.6], "accuracy", 19),
        ([0.5] * 10 + [0.6] * 10, "accuracy", None),
        ([0.5] * 10 + [0.6] + [0.5] * 8 + [0.6], "accuracy", None),
        ([0.5] * 10 + [0.6] * 10, "last", None),
        ([0.5] * 19 + [0.6], "last", 20),
        ([0.6] * 20, "loss", 20),
    ],
)
def test_the_last_gain_decides_and_no_tie(gains, selection, gained):
    text = said(gains, FALLING, selection)
    if gained is None:
        assert text == ""
    else:
        assert text.startswith(f"epoch {gained} was still a gain: it may learn more")
        assert "--epochs 40" in text


def test_equal_losses_are_no_gain():
    assert said([0.5] * 20, [0.7] * 20, "loss") == ""


def test_a_network_that_counting_beats_has_more_to_learn():
    assert said([0.5] * 20, FALLING, "accuracy", counting=0.9).startswith("counting spikes")
