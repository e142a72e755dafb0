"""Scripts of ``examples/`` and what the pages on own data print run, on small data."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from kipuka.commands.app import main

pytest.importorskip("lava", reason="needs the lava extra")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LINES_MAX = 60


def test_examples_are_short():
    assert len(EXAMPLES) == 3
    for path in EXAMPLES:
        assert len(path.read_text().splitlines()) < LINES_MAX


@pytest.fixture(scope="module")
def afternoon(tmp_path_factory):
    """Folder in which the first script has run."""
    folder = tmp_path_factory.mktemp("afternoon")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        runpy.run_path(str(ROOT / "examples/own_recordings.py"), run_name="__main__")
    return folder


def test_a_folder_of_recordings_becomes_a_report(afternoon):
    report = (afternoon / "run" / "report.html").read_text()
    assert "What is taken for what" in report
    assert "of 20 samples" in report


def test_the_commands_of_the_page_are_those_of_the_script(afternoon, monkeypatch, capsys):
    page = (ROOT / "docs/own_data.md").read_text()
    lines = [
        line for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.split("\n")
    ]
    words = [line.split()[1:] for line in lines if line]
    assert [line[0] for line in words] == ["train", "verify", "profile"]
    monkeypatch.chdir(afternoon)
    for line in words[1:]:
        assert main(line) == 0
    assert "0 spike mismatches, 0 state mismatches" in " ".join(capsys.readouterr().out.split())
    words[0][words[0].index("run")] = "again"
    assert main([*words[0][: words[0].index("--epochs")], "--epochs", "1"]) == 0


def test_arrays_of_the_page_become_a_data_set(capsys):
    page = (ROOT / "docs/own_data.md").read_text()
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(block, {})
    assert "rates: " in capsys.readouterr().out


def test_a_notebook_shows_and_draws(afternoon, monkeypatch, capsys):
    monkeypatch.chdir(afternoon)
    runpy.run_path(str(ROOT / "examples/notebook.py"))
    assert (afternoon / "notebook.png").stat().st_size > 10_000
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("(")[0] for line in lines] == [
        "Program",
        "Simulation",
        "HardwareProfile",
        "Cost",
    ]


def test_a_slayer_network_with_a_spiking_gru_becomes_a_verified_file(tmp_path, monkeypatch, capsys):
    from kipuka.convert import load_golden
    from kipuka.deploy.golden import golden_mismatches
    from kipuka.deploy.reference import simulate_reference

    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(ROOT / "examples/slayer_network.py"))
    assert names["outcome"].agree
    assert "agree: True" in capsys.readouterr().out
    golden = load_golden("slayer.net")
    trace = simulate_reference(names["program"], np.stack([one.input for one in golden])).trace
    assert golden_mismatches(golden, trace) == 0
