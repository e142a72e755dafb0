"""A folder of recordings, four classes, to a report: no lava-dl in sight.

Each recording is a ``.npz`` file with the steps (`times`) and channels (`units`) of its events and
the number of steps; the folder that it lies in is its class. The recordings are made up here.
"""

from pathlib import Path

import numpy as np

from kipuka.commands.app import main

CHANNELS, STEPS, PER_CLASS = 16, 60, 24


def record(folder: Path, seed: int = 0) -> None:
    """Write recordings of four movements over the channels, with jitter and noise."""
    rng = np.random.default_rng(seed)
    steps = np.arange(0, STEPS, 2)
    movements = {
        "up": steps * CHANNELS // STEPS,
        "down": CHANNELS - 1 - steps * CHANNELS // STEPS,
        "wave": np.rint(7.5 + 7 * np.sin(steps / 6)),
        "still": np.full(len(steps), 7),
    }
    for name, channels in movements.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(PER_CLASS):
            units = np.clip(channels + rng.integers(-1, 2, len(steps)), 0, CHANNELS - 1)
            times = np.clip(steps + rng.integers(0, 2, len(steps)), 0, STEPS - 1)
            noise = rng.integers(0, [STEPS, CHANNELS], (6, 2))
            seen = np.zeros((CHANNELS, STEPS), dtype=bool)  # One event of a channel in a step.
            seen[np.append(units, noise[:, 1]).astype(int), np.append(times, noise[:, 0])] = True
            units_seen, times_seen = np.nonzero(seen)
            events = {"times": times_seen, "units": units_seen}
            np.savez(folder / name / f"{number:03}.npz", n_steps=STEPS, n_units=CHANNELS, **events)


def run(*words: str) -> None:
    """Do what ``kipuka`` does with these words on the command line."""
    print("$ kipuka", *words)
    if main([*words]):
        raise SystemExit(f"kipuka {words[0]} failed")


record(Path("gestures"))
settings = ("--set", "batch_size=16", "--set", "learning_rate=0.02")
run("train", "--out", "run", "--data", "gestures", "--hidden", "32", "--epochs", "10", *settings)
run("verify", "run/model.net", "--backends", "reference,fast,torch")
run("profile", "run/model.net", "--data", "gestures", "--report", "run/report.html")
