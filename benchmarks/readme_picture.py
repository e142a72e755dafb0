"""Draw the README's picture from the folder of a demo, and keep in it what that run gave.

``python benchmarks/readme_picture.py kipuka-demo docs/demo.png``, after ``kipuka demo``. A test
holds the README's sentences to the numbers in the picture.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

import kipuka
from kipuka.convert import load_net
from kipuka.deploy import simulate
from kipuka.train import load_dataset

matplotlib.use("agg")
from matplotlib import pyplot


def numbers(folder: Path) -> dict[str, object]:
    """What the summary of a demo says that the README repeats."""
    summary = json.loads((folder / "summary.json").read_text())
    cost = summary["profile"]["loihi2"]
    return {
        "version": kipuka.__version__,
        "correct": summary["decisions"]["correct"],
        "samples": summary["decisions"]["samples"],
        "interval_95": summary["decisions"]["interval_95"],
        "values_compared": summary["verify"]["values_compared"],
        "mismatches": summary["verify"]["spike_mismatches"] + summary["verify"]["state_mismatches"],
        "dynamic_energy_j": cost["dynamic_energy_j"],
        "latency_s": cost["latency_s"],
    }


def draw(folder: Path, picture: Path) -> None:
    """Draw the first test sample and the delays."""
    program = load_net(folder / "model.net")
    trace = simulate(program, load_dataset("digits").test.spikes[:1]).trace
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 6.5), layout="constrained")
    kipuka.plot.raster(trace.layers[0].spikes[0], axes[0, 0])
    axes[0, 0].set_title("Spikes of the spiking GRU layer, one sample")
    kipuka.plot.membranes(trace.layers[0].states["v"][0], axes[0, 1], most=3)
    axes[0, 1].set_title("Membranes of its first neurons")
    kipuka.plot.delays(program, axes[1, 0])
    axes[1, 0].set_title("Learned delays")
    kipuka.plot.raster(trace.layers[-1].spikes[0], axes[1, 1])
    axes[1, 1].set_title("Spikes of the ten classes")
    kept = {"Software": None, "Description": json.dumps(numbers(folder))}
    figure.savefig(picture, dpi=100, metadata=kept)


if __name__ == "__main__":
    draw(*map(Path, sys.argv[1:]))
