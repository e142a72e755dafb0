import io
import re

import pytest
from rich.console import Console

pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.commands.tables import watching
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.metrics import EpochMetrics


def metrics(epoch, accuracy, best):
    return EpochMetrics(epoch, 0.5, accuracy, 0.6, None, 3.0, best, 0.031, 0.0, 1e-3, 0.0, 0.0, {})


def _config(selection):
    return TrainConfig(epochs=4, data="own[b]", selection=selection)


def shown(monkeypatch, terminal, epochs, width=80, selection="accuracy"):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, highlight=False)
    monkeypatch.setattr(watching, "STDERR", console)
    with watching.watched_training(_config(selection)) as show:
        for one in epochs:
            show(one)
    return out.getvalue()


def test_a_log_has_one_line_per_epoch(monkeypatch):
    epochs = [metrics(1, 0.25, True), metrics(2, 0.5, True), metrics(3, 0.375, False)]
    first, *lines = shown(monkeypatch, False, epochs).splitlines()
    assert first.startswith("training sgru-delay on own[b]: ")
    assert len(lines) == 3
    assert lines[2].startswith(
        "epoch 3 of 4: loss 0.5000, validation 37.50 %, best 50.00 % in epoch 2, "
        "0.031 spikes per neuron and step, "
    )
    assert re.search(r", \d+ s left$", lines[2])


def test_a_run_that_goes_on_does_not_claim_to_know_the_best_epoch(monkeypatch):
    text = shown(monkeypatch, False, [metrics(3, 0.25, False)])
    assert "best of an earlier start" in text


@pytest.mark.parametrize(
    ("selection", "word"), [("accuracy", "best"), ("loss", "best by loss"), ("last", "kept")]
)
def test_what_the_best_epoch_is_chosen_by_is_said(monkeypatch, selection, word):
    epochs = [metrics(1, 0.5, True), metrics(2, 0.375, True), metrics(3, 0.5, False)]
    lines = shown(monkeypatch, False, epochs, selection=selection).splitlines()
    assert f"validation 50.00 %, {word} 37.50 % in epoch 2, " in lines[3]


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_the_numbers_below_the_bar(monkeypatch, width):
    text = shown(monkeypatch, True, [metrics(1, 0.25, True)], width)
    assert "1/4" in text
    assert "own[b]" in text
    assert "best 25.00 % in epoch 1" in " ".join(text.split())


def test_times_are_for_people():
    assert [watching.duration(s) for s in (0.2, 59.6, 3599, 3600)] == [
        "0 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
    ]
