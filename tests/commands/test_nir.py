"""NIR graphs on the command line: converted, calibrated, compared with their floats."""

import json
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert import load_network
from kipuka.convert.formats.nir.file import floats_of, quantized_nir
from kipuka.deploy.fidelity import measure_fidelity
from kipuka_cases import random_spikes
from kipuka_nir_graphs import graphs
from kipuka_options import run

nir = pytest.importorskip("nir")


@pytest.fixture(autouse=True)
def files(rng, tmp_path, monkeypatch):
    """Graph g.nir and samples x.npy in the current folder."""
    monkeypatch.chdir(tmp_path)
    nir.write("g.nir", next(graphs(rng)))
    np.save("x.npy", random_spikes(rng, 4, 5, 50, 0.3))


def succeed(*words):
    status, out, err = run(list(words), "utf-8")
    assert (status, err) == (0, ""), err
    return " ".join(out.split())


def refused(*words, parts):
    status, out, err = run(list(words), "utf-8")
    assert (status, out) == (2, "")
    for part in parts:
        assert part in err, (part, err)


def test_convert_writes_the_integers_and_says_what_rounding_did():
    out = succeed("convert", "g.nir", "--dt", "1e-3", "--output", "g.net", "--json", "j.json")
    assert load_network("g.net").layers == load_network("g.nir", dt=1e-3).layers
    found = json.loads(Path("j.json").read_text())["quantization"]
    assert [one["layer"] for one in found] == ["n1", "n4"]
    assert found[0]["weight_exponent"] == 0
    assert "no state can overflow" in out
    assert "rounded, scale" in out


def test_a_converted_file_goes_through_the_other_commands():
    succeed("convert", "g.nir", "--dt", "1e-3", "--output", "g.net")
    assert "input 5" in succeed("inspect", "g.net")
    assert "layer spikes" in succeed("simulate", "g.net", "--input", "x.npy", "--output", "o.npy")
    words = ("--input", "x.npy", "--backends", "reference,fast")
    assert "0 spike mismatches" in succeed("verify", "g.net", *words)
    assert "dynamic" in succeed("profile", "g.net", "--hardware", "loihi2", "--data", "x.npy")


def test_verify_compares_with_the_floats():
    words = ["--dt", "1e-3", "--input", "x.npy", "--backends", "reference,fast"]
    out = succeed("verify", "g.nir", *words, "--json", "j.json")
    assert "decisions are the same in floats and integers, 50 steps each" in out
    found = json.loads(Path("j.json").read_text())
    expected = measure_fidelity(
        floats_of("g.nir", dt=1e-3), quantized_nir("g.nir", dt=1e-3), np.load("x.npy")
    )
    assert found["agree"] is True
    assert found["fidelity"]["same_decisions"] == expected.same_decisions
    assert found["fidelity"]["layers"][0]["float_spikes"] == expected.layers[0].float_spikes > 0


def test_convert_calibrates_on_samples():
    words = ["--dt", "1e-3", "--calibrate", "x.npy", "--output", "g.net"]
    out = succeed("convert", "g.nir", *words, "--json", "j.json")
    assert "integers beside floats" in out
    assert json.loads(Path("j.json").read_text())["calibration"]["samples"] == 4


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["convert", "g.nir", "--output", "g.net"], ["dt", "seconds"]),
        (["verify", "g.nir", "--dt", "1e-3"], ["--input X.npy"]),
        (["verify", "g.nir", "--input", "x.npy"], ["dt", "seconds"]),
        (["inspect", "g.nir"], ["kipuka convert model.nir --dt SECONDS"]),
        (["simulate", "g.nir", "--input", "x.npy", "--output", "o.npy"], ["kipuka convert model"]),
        (["profile", "g.nir", "--data", "x.npy"], ["kipuka convert model.nir --dt SECONDS"]),
        (
            ["convert", "g.nir", "--dt", "1e-3", "--reset", "subtract", "--output", "g.net"],
            ["soft reset", "returns to 0"],
        ),
        (
            ["convert", "g.nir", "--dt", "1e-3", "--calibrate", "x.npy", "--percentile", "99",
             "--output", "g.net"],
            ["calibrate and percentile"],
        ),
        (["verify", "g.net", "--dt", "1e-3"], ["option dt", "a .nir file"]),
        (
            ["verify", "g.nir", "--dt", "1e-3", "--input", "x.npy", "--clamp-delays"],
            ["option clamp_delays", "a .net file"],
        ),
        (
            ["convert", "g.nir", "--dt", "1e-3", "--data", "digits", "--output", "g.net"],
            ["option data", "a run folder"],
        ),
        (["convert", "g.net", "--dt", "1e-3", "--output", "h.net"], ["option dt", "a .nir file"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(words, parts):
    if "g.net" in words[1]:
        succeed("convert", "g.nir", "--dt", "1e-3", "--output", "g.net")
    refused(*words, parts=parts)
