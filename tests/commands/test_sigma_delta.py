"""Sigma-delta networks on the command line: trained, verified, priced and reported."""

import importlib.util
import json

import pytest

from kipuka.commands.app import main
from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import dense, even
from kipuka_sigma_delta import delta, graded_program, random_values, sigma, sigma_delta

STEPS = 30


@pytest.fixture
def net(rng, tmp_path):
    network = graded_program(
        delta((4,), 1),
        sigma_delta(6, dense(even(rng, (6, 4), 60)), threshold=2, bias=3),
        sigma(3, dense(even(rng, (3, 6), 40))),
    )
    path = tmp_path / "changes.net"
    save_net(path, network, golden_vectors(network, random_values(rng, network, 2, STEPS)))
    return path


@pytest.mark.slow
def test_profile_counts_prices_and_draws(net, tmp_path, capsys):
    report, numbers = tmp_path / "x.html", tmp_path / "x.json"
    words = ["profile", str(net), "--advise", "--report", str(report), "--json", str(numbers)]
    assert main(words) == 0
    values = json.loads(numbers.read_text())
    multiplied = values["multiplications_per_sample"]
    assert multiplied == values["synops_per_sample"] > 0
    assert values["neurobench"]["effective_macs"] == multiplied
    assert values["neurobench"]["effective_acs"] == 0
    proxy = values["ndns_proxy"]
    assert proxy["operations_per_sample"] == multiplied + 10 * 13 * STEPS
    assert proxy["neuronops_per_step"] == 13
    for layer in values["layers"]:
        assert len(layer["activity_by_step"]) == STEPS
        sent = sum(layer["activity_by_step"]) * layer["neurons"]
        assert layer["spikes"] == pytest.approx(sent)
    printed = " ".join(capsys.readouterr().out.split())
    for part in ("multiply by a payload", "N-DNS power proxy", "not published", "layer 0"):
        assert part in printed
    page = report.read_text()
    for part in ("Activations in the first layer", "N-DNS power proxy", "output (nominal)"):
        assert part in page


def test_a_chip_without_graded_messages_is_refused(net, capsys):
    assert main(["profile", str(net), "--hardware", "loihi1"]) == 2
    assert "no graded messages" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("lava"), reason="needs the lava extra")
def test_a_named_network_is_trained_verified_and_profiled(tmp_path, capsys):
    run, numbers = tmp_path / "run", tmp_path / "x.json"
    words = ["--network", "sdnn-delay", "--hidden", "6", "--epochs", "1"]
    assert main(["train", "--out", str(run), *words, "--json", str(numbers)]) == 0
    accuracy = json.loads(numbers.read_text())["accuracy"]
    assert accuracy["torch"] == accuracy["fast"]
    net = str(run / "model.net")
    backends = ["--backends", "reference,fast,torch"]
    assert main(["verify", net, *backends]) == 0
    assert main(["verify", net, *backends, "--data", "digits", "--samples", "3"]) == 0
    assert main(["profile", net, "--data", "digits", "--json", str(numbers)]) == 0
    values = json.loads(numbers.read_text())
    assert values["samples"] == 240
    assert values["accuracy"] == accuracy["fast"]
