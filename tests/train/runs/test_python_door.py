"""Settings and runs as one meets them in Python: checked at once, with the way named."""

import inspect
import pydoc

import numpy as np
import pytest

from kipuka.convert import Decisions, load_golden, load_net
from kipuka.deploy import golden_vectors, simulate
from kipuka.errors import KipukaError
from kipuka.train import Dataset, TrainConfig, load_run, train
from kipuka.train.runs.config import setting_fields
from kipuka_recordings import spikes_and_labels

SPIKES, LABELS = spikes_and_labels()
CONFIG = TrainConfig(hidden=8, epochs=1, batch_size=14)
DATA = Dataset.from_arrays(SPIKES, LABELS)
OTHER = Dataset.from_arrays(SPIKES[::-1], LABELS[::-1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "r"
    return folder, train(CONFIG, folder, dataset=DATA)


@pytest.mark.parametrize(
    ("settings", "key", "meant"),
    [
        ({"hiden": 32}, "hiden", "hidden"),
        ({"delays": {"rul": "annealed"}}, "delays.rul", "delays.rule"),
        ({"network": "sgru_delay"}, "network", "sgru-delay"),
    ],
)
def test_a_wrong_setting_is_refused_as_it_is_given(settings, key, meant, check_error):
    for make in (TrainConfig, CONFIG.with_settings, lambda **s: CONFIG.model_copy(update=s)):
        with pytest.raises(KipukaError) as caught:
            make(**settings)
        check_error(caught.value, where=f"TrainConfig, key {key}", limit="")
        check_error(caught.value, what="", value="", remedy=f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("settings", "key", "limit"),
    [
        ({"hidden": True}, "hidden", "truth value"),
        ({"learning_rate": True}, "learning_rate", "truth value"),
        ({"delays.width_steps": False}, "delays.width_steps", "truth value"),
        ({"penalties": {"rate_low": 0.5, "rate_high": 0.1}}, "penalties", "at most rate_high"),
        ({"arrays": {"times": "units"}}, "arrays", "no two"),
        ({"arrays": {"times": ""}}, "arrays", "a name"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(settings, key, limit, check_error):
    for make in (TrainConfig, CONFIG.with_settings):
        with pytest.raises(KipukaError) as caught:
            make(**settings)
        check_error(caught.value, what="", where=f"key {key}", limit=limit, value="", remedy="")


def test_data_may_be_given_as_a_path(tmp_path):
    config = TrainConfig(data=tmp_path / "x.npz", data_dir=tmp_path)
    assert (config.data, config.data_dir) == (str(tmp_path / "x.npz"), str(tmp_path))


def test_one_setting_can_be_changed():
    annealed = CONFIG.with_settings(delay_rule="annealed", hidden=9)
    assert (annealed.delays.rule, annealed.hidden, annealed.epochs) == ("annealed", 9, 1)
    assert TrainConfig(delay_rule="annealed") == TrainConfig(delays={"rule": "annealed"})
    faster = annealed.with_settings(**{"delays.learning_rate": 0.5})
    assert (faster.delays.rule, faster.delays.learning_rate) == ("annealed", 0.5)


@pytest.mark.parametrize("place", [CONFIG, CONFIG.delays])
def test_settings_do_not_change_in_place(place, check_error):
    with pytest.raises(KipukaError) as caught:
        place.rule = "annealed"
    check_error(
        caught.value,
        what="settings do not change",
        where="rule",
        limit="the values that they were made with",
        value="annealed",
        remedy="config.with_settings(hidden=64",
    )


def test_help_and_completion_say_what_every_setting_is():
    text = pydoc.plain(pydoc.render_doc(TrainConfig))
    for name, field in setting_fields().items():
        assert f"{name}=" in text
        assert " ".join(field.description.split()) in text
    assert "model_dump" not in text
    assert len(str(inspect.signature(TrainConfig))) < 1000
    assert "hidden" in dir(CONFIG)
    assert not [name for name in dir(CONFIG) if name.startswith("model_")]


@pytest.mark.slow
def test_a_run_ends_with_its_network(finished):
    folder, result = finished
    written = load_net(folder / "model.net")
    assert written == result.program
    few = DATA.validation.spikes[:3]
    for kept, expected in zip(
        load_golden(folder / "model.net"), golden_vectors(written, few), strict=True
    ):
        np.testing.assert_array_equal(kept.output, expected.output)
        assert kept.digest == expected.digest
    last = simulate(written, DATA.test.spikes).trace.layers[-1]
    decided = Decisions.of(written, last, DATA.test.labels).decided
    np.testing.assert_array_equal(result.decisions.decided, decided)
    assert repr(result).startswith("TrainingResult(1 epoch in ")
    assert str(folder / "model.net") in repr(result)
    assert result.decisions.text() in result._repr_html_()


@pytest.mark.slow
def test_a_run_knows_its_data(finished, check_error):
    folder, _ = finished
    assert load_run(folder, dataset=DATA)[2] is DATA
    with pytest.raises(KipukaError) as caught:
        load_run(folder, dataset=OTHER)
    check_error(
        caught.value,
        what="other data",
        where="state.safetensors",
        limit=DATA.digest[:16],
        value=OTHER.digest[:16],
        remedy="load_network",
    )
    with pytest.raises(KipukaError) as caught:
        load_run(folder)
    check_error(caught.value, what="beyond its own file", where="key data", limit="in Python")
    check_error(caught.value, value="own data", remedy="dataset= for data in memory")


@pytest.mark.slow
def test_what_stands_beside_the_network_is_no_network(finished, check_error):
    folder, _ = finished
    for path, value in ((folder, "a folder"), (folder / "checkpoint.safetensors", "floats")):
        for load in (load_net, load_golden):
            with pytest.raises(KipukaError) as caught:
                load(path)
            check_error(
                caught.value,
                what="a training run is no network file",
                where=str(path),
                limit="model.net",
                value=value,
                remedy=f"give {folder / 'model.net'}",
            )


@pytest.mark.slow
def test_a_run_starts_from_the_folder_of_another(finished, tmp_path):
    folder, _ = finished
    further = train(CONFIG, tmp_path / "a", dataset=DATA, start=folder)
    named = train(CONFIG, tmp_path / "b", dataset=DATA, start=folder / "checkpoint.safetensors")
    assert further.program == named.program


@pytest.mark.slow
def test_python_is_told_python_s_words(finished, check_error):
    with pytest.raises(KipukaError) as caught:
        train(CONFIG, finished[0], dataset=DATA)
    check_error(caught.value, what="holds a training run", where=str(finished[0]))
    check_error(caught.value, limit="empty", value="checkpoint", remedy="resume=True in Python")
