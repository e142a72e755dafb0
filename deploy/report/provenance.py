"""Where the numbers of a report come from: every quantity of a hardware profile as text."""

from __future__ import annotations

from typing import Any

from kipuka.deploy.costs.conventional import ConventionalCost
from kipuka.deploy.costs.cost import Cost
from kipuka.hardware_profiles import Ability, HardwareProfile, Quantity, SiBounds
from kipuka.hardware_profiles.numbers import NOT_PUBLISHED, SPACE, count, si, si_bounds


def chip_view(profile: Cost, hardware: HardwareProfile) -> dict[str, Any]:
    """Costs on a chip with every quantity behind them.

    Parameters
    ----------
    profile : Cost
    hardware : HardwareProfile
        With which it was priced.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for key, quantity in hardware.quantities():
        group, _, name = key.partition(".")
        row = _provenance(name or group, quantity)
        groups.setdefault(group.replace("_", " "), []).append(row)
    groups["abilities"] = [_ability(name, one) for name, one in hardware.abilities.each()]
    return {
        "name": hardware.title,
        "description": hardware.description,
        "dynamic": si_bounds(profile.dynamic_energy_j, "J"),
        "static": si_bounds(profile.static_energy_j, "J"),
        "latency": si_bounds(profile.latency_s, "s"),
        "boundary": hardware.static_power.note,
        "left_out": profile.left_out,
        "groups": groups,
        "references": hardware.references,
    }


def elsewhere_view(cost: ConventionalCost) -> dict[str, Any]:
    """Row of a processor that is no spiking chip, with the boundary of its figure.

    Parameters
    ----------
    cost : ConventionalCost
    """
    figure = cost.processor.multiply_accumulate
    return {
        "name": cost.processor.title,
        "sparse": _energy(cost.where_spikes_arrive_j),
        "dense": _energy(cost.every_step_j),
        "boundary": figure.note,
        "each": f"{count(figure.value or 0)}{SPACE}{_unit(figure.unit)}",
        "source": figure.source,
        "secondary": figure.secondary,
        "measured": any(one.confidence == "measured" for one in figure.inputs),
    }


def _energy(bounds: SiBounds) -> tuple[str, str]:
    """Typical energy, and below it what is known of its bounds."""
    low = "" if bounds.low is None else f"from {si(bounds.low, 'J')}"
    return si(bounds.typical, "J"), low


def _provenance(name: str, quantity: Quantity) -> dict[str, Any]:
    bases = (("low", quantity.low_basis), ("high", quantity.high_basis))
    return {
        "name": name.replace("_", " ").replace(".", ": "),
        "value": _published(quantity.value),
        "low": _published(quantity.low),
        "high": _published(quantity.high),
        "unit": _unit(quantity.unit),
        "confidence": quantity.confidence or NOT_PUBLISHED,
        "source": quantity.source,
        "secondary": quantity.secondary,
        "bases": [(bound, basis) for bound, basis in bases if basis is not None],
        "formula": quantity.formula,
        "inputs": [
            (f"{one.name} = {count(one.value)}{SPACE}{_unit(one.unit)}", one)
            for one in quantity.inputs
        ],
        "note": quantity.note,
    }


def _ability(name: str, ability: Ability) -> dict[str, Any]:
    return {
        "name": name.replace("_", " "),
        "value": "yes" if ability.able else "no",
        "low": "",
        "high": "",
        "unit": "",
        "confidence": ability.confidence,
        "source": ability.source,
        "secondary": ability.secondary,
        "bases": [],
        "formula": None,
        "inputs": [],
        "note": ability.note,
    }


def _published(value: float | None) -> str:
    return NOT_PUBLISHED if value is None else count(value)


def _unit(unit: str) -> str:
    return f"µ{unit[1:]}" if unit in ("uJ", "us", "uW") else unit
