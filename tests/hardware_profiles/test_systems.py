"""Systems refer to a chip, and figures without a source stay out of every profile of Loihi 2."""

from pathlib import Path

import pytest

from kipuka.errors import KipukaError
from kipuka.hardware_profiles import SiBounds, load_profile
from kipuka_errors import check_error

FOLDER = Path(__file__).parents[2] / "hardware_profiles"


def test_systems_take_over_the_chip_and_say_what_is_not_published():
    chip = load_profile("loihi2")
    for name, chips in (("oheo_gulch", 1), ("kapoho_point", 8), ("hala_point", 1152)):
        system = load_profile(name)
        assert (system.energy, system.latency, system.limits) == (
            chip.energy,
            chip.latency,
            chip.limits,
        )
        assert system.system is not None
        assert system.system.chips.in_si().typical == chips
        assert (system.static_power == chip.static_power) is (name == "oheo_gulch")
    assert load_profile("hala_point").static_power.in_si() == SiBounds(None, None, None)
    assert load_profile("kapoho_point").system.chips.in_si().low == 4


def refused(folder, name, old, new):
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    file = folder / "mine.yaml"
    file.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(KipukaError) as caught:
        load_profile(file)
    check_error(caught.value, where=str(file))
    return caught.value, line


@pytest.mark.parametrize("figure", ["0.23", "0.9", "2.1", "15", "20", "100"])
def test_unsourced_energies_are_refused_with_key_line_and_reason(figure, tmp_path):
    old = "    value: 19.2\n    unit: pJ\n    low: 6.8\n    high: 29.9\n"
    new = f"    value: {figure}\n    unit: pJ\n    low: 0.01\n    high: 200\n"
    error, line = refused(tmp_path, "loihi2", old, new)
    check_error(
        error,
        what="no source behind it",
        where=f"key energy.synaptic_operation, line {line - 1}",
        limit=f"{figure} pJ",
        value=f"{figure} pJ",
        remedy="bundled estimate",
    )


def test_the_same_figures_are_no_claim_about_another_chip(tmp_path):
    file = tmp_path / "mine.yaml"
    text = (FOLDER / "loihi1.yaml").read_text("utf-8")
    file.write_text(text.replace("value: 52\n", "value: 20\n"), "utf-8")
    assert load_profile(file).energy.neuron_update_inactive.in_si().typical == 20e-12


@pytest.mark.parametrize("chip", ["loihi9", "kapoho_point", "oheo_gulch"])
def test_a_system_without_a_chip_is_refused(chip, tmp_path):
    error, line = refused(tmp_path, "oheo_gulch", "chip_profile: loihi2", f"chip_profile: {chip}")
    check_error(
        error,
        what="refers to a chip that has no profile",
        where=f"key chip_profile, line {line}",
        limit="bundled profile of a chip",
        value=chip,
        remedy="loihi2",
    )


def test_bounds_of_a_system_are_checked(tmp_path):
    error, line = refused(tmp_path, "kapoho_point", "  low: 4\n", "  low: 9\n")
    where = f"key chips, line {line - 3}"
    check_error(error, what="do not enclose", where=where, value="low 9.0", limit="low", remedy="")
