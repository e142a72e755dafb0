"""Random options, hostile names and odd encodings, for every command: exit 0, or one paragraph."""

import numpy as np
import pytest

from kipuka.convert.formats.net.file import save_net
from kipuka.deploy.golden import golden_vectors
from kipuka_cases import program, random_cuba, random_gru, random_spikes
from kipuka_options import ENCODINGS, NAMES, check, pick, words

DRAWS, FEW = 24, 4
"""Command lines for each command, and for one that reads every profile."""

HOSTILE_FILE = "m{x}[bold]$x_$\n\x1b[31m"
"""A name that a file can have."""

KINDS = {
    "inspect": {"--steps": "number", "--json": "output", "--clamp-delays": "flag"},
    "simulate": {
        "--input": "array",
        "--output": "output",
        "--layer": "number",
        "--backend": "backend",
        "--reset-interval": "number",
        "--reset-offset": "number",
        "--json": "output",
    },
    "classify": {"--json": "output"},
    "verify": {
        "--backends": "backends",
        "--input": "array",
        "--data": "array",
        "--data-dir": "name",
        "--samples": "number",
        "--dt": "number",
        "--from": "name",
        "--bias": "name",
        "--reset": "name",
        "--decays": "name",
        "--weight-max": "number",
        "--percentile": "number",
        "--json": "output",
    },
    "profile": {
        "--hardware": "hardware",
        "--data": "array",
        "--data-dir": "name",
        "--samples": "number",
        "--report": "output",
        "--cores": "number",
        "--compare": "network",
        "--host-input": "flag",
        "--advise": "flag",
        "--verify": "number",
        "--step-ms": "number",
        "--json": "output",
    },
    "deploy": {
        "--target": "target",
        "--input": "array",
        "--data": "data",
        "--data-dir": "name",
        "--samples": "number",
        "--interval": "interval",
        "--hardware": "hardware",
        "--host-input": "flag",
        "--slurm": "flag",
        "--partition": "name",
        "--board": "name",
        "--json": "output",
    },
    "convert": {
        "--output": "output",
        "--data": "data",
        "--data-dir": "name",
        "--dt": "number",
        "--from": "name",
        "--bias": "name",
        "--decays": "name",
        "--weight-max": "number",
        "--percentile": "number",
        "--reset": "name",
        "--calibrate": "name",
        "--json": "output",
    },
    "hardware list": {"--json": "output"},
    "hardware show": {"--json": "output"},
    "hardware check": {},
    "train": {
        "--out": "folder",
        "--network": "trained",
        "--data": "data",
        "--data-dir": "name",
        "--download": "flag",
        "--config": "name",
        "--epochs": "number",
        "--hidden": "number",
        "--seed": "number",
        "--set": "setting",
        "--resume": "flag",
        "--start": "name",
        "--list-settings": "flag",
        "--json": "output",
    },
    "compare": {
        "--out": "folder",
        "--networks": "trained",
        "--seeds": "number",
        "--data": "data",
        "--data-dir": "name",
        "--config": "name",
        "--set": "setting",
        "--hardware": "hardware",
        "--json": "output",
    },
    "demo": {
        "--out": "folder",
        "--seed": "number",
        "--epochs": "number",
        "--samples": "number",
        "--lava-samples": "number",
        "--json": "output",
    },
}
ALWAYS = ("--input", "--output", "--out", "--networks")

ARGUMENTS = {
    **dict.fromkeys(("inspect", "simulate", "verify", "profile", "deploy", "classify"), "network"),
    **dict.fromkeys(("hardware show", "hardware check"), "hardware"),
    "convert": "folder",
}


@pytest.fixture
def files(rng, tmp_path, monkeypatch):
    """Good values by kind; the folder that a command line runs in is its own."""
    monkeypatch.chdir(tmp_path)
    network = program(4, random_gru(rng, 4, 6), random_cuba(rng, 6, 3))
    nets = ["small.net", f"{HOSTILE_FILE}.net"]
    for net in nets:
        save_net(net, network, golden_vectors(network, random_spikes(rng, 2, 4, 8)))
    arrays = ["x.npy", f"{HOSTILE_FILE}.npy"]
    for array in arrays:
        np.save(array, random_spikes(rng, 3, 4, 9).astype(np.uint8))
    recordings = ["r.npz", f"{HOSTILE_FILE}.npz"]
    for recording in recordings:
        np.savez(recording, times=[1, 7], units=[0, 3], n_steps=9, n_units=4)
    return {
        "network": nets,
        "array": arrays,
        "output": ["out.json", f"{HOSTILE_FILE}.json", "small.net", "/dev/null"],
        "backend": ["fast", "reference"],
        "backends": ["fast,reference", "reference,fast", "fast", "fast,fast"],
        "hardware": ["loihi2", "loihi1", "kapoho_point"],
        "target": ["loihi2", "lava-sim"],
        "number": ["1", "2", "3"],
        "interval": ["512", "1024", "100"],
        "setting": ["delays.rule=annealed", "batch_size=3", "bin_ms=4.5", "rate_low=0.1"],
        "name": ["x"],
        "folder": ["run", HOSTILE_FILE, "small.net"],
        "trained": ["sgru", "cuba-ff-delay"],
        "recording": [*recordings, *arrays],
        "data": ["digits"],
    }


def no_work(monkeypatch):
    """Stop training commands where the work would begin: what they check has been checked."""
    agreed = {"verify": {"spike_mismatches": 0, "state_mismatches": 0}}
    monkeypatch.setattr("kipuka.commands.train.train_run", checks)
    for name in ("compare.compare_networks", "demo.run_demo"):
        monkeypatch.setattr(f"kipuka.commands.{name}", lambda *_, **__: agreed)


def checks(out, config, chosen, *, resume, start, json_file):
    from kipuka.commands.train import run_settings

    run_settings(out, config, chosen, resume=resume)


@pytest.mark.slow
@pytest.mark.parametrize("command", KINDS)
def test_it_ends_well_or_in_one_paragraph(command, files, monkeypatch):
    no_work(monkeypatch)
    rng = np.random.default_rng(sorted(KINDS).index(command))
    ended = set()
    for _ in range(DRAWS if command != "hardware list" else FEW):
        line = command.split()
        if command in ARGUMENTS:
            good = files[ARGUMENTS[command]]
            line.append(pick(rng, good if rng.random() < 0.9 else NAMES))
        if command == "deploy":
            line.append("--dry-run")
        if command == "classify":
            good = files["recording"]
            line.append(pick(rng, good if rng.random() < 0.8 else NAMES))
        line += words(rng, KINDS[command], files, ALWAYS)
        ended.add(check(line, pick(rng, ENCODINGS)))
    assert ended <= ({0, 1, 2} if command == "deploy" else {0, 2})


def test_every_option_of_every_command_is_drawn():
    from kipuka.commands.app import commands

    group = commands()
    found = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        parts = {f"{name} {k}": v for k, v in inner.items()} if inner else {name: command}
        for full, one in parts.items():
            found[full] = {o for p in one.params for o in p.opts if o.startswith("--")} - {"--help"}
    drawn = {name: set(kinds) for name, kinds in KINDS.items()}
    always = {"--clamp-delays", "--dry-run"}
    assert {name: options - always for name, options in found.items()} == {
        name: options - always for name, options in drawn.items()
    }
