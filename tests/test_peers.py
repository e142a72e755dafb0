"""The networks that other simulators are handed are those that Kipuka runs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "benchmarks" / "peers"
WRITE = "import sys; from pathlib import Path; from peers.networks import write_case; "
WRITE += "write_case(sys.argv[1], Path(sys.argv[2]))"
STANDARD_OUTPUT = "1"


def spikes(script, variant, folder):
    """Spikes of each layer that an engine's process counts for the first sample."""
    words = [sys.executable, PEERS / script, folder, "1", variant, STANDARD_OUTPUT]
    run = subprocess.run(words, input="", capture_output=True, text=True, check=True)
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("{"))
    return json.loads(line)["spikes"]


@pytest.mark.parametrize("script", ["simulate.py", "peers.py"])
def test_help_says_nothing_else(script):
    pytest.importorskip("torch", reason="needs the lava extra")
    words = [sys.executable, PEERS.parent / script, "--help"]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"usage: {script}")
    assert run.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("case", ["700-256r-20, delays 0 to 62", "conv 2x34x34-16c5s2-32c3s2-10"])
def test_torchs_integers_count_the_same_spikes(case, tmp_path):
    pytest.importorskip("torch", reason="needs the lava extra")
    subprocess.run([sys.executable, "-c", WRITE, case, tmp_path], cwd=PEERS.parent, check=True)
    own = spikes("run_kipuka.py", "", tmp_path)
    assert own == spikes("run_torch.py", "int32", tmp_path)
    assert min(own) > 100


@pytest.mark.slow
def test_torchs_integers_are_reset_where_kipukas_neurons_are(tmp_path):
    pytest.importorskip("lava.lib.dl.netx", reason="needs the networks of lava-dl")
    case = "PilotNet LIF, 160 steps"
    subprocess.run([sys.executable, "-c", WRITE, case, tmp_path], cwd=PEERS.parent, check=True)
    own = spikes("run_kipuka.py", "", tmp_path)
    assert own == spikes("run_torch.py", "int32", tmp_path)
    assert sum(n > 100 for n in own) > 5


def test_the_page_shows_the_rows_of_one_run():
    found = importlib.util.spec_from_file_location("peers_table", PEERS / "table.py")
    table = importlib.util.module_from_spec(found)
    found.loader.exec_module(table)
    measured = json.loads((ROOT / "docs" / "peers.json").read_text())
    page = (ROOT / "docs" / "peers.md").read_text()
    behind, tables = table.render(measured).split("\n\n**7", 1)
    assert behind in page
    assert tables in page
    assert len({row["case"] for row in measured["rows"]}) == 8
