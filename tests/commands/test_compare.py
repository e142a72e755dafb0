"""Comparing networks, on very small ones."""

import json

import pytest

from kipuka.commands.app import main
from kipuka.errors import KipukaError

pytestmark = pytest.mark.slow

pytest.importorskip("lava", reason="needs the lava extra")

WORDS = ["--networks", "sgru,sgru-delay", "--seeds", "2", "--set", "epochs=1", "--set", "hidden=4"]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "out"
    assert main(["compare", "--out", str(out), *WORDS]) == 0
    return out, json.loads((out / "compare.json").read_text())


def test_every_network_is_trained_with_every_seed_and_evaluated_as_integers(compared):
    from kipuka.convert.formats.net.file import load_net
    from kipuka.convert.trace import decide
    from kipuka.deploy.reference import simulate_reference
    from kipuka.train.datasets import load_dataset

    out, results = compared
    named = [(run["network"], run["seed"]) for run in results["runs"]]
    assert named == [(n, s) for n in ("sgru", "sgru-delay") for s in (0, 1)]
    run = results["runs"][-1]
    program = load_net(out / "sgru-delay-seed1" / "model.net")
    test = load_dataset("digits").test
    simulation = simulate_reference(program, test.spikes)
    assert program.metadata["ranges"].startswith("runs of up to")
    right = (decide(program, simulation.trace.layers[-1]) == test.labels).mean()
    assert run["test_accuracy"] == right
    for key in ("spikes", "synaptic_operations"):
        counted = sum(int(getattr(layer, key).sum()) for layer in simulation.counters.layers)
        assert round(240 * run[key]) == counted


def test_the_table_has_means_deviations_and_the_baseline(compared):
    _, results = compared
    first, second = (run["test_accuracy"] for run in results["runs"][:2])
    summary = results["networks"][0]["test_accuracy"]
    assert summary["mean"] == pytest.approx((first + second) / 2)
    assert summary["deviation"] == pytest.approx(abs(first - second) / 2**0.5)
    energy = results["networks"][0]["dynamic_energy_j"]
    assert 0 < energy["low"] < energy["typical"] < energy["high"]
    assert results["baseline"]["network"] == "spike counts, logistic regression"
    assert 0.3 < results["baseline"]["test_accuracy"] < 1


def test_accuracy_on_samples_that_were_trained_on_is_not_shown(tmp_path):
    out = tmp_path / "out"
    words = ["--networks", "sgru", "--seeds", "1", "--set", "epochs=1", "--set", "hidden=4"]
    words += ["--set", "selection=last", "--set", "train_on_validation=true"]
    assert main(["compare", "--out", str(out), *words]) == 0
    results = json.loads((out / "compare.json").read_text())
    assert results["runs"][0]["validation_accuracy"] is None
    assert (out / "compare.md").read_text().splitlines()[2].startswith("| sgru | trained on | ")


def test_markdown_and_plots_are_written(compared):
    out, _ = compared
    lines = (out / "compare.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| sgru",
        "| sgru-delay",
        "| spike counts, logistic regression",
    ]
    assert (out / "compare.png").read_bytes().startswith(b"\x89PNG")
    text = (out / "compare.svg").read_text()
    assert "<svg" in text


@pytest.mark.parametrize("name", ["$\\frac$", "$x", "half \udcff", "a\nb", "{x}[b]"])
def test_names_in_the_plot_are_text(name, tmp_path):
    from kipuka.commands.tables.comparison_plot import plot_accuracy_against_energy

    energy = {"typical": 1e-6, "low": None, "high": None}
    run = {"network": "sgru", "test_accuracy": {"mean": 0.5, "deviation": None}}
    results = {
        "networks": [{**run, "dynamic_energy_j": energy}],
        "baseline": {"network": "counting", "test_accuracy": 0.2},
        "hardware": name,
        "data": name,
    }
    for suffix in (".svg", ".png"):
        plot_accuracy_against_energy(results, tmp_path / f"plot{suffix}")
        assert (tmp_path / f"plot{suffix}").stat().st_size > 1000


def test_a_second_call_trains_nothing(compared):
    out, results = compared
    before = (out / "sgru-seed0" / "checkpoint.safetensors").stat().st_mtime_ns
    assert main(["compare", "--out", str(out), *WORDS]) == 0
    assert (out / "sgru-seed0" / "checkpoint.safetensors").stat().st_mtime_ns == before
    again = json.loads((out / "compare.json").read_text())
    for run, right in zip(again["runs"], results["runs"], strict=True):
        assert {k: v for k, v in run.items() if k != "simulation_s"} == {
            k: v for k, v in right.items() if k != "simulation_s"
        }


def test_nothing_to_compare(tmp_path, check_error):
    from kipuka.commands.compare import compare_networks

    with pytest.raises(KipukaError) as caught:
        compare_networks([], [0], tmp_path)
    check_error(caught.value, what="nothing to compare", value="0 networks", remedy="--networks")


def test_settings_that_are_no_settings(capsys, tmp_path):
    assert main(["compare", "--out", str(tmp_path), "--set", "epochs"]) == 2
    assert "key=value" in capsys.readouterr().err
    assert main(["compare", "--out", str(tmp_path), "--set", "epoch=3"]) == 2
    assert "key epoch" in capsys.readouterr().err


def test_train_resumes_with_the_settings_of_its_folder(tmp_path, capsys):
    run = tmp_path / "run"
    words = ["train", "--out", str(run), "--set", "batch_size=700"]
    assert main([*words, "--epochs", "1", "--hidden", "4"]) == 0
    assert main([*words, "--epochs", "1", "--hidden", "4"]) == 2
    assert "--resume" in capsys.readouterr().err
    numbers = tmp_path / "n.json"
    assert main(["train", "--out", str(run), "--resume", "--json", str(numbers)]) == 0
    assert json.loads(numbers.read_text())["config"]["hidden"] == 4
    assert main(["train", "--out", str(run), "--resume", "--hidden", "5"]) == 2
    assert "key hidden" in capsys.readouterr().err
