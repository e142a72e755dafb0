"""Files that version 0.1.0 wrote load, and give the bits that it gave."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_golden, load_net
from kipuka.deploy.fast.simulator import simulate
from kipuka.deploy.golden import golden_mismatches
from kipuka.deploy.reference import simulate_reference

DATA = Path(__file__).parents[1] / "data" / "version_0_1_0"
EXPECTED = json.loads((DATA / "expected.json").read_text())
ENGINES = {"reference": simulate_reference, "fast": simulate}


def inputs(samples, units, steps):
    s, u, t = np.indices((samples, units, steps))
    return (7 * u + 3 * t + 5 * s + t * u) % 11 < 3


def digits():
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train import load_dataset

    return load_dataset("digits").test.spikes[:12]


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def assert_recorded(trace, expected):
    for layer, recorded in zip(trace.layers, expected["layers"], strict=True):
        per_sample = layer.spikes.reshape(len(layer.spikes), -1).sum(1)
        assert per_sample.tolist() == recorded["spikes"]
        assert sha256(np.packbits(layer.spikes, axis=None)) == recorded["spikes_sha256"]
        states = {name: sha256(values.astype("<i4")) for name, values in layer.states.items()}
        assert states == recorded["states_sha256"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["gru", "conv"])
def test_files_of_0_1_0_give_the_same_spikes_and_states(name, engine):
    program, golden = load_net(DATA / f"{name}.net"), load_golden(DATA / f"{name}.net")
    expected = EXPECTED[name]
    x = inputs(expected["samples"], expected["units"], expected["steps"])
    trace = ENGINES[engine](program, x).trace
    assert_recorded(trace, expected)
    assert len(golden) == 2
    for number, vector in enumerate(golden):
        np.testing.assert_array_equal(vector.input, x[number])
    own = ENGINES[engine](program, x[:2]).trace
    assert golden_mismatches(golden, own) == 0


def test_the_network_of_a_run():
    assert_recorded(simulate(load_net(DATA / "run" / "model.net"), digits()).trace, EXPECTED["run"])


def test_settings_stand_in_their_groups():
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.runs.config import TrainConfig, load_config

    assert load_config(DATA / "run" / "config.yaml") == TrainConfig(
        hidden=12,
        epochs=3,
        batch_size=48,
        seed=7,
        learning_rate=0.02,
        selection="loss",
        delays={"rule": "annealed", "width_steps": 3.0, "learning_rate": 0.3, "init_steps": 6.0},
        augmentation={
            "time_stretch": 0.1,
            "time_shift_steps": 2,
            "channel_shift": 1,
            "input_drop": 0.05,
        },
        penalties={"overshoot": 0.05, "rate": 0.5, "rate_high": 0.2},
    )


def test_the_settings_in_a_network_s_metadata_load():
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.runs.config import load_config, make_config

    stored = json.loads(load_net(DATA / "run" / "model.net").metadata["training"])
    assert make_config(stored, "metadata") == load_config(DATA / "run" / "config.yaml")


def test_a_stopped_run_becomes_what_it_became(tmp_path):
    samples = digits()
    from kipuka.train.runs.result import program_of
    from kipuka.train.runs.trainer import load_run, train

    run = tmp_path / "run"
    shutil.copytree(DATA / "run", run)
    config, network, _ = load_run(run)
    assert_recorded(simulate(program_of(network, config), samples).trace, EXPECTED["run"])
    result = train(config, run, resume=True)
    expected = EXPECTED["resumed"]
    assert [m.validation_accuracy for m in result.metrics] == expected["validation_accuracy"]
    assert [m.best for m in result.metrics] == expected["best"]
    assert [dict(m.delay_histograms) for m in result.metrics] == expected["delay_histograms"]
    # Integers only: sums of gradients may be rounded in another order on another machine.
    assert_recorded(simulate(program_of(result.network, config), samples).trace, expected)
