"""Bundled profiles are sound, and whatever breaks a rule is refused with file, key and line."""

from __future__ import annotations

import copy
import doctest
import pickle
import sys
from pathlib import Path

import pytest
import yaml

from kipuka.errors import KipukaError
from kipuka.hardware_profiles import (
    UNITS,
    HardwareProfile,
    Quantity,
    SiBounds,
    load_profile,
    profile_names,
)
from kipuka_errors import check_error

# Figures that circulate as Loihi 2 energies, in pJ, with no source behind them.
REFUSED_PJ = (0.23, 0.9, 2.1, 15.0, 20.0, 100.0)

BUNDLED = ("hala_point", "kapoho_point", "loihi1", "loihi2", "oheo_gulch")


def loihi1_text() -> str:
    """Return the bundled Loihi 1 file, from which the tests make broken ones."""
    return (Path(__file__).parents[2] / "hardware_profiles" / "loihi1.yaml").read_text("utf-8")


def refusal(folder: Path, text: str) -> KipukaError:
    """Return the error that loading a file with this text raises."""
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(KipukaError) as caught:
        load_profile(file)
    check_error(caught.value, where=str(file))
    return caught.value


def edited(old: str, new: str) -> tuple[str, int]:
    """Replace the first `old` by `new`; return the text and the line of the first change."""
    text = loihi1_text()
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    return text.replace(old, new, 1), line


def test_the_bundled_profiles_are_found_and_load() -> None:
    assert profile_names() == BUNDLED
    for name in profile_names():
        assert load_profile(name).name == name


def test_a_path_loads_as_text_and_as_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(loihi1_text(), encoding="utf-8")
    assert load_profile(str(file)) == load_profile(file) == load_profile("loihi1")


def test_a_profile_is_immutable_and_hashable() -> None:
    profile = load_profile("loihi2")
    with pytest.raises(ValueError, match="frozen"):
        profile.energy.hop.value = 1.0
    assert hash(profile) == hash(load_profile("loihi2"))


def test_si_conversion_of_loihi1_by_hand() -> None:
    profile = load_profile("loihi1")
    assert profile.energy.synaptic_operation.in_si() == SiBounds(23.6e-12, 23.6e-12, None)
    assert profile.energy.neuron_update.in_si() == SiBounds(None, 81e-12, None)
    assert profile.energy.hop.in_si() == SiBounds(3e-12, 3.5e-12, 4e-12)
    assert profile.latency.synaptic_operation.in_si() == SiBounds(None, 3.5e-9, 3.5e-9)
    assert profile.latency.barrier.in_si() == SiBounds(113e-9, 465e-9, 465e-9)
    assert profile.static_power.in_si() == SiBounds(None, 0.1044, None)
    assert profile.limits.synaptic_memory_per_core.in_si() == SiBounds(None, 131072.0, None)


def test_si_conversion_of_loihi2_by_hand() -> None:
    profile = load_profile("loihi2")
    assert profile.energy.synaptic_operation.in_si() == SiBounds(6.8e-12, 19.2e-12, 29.9e-12)
    assert profile.energy.neuron_update.in_si() == SiBounds(0.0, 65.9e-12, 114e-12)
    assert profile.energy.dendrite_updates_per_neuron_update.in_si() == SiBounds(1.0, 2.0, 2.0)
    assert profile.latency.synaptic_operation.in_si() == SiBounds(0.62e-9, 0.66e-9, 0.94e-9)
    assert profile.latency.neuron_update.in_si() == SiBounds(0.58e-9, 4e-9, 4.2e-9)
    assert profile.latency.barrier.in_si() == SiBounds(0.6e-6, 1.8e-6, 1.8e-6)
    assert profile.static_power.in_si() == SiBounds(0.10, 0.23, 0.31)
    assert profile.limits.delay_steps.in_si() == SiBounds(None, 62.0, 63.0)


def test_what_is_not_published_stays_none() -> None:
    energy = load_profile("loihi2").energy
    for quantity in (energy.neuron_update_inactive, energy.spike, energy.hop):
        assert quantity.in_si() == SiBounds(None, None, None)
        assert quantity.note is not None and "not published" in quantity.note


def test_every_loihi1_operation_is_marked_as_simulated_or_derived_and_secondary() -> None:
    profile = load_profile("loihi1")
    for name, quantity in profile.quantities():
        if name.startswith(("energy.", "latency.")):
            assert quantity.secondary, name
            assert quantity.confidence in ("pre-silicon simulation", "derived", None), name


def test_no_loihi2_energy_is_called_measured() -> None:
    for name, quantity in load_profile("loihi2").quantities():
        if UNITS[quantity.unit][0] == "J" and quantity.value is not None:
            assert quantity.confidence == "derived", name


@pytest.mark.parametrize("refused", REFUSED_PJ)
def test_no_number_without_a_source_appears_as_a_loihi2_energy(refused: float) -> None:
    refused_j = float(f"{refused}e-12")
    for name, quantity in load_profile("loihi2").quantities():
        if UNITS[quantity.unit][0] == "J":
            assert refused_j not in quantity.in_si(), name
        for given in quantity.inputs:
            assert UNITS[given.unit][0] != "J" or given.in_si() != refused_j, name


def derived_numbers() -> list[tuple[str, Quantity, str, str]]:
    """Return every assignment of every formula: key, quantity, target and expression."""
    found = []
    for profile_name in BUNDLED:
        for name, quantity in load_profile(profile_name).quantities():
            for part in (quantity.formula or "").split(";"):
                target, _, expression = part.partition("=")
                if expression:
                    key = f"{profile_name}.{name}"
                    found.append((key, quantity, target.strip(), expression.strip()))
    return found


@pytest.mark.parametrize(
    ("quantity", "target", "expression"),
    [pytest.param(*case[1:], id=f"{case[0]}.{case[2]}") for case in derived_numbers()],
)
def test_a_derived_number_is_what_its_formula_gives(
    quantity: Quantity, target: str, expression: str
) -> None:
    names = {given.name: given.in_si() for given in quantity.inputs}
    factor = float(UNITS[quantity.unit][1])
    computed = eval(expression, {"__builtins__": {}}, names) / factor
    stated: float = getattr(quantity, target)
    # Equal to the last digit that the profile gives.
    decimals = 0 if stated.is_integer() else len(repr(stated).partition(".")[2])
    assert round(computed, decimals) == stated


@pytest.mark.parametrize("name", BUNDLED)
def test_every_reference_is_cited(name: str) -> None:
    profile = load_profile(name)
    cited = " ".join(source for _, each in profile.quantities() for source in each.sources())
    for reference in profile.references:
        assert f"[{reference.key}]" in cited


CASES = {
    "missing unit": (
        ("    value: 23.6\n    unit: pJ\n", "    value: 23.6\n"),
        (-1, "energy.synaptic_operation.unit", "A key is missing", "unit is required", "no such"),
        "add the key unit",
    ),
    "missing source": (
        ('    low: 23.6\n    source: "[Davies18] Table 2, p. 96"\n', "    low: 23.6\n"),
        (-3, "energy.synaptic_operation.source", "A key is missing", "source is req", "no such"),
        "add the key source",
    ),
    "empty source": (
        ('source: "[Davies18] Table 2, p. 96"', 'source: ""'),
        (0, "energy.synaptic_operation.source", "source does not say", "square brackets", "''"),
        "cite one of the references",
    ),
    "source without a place": (
        ('source: "[Davies18] Table 2, p. 96"', 'source: "[Davies18]"'),
        (0, "energy.synaptic_operation.source", "source does not say", "Table 2", "[Davies18]"),
        "cite one of the references",
    ),
    "source that is not listed": (
        ('source: "[Davies18] Table 2, p. 96"', 'source: "[Nobody99] p. 1"'),
        (None, None, "energy.synaptic_operation cites", "Davies18, Frady20", "[Nobody99]"),
        "add the source to references",
    ),
    "negative energy": (
        ("value: 81", "value: -81"),
        (0, "energy.neuron_update.value", "A number is negative", "at least 0", "-81"),
        "correct the sign",
    ),
    "text for a number": (
        ("value: 81", "value: 8e1"),
        (0, "energy.neuron_update.value", "not a number", "a finite number", "'8e1'"),
        "3.8e+14",
    ),
    "endless number": (
        ("value: 81", "value: .inf"),
        (0, "energy.neuron_update.value", "not a number", "a finite number", "inf"),
        "write a number",
    ),
    "unknown unit": (
        ("unit: pJ", "unit: fJ"),
        (0, "energy.synaptic_operation.unit", "unit is not one", "one of J, mJ", "'fJ'"),
        "convert the number",
    ),
    "unit of another kind": (
        ("    value: 81\n    unit: pJ", "    value: 81\n    unit: ns"),
        (-1, "energy.neuron_update", "unit does not fit", "one of J, mJ, uJ, nJ, pJ", "'ns'"),
        "unit of the right kind",
    ),
    "unknown key": (
        ("    value: 81\n", "    valeu: 81\n    value: 81\n"),
        (0, "energy.neuron_update.valeu", "A key is unknown", "profile schema", "'valeu'"),
        "correct the spelling",
    ),
    "unknown confidence": (
        ("confidence: pre-silicon simulation", "confidence: certain"),
        (0, "energy.synaptic_operation.confidence", "one of those", "'measured'", "'certain'"),
        "take one of these words",
    ),
    "no confidence": (
        ("    confidence: pre-silicon simulation\n", ""),
        (-5, "energy.synaptic_operation", "no confidence", "beside every value", "no confidence"),
        "add the key confidence",
    ),
    "low above value": (
        ("    low: 23.6\n", "    low: 30\n"),
        (-3, "energy.synaptic_operation", "do not enclose", "low <= value <= high", "low 30.0"),
        "correct or remove the bound",
    ),
    "low above high": (
        ("    low: 23.6\n", "    low: 30\n    high: 20\n"),
        (-3, "energy.synaptic_operation", "do not enclose", "low <= value <= high", "high 20.0"),
        "correct or remove the bound",
    ),
    "null without a reason": (
        ("value: 81", "value: null"),
        (-1, "energy.neuron_update", "null without saying why", "'not published'", "note 'Neuron"),
        "a note with the words",
    ),
    "null with a bound": (
        ("    value: null\n", "    value: null\n    low: 1\n"),
        (-1, "latency.synaptic_memory_read", "not published has bounds", "no low, high", "low 1.0"),
        "give a value too",
    ),
    "basis without its bound": (
        ("    low: 3.0\n", ""),
        (-3, "energy.hop", "low_basis belongs", "only beside low", "low null"),
        "remove low_basis",
    ),
    "derived without a formula": (
        ("    formula: value = (east_west + north_south) / 2\n", ""),
        (-16, "energy.hop", "how it was derived", "assigns value", "formula None with 2 inputs"),
        "add formula",
    ),
    "static power without its boundary": (
        ("    Boundary: one chip", "    One chip"),
        (-21, "static_power", "boundary", "'Boundary:'", "One chip"),
        "what was inside the measurement",
    ),
    "duplicate key": (
        ("    value: 81\n", "    value: 81\n    value: 82\n"),
        (1, "energy.neuron_update.value", "A key is given twice", "each key once", "'value'"),
        "remove one of the two",
    ),
    "syntax error": (
        ("value: 81", "value: [81"),
        (1, None, "not valid YAML", "YAML syntax", "expected"),
        "correct the syntax",
    ),
    "alias": (
        ("value: 81", "value: &a 81\n    low: *a"),
        (1, None, "not valid YAML", "without aliases", "aliases are not allowed"),
        "correct the syntax",
    ),
    "impossible date": (
        ("value: 81", "value: 2026-13-45"),
        (None, None, "not valid YAML", "YAML syntax", "month"),
        "correct the syntax",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_breaks_a_rule_is_refused_with_file_key_and_line(case: str, tmp_path: Path) -> None:
    (old, new), (offset, key, what, limit, value), remedy = CASES[case]
    text, line = edited(old, new)
    error = refusal(tmp_path, text)
    assert what in error.what
    assert limit in error.limit
    assert value in str(error.value)
    assert remedy in error.remedy
    if key is not None:
        assert f", key {key}, line" in error.where
    if offset is not None:
        assert error.where.endswith(f", line {line + offset}")
    for part in (error.what, error.where, error.limit, str(error.value), error.remedy):
        assert part in str(error)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "an empty file"), ("- 1\n- 2\n", "[1, 2]"), ("only words\n", "'only words'")],
)
def test_a_file_that_is_no_mapping_is_refused(text: str, found: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, text)
    assert "not a mapping" in error.what
    assert error.where.endswith("mine.yaml, line 1")
    assert error.value == found
    assert "keys and values" in error.limit
    assert "bundled profile" in error.remedy


def test_several_problems_are_counted_and_the_first_line_is_named(tmp_path: Path) -> None:
    text, line = edited("value: 81", "value: -81")
    error = refusal(tmp_path, text.replace("value: 52", "value: -52"))
    assert "the first of 2 problems" in error.what
    assert error.where.endswith(f"key energy.neuron_update.value, line {line}")


def test_a_deeply_nested_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: " + "[" * 5000).value == "nested too deeply"


def test_a_file_above_128_kibibytes_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "#" * (128 * 1024 + 1))
    assert "too large" in error.what
    assert error.limit == "131072 bytes"


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"name: \xff\n")
    with pytest.raises(KipukaError) as caught:
        load_profile(file)
    check_error(caught.value, what="not valid YAML", where=str(file), limit="UTF-8", value="0xff")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KipukaError) as caught:
        load_profile(tmp_path / "absent.yaml")
    check_error(caught.value, what="cannot be read", where="absent.yaml", remedy="loihi1")
    assert caught.value.value == "No such file or directory"


def test_an_unknown_name_is_refused_with_the_known_names() -> None:
    with pytest.raises(KipukaError) as caught:
        load_profile("loihi3")
    check_error(
        caught.value,
        what="no hardware profile of this name",
        where="the name of the hardware profile",
        limit="loihi1, loihi2",
        value="'loihi3'",
        remedy="take one of these names",
    )


@pytest.mark.parametrize("module", ["", ".loading", ".numbers"])
def test_the_examples_in_the_docstrings_run(module: str) -> None:
    result = doctest.testmod(sys.modules[f"kipuka.hardware_profiles{module}"])
    assert result.attempted > 0
    assert result.failed == 0


def test_a_profile_survives_its_own_dump() -> None:
    profile = load_profile("loihi2")
    dumped = yaml.safe_load(yaml.safe_dump(profile.model_dump(mode="json")))
    assert HardwareProfile.model_validate(dumped) == profile


@pytest.mark.parametrize(("name", "programmable"), [("loihi1", False), ("loihi2", True)])
def test_a_file_from_before_the_architecture_was_in_it_loads(
    name: str, programmable: bool, tmp_path: Path
) -> None:
    data = yaml.safe_load(
        (Path(__file__).parents[2] / f"hardware_profiles/{name}.yaml").read_text()
    )
    for group in ("mesh", "packing", "abilities", "host_input"):
        del data[group]
    del data["latency"]["synaptic_memory_read"]["note"]
    data["latency"]["synaptic_memory_read"].update(value=1.0, confidence="measured")
    data["latency"].pop("barrier_of_chips", None)
    data["references"] = [
        one for one in data["references"] if one["key"] not in ("SGSC", "SANA-FE")
    ]
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(data), "utf-8")
    loaded, bundled = load_profile(file), load_profile(name)
    assert loaded.taken_over == (name, "mesh", "packing", "abilities", "host_input")
    assert bundled.taken_over == ()
    assert (loaded.mesh, loaded.packing) == (bundled.mesh, bundled.packing)
    assert loaded.abilities.programmable_neurons.able is programmable
    assert loaded.latency.synaptic_memory_read.value == 1.0


def test_a_file_with_half_of_the_architecture_is_refused(tmp_path: Path) -> None:
    start = loihi1_text().index("mesh:\n")
    end = loihi1_text().index("packing:\n")
    error = refusal(tmp_path, loihi1_text()[:start] + loihi1_text()[end:])
    assert (error.what, error.limit) == ("A key is missing", "mesh is required here")


def test_what_a_chip_can_do_has_a_source(tmp_path: Path) -> None:
    text = loihi1_text().replace(
        'able: false\n    source: "[Brief21] technology brief"',
        'able: false\n    source: "[Me] p. 1"',
    )
    error = refusal(tmp_path, text)
    assert "abilities.programmable_neurons cites" in error.what
    assert str(error.value) == "[Me]"


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (SiBounds(1.28e-6, 4.33e-6, 5.61e-6, unit="J"), "4.33 µJ (1.28 to 5.61 µJ)"),
        (SiBounds(None, 81e-12, None, unit="J"), "81.0 pJ (low and high not published)"),
        (SiBounds(None, None, None, unit="s"), "not published"),
        (SiBounds(None, 62.0, 63.0, unit="steps"), "62 steps (low not published, high 63)"),
        (SiBounds(1.0, 2.0, 2.0), "2 (low 1, high 2)"),
    ],
)
def test_bounds_are_printed_with_their_unit(bounds, text):
    for one in (bounds, copy.deepcopy(bounds), pickle.loads(pickle.dumps(bounds))):
        assert str(one).replace("\u00a0", " ") == text
        assert one == tuple(bounds)


def test_bounds_of_a_profile_know_their_unit():
    profile = load_profile("loihi2")
    assert str(profile.energy.synaptic_operation.in_si()).endswith("pJ)")
    assert profile.limits.synaptic_memory_per_core.in_si().unit == "bytes"
