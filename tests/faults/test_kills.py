"""A kill at any moment leaves each file old or new, and training goes on as if nothing had been.

``KIPUKA_KILLS=50 pytest -s tests/faults/test_kills.py`` kills each kind of work 50 times; another
``KIPUKA_KILL_SEED`` chooses other moments.
"""

import os
import sys
from collections import Counter

import numpy as np
import pytest

import kipuka_faults as faults
from kipuka.convert.formats.net.file import load_net, save_net
from kipuka_cases import program, random_cuba, random_gru

pytestmark = pytest.mark.slow

pytest.importorskip("lava", reason="needs the lava extra")

KILLS = int(os.environ.get("KIPUKA_KILLS", "2"))
SEED = int(os.environ.get("KIPUKA_KILL_SEED", "0"))
SETTINGS = {"hidden": 4, "epochs": 3, "batch_size": 512, "seed": 3}
RUN_FILES = 6
"""Files that a run of three epochs writes at least: settings, and two or three of every epoch."""


@pytest.fixture(scope="module")
def context():
    return faults.server()


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def show(what, outcomes):
    told = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
    # For the local command, which has the numbers from here.
    sys.stdout.write(f"\n{KILLS} kills of {what}, seed {SEED}: {told}\n")


def test_a_killed_training_leaves_whole_files_and_resumes(context, rng, tmp_path):
    whole = tmp_path / "whole"
    usual_s = faults.finish(context, faults.train, whole, SETTINGS)
    right = faults.metrics(whole), faults.tensors(whole / "checkpoint.safetensors")
    outcomes = Counter()
    for number in range(KILLS):
        folder, kind = tmp_path / str(number), faults.KINDS[number % 2]
        killed = faults.kill(
            context, folder, kind, usual_s, RUN_FILES, rng, faults.train, folder, SETTINGS
        )
        epochs = 0
        if (folder / "metrics.jsonl").exists():
            found = faults.metrics(folder)
            epochs = len(found)
            assert found == right[0][:epochs]
        for path in folder.glob("*.safetensors"):
            assert faults.tensors(path), path
        left = len(faults.temporaries(folder))
        faults.finish(context, faults.train, folder, SETTINGS)
        assert (faults.metrics(folder), faults.tensors(folder / "checkpoint.safetensors")) == right
        assert faults.tensors(folder / "state.safetensors") == faults.tensors(
            whole / "state.safetensors"
        )
        outcomes[f"after epoch {epochs}" if killed else "too late"] += 1
        outcomes["half-written file left and removed"] += left
        # A temporary file of the settings, of a checkpoint or of metrics alike.
        assert faults.temporaries(folder) == []
    show("training", outcomes)


def kill_writer(context, rng, folder, output, versions, what):
    """Kill the writer of a file again and again; each time it must be one of its versions.

    Parameters
    ----------
    output : Path
    versions : list of (callable, arguments)
        Two pieces of work that write different contents to `output`.
    """
    contents, usual_s = [], []
    for work, given in versions:
        usual_s.append(faults.finish(context, work, *given, output))
        contents.append(output.read_bytes())
    assert contents[0] != contents[1]
    outcomes = Counter()
    for number in range(KILLS):
        old = output.read_bytes()
        which = 1 - contents.index(old)
        work, given = versions[which]
        kind = faults.KINDS[number % 2]
        killed = faults.kill(context, folder, kind, usual_s[which], 1, rng, work, *given, output)
        now = output.read_bytes()
        assert now in (old, contents[which]), "neither the old nor the new file"
        outcomes["too late" if not killed else "old file" if now == old else "new file"] += 1
        outcomes["half-written file left and removed"] += len(faults.temporaries(folder))
    # The next start writes the file and removes what all killed ones left.
    work, given = versions[0]
    faults.finish(context, work, *given, output)
    assert output.read_bytes() == contents[0]
    assert faults.temporaries(folder) == []
    show(what, outcomes)


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("networks")
    paths = []
    for number in range(2):
        network = program(64, random_gru(rng, 64, 24), random_cuba(rng, 24, 10))
        paths.append(folder / f"{number}.net")
        save_net(paths[-1], network)
    faults.save_inputs(folder / "x.npy", rng, 400, 64, 100)
    faults.save_inputs(folder / "few.npy", rng, 10, 64, 30)
    return folder, paths


def test_a_killed_conversion_leaves_the_old_file_or_the_new(context, rng, tmp_path):
    versions = []
    for seed in (3, 4):
        run = tmp_path / f"run-{seed}"
        faults.finish(context, faults.train, run, {**SETTINGS, "epochs": 1, "seed": seed})
        versions.append((faults.convert, (run,)))
    out = tmp_path / "out"
    out.mkdir()
    kill_writer(context, rng, out, out / "model.net", versions, "conversion")
    assert load_net(out / "model.net").n_inputs == 8


def test_a_killed_simulation_leaves_the_old_file_or_the_new(context, rng, networks, tmp_path):
    folder, paths = networks
    versions = [(faults.simulate, (path, folder / "x.npy")) for path in paths]
    kill_writer(context, rng, tmp_path, tmp_path / "y.npy", versions, "simulation")
    assert np.load(tmp_path / "y.npy").shape == (400, 10, 100)


def test_a_killed_report_leaves_the_old_file_or_the_new(context, rng, networks, tmp_path):
    folder, paths = networks
    versions = [(faults.report, (path, folder / "few.npy")) for path in paths]
    kill_writer(context, rng, tmp_path, tmp_path / "r.html", versions, "reporting")
    assert (tmp_path / "r.html").read_text().rstrip().endswith("</html>")
