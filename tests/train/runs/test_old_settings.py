"""Settings by their groups, by dotted names, and as version 0.1.0 wrote them."""

import pytest

from kipuka.commands.train import chosen_settings, run_settings
from kipuka.errors import KipukaError
from kipuka.train.runs.config import (
    TrainConfig,
    make_config,
    save_config,
    setting_fields,
    setting_values,
)
from kipuka.train.runs.old_settings import MOVED, PRUNED

ANNEALED = TrainConfig(delays={"rule": "annealed", "width_steps": 3.0})


@pytest.mark.parametrize(
    "values",
    [
        {"delays": {"rule": "annealed", "width_steps": 3.0}},
        {"delays.rule": "annealed", "delays.width_steps": 3.0},
        {"delay_rule": "annealed", "delay_width_steps": 3.0},
        {"delays": {"rule": "annealed"}, "delay_width_steps": 3.0},
    ],
)
def test_three_forms_mean_the_same(values):
    assert make_config(values, "x") == ANNEALED


def test_every_setting_that_moved_is_there_and_what_is_gone_is_not():
    known = setting_fields()
    assert set(MOVED.values()) <= set(known)
    assert not {*MOVED, *PRUNED} & set(known)
    for name, field in known.items():
        assert field.description, name
    assert setting_values(TrainConfig()) == {name: field.default for name, field in known.items()}


def test_what_is_gone_loads_where_it_was_off():
    assert make_config(dict(PRUNED), "x") == TrainConfig()


@pytest.mark.parametrize("name", PRUNED)
def test_what_is_gone_is_refused_by_name_where_it_was_on(name, check_error):
    with pytest.raises(KipukaError) as caught:
        make_config({name: 0.5}, "config.yaml")
    check_error(
        caught.value,
        what=f"{name} is gone",
        where=f"config.yaml, key {name}",
        limit=str(PRUNED[name]),
        value="0.5",
        remedy="0.1.0",
    )


@pytest.mark.parametrize(
    "values",
    [
        {"delay_rule": "annealed", "delays.rule": "annealed"},
        {"delays": {"rule": "annealed"}, "delay_rule": "annealed"},
        {"delays": 3, "delays.rule": "annealed"},
    ],
)
def test_a_setting_given_twice(values, check_error):
    with pytest.raises(KipukaError) as caught:
        make_config(values, "x")
    check_error(caught.value, what="given twice", where="x, key", limit="once", value="annealed")
    check_error(caught.value, remedy="give delays.rule alone")


@pytest.mark.parametrize(
    ("values", "key", "value"),
    [
        ({"delays": 3}, "delays", "3"),
        ({"delays.rule": "slow"}, "delays.rule", "slow"),
        ({"penalties": {"rates": 1}}, "penalties.rates", "1"),
        ({"delays.rule.x": 1}, "delays.rule", "{'x': 1}"),
        ({7: 1}, "7", "1"),
    ],
)
def test_what_a_group_has_not(values, key, value, check_error):
    with pytest.raises(KipukaError) as caught:
        make_config(values, "x")
    check_error(caught.value, what="cannot be used", where=f"x, key {key}", limit="nput")
    check_error(caught.value, value=value, remedy="penalties.rate")


def test_a_typing_error_is_answered_with_the_nearest_name(check_error):
    with pytest.raises(KipukaError) as caught:
        make_config({"delays.learningrate": 1}, "x")
    check_error(caught.value, where="delays.learningrate", limit="not permitted", value="1")
    check_error(caught.value, remedy="did you mean delays.learning_rate?")


def test_options_change_one_setting_of_a_group_in_a_file(tmp_path):
    save_config(tmp_path / "c.yaml", ANNEALED)
    given = chosen_settings(["delays.width_steps=5", "time_shift_steps=2", "penalties.rate=1"], {})
    assert run_settings(tmp_path, tmp_path / "c.yaml", given, resume=False) == TrainConfig(
        delays={"rule": "annealed", "width_steps": 5.0},
        augmentation={"time_shift_steps": 2},
        penalties={"rate": 1.0},
    )


def test_a_resumed_run_names_the_setting_of_a_group_that_differs(tmp_path, check_error):
    from kipuka.train.runs.trainer import CONFIG_FILE, train

    save_config(tmp_path / CONFIG_FILE, ANNEALED)
    with pytest.raises(KipukaError) as caught:
        train(TrainConfig(delays={"rule": "annealed"}), tmp_path, resume=True)
    check_error(caught.value, where="key delays.width_steps", limit="3.0", value="8.0")
    check_error(caught.value, what="other settings", remedy="the same settings")
