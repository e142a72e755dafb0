"""Two processes under torchrun train what one trains."""

import json
import os
import subprocess
import sys

import pytest

from kipuka.train.config import TrainConfig
from kipuka.train.trainer import train

SETTINGS = TrainConfig(hidden=6, epochs=2, batch_size=257, seed=2, blend=0.5, rate_penalty=1.0)
SCRIPT = """
import json, sys
from kipuka.train.config import TrainConfig
from kipuka.train.trainer import train
result = train(TrainConfig(**json.loads(sys.argv[1])), sys.argv[2])
"""


def test_two_processes_reach_the_loss_of_one(tmp_path):
    one = train(SETTINGS, tmp_path / "one")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    subprocess.run(
        [sys.executable, *words, SETTINGS.model_dump_json(), str(tmp_path / "two")],
        check=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    two = [json.loads(line) for line in lines]
    assert [m["epoch"] for m in two] == [1, 2]
    # Gradients are summed in another order: float32 rounding, nothing else.
    assert [m["loss"] for m in two] == pytest.approx([m.loss for m in one.metrics], rel=1e-5)
    for m, right in zip(two, one.metrics, strict=True):
        assert m["validation_accuracy"] == pytest.approx(right.validation_accuracy, abs=0.011)
        assert m["spike_rate"] == pytest.approx(right.spike_rate, rel=1e-3)
