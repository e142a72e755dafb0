"""`kipuka deploy` and what `kipuka inspect` says about ranges."""

import importlib.util
import json

import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.commands.inputs.samples import chosen_samples, golden_inputs
from kipuka.convert.analysis.state_ranges import with_verdict
from kipuka.convert.formats.net.file import load_golden, load_net, save_net
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.loihi2.board import BoardRun
from kipuka.deploy.reference import simulate_reference
from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba, random_gru, random_spikes

STEPS = 6


@pytest.fixture
def network(rng):
    gru = random_gru(rng, 3, 4, delays_own=[0, 1, 3, 2], threshold=20)
    return program(3, gru, random_cuba(rng, 4, 2), readout_delays=[0, 2])


@pytest.fixture
def net(network, rng, tmp_path):
    path = tmp_path / "small.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 3, STEPS, 0.6)))
    return path


def loaded(path):
    return json.loads(path.read_text())


def test_a_dry_run_reports_and_starts_nothing(net, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "kipuka.deploy.loihi2.board.public_api", lambda: pytest.fail("asked for a board")
    )
    out = tmp_path / "x.json"
    words = ["deploy", str(net), "--target", "loihi2", "--dry-run", "--json", str(out)]
    assert main(words) == 0
    facts = loaded(out)
    verdict = facts["verdict"]
    assert (verdict["would_run"], verdict["host_input"]) == (True, False)
    assert verdict["time_s"] == facts["estimate"]["lowered"]["latency_s"]
    steps = facts["lowered"]["hardware_steps"]
    assert verdict["host_time_s"]["low"] == pytest.approx(verdict["host_step_s"]["low"] * steps)
    assert facts["period"] in (5, 6)
    assert facts["dry_run"]["findings"] == []
    assert facts["dry_run"]["stream_mismatches"] == 0
    assert [layer["neuron_processes"] for layer in facts["lowered"]["layers"]][1] == 1
    assert facts["lowered"]["layers"][0]["products"] > 0
    forms = [(one["form"], one["on_a_core"], one["spread"]) for one in facts["placings"]]
    assert len(set(forms)) == 6
    assert all(0 < one["to_other_cores"] <= one["messages"] for one in facts["placings"])
    assert facts["placings"][2]["latency_s"]["typical"] == pytest.approx(
        facts["estimate"]["lowered"]["latency_s"]["typical"]
    )
    for state in facts["ranges"]:
        assert state["seen"] <= state["proven_reach"]
    text = capsys.readouterr().out
    for part in (
        "hardware steps per algorithmic step",
        "ProdNeuron",
        "neuro cores",
        "0 values",
        "ways of",
    ):
        assert part in text.replace("\n", " ")
    lines = text[text.index("verdict:") :].replace("\n", " ")
    assert "input preloaded on the chip" in lines
    assert "warning: with input from a program on the host (--host-input) it is" in lines


def test_input_from_the_host_is_what_the_verdict_begins_with(net, tmp_path, capsys):
    out = tmp_path / "x.json"
    words = ["deploy", str(net), "--dry-run", "--host-input", "--json", str(out)]
    assert main(words) == 0
    facts = loaded(out)
    assert facts["verdict"]["host_input"]
    assert facts["verdict"]["host_time_s"]["low"] > 100 * facts["verdict"]["time_s"]["high"]
    assert "PyToNxAdapter" in {kind for kind, _, _ in facts["dry_run"]["processes"]}
    lines = capsys.readouterr().out.replace("\n", " ")
    assert "time of a sample, input sent by this program" in lines
    assert "without --host-input it is preloaded" in lines


def test_an_interval_that_is_no_power_of_two_is_named(net, tmp_path, capsys):
    out = tmp_path / "x.json"
    words = ["deploy", str(net), "--target", "loihi2", "--interval", "300", "--json", str(out)]
    assert main(words) == 1
    (finding,) = loaded(out)["dry_run"]["findings"]
    assert finding["where"] == "LIFReset (layer 2 spikes), parameter reset_interval"
    assert "would not run on the chip: reset interval" in capsys.readouterr().out


def test_a_pause_too_short_shows_in_the_numbers(net, tmp_path, capsys):
    out = tmp_path / "x.json"
    assert main(["deploy", str(net), "--dry-run", "--interval", "40", "--json", str(out)]) == 1
    assert "would not run right" in capsys.readouterr().out
    assert loaded(out)["dry_run"]["stream_mismatches"] > 0


def test_an_interval_shorter_than_a_sample_is_refused(net, capsys):
    assert main(["deploy", str(net), "--dry-run", "--interval", "30"]) == 2
    assert "option interval" in capsys.readouterr().err


def test_without_a_board_one_sentence_after_the_dry_run(net, capsys):
    assert main(["deploy", str(net), "--target", "loihi2"]) == 2
    captured = capsys.readouterr()
    assert "lowered to Lava's own processes" in captured.out
    assert captured.err.count("kipuka:") == 1
    assert "not installed here" in captured.err


def test_an_unknown_target(net, capsys):
    assert main(["deploy", str(net), "--target", "fpga"]) == 2
    assert "lava-sim, loihi2" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_board_s_spikes_and_figures_are_compared_and_written(
    net, network, tmp_path, capsys, monkeypatch, wrong
):
    connected = []

    class Board:
        def __init__(self, api, host_input):
            assert (api, host_input) == ("api", False)

        def connect(self, partition, board):
            connected.append((partition, board))

        def run(self, stream, inputs, progress):
            spikes = simulate_reference(network, inputs).trace.layers[-1].spikes.copy()
            spikes[0, 0, 0] ^= bool(wrong)
            return BoardRun(spikes, stream.interval, 2e-6, 0.5, 0.2)

    monkeypatch.setattr("kipuka.deploy.loihi2.board.public_api", lambda: "api")
    monkeypatch.setattr("kipuka.deploy.loihi2.board.Loihi2Board", Board)
    out = tmp_path / "x.json"
    words = ["deploy", str(net), "--target", "loihi2", "--partition", "p", "--json", str(out)]
    assert main(words) == wrong
    assert connected == [("p", None)]
    facts = loaded(out)
    assert facts["mismatches"] == facts["golden_mismatches"] == wrong
    time_s = facts["interval"] * 2e-6
    assert facts["measured"]["time_s"] == pytest.approx(time_s)
    assert facts["measured"]["dynamic_energy_j"] == pytest.approx(0.3 * time_s)
    fused, lowered = (facts["estimate"][form] for form in ("fused", "lowered"))
    assert 0 < fused["dynamic_energy_j"]["typical"] < lowered["dynamic_energy_j"]["typical"]
    assert fused["latency_s"]["typical"] < lowered["latency_s"]["typical"]
    assert "measured on the board" in capsys.readouterr().out


@pytest.mark.slow
def test_a_dry_run_of_samples_of_one_s_own(net, network, rng, tmp_path, capsys):
    bare, x, out = tmp_path / "bare.net", tmp_path / "x.npy", tmp_path / "x.json"
    save_net(bare, network)
    np.save(x, random_spikes(rng, 3, 3, STEPS, 0.6))
    words = ["deploy", str(bare), "--dry-run", "--json", str(out)]
    assert main([*words, "--data", str(x), "--samples", "2"]) == 0
    assert (loaded(out)["lowered"]["samples"], loaded(out)["agree"]) == (2, True)
    assert main([*words, "--input", str(x)]) == 0
    assert loaded(out)["lowered"]["samples"] == 3
    capsys.readouterr()
    assert main([*words, "--input", str(x), "--data", str(x)]) == 2
    assert "leave one of them out" in " ".join(capsys.readouterr().err.split())
    assert main(words) == 2
    assert "kipuka convert FILE.net --data X.npy" in " ".join(capsys.readouterr().err.split())


def test_golden_vectors_are_put_into_a_file(network, rng, tmp_path, capsys):
    bare, x, new = tmp_path / "bare.net", tmp_path / "x.npy", tmp_path / "new.net"
    save_net(bare, network)
    inputs = random_spikes(rng, 5, 3, STEPS, 0.6)
    np.save(x, inputs)
    words = ["convert", str(bare), "--data", str(x), "--output", str(new)]
    assert main(words) == 0
    again = tmp_path / "again.net"
    assert main(["convert", str(new), "--output", str(again), "--json", str(tmp_path / "j")]) == 0
    expected = [vector.digest for vector in golden_vectors(network, inputs[:3])]
    for path in (new, again):
        assert [vector.digest for vector in load_golden(path)] == expected
        assert load_net(path).layers == network.layers
    assert loaded(tmp_path / "j")["golden_vectors"] == 3
    assert "3 golden vectors" in " ".join(capsys.readouterr().out.split())


def test_without_samples_it_is_said_how_to_give_some(network, tmp_path, check_error):
    bare = tmp_path / "bare.net"
    save_net(bare, network)
    with pytest.raises(KipukaError) as caught:
        golden_inputs(bare)
    check_error(caught.value, what="no input", where="bare.net", value="neither", limit="golden")
    check_error(caught.value, remedy="--data X.npy (profile, verify, deploy)")
    with pytest.raises(KipukaError) as caught:
        chosen_samples(bare, network, bare, "x.npy")
    check_error(caught.value, what="two inputs", where="input and data", limit="one", remedy="out")
    check_error(caught.value, value="x.npy")


@pytest.mark.lava
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_lava_sim_streams_the_golden_vectors(net, tmp_path, capsys):
    out = tmp_path / "x.json"
    assert main(["deploy", str(net), "--target", "lava-sim", "--json", str(out)]) == 0
    facts = loaded(out)
    assert (facts["mismatches"], facts["golden_mismatches"]) == (0, 0)
    text = capsys.readouterr().out.replace("\n", " ")
    assert "2 samples streamed through lava-sim: 0 of" in text


@pytest.mark.slow
def test_inspect_says_how_far_states_get(net, tmp_path, capsys):
    out = tmp_path / "x.json"
    assert main(["inspect", str(net), "--json", str(out)]) == 0
    text = capsys.readouterr().out.replace("\n", " ")
    assert f"in samples of {STEPS} steps, layer 1, i cannot saturate: reaches at most" in text
    assert loaded(out)["ranges"]["steps"] == STEPS
    assert main(["inspect", str(net), "--steps", "100000"]) == 0
    assert "in samples of 100000 steps, layer 2, u cannot wrap" in capsys.readouterr().out


def test_an_exported_network_carries_the_verdict(network, tmp_path):
    save_net(tmp_path / "y.net", with_verdict(network, STEPS))
    verdict = load_net(tmp_path / "y.net").metadata["ranges"]
    assert verdict.startswith(f"runs of up to {STEPS} steps: layer 1 i cannot saturate")
    assert "layer 2 v cannot saturate" in verdict


def test_a_refused_network_names_its_layer(rng, tmp_path, capsys):
    leaky = random_cuba(rng, 4, 2, voltage_decay=100)
    network = program(3, random_gru(rng, 3, 4), leaky)
    path = tmp_path / "leaky.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 1, 3, STEPS)))
    assert main(["deploy", str(path), "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert "leaky CUBA" in error
    assert "layer 2" in error


def test_inputs_come_from_a_file_too(net, rng, tmp_path):
    spikes = tmp_path / "x.npy"
    np.save(spikes, random_spikes(rng, 4, 3, 9).astype(np.uint8))
    out = tmp_path / "x.json"
    words = ["deploy", str(net), "--input", str(spikes), "--dry-run", "--json", str(out)]
    assert main(words) == 0
    assert loaded(out)["lowered"]["hardware_steps"] > 8 * loaded(out)["period"]
