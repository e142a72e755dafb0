"""What a network asks of the arithmetic of a chip, and the refusal where a chip cannot do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kipuka.deploy.costs.mapping.groups import Group
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.hardware_profiles import HardwareProfile


class Lacking(NamedTuple):
    """An ability that a group needs and a chip does not have.

    Attributes
    ----------
    group : Group
    ability : str
        Name for people, such as ``programmable neurons``.
    """

    group: Group
    ability: str


def lacking(groups: tuple[Group, ...], hardware: HardwareProfile) -> Iterator[Lacking]:
    """Yield every ability that a group needs and the chip does not have.

    Parameters
    ----------
    groups : tuple of Group
    hardware : HardwareProfile
    """
    abilities = hardware.abilities
    senders = {b.sender for group in groups for b in group.bundles if b.graded}
    for position, group in enumerate(groups):
        if group.programmable and not abilities.programmable_neurons.able:
            yield Lacking(group, "programmable neurons")
        graded = position in senders or any(bundle.graded for bundle in group.bundles)
        if graded and not abilities.graded_messages.able:
            yield Lacking(group, "graded messages")


def check_abilities(groups: tuple[Group, ...], hardware: HardwareProfile) -> None:
    """Refuse a network that the chip cannot compute.

    Raises
    ------
    KipukaError
        It names layer, neuron model and what the chip lacks.
    """
    missing = list(lacking(groups, hardware))
    if missing:
        first = missing[0].group
        lacked = [one.ability for one in missing if one.group is first]
        raise KipukaError(
            "the chip cannot compute this network",
            where=f"{first.name} ({first.kind}) on {hardware.name}",
            limit=f"{hardware.chip} has no {' and no '.join(lacked)}",
            value=f"{first.kind}, which needs {' and '.join(lacked)}",
            remedy="take a chip that has them, for example loihi2, or a network of CUBA layers",
        )
