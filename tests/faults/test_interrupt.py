"""Ctrl-C ends a run with one line, and leaves nothing half-written."""

import signal
import subprocess
import sys
import time

import pytest

import kipuka_faults as faults

pytestmark = pytest.mark.slow


def test_ctrl_c_during_training(tmp_path):
    pytest.importorskip("lava", reason="needs the lava extra")
    folder = tmp_path / "run"
    words = ["train", "--out", str(folder), "--set", "hidden=4", "--set", "epochs=100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kipuka", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background work ignores SIGINT, and so would what it starts.
        preexec_fn=faults.mind_interrupts,
    )
    deadline = time.monotonic() + faults.LONGEST_S
    while not (folder / "state.safetensors").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (folder / ".lock").read_text() == f"{process.pid}\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=faults.LONGEST_S)
    assert process.returncode == 130
    assert said.splitlines()[-1].endswith("interrupted; nothing half-written is left")
    # The first epoch is the best one so far, so that all files of a run are there.
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "config.yaml",
        "metrics.jsonl",
        "state.safetensors",
    ]
    assert len(faults.metrics(folder)) >= 1
