import numpy as np
import pytest

from kipuka.train.datasets import Dataset, Split
from kipuka.train.runs.counting import counting_baseline


def split(rng, count, *, timing):
    """Two classes: more spikes in the first or second half of channels, or of the time only."""
    labels = np.arange(count) % 2
    rates = np.full((count, 6, 40), 0.2)
    for k, label in enumerate(labels):
        half = slice(20 * label, 20 * label + 20) if timing else slice(3 * label, 3 * label + 3)
        rates[(k, slice(None), half) if timing else (k, half)] = 0.5
    return Split(rng.random(rates.shape) < rates, labels.astype(np.int64))


def dataset(rng, *, timing):
    return Dataset("made", 2, *(split(rng, n, timing=timing) for n in (200, 100, 100)))


def test_counts_tell_classes_apart_by_channels_but_not_by_time(rng):
    assert counting_baseline(dataset(rng, timing=False)).test_accuracy > 0.98
    assert counting_baseline(dataset(rng, timing=True)).test_accuracy < 0.7


@pytest.mark.slow
def test_the_test_part_chooses_nothing(rng):
    data = dataset(rng, timing=False)
    found = counting_baseline(data)
    other = Dataset("made", 2, data.train, data.validation, split(rng, 100, timing=True))
    again = counting_baseline(other)
    assert (again.penalty, again.validation_accuracy) == (found.penalty, found.validation_accuracy)
    assert again.test_accuracy != found.test_accuracy
    assert found.parameters == 6 * 2 + 2
