"""Options have ranges, names are text, and outputs take the place of nothing that is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from kipuka.commands.app import main
from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import program, random_cuba, random_gru, random_spikes
from kipuka_options import run

KIPUKA = [sys.executable, "-m", "kipuka"]


@pytest.fixture
def network(rng):
    return program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))


@pytest.fixture
def net(network, rng, tmp_path, monkeypatch):
    """A network file, and an input file beside it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    save_net("n.net", network, golden_vectors(network, random_spikes(rng, 2, 4, 8)))
    np.save("x.npy", random_spikes(rng, 3, 4, 9).astype(np.uint8))
    return "n.net"


def refused(words, *parts):
    """Check that a command line is refused in one paragraph with these parts."""
    status, out, err = run(words, "utf-8")
    assert (status, out) == (2, ""), (words, status, out, err)
    assert err.startswith("kipuka: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err, (part, err)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m{x}", "m{}", "[/b]".replace("/", "\\"), "[bold]", "%d", "$x$"])
@pytest.mark.parametrize("command", ["inspect", "verify", "profile"])
def test_a_file_s_name_is_text(name, command, net, tmp_path):
    (tmp_path / net).rename(f"{name}.net")
    more = ["--backends", "reference,fast"] if command == "verify" else []
    status, out, err = run([command, f"{name}.net", *more], "utf-8")
    assert (status, err) == (0, "")
    assert command != "inspect" or f"{name}.net: input 4" in out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["{x}", "{0}", "[/b]", "a\x1b[31mb", "half \udcff"])
@pytest.mark.parametrize("option", ["--network", "--data"])
def test_a_network_s_or_data_set_s_name_is_text(name, option, tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    shown = name.replace("\x1b", "\\x1b").replace("\udcff", "\\udcff")
    refused(["train", "--out", str(tmp_path / "r"), option, name], f"Found: {shown}.", "sgru"[:0])
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "line", ["profile n.net --step-ms nan", "convert g.nir --output y.net --dt nan",
             "convert g.nir --output y.net --dt 1 --percentile nan"],
)  # fmt: skip
def test_no_number_is_in_no_range(line, net):
    refused(line.split(), "nan is not a number")


def test_help_is_text():
    status, out, _ = run(["simulate", "--help"], "ascii")
    assert status == 0
    assert "[batch,] units, time" in " ".join(out.split())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "utf-16"])
def test_numbers_are_written_whatever_the_terminal_can_show(net, encoding):
    status, out, err = run(["profile", net, "--json", "j.json"], encoding)
    assert (status, err) == (0, "")
    values = json.loads(Path("j.json").read_text())
    assert values["dynamic_energy_j"]["typical"] > 0
    assert "dynamic energy" in out
    assert "?" not in out
    assert "µ" not in out or encoding != "ascii"


OUTPUTS = ["inspect n.net --json {}", "profile n.net --report {}", "profile n.net --json {}"]
OUTPUTS += ["simulate n.net --input x.npy --output {}", "verify n.net --json {}"]
OUTPUTS += [
    "deploy n.net --dry-run --json {}",
    "convert run --output {}",
    "hardware list --json {}",
]
INPUTS = [
    "inspect {}",
    "simulate {} --input x.npy --output y",
    "simulate n.net --input {} --output y",
]
INPUTS += [
    "profile n.net --data {}.npy",
    "profile n.net --compare {}",
    "profile n.net --hardware {}",
]
INPUTS += ["train --out {}", "train --out r --config {}", "hardware check {}", "verify {}"]


@pytest.mark.slow
@pytest.mark.parametrize("line", OUTPUTS + INPUTS)
def test_a_name_that_no_disk_takes(line, net):
    refused([word.format("n" * 300) for word in line.split()], "Limit: ", "What to do: ")


@pytest.mark.slow
@pytest.mark.parametrize("line", ["train --out {}", "convert {} --output y.net", *OUTPUTS, *INPUTS])
def test_an_empty_name_is_no_folder(line, net):
    refused([word.format("") for word in line.split()], "What to do: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "simulate n.net --input x.npy --output n.net",
        "simulate n.net --input x.npy --output ./n.net",
        "simulate n.net --input x.npy --output x.npy",
        "simulate n.net --input x.npy --output y.npy --json y.npy",
        "simulate n.net --input x.npy --output hard.net",
        "simulate n.net --input x.npy --output soft.net",
        "inspect n.net --json n.net",
        "profile n.net --report n.net",
        "profile n.net --data x.npy --json x.npy",
        "profile n.net --compare other.net --json other.net",
        "profile n.net --json both --report both",
        "profile n.net --hardware ./mine.yaml --json mine.yaml",
        "hardware show ./mine.yaml --json mine.yaml",
        "convert . --output checkpoint.safetensors",
        "convert . --output config.yaml",
        "train --out . --json config.yaml",
        "train --out . --config mine.yaml --json mine.yaml",
    ],
)
def test_an_output_takes_the_place_of_no_input(line, net, tmp_path):
    content = (tmp_path / net).read_bytes()
    (tmp_path / "other.net").write_bytes(content)
    (tmp_path / "mine.yaml").write_text("hidden: 3\n")
    os.link(net, "hard.net")
    (tmp_path / "soft.net").symlink_to(net)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused(line.split(), "take the place", "choose another name")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_output_in_a_folder_that_is_not_there_is_refused_before_any_work(net):
    refused(["profile", net, "--report", "no/r.html"], "no/r.html", "create the folder")


def test_what_is_written_may_lie_in_the_folder_that_a_command_makes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = []
    monkeypatch.setattr("kipuka.commands.train.train_run", lambda *_, **__: done.append(1))
    assert main(["train", "--out", "run", "--json", "run/numbers.json"]) == 0
    assert done


RANGES = {
    "inspect n.net --steps {}": ["-5", "0", "1048577", "9" * 30],
    "simulate n.net --input x.npy --output y.npy --layer {}": ["-1", "1.5", ""],
    "simulate n.net --input x.npy --output y.npy --reset-interval {}": ["0", "-3", "9" * 30],
    "simulate n.net --input x.npy --output y.npy --reset-offset {}": ["3"],
    "simulate n.net --input x.npy --output y.npy --backend {}": ["", "gpu", "fast,reference"],
    "verify n.net --backends {}": ["", ",", "reference", "reference,reference", "fast,gpu"],
    "profile n.net --samples {}": ["0", "-1"],
    "profile n.net --cores {}": ["0", "-1", "9" * 30],
    "deploy n.net --dry-run --interval {}": ["0", "-1", "1000000000000", "9" * 30],
    "deploy n.net --target {}": ["", "fpga"],
    "demo --out d --samples {}": ["0", "-1"],
    "demo --out d --lava-samples {}": ["0", "-1"],
    "demo --out d --epochs {}": ["0", "-1"],
    "demo --out d --seed {}": ["-1", "9" * 30],
    "compare --out c --seeds {}": ["0", "-1", "1000000000000"],
    "compare --out c --networks {}": ["", ",", "sgru,sgru", "sgru,x"],
    "compare --out c --set {}": ["seed=3", "network=sgru"],
    "train --out r --epochs {}": ["0", "-1"],
    "train --out r --hidden {}": ["0", "-5"],
    "train --out r --seed {}": ["-1"],
    "train --out r --hidden 2 --set {}": ["hidden=-5", "hidden=2"],
    "train --out r --set hidden=1 --set {}": ["hidden=2", "hidden=1"],
    "train --out r --set delay_rule=annealed --set {}": ["delays.rule=annealed"],
    "train --out r --set {}": [
        "network=null",
        "bin_ms=1e-320",
        "bin_ms=1e308",
        "learning_rate=1e308",
        "delays.learning_rate=1e9",
        "spike_gain=1e308",
        "gradient_clip=1e308",
        "hiden=3",
        "hidden",
        "=3",
        "",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize(("line", "value"), [(k, v) for k, vs in RANGES.items() for v in vs])
def test_a_value_out_of_range_is_refused_and_nothing_is_made(line, value, net, tmp_path):
    if line.startswith(("train", "demo", "compare")):
        pytest.importorskip("lava", reason="needs the lava extra")
    before = sorted(path.name for path in tmp_path.iterdir())
    refused([word.format(value) for word in line.split()])
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--network", "sgru-dely"], "did you mean sgru-delay?"),
        (["--data", "digit"], "did you mean digits?"),
        (["--set", "hiden=3"], "did you mean hidden?"),
        (["--set", "delays.rul=annealed"], "did you mean delays.rule?"),
        (["--netwrk", "sgru"], "--network"),
    ],
)
def test_a_misspelling_is_answered_before_anything_heavy_is_loaded(words, meant, tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    line = ["train", "--out", "r", *words]
    code = (
        f"import sys; from kipuka.commands.app import main; main({line});"
        "heavy = {'torch', 'lava', 'numpy', 'h5py', 'scipy', 'numba'};"
        "print([name for name in sys.modules if name in heavy])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
    assert meant in done.stderr


def test_the_names_of_settings_are_those_that_there_are():
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.names import SETTING_NAMES
    from kipuka.train.runs.config import setting_fields

    assert tuple(setting_fields()) == SETTING_NAMES


def test_every_setting_is_listed_with_default_range_and_meaning(capsys):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.runs.config import setting_fields

    assert main(["train", "--list-settings"]) == 0
    text = capsys.readouterr().out
    flat = " ".join(text.split())
    for name, field in setting_fields().items():
        assert f"{name}=" in text
        assert " ".join(field.description.split()) in flat
    assert "learning_rate=0.005 (more than 0, up to 1,000)" in flat
    assert "delays.init_steps=null (from 0, up to 62, or null)" in flat
    assert "network=sgru-delay (sgru or sgru-delay or" in flat


@pytest.mark.parametrize(
    ("typed", "found"),
    [("kipuka tr", "train"), ("kipuka train --network csgru-delay-", "csgru-delay-2l")],
)
def test_a_shell_can_complete(typed, found):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(
        KIPUKA,
        env={**os.environ, "_KIPUKA_COMPLETE": "complete_bash", **words},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [found], "")


def test_null_is_a_value_where_there_is_none():
    from kipuka.commands.train import chosen_settings

    assert chosen_settings(["channels=null"], {}) == {"channels": None}


@pytest.mark.parametrize("folder", ["nosuch", "."])
def test_resuming_needs_a_run(folder, net, tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    refused(["train", "--out", folder, "--resume"], "no run to go on with", "leave --resume out")
    assert not (tmp_path / "nosuch").exists()


def test_every_number_has_a_range():
    from kipuka.commands.app import commands

    settings = {"epochs", "hidden", "seed"}  # Whose ranges stand with the settings.
    found = commands().commands
    numbers = 0
    for name, command in found.items():
        for param in command.params:
            # Versions of the option parser keep it in different places.
            descriptor = getattr(param, "type_descriptor", None)
            kind = str(descriptor.annotation if descriptor else param.type).lower()
            if "int" in kind and param.name not in settings:
                range_ = descriptor.parameter_info if descriptor else param.type
                assert getattr(range_, "min", None) is not None, (name, param.name)
                numbers += 1
    assert numbers > 8


def test_clamped_delays_reach_the_network_beside(net, network):
    save_net("b.net", network)
    with h5py.File("b.net", "r+") as file:
        del file["kipuka"]
        file["layer/2/delay"] = np.array([70, 2, 3])
    words = ["profile", net, "--data", "x.npy", "--compare", "b.net"]
    assert main(words) == 2
    assert main([*words, "--clamp-delays"]) == 0


def test_the_backend_of_version_0_1_0_has_kept_its_name():
    from kipuka.commands.backends import backend_name

    assert backend_name("lava-stock") == "lowered"


WITHOUT_KERNELS = """
import sys
from pathlib import Path
from kipuka.commands.app import main
words = ["simulate", "n.net", "--input", "x.npy", "--output", "y.npy"]
print(main(words), main([*words, "--backend", "reference"]))
"""


@pytest.mark.slow
def test_without_compiled_kernels_the_reference_runs_and_the_others_say_so(net):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERNELS],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("2 0\n")
    for part in ("NUMBA_DISABLE_JIT", "not set, or 0", "Found: 1.", "backend reference"):
        assert part in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirected", "status", "said"),
    [(">/dev/full", 2, "No space left"), (">&-", 2, "standard output"), ("| true", 141, "")],
)
def test_results_that_cannot_be_shown_are_written_all_the_same(net, redirected, status, said):
    command = f"{' '.join(KIPUKA)} inspect {net} --json j.json {redirected}"
    done = subprocess.run(
        ["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True
    )
    assert done.returncode == status, done.stderr
    assert json.loads(Path("j.json").read_text())["classes"] == 3
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)


@pytest.mark.slow
def test_a_message_that_nobody_can_read_changes_no_status(net):
    for redirected in ("2>/dev/full", "2>&-"):
        command = f"{' '.join(KIPUKA)} inspect nosuch.net {redirected}"
        assert subprocess.run(["bash", "-c", command]).returncode == 2


def test_the_names_of_a_run_s_files_are_those_that_training_writes():
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.commands.paths import RUN_FILES
    from kipuka.train.runs import config

    assert set(RUN_FILES) == set(config.RUN_FILES)
