import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import kipuka
from kipuka.commands.app import main
from kipuka.commands.inspect import numbering_texts
from kipuka.convert.formats.net.file import save_net
from kipuka.convert.program import Encoder, Reset
from kipuka.deploy.golden import golden_vectors
from kipuka.deploy.reference import simulate_reference
from kipuka.deploy.report.tables import delays_by_label
from kipuka_cases import (
    conv,
    conv_cuba,
    cuba,
    dense,
    even,
    program,
    random_cuba,
    random_delays,
    random_gru,
    random_spikes,
)

COMMANDS = (
    "demo",
    "train",
    "compare",
    "convert",
    "inspect",
    "simulate",
    "verify",
    "profile",
    "deploy",
)


@pytest.fixture
def network(rng):
    delays = random_delays(rng, 6, 9)
    return program(4, random_gru(rng, 4, 6, delays_own=delays), random_cuba(rng, 6, 3))


@pytest.fixture
def net(network, rng, tmp_path):
    path = tmp_path / "small.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 4, 30)))
    return str(path)


@pytest.fixture
def spikes(rng, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, random_spikes(rng, 3, 4, 25).astype(np.float32))
    return str(path)


def loaded(path):
    return json.loads(path.read_text())


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == kipuka.__version__


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from kipuka.commands.app import main; main(['--help']);"
        "print([m for m in ('torch', 'lava', 'numpy', 'h5py', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")


def test_simulate_writes_what_the_reference_gives(net, spikes, network, tmp_path):
    out, numbers = tmp_path / "y.npy", tmp_path / "s.json"
    assert (
        main(["simulate", net, "--input", spikes, "--output", str(out), "--json", str(numbers)])
        == 0
    )
    inputs = np.load(spikes) > 0
    expected = simulate_reference(network, inputs).trace
    np.testing.assert_array_equal(np.load(out), expected.layers[-1].spikes)
    assert loaded(numbers)["spikes"] == [int(layer.spikes.sum()) for layer in expected.layers]


@pytest.mark.parametrize("backend", ["fast", "reference"])
def test_simulate_leaves_the_last_result_if_the_input_is_bad(net, tmp_path, capsys, backend):
    out, bad = tmp_path / "y.npy", tmp_path / "bad.npy"
    out.write_bytes(b"the last result")
    values = np.zeros((4, 9))
    values[2, 5] = 3
    np.save(bad, values)
    words = ["simulate", net, "--input", str(bad), "--output", str(out), "--backend", backend]
    assert main(words) == 2
    text = capsys.readouterr().err
    assert all(part in text for part in ("bad.npy", "(2, 5)", "0 or 1", "3.0"))
    assert out.read_bytes() == b"the last result"
    assert {path.name for path in tmp_path.iterdir()} == {"small.net", "bad.npy", "y.npy"}


def test_simulate_without_a_batch_axis(net, spikes, tmp_path):
    one, out = tmp_path / "one.npy", tmp_path / "y.npy"
    np.save(one, np.load(spikes)[0])
    assert main(["simulate", net, "--input", str(one), "--output", str(out)]) == 0
    assert np.load(out).shape == (3, 25)


@pytest.fixture
def conv_net(rng, tmp_path):
    """Convolution, flatten, dense: layers 1 and 3 of the file."""
    shape = (1, 4, 4)
    first = conv_cuba(conv(even(rng, (2, 1, 2, 2)), shape))
    network = program(shape, first, random_cuba(rng, 18, 4, delays=3), population=2)
    path = tmp_path / "conv.net"
    save_net(path, network)
    return network, path


@pytest.mark.parametrize(("layer", "position"), [("1", 0), ("3", 1)])
def test_simulate_writes_the_spikes_of_a_layer(conv_net, rng, tmp_path, layer, position):
    network, path = conv_net
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    inputs = random_spikes(rng, 2, 16, 20)
    np.save(x, inputs.reshape(2, 1, 4, 4, 20))
    words = ["simulate", str(path), "--input", str(x), "--output", str(y), "--layer", layer]
    assert main(words) == 0
    expected = simulate_reference(network, inputs).trace.layers[position].spikes
    np.testing.assert_array_equal(np.load(y), expected)


def test_simulate_names_the_layers_that_there_are(conv_net, spikes, tmp_path, capsys):
    _, path = conv_net
    x = tmp_path / "flat.npy"
    np.save(x, np.zeros((16, 5)))
    out = tmp_path / "y.npy"
    words = ["simulate", str(path), "--input", str(x), "--output", str(out), "--layer", "2"]
    assert main(words) == 2
    text = " ".join(capsys.readouterr().err.split())
    for part in ("no layer of that number", "option layer", "0, 1, 3", "Found: 2", "inspect"):
        assert part in text
    assert not out.exists()


def test_simulate_with_resets(net, spikes, network, tmp_path):
    out = tmp_path / "y.npy"
    words = ["simulate", net, "--input", spikes, "--output", str(out)]
    assert main([*words, "--reset-interval", "8", "--reset-offset", "2"]) == 0
    network = dataclasses.replace(network, reset=Reset(8, 2))
    expected = simulate_reference(network, np.load(spikes) > 0).trace
    np.testing.assert_array_equal(np.load(out), expected.layers[-1].spikes)


def test_simulate_encodes_real_numbers(rng, tmp_path):
    network = program(3, cuba(3, threshold=25), random_cuba(rng, 3, 2), encoder=Encoder(40, 6))
    net, x, y = tmp_path / "e.net", tmp_path / "x.npy", tmp_path / "y.npy"
    values = rng.random((3, 20))
    np.save(x, values)
    save_net(net, network, golden_vectors(network, network.encoder.activation(values)[None]))
    words = ["simulate", str(net), "--input", str(x), "--output", str(y), "--layer", "0"]
    assert main(words) == 0
    expected = simulate_reference(network, network.encoder.activation(values)[None]).trace
    np.testing.assert_array_equal(np.load(y), expected.layers[0].spikes[0])
    assert expected.layers[0].spikes.any()
    assert main(["verify", str(net), "--backends", "reference,reference"]) == 2
    assert main(["profile", str(net)]) == 0


def test_clamping_is_an_option(net, spikes, tmp_path, capsys):
    with h5py.File(net, "r+") as file:
        del file["kipuka"]
        file["layer/2/delay"] = np.array([70, 2, 3])
    out = str(tmp_path / "y.npy")
    words = ["simulate", net, "--input", spikes, "--output", out]
    assert main(words) == 2
    assert "70" in capsys.readouterr().err
    assert main([*words, "--clamp-delays"]) == 0


def test_inspect_says_what_netx_would_do(conv_net, capsys):
    assert main(["inspect", str(conv_net[1])]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "2x3x3" in text
    assert "layer 3: stock NetX refuses the average layer behind it" in text


def test_inspect(net, tmp_path, capsys):
    numbers = tmp_path / "i.json"
    assert main(["inspect", net, "--json", str(numbers)]) == 0
    layers = loaded(numbers)["layers"]
    assert [layer["model"] for layer in layers] == ["SPIKING_GRU", "CUBA"]
    assert layers[0]["delays_recurrent"] == [0, 9]
    assert layers[0]["synapses"] == 3 * 6 * 4 + 3 * 6 * 6
    assert "SPIKING_GRU" in capsys.readouterr().out


def test_inspect_names_delays_on_the_layer_that_has_them(rng, tmp_path, capsys):
    first = random_gru(rng, 4, 6, delays_in=[1, 2, 2, 3], delays_own=random_delays(rng, 6, 9))
    last = cuba(3, dense(even(rng, (3, 6)), delays=[5, 7, 5, 5, 5, 5]))
    network, path = program(4, first, last, readout_delays=[0, 2, 1]), tmp_path / "delays.net"
    save_net(path, network, golden_vectors(network, random_spikes(rng, 2, 4, 30)))
    numbers = tmp_path / "i.json"
    assert main(["inspect", str(path), "--json", str(numbers)]) == 0
    values = loaded(numbers)
    assert values["input_delays"] == [1, 3]
    assert [layer["delays_output"] for layer in values["layers"]] == [[5, 7], [0, 2]]
    assert [layer["delays_recurrent"] for layer in values["layers"]] == [[0, 9], None]
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "input 4 with delays 1 to 3," in " ".join(rows)
    assert any(row.startswith("1 ") and row.endswith("0 to 9 5 to 7") for row in rows)
    assert any(row.startswith("2 ") and row.endswith("none 0 to 2") for row in rows)
    assert delays_by_label(network)["layer 1, output"].tolist() == [5, 7, 5, 5, 5, 5]


def test_numbers_of_layers_are_explained_where_the_file_has_its_own(network):
    assert numbering_texts(network) == []
    (text,) = numbering_texts(dataclasses.replace(network, numbers=(0, 1)))
    assert "in the file: 0, 1;" in text
    assert "has 1, 2 for them" in text


@pytest.mark.slow
def test_profile_and_its_report(net, spikes, tmp_path):
    numbers, report = tmp_path / "p.json", tmp_path / "r.html"
    words = ["profile", net, "--data", spikes, "--json", str(numbers), "--report", str(report)]
    assert main(words) == 0
    values = loaded(numbers)
    assert values["samples"] == 3
    assert values["estimate"] is True
    assert set(values["dynamic_energy_j"]) == {"low", "typical", "high"}
    assert "<html" in report.read_text()


@pytest.mark.slow
def test_profile_shows_mapping_metrics_advice_and_a_second_network(net, tmp_path, capsys):
    numbers = tmp_path / "p.json"
    words = ["profile", net, "--cores", "4", "--advise", "--compare", net, "--json", str(numbers)]
    assert main(words) == 0
    values = loaded(numbers)
    assert values["mapping"]["cores_used"] == len(values["mapping"]["cores"]) == 4
    assert sum(values["mapping"]["timeline"]["steps_bounded_by"].values()) == 60
    assert values["neurobench"]["effective_acs"] == values["synops_per_sample"]
    elsewhere = {one["processor"]: one for one in values["on_processors"]}
    operations = values["synops_per_sample"] + values["neuron_updates_per_sample"]
    best = elsewhere["CPU at its best, Intel i7-4960X"]
    assert best["where_spikes_arrive_j"]["typical"] == pytest.approx(8.6e-9 * operations)
    assert all("Boundary:" in one["boundary"] for one in elsewhere.values())
    assert values["compare"]["dynamic_energy_j"] == values["dynamic_energy_j"]
    assert values["compare"]["difference"] is None  # golden vectors have no classes
    assert all(one["energy_gain"] < 1 for one in values["advice"])
    text = capsys.readouterr().out
    assert "fits: 4 cores on 1 chip in the fused form, with microcode" in " ".join(text.split())
    # The same network twice, with the price of doing without microcode beside either.
    assert values["compare"]["without_microcode"] == values["without_microcode"]
    cores = values["without_microcode"]["lowered"]["cores"]
    assert cores["low"] > values["mapping"]["cores_of_the_compiler"]["low"]
    beside = " ".join(text.split("without microcode, per sample on loihi2")[1].split())
    assert f"cores {cores['low']} {cores['low']}" in beside
    assert cores["low"] == cores["high"]
    assert beside.count("µJ") == 2
    assert "advice" in text


def test_compared_files_of_one_name_are_told_apart(net, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / Path(net).name
    other.write_bytes(Path(net).read_bytes())
    assert main(["profile", str(net), "--compare", str(other)]) == 0
    assert f"other/{other.name}" in capsys.readouterr().out


def test_hardware_list_show_and_check(tmp_path, capsys):
    numbers = tmp_path / "h.json"
    assert main(["hardware", "list", "--json", str(numbers)]) == 0
    assert [one["name"] for one in loaded(numbers)["profiles"]] == [
        "hala_point",
        "kapoho_point",
        "loihi1",
        "loihi2",
        "oheo_gulch",
    ]
    assert main(["hardware", "show", "kapoho_point", "--json", str(numbers)]) == 0
    assert loaded(numbers)["system"]["chips"]["value"] == 8
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\n")
    capsys.readouterr()
    assert main(["hardware", "check", str(mine)]) == 2
    assert "A key is missing" in capsys.readouterr().err


def test_profile_on_golden_vectors_and_the_other_chip(net, rng, tmp_path, capsys):
    numbers = tmp_path / "p.json"
    assert main(["profile", net, "--hardware", "loihi1", "--json", str(numbers)]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "layer 1 (SPIKING_GRU) on loihi1" in error
    assert "Intel Loihi has no programmable neurons" in error
    assert not numbers.exists()
    network = program(4, random_cuba(rng, 4, 6), random_cuba(rng, 6, 3))
    cuba = tmp_path / "cuba.net"
    save_net(cuba, network, golden_vectors(network, random_spikes(rng, 2, 4, 30)))
    assert main(["profile", str(cuba), "--hardware", "loihi1", "--json", str(numbers)]) == 0
    assert loaded(numbers)["dynamic_energy_j"]["high"] is None


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["inspect", "no.net"], ["no.net", "nothing at that path", "check the path"]),
        (["simulate", "{net}", "--input", "no.npy", "--output", "y.npy"], ["no.npy"]),
        (["simulate", "{net}", "--input", "{wrong}", "--output", "y.npy"], ["[batch,] 4, time"]),
        (["verify", "{net}", "--backends", "reference"], ["at least 2", "--backends"]),
        (["verify", "{net}", "--backends", "reference,gpu"], ["backend is not known", "gpu"]),
        (["profile", "{net}", "--hardware", "tpu"], ["tpu", "loihi2"]),
        (["profile", "{net}", "--json", "no/such/folder.json"], ["cannot be written"]),
        (["simulate", "{net}"], ["input"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_bad_input_ends_with_one_paragraph_and_status_2(
    words, parts, net, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.save("wrong.npy", np.zeros((5, 25)))
    before = sorted(path.name for path in tmp_path.iterdir())
    filled = [word.format(net=net, wrong="wrong.npy") for word in words]
    assert main(filled) == 2
    text = capsys.readouterr().err
    assert "Traceback" not in text
    for part in parts:
        assert part in " ".join(text.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_debug_shows_the_traceback():
    with pytest.raises(kipuka.errors.KipukaError):
        main(["inspect", "no.net", "--debug"])


@pytest.mark.lava
def test_verify_agrees_and_says_what_it_compared(net, tmp_path, capsys):
    pytest.importorskip("lava", reason="needs the lava extra")
    numbers = tmp_path / "v.json"
    words = ["verify", net, "--backends", "reference,torch,lava", "--json", str(numbers)]
    assert main(words) == 0
    values = loaded(numbers)
    assert values["backends"] == ["reference", "torch", "lava"]
    assert values["spike_mismatches"] == values["state_mismatches"] == 0
    assert values["golden_mismatches"] == {"reference": 0, "torch": 0, "lava": 0}
    assert "0 spike mismatches" in " ".join(capsys.readouterr().out.split())


def test_verify_exits_1_on_a_mismatch(net, spikes, monkeypatch, capsys):
    from kipuka.commands import backends

    def wrong(network, inputs):
        trace = backends.reference(network, inputs)
        states = trace.layers[0].states["v"]
        states[0, 2, 7] += 1
        return trace

    monkeypatch.setitem(backends.BACKENDS, "wrong", wrong)
    assert main(["verify", net, "--backends", "reference,wrong", "--input", spikes]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "1 state mismatches" in text
    assert "step 7" in text


def test_verify_exits_1_when_the_golden_vectors_do_not_hold(net, network, rng, capsys):
    golden = golden_vectors(network, random_spikes(rng, 1, 4, 30))
    stale = golden[0].__class__(golden[0].input, golden[0].output, "0" * 64)
    save_net(net, network, (stale,))
    from kipuka.commands import backends

    backends_twice = {"reference": backends.reference, "again": backends.reference}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "BACKENDS", backends_twice)
        assert main(["verify", net, "--backends", "reference,again"]) == 1
    assert "golden vectors" in capsys.readouterr().out


@pytest.mark.lava
def test_verify_shows_what_is_not_applicable_and_compares_the_others(net, tmp_path, capsys):
    pytest.importorskip("lava", reason="needs the lava extra")
    numbers = tmp_path / "v.json"
    words = ["verify", net, "--backends", "netx,fast,reference", "--json", str(numbers)]
    assert main(words) == 0
    values = loaded(numbers)
    assert values["backends"] == ["fast", "reference"]
    assert list(values["not_applicable"]) == ["netx"]
    text = " ".join(capsys.readouterr().out.split())
    assert "not applicable" in text
    assert "netx" in text


def test_verify_takes_what_is_installed(net, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kipuka.commands.backends.missing", lambda *modules: ["lava"])
    monkeypatch.setattr("kipuka.lava_door.missing", lambda *modules: ["lava"])
    numbers = tmp_path / "v.json"
    assert main(["verify", net, "--json", str(numbers)]) == 0
    assert loaded(numbers)["backends"] == ["reference", "fast"]
    capsys.readouterr()
    assert main(["verify", net, "--backends", "lava,fast"]) == 2
    text = " ".join(capsys.readouterr().err.split())
    for part in ("fewer than two", "small.net", "at least 2", "lava: this backend", "--backends"):
        assert part in text


def test_an_internal_error_says_so(net, monkeypatch, capsys):
    def fail(_, clamp_delays):
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("kipuka.commands.inputs.samples.load_network", fail)
    assert main(["inspect", net]) == 70
    assert "internal error: ZeroDivisionError: surprise" in capsys.readouterr().err


@pytest.mark.slow
def test_train_takes_options_before_the_file(tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.runs.config import TrainConfig, load_config, save_config

    save_config(tmp_path / "c.yaml", TrainConfig(network="sgru-delay", hidden=4, epochs=9))
    numbers, out = tmp_path / "t.json", tmp_path / "run"
    words = ["train", "--config", str(tmp_path / "c.yaml"), "--out", str(out), "--json"]
    assert main([*words, str(numbers), "--network", "sgru", "--epochs", "1"]) == 0
    settings = load_config(out / "config.yaml")
    assert (settings.network, settings.epochs, settings.hidden) == ("sgru", 1, 4)
    assert loaded(numbers)["metrics"][0]["mean_delay_steps"] is None
    assert (out / "model.net").exists()


def test_an_interrupt_says_so(net, monkeypatch, capsys):
    def interrupt(_, clamp_delays):
        raise KeyboardInterrupt

    monkeypatch.setattr("kipuka.commands.inputs.samples.load_network", interrupt)
    assert main(["inspect", net]) == 130
    assert "interrupted" in capsys.readouterr().err
