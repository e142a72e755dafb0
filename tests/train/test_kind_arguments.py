"""An argument of training of another class, or outside its range, is refused by name (K3)."""

import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka_cases import program, random_cuba

torch = pytest.importorskip("torch", reason="needs the lava extra")
pytest.importorskip("lava", reason="needs the lava extra")


def test_settings_and_data_of_another_class(tmp_path, check_error):
    from kipuka.train import TrainConfig, counting_baseline, program_of, train

    for take in (
        lambda: train({"epochs": 1}, tmp_path / "run"),
        lambda: program_of(torch.nn.ModuleList(), {"data": "digits"}),
    ):
        with pytest.raises(KipukaError) as caught:
            take()
        parts = {"where": "argument config", "remedy": "TrainConfig"}
        check_error(caught.value, what="no TrainConfig", **parts)
    spikes = np.zeros((2, 3, 4), bool)
    takers = (
        lambda: train(TrainConfig(), tmp_path / "run", dataset=(spikes, [0, 1])),
        lambda: counting_baseline("digits"),
        lambda: program_of(torch.nn.ModuleList(), TrainConfig(), "digits"),
    )
    for take in takers:
        with pytest.raises(KipukaError) as caught:
            take()
        parts = {"where": "argument dataset", "remedy": "Dataset.from_arrays"}
        check_error(caught.value, what="no Dataset", **parts)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "where", "limit"),
    [
        ({"reach_steps": 0}, "reach_steps", "1 to 62"),
        ({"reach_steps": 1.5}, "reach_steps", "1 to 62"),
        ({"reach_steps": 63}, "reach_steps", "1 to 62"),
        ({"max_delay": 63}, "max_delay", "0 to 62"),
        ({"max_delay": -1}, "max_delay", "0 to 62"),
        ({"neurons": 0}, "neurons", "from 1"),
        ({"init_steps": (3.0, 1.0)}, "init_steps", "smaller first"),
        ({"init_steps": (0.0, float("nan"))}, "init_steps", "finite"),
        ({"init_steps": (-1.0, 1.0)}, "init_steps", "0 or more"),
        ({"init_steps": 4.0}, "init_steps", "two"),
        ({"min_delay": 2.5}, "lower limit", "0 to 62"),
        ({"min_delay": "x"}, "lower limit", "0 to 62"),
        ({"min_delay": 5, "max_delay": 4}, "lower limit", "0 to 4"),
    ],
)
def test_delays_out_of_range(settings, where, limit, check_error):
    from kipuka.train.delays.axonal import AxonalDelay

    with pytest.raises(KipukaError) as caught:
        AxonalDelay(**{"neurons": 3, **settings})
    check_error(caught.value, where=where, limit=limit)


@pytest.mark.parametrize("shape", [5, (2, 3), (1, 0, 4), (1, 2.5, 4), "123", (1, 2, True)])
def test_a_layout_that_is_no_shape(shape, check_error):
    from kipuka.train.audio_layout import AudioLayout

    with pytest.raises(KipukaError) as caught:
        AudioLayout(shape)
    check_error(caught.value, where="AudioLayout, argument shape")


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_limit_on_waiting_that_is_no_time(rng, limit, check_error):
    from kipuka.deploy import run_lava

    network = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        run_lava(network, np.zeros((1, 4, 5), bool), stall_limit_s=limit)
    check_error(caught.value, where="argument stall_limit_s", limit="more than 0")


def test_a_backend_that_lava_has_not(rng, check_error):
    from kipuka.deploy import run_lava

    network = program(4, random_cuba(rng, 4, 3))
    with pytest.raises(KipukaError) as caught:
        run_lava(network, np.zeros((1, 4, 5), bool), backend="nets")
    check_error(caught.value, where="argument backend", remedy="netx")


@pytest.mark.parametrize("folder", ["", None, 3, b"run"])
def test_a_folder_that_is_none(folder, check_error):
    from kipuka.train import TrainConfig, load_run, train

    for take in (lambda: train(TrainConfig(epochs=1), folder), lambda: load_run(folder)):
        with pytest.raises(KipukaError) as caught:
            take()
        check_error(caught.value, what="path", where="argument folder", limit="", remedy="a point")


def test_arguments_of_a_network_and_its_ranges(check_error):
    from kipuka.train import build_network, keep_in_range

    for take, where in (
        (lambda: build_network("sgru-delay", 4, 2, 3, shape=4), "argument shape"),
        (lambda: build_network("sgru-delay", 4, 2, 3, recurrent_min_steps=1.5), "min_steps"),
        (lambda: keep_in_range("block"), "argument block"),
    ):
        with pytest.raises(KipukaError) as caught:
            take()
        check_error(caught.value, what="", where=where, limit="", value="", remedy="")
