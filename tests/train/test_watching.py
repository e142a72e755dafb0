import io
import re
import sys

import pytest

pytest.importorskip("lava", reason="needs the lava extra")

from kipuka.errors import KipukaError
from kipuka.train import watching
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.metrics import EpochMetrics


def metrics(epoch, accuracy, best):
    return EpochMetrics(epoch, 0.5, accuracy, 0.6, None, 3.0, best, 0.031, 0.0, 1e-3, 0.0, 0.0, {})


def _config(selection):
    return TrainConfig(epochs=4, data="own[b]", selection=selection)


def shown(monkeypatch, terminal, epochs, width=80, selection="accuracy"):
    out = io.StringIO()
    out.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
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


def test_the_last_epoch_says_how_long_it_took(monkeypatch):
    text = shown(monkeypatch, False, [metrics(3, 0.5, True), metrics(4, 0.5, True)])
    assert re.search(r"epoch 4 of 4: .*, done in \d+ s$", text.strip())


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


def test_a_command_below_a_cell_writes_lines(monkeypatch):
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    first, second = shown(monkeypatch, True, [metrics(1, 0.25, True)]).splitlines()
    assert first.startswith("training sgru-delay on own[b]: ")
    assert second.startswith("epoch 1 of 4: ")


def test_times_are_for_people():
    assert [watching.duration(s) for s in (0.2, 59.6, 3599, 3600)] == [
        "0 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
    ]


class Shell(io.StringIO):
    """Standard error and display of a notebook."""

    __module__ = "ipykernel.iostream"

    def display(self, shown, display_id):
        assert display_id is True
        self.update(shown)
        return self

    def update(self, shown):
        self.write(shown._repr_html_() + "\n")


def test_a_notebook_shows_a_bar_below_the_cell(monkeypatch):
    shell = Shell()
    monkeypatch.setattr(sys, "stderr", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell)
    with watching.watched_training(_config("accuracy")) as show:
        show(metrics(1, 0.25, True))
    before, after = shell.getvalue().splitlines()
    assert '<progress value="0" max="4"></progress> training sgru-delay on own[b]:' in before
    assert '<progress value="1" max="4">' in after
    assert "epoch 1 of 4, loss 0.5000, validation 25.00 %" in after


def test_people_functions_or_nobody_are_told(capsys, check_error):
    with watching.followed(_config("accuracy"), True) as show:
        show(metrics(1, 0.25, True))
    assert "epoch 1 of 4: loss 0.5000" in capsys.readouterr().err
    for nobody in (None, False):
        with watching.followed(_config("accuracy"), nobody) as show:
            assert show is None
    with watching.followed(_config("accuracy"), print) as show:
        assert show is print
    with pytest.raises(KipukaError) as caught:
        watching.followed(_config("accuracy"), "bar")
    check_error(caught.value, what="cannot be shown", where="argument progress", value="str")
    check_error(caught.value, limit="a function", remedy="progress=None to see nothing")


def test_a_log_that_nobody_can_read_stops_no_training(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    with watching.watched_training(_config("accuracy")) as show:
        show(metrics(1, 0.25, True))
