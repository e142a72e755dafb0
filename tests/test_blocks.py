"""Every block of code in README and documents runs as printed, on what the README's demo makes."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from kipuka.commands.app import commands
from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka.lava_door import missing
from kipuka_blocks import FENCED, REASONS, blocks_of, run_block, run_blocks
from kipuka_cases import program, random_cuba, random_gru, random_spikes

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = {page.name: blocks_of(page) for page in PAGES}
RUN = {
    name: [
        block
        for block in blocks
        if block.language != "text" and block.note != "not run" and not block.is_doctest
    ]
    for name, blocks in BLOCKS.items()
}
WITHOUT = missing("torch", "lava")
COMMAND = re.compile(r"^(\$ |kipuka |python |pip |uv |pytest )", re.MULTILINE)
PRINTED = {
    "README.md": ["[", "J ("],
    "notebook.md": ["Dataset(tracks", "agrees: True", "Cost(loihi2"],
    "own_data.md": [
        "0 spike mismatches, 0 state mismatches",
        "2 of 8 groups for test (02, 05), 1 for validation (01)",
        "16 units x 60 steps of 10 ms",
        "(1, 16, 60) up",
        "rates: ",
    ],
    "slayer.md": ["agree: True", "the script's output: True"],
    "simulator.md": ["(1, 128, 40) 40000 "],
    "training.md": ["SPIKING_GRU", "CUBA", "none differ; delay_shift=True"],
}
"""What a page's blocks print, among other things."""


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Folder in which someone followed the README, and what was printed there.

    Without Lava a network of the demo's form takes the place of the one that the demo trains.
    """
    folder = tmp_path_factory.mktemp("readme")
    blocks, printed = RUN["README.md"], ""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        if WITHOUT:
            blocks = [block for block in blocks if not block.needs_lava]
            save_stand_in(folder / "kipuka-demo")
        for block in blocks:
            printed += run_block(block)
    return folder, printed


def save_stand_in(folder):
    """A network with as many inputs as the demo's, and golden vectors, as ``model.net``."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    network = program(8, random_gru(rng, 8, 128), random_cuba(rng, 128, 10))
    golden = golden_vectors(network, random_spikes(rng, 2, 8, 40))
    save_net(folder / "model.net", network, golden)


@pytest.fixture
def beside_the_demo(followed, tmp_path, monkeypatch):
    """Current folder: the demo's results, and the repository's scripts."""
    shutil.copytree(followed[0] / "kipuka-demo", tmp_path / "kipuka-demo")
    for name in ("benchmarks", "examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_the_readme_runs_as_printed(followed):
    for part in PRINTED["README.md"]:
        assert part in followed[1]


@pytest.mark.slow
@pytest.mark.skipif(bool(WITHOUT), reason="needs the lava extra")
def test_the_readmes_demo_agrees_with_itself(followed):
    out = followed[0] / "kipuka-demo"
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["accuracy"]) == {"torch", "reference", "fast", "lava"}
    assert summary["decisions"]["samples"] == 2
    assert summary["verify"]["partly"] == {}
    assert len(set(summary["accuracy"].values())) == 1
    verified = summary["verify"]
    assert (verified["samples"], verified["steps"]) == (2, 40)
    assert verified["spike_mismatches"] == verified["state_mismatches"] == 0
    assert verified["backends"] == ["reference", "fast", "torch", "lava"]
    energy = summary["profile"]["loihi2"]["dynamic_energy_j"]
    assert energy["low"] < energy["typical"] < energy["high"]
    assert summary["profile"]["loihi2"]["latency_s"]["typical"] > 0
    assert {p.name for p in out.iterdir()} == {
        "config.yaml",
        "checkpoint.safetensors",
        "metrics.jsonl",
        "state.safetensors",
        "model.net",
        "summary.json",
        "report.html",
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name in RUN if RUN[name] and name != "README.md"])
def test_a_page_runs_as_printed(page, beside_the_demo):
    if WITHOUT and any(block.needs_lava for block in RUN[page]):
        pytest.skip("needs the lava extra")
    printed = " ".join(run_blocks(RUN[page]).split())
    for part in PRINTED.get(page, ()):
        assert part in printed


def test_no_block_is_forgotten():
    for page in PAGES:
        text = page.read_text()
        blocks = BLOCKS[page.name]
        assert text.count("```") == 2 * len(blocks), f"{page.name}: a fence that is not at a margin"
        assert not re.search(r"\n\n    \S", FENCED.sub("", text)), (
            f"{page.name}: code without a fence"
        )
        for block in blocks:
            assert block.language in ("sh", "python", "text"), block.place
            if block.language == "text":
                assert not COMMAND.search(block.text), block.place


def test_notes_are_read_and_their_reasons_hold():
    notes = [block for blocks in BLOCKS.values() for block in blocks if block.note]
    written = sum(len(re.findall(r"<!-- .*:", page.read_text())) for page in PAGES)
    assert written == len(notes), "a comment is no note, or stands beside no block"
    for block in notes:
        if block.note == "not run":
            assert re.search(REASONS[block.words], block.text), block.place
    assert {block.words for block in notes if block.note == "not run"} == set(REASONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_have_these_options(page):
    found = commands().commands
    for code in re.findall(r"`kipuka ([^`]+)`", page.read_text()):
        words = re.split(r"[\s,=\[\]|]+", code)
        if words[0].startswith("--"):
            continue
        command = found[words[0]]
        for name in getattr(command, "commands", {}):
            command = command.commands[name] if name in words[1:2] else command
        known = {option for one in command.params for option in one.opts} | {"--help", "--debug"}
        assert {word for word in words if word.startswith("--")} <= known, code
