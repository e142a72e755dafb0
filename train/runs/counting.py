"""What counting alone achieves: logistic regression on each channel's number of spikes.

A network that is no better does not use when its input spikes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kipuka.display import Shown, counted
from kipuka.errors import expect
from kipuka.train.datasets import Dataset, Split
from kipuka.train.datasets.dataset import DATASET_MADE

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Weights of the squared norm that the validation part chooses from."""


@dataclass(frozen=True)
class CountingBaseline(Shown):
    """The best fit on validation.

    Attributes
    ----------
    penalty : float
        Weight of half the squared norm beside the mean cross entropy.
    validation_accuracy, test_accuracy : float
    parameters : int
    """

    penalty: float
    validation_accuracy: float
    test_accuracy: float
    parameters: int

    def _line(self) -> str:
        return (
            f"{self.test_accuracy:.2%} on test, {self.validation_accuracy:.2%} on validation, from "
            f"counts of spikes alone; {counted(self.parameters, 'parameter')}"
        )


def counting_baseline(dataset: Dataset) -> CountingBaseline:
    """Fit multinomial logistic regression on square-rooted spike counts.

    Square roots make counts of small and large mean vary alike; they are then standardized. The
    fit sees the training part only, the penalty is chosen on validation, and of equals the
    strongest.

    Parameters
    ----------
    dataset : Dataset
    """
    expect(dataset, Dataset, "argument dataset", DATASET_MADE)
    features = {
        part: _root_counts(getattr(dataset, part)) for part in ("train", "validation", "test")
    }
    mean, deviation = features["train"].mean(0), features["train"].std(0).clamp(min=1e-6)
    features = {part: (x - mean) / deviation for part, x in features.items()}
    labels = torch.from_numpy(dataset.train.labels)
    found = []
    for penalty in sorted(PENALTIES, reverse=True):
        model = _fit(features["train"], labels, dataset.n_classes, penalty)
        found.append(
            CountingBaseline(
                penalty,
                _accuracy(model, features["validation"], dataset.validation),
                _accuracy(model, features["test"], dataset.test),
                sum(p.numel() for p in model.parameters()),
            )
        )
    # The first of equals.
    return max(found, key=lambda fit: fit.validation_accuracy)


def _root_counts(split: Split) -> torch.Tensor:
    return torch.from_numpy(split.spikes.sum(-1)).double().sqrt()


def _fit(x: torch.Tensor, labels: torch.Tensor, n_classes: int, penalty: float) -> torch.nn.Linear:
    model = torch.nn.Linear(x.shape[1], n_classes).double()
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        loss = loss + penalty / 2 * (model.weight**2).sum()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    return model


def _accuracy(model: torch.nn.Linear, x: torch.Tensor, split: Split) -> float:
    with torch.no_grad():
        scores = model(x).numpy()
    return float(np.mean(scores.argmax(1) == split.labels))
