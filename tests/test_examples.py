"""Scripts of ``examples/`` run, on small data."""

import runpy
from pathlib import Path

import numpy as np
import pytest

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
