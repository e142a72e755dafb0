"""Backends that are compared one after the other: what is said meanwhile, and in a report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kipuka.commands import backends, console
from kipuka.commands.app import main
from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import program, random_cuba, random_gru, random_spikes

SAMPLES, STEPS = 5, 20


@pytest.fixture(autouse=True)
def only_the_base(monkeypatch):
    """Without torch and Lava, which these tests do not ask for."""
    monkeypatch.setattr("kipuka.commands.backends.missing", lambda *modules: ["lava"])


@pytest.fixture
def net(rng, tmp_path):
    network = program(16, random_gru(rng, 16, 8), random_cuba(rng, 8, 4))
    path = tmp_path / "small.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 16, STEPS)))
    return str(path)


@pytest.fixture
def data(rng, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, random_spikes(rng, SAMPLES, 16, STEPS))
    return str(path)


def reported(net, data, tmp_path, *words):
    """Exit status, page and numbers of a report."""
    page, numbers = tmp_path / "r.html", tmp_path / "r.json"
    command = ["profile", net, "--data", data, "--report", str(page), "--json", str(numbers)]
    status = main([*command, *words])
    return status, " ".join(page.read_text().split()), json.loads(numbers.read_text())


@pytest.mark.slow
def test_a_report_is_of_a_network_that_was_verified(net, data, tmp_path, capsys):
    status, page, numbers = reported(net, data, tmp_path)
    assert status == 0
    assert "Verified: bit for bit the same" in page
    assert "Not verified" not in page
    compared = numbers["verification"]
    assert (compared["backends"], compared["samples"]) == (["reference", "fast"], SAMPLES)
    assert compared["values_compared"] > 0
    assert compared["spike_mismatches"] == compared["state_mismatches"] == 0
    assert "0 spike mismatches" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_a_notebook_s_way_of_drawing_is_no_matter_to_commands(net, tmp_path):
    # What `!kipuka` in a cell inherits may be installed for the notebook alone.
    report = tmp_path / "r.html"
    words = ["profile", net, "--verify", "0", "--report", str(report)]
    subprocess.run(
        [sys.executable, "-m", "kipuka", *words],
        env={**os.environ, "MPLBACKEND": "no_such_backend"},
        check=True,
    )
    assert "<svg" in report.read_text()


@pytest.mark.slow
def test_a_report_says_on_how_many_of_the_samples(net, data, tmp_path):
    _, page, numbers = reported(net, data, tmp_path, "--verify", "2")
    assert numbers["verification"]["samples"] == 2
    assert f"the first 2 of {SAMPLES} samples × {STEPS} steps compared" in page


@pytest.mark.slow
def test_a_report_without_a_comparison_says_so(net, data, tmp_path):
    _, page, numbers = reported(net, data, tmp_path, "--verify", "0")
    assert numbers["verification"] is None
    assert "Not verified" in page


@pytest.mark.slow
def test_a_mismatch_is_no_success(net, data, tmp_path, monkeypatch):
    right = backends.fast

    def wrong(network, inputs):
        trace = right(network, inputs)
        trace.layers[-1].spikes[0, 0, 0] ^= True
        return trace

    monkeypatch.setitem(backends.BACKENDS, "fast", wrong)
    status, page, numbers = reported(net, data, tmp_path)
    assert status == 1
    assert numbers["verification"]["spike_mismatches"] == 1
    assert "Failed: backends disagree" in page


def test_who_stops_a_slow_backend_keeps_what_the_others_gave(net, data, monkeypatch, capsys):
    def interrupted(network, inputs):
        raise KeyboardInterrupt

    monkeypatch.setitem(backends.BACKENDS, "lava", interrupted)
    monkeypatch.setitem(backends.CHECKS, "lava", lambda network, n_steps: None)
    words = ["verify", net, "--data", data, "--backends", "reference,fast,lava"]
    assert main(words) == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"reference: running {SAMPLES} samples of {STEPS} steps ..."
    assert lines[1].startswith("reference: done in ")
    assert lines[3].startswith("fast: 0 of ")
    assert "values differ from reference" in lines[3]


def test_backends_that_take_no_time_are_not_announced(net, data, capsys):
    assert main(["verify", net, "--data", data, "--backends", "reference,fast"]) == 0
    assert capsys.readouterr().err == ""


def test_verify_says_which_samples_were_compared(net, data, tmp_path, capsys):
    numbers = tmp_path / "v.json"
    words = ["verify", net, "--backends", "reference,fast", "--json", str(numbers)]
    for others, source in (
        (["--data", data, "--samples", "2"], f"first 2 of {SAMPLES} samples, all of x.npy"),
        (["--input", data, "--samples", "2"], f"first 2 of {SAMPLES} samples, all of x.npy"),
        (["--data", data], "all of x.npy"),
        ([], "golden vectors of small.net"),
    ):
        assert main([*words, *others]) == 0
        assert json.loads(numbers.read_text())["samples_from"] == source
        assert f"samples: {source}" in " ".join(capsys.readouterr().out.split())


def test_long_work_in_a_log_says_how_long_it_takes(monkeypatch, capsys):
    now_s = 0.0
    monkeypatch.setattr(console.time, "perf_counter", lambda: now_s)
    with console.progress_bar("Lava", unit="steps") as advance:
        # Five seconds to start, then one for each step.
        for done in range(1, 41):
            now_s = 4.0 + done
            advance(done, 40)
    assert capsys.readouterr().err.splitlines() == [
        "Lava: 6 of 40 steps, 34 s left",
        "Lava: 16 of 40 steps, 24 s left",
        "Lava: 36 of 40 steps, 4 s left",
    ]


def test_a_log_gets_no_line_about_work_that_was_only_long_to_start(monkeypatch, capsys):
    now_s = 0.0
    monkeypatch.setattr(console.time, "perf_counter", lambda: now_s)
    with console.progress_bar("simulating", unit="steps") as advance:
        for at_s, done in ((20.0, 40), (20.1, 80), (22.0, 4000), (30.0, 6000), (35.0, 9600)):
            now_s = at_s
            advance(done, 9600)
    assert capsys.readouterr().err.splitlines() == ["simulating: 6,000 of 9,600 steps, 6 s left"]


def test_a_cell_of_a_notebook_gets_lines_and_no_bar(monkeypatch, capsys):
    monkeypatch.setattr(type(console.STDERR), "is_terminal", True)
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    now_s = 0.0
    monkeypatch.setattr(console.time, "perf_counter", lambda: now_s)
    with console.progress_bar("Lava", unit="steps") as advance:
        for done in (1, 20, 40):
            now_s += 10.0
            advance(done, 40)
    captured = capsys.readouterr().err
    assert "Lava: 20 of 40 steps" in captured
    assert "\033" not in captured


@pytest.mark.slow
def test_commands_end_with_the_next_one(net, data, tmp_path, capsys):
    beside = Path(net).with_name("report.html")
    for words, line in (
        (
            ["verify", net, "--backends", "reference,fast"],
            f"kipuka profile {net} --report {beside}",
        ),
        (
            ["verify", net, "--backends", "reference,fast", "--input", data],
            f"kipuka profile {net} --data {data} --report {beside}",
        ),
        (["profile", net, "--data", data], f"kipuka profile {net} --data {data} --report {beside}"),
    ):
        assert main(words) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"next: {line}"
    report = tmp_path / "r.html"
    assert main(["profile", net, "--report", str(report), "--verify", "0"]) == 0
    assert f"report: {report}, to be opened in a browser" in capsys.readouterr().out
    assert report.exists()


def test_inspect_says_what_it_means_that_a_state_may_saturate(net, capsys):
    assert main(["inspect", net]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "may saturate: not proven to stay within its limit " in text
    assert "some input might drive it towards" in text
    assert "held at its limit, on the chip as in every backend: no error" in text
