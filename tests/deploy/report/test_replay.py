"""Time and static energy: a replay, real time and a host are told apart, on page and console."""

import dataclasses
import json

import numpy as np
import pytest

from kipuka.commands.tables.costs import print_profile, real_time_numbers
from kipuka.convert.decisions import Decisions
from kipuka.convert.trace import decide
from kipuka.deploy.costs.cost import profile
from kipuka.deploy.costs.real_time import (
    from_host_s,
    in_real_time,
    static_power_w,
)
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.report.page import ReportContents, write_report
from kipuka.deploy.report.question import asked, class_names, held_out, step_s, trained_on
from kipuka.deploy.report.replay import latency_text
from kipuka.hardware_profiles import SiBounds, load_profile
from kipuka.hardware_profiles.numbers import si
from kipuka_cases import program, random_cuba, random_spikes

STEPS = 20


@pytest.fixture
def network(rng):
    return program(8, random_cuba(rng, 8, 6), random_cuba(rng, 6, 3))


@pytest.fixture
def spikes(rng):
    return random_spikes(rng, 2, 8, STEPS)


def priced(network, spikes, chip="loihi2", **options):
    hardware = load_profile(chip)
    simulation = simulate_reference(network, spikes)
    return profile(network, spikes, simulation, hardware, **options), hardware


def told(network, **metadata):
    texts = {key: json.dumps(value) for key, value in metadata.items()}
    return dataclasses.replace(network, metadata=texts)


def test_static_energy_is_power_times_time(network, spikes):
    cost, hardware = priced(network, spikes)
    assert tuple(static_power_w(cost)) == pytest.approx(tuple(hardware.static_power.in_si()))
    real = in_real_time(cost, 0.01)
    assert real.duration_s == STEPS * 0.01
    assert real.static_energy_j.typical == pytest.approx(0.23 * STEPS * 0.01)
    together = cost.total_energy_j
    assert together.high == cost.dynamic_energy_j.high + cost.static_energy_j.high
    assert from_host_s(cost, hardware).low == pytest.approx(STEPS * 8.05e-3)


def test_what_is_not_published_stays_so(network, spikes):
    cost, hardware = priced(network, spikes, "loihi1")
    assert cost.total_energy_j.low is None
    assert in_real_time(cost, 0.01).static_energy_j.high is None
    numbers = real_time_numbers(cost, hardware, None)
    assert numbers["real_time"] is None
    assert numbers["input_from_host_s"] == {"low": None, "typical": None, "high": None}
    assert "low and high not published" in latency_text(SiBounds(None, 1e-3, None))


def test_the_console_says_what_the_figures_are_of(network, spikes, capsys):
    cost, hardware = priced(network, spikes)
    print_profile(cost, hardware, 0.01)
    text = " ".join(capsys.readouterr().out.split())
    together = cost.total_energy_j
    for part in (
        f"together {si(together.typical, 'J')}",
        f"latency at least {si(cost.latency_s.typical, 's')} at typical times",
        f"{si(cost.latency_s.low, 's')} at the shortest published",
        "replay at full speed, with the input preloaded",
        "in real time (200 ms in steps of 10.0 ms) static energy is 46.0 mJ (20.0 to 62.0 mJ)",
        "a program on the host sends step by step: 775 ms (161 to 1 140 ms) a sample",
    ):
        assert " ".join(part.split()) in text
    print_profile(cost, hardware)
    assert "--step-ms" in capsys.readouterr().out
    waiting, _ = priced(network, spikes, host_input=True)
    print_profile(waiting, hardware, 0.01)
    assert "replay" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_page_says_what_was_asked(network, spikes, tmp_path):
    known = told(
        network,
        data={"name": "words", "classes": ["one", "three", "<two>"]},
        recordings={"bin_ms": 5.0, "held_out": "drawn by whole groups: 6 of 24 for test"},
    )
    assert step_s(known) == 0.005
    cost, hardware = priced(known, spikes)
    simulation = simulate_reference(known, spikes)
    write_report(
        tmp_path / "r.html",
        ReportContents(
            title="x",
            program=known,
            inputs=spikes,
            simulation=simulation,
            profiles=((cost, hardware),),
            verification=None,
            accuracy={"fast": 0.5},
            delays_before=None,
            seconds={},
            decisions=Decisions(np.array([1, 2]), np.array([1, 1]), 3, groups=2),
            samples_from="test part of words",
            step_s=0.005,
        ),
    )
    text = (tmp_path / "r.html").read_text().replace("\u00a0", " ")
    decided = int(decide(known, simulation.trace.layers[-1])[0])
    chosen = f"{decided} ({('one', 'three', '&lt;two&gt;')[decided]})"
    for part in (
        f"output spikes of class {chosen}, which the readout decides for",
        f"decision class {chosen}.",
        "which of 3 classes (one, three, &lt;two&gt;) is a sample of 8 inputs and 20 steps of "
        "5.00 ms, 100 ms in all?",
        "2 samples, test part of words; drawn by whole groups: 6 of 24 for test.",
        '<th class="n">as 1 three</th>',
        "the interval takes the samples as independent; they come from 2 groups",
        "<tr><th>2 &lt;two&gt;</th>",
        "Static energy per sample on Intel Loihi 2",
        "in real time (100 ms in steps of 5.00 ms) static energy is 23.0 mJ (10.0 to 31.0 mJ)",
    ):
        assert part in text


@pytest.mark.parametrize("wrong", ["text", [1], {"classes": "abc"}, {"classes": [1, 2, 3]}, None])
def test_metadata_are_not_taken_on_trust(network, wrong):
    strange = told(network, data=wrong, recordings=wrong, training=wrong)
    assert (class_names(strange), step_s(strange), held_out(strange)) == ((), None, "")
    assert trained_on(strange) == ("", "")
    assert asked(strange, 1, None) == "which of 3 classes is a sample of 8 inputs and 1 step?"
    for bad in (-1, 0, "10", float("inf"), float("nan")):
        assert step_s(told(network, training={"bin_ms": bad})) is None
    assert class_names(told(network, data={"classes": ["a", "b"]})) == ()
    assert step_s(told(network, training={"bin_ms": 4})) == 0.004
