"""Two processes under torchrun train what one trains."""

import json
import os
import subprocess
import sys

import pytest

from kipuka.train.runs.config import TrainConfig, save_config
from kipuka.train.runs.trainer import train

pytestmark = pytest.mark.slow

SETTINGS = TrainConfig(
    hidden=6,
    epochs=2,
    batch_size=257,
    seed=2,
    augmentation={"time_stretch": 0.1},
    penalties={"rate": 1.0},
)


def test_two_processes_reach_the_loss_of_one(tmp_path):
    one = train(SETTINGS, tmp_path / "one")
    save_config(tmp_path / "config.yaml", SETTINGS)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "kipuka"]
    train_words = ["train", "--out", str(tmp_path / "two"), "--config"]
    subprocess.run(
        [sys.executable, *words, *train_words, str(tmp_path / "config.yaml")],
        check=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert (tmp_path / "two" / "model.net").exists()
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    two = [json.loads(line) for line in lines]
    assert [m["epoch"] for m in two] == [1, 2]
    # Gradients are summed in another order: float32 rounding, nothing else.
    assert [m["loss"] for m in two] == pytest.approx([m.loss for m in one.metrics], rel=1e-5)
    for m, right in zip(two, one.metrics, strict=True):
        assert m["validation_accuracy"] == pytest.approx(right.validation_accuracy, abs=0.011)
        assert m["spike_rate"] == pytest.approx(right.spike_rate, rel=1e-3)
