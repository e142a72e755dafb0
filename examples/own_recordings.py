"""A folder of recordings, four classes, to a report: no lava-dl in sight.

Each recording is a ``.npz`` file with the time in seconds (`times`) and the channel (`units`) of
each event; the folder that it lies in is its class. The recordings are made up here.
"""

from pathlib import Path

import numpy as np

from kipuka.commands.app import main

CHANNELS, DURATION_S, PER_CLASS = 16, 0.6, 24


def record(folder: Path, seed: int = 0) -> None:
    """Write recordings of four movements over the channels, with jitter and noise."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(0, DURATION_S, 0.02)
    share = seconds / DURATION_S
    movements = {
        "up": np.floor(CHANNELS * share),
        "down": CHANNELS - 1 - np.floor(CHANNELS * share),
        "wave": np.rint(7.5 + 7 * np.sin(10 * share)),
        "still": np.full(len(share), 7),
    }
    for name, channels in movements.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(PER_CLASS):
            near = channels + rng.integers(-1, 2, len(seconds))
            noise = rng.integers(0, CHANNELS, 6)
            units = np.append(np.clip(near, 0, CHANNELS - 1).astype(int), noise)
            late = seconds + 0.01 * rng.random(len(seconds))
            times = np.append(late, DURATION_S * rng.random(len(noise)))
            np.savez(folder / name / f"{number:03}.npz", times=times, units=units, n_units=CHANNELS)


def run(*words: str) -> None:
    """Do what ``kipuka`` does with these words on the command line."""
    print("$ kipuka", *words)
    if main([*words]):
        raise SystemExit(f"kipuka {words[0]} failed")


record(Path("gestures"))
settings = ("--set", "bin_ms=10", "--set", "batch_size=16", "--set", "learning_rate=0.02")
run("train", "--out", "run", "--data", "gestures", "--hidden", "32", "--epochs", "10", *settings)
run("verify", "run/model.net", "--backends", "reference,fast,torch")
run("profile", "run/model.net", "--data", "gestures", "--report", "run/report.html")
