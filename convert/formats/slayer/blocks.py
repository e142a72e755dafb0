"""The blocks of a SLAYER network in registration order, found without importing torch.

Modules are recognised by the class and the module they were defined in, so that a network may be
any ``torch.nn.Module`` and needs no base class of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kipuka.convert.formats.slayer.evaluation import all_modules
from kipuka.errors import KipukaError

CUBA_BLOCKS = "lava.lib.dl.slayer.block.cuba"
BLOCK_MODULES = (
    CUBA_BLOCKS,
    "lava.lib.dl.slayer.block.sigma_delta",
    "kipuka.train.sigma_delta.blocks",
    "kipuka.train.gru.dense",
    "kipuka.train.gru.convolutional",
    "kipuka.train.audio_layout",
)
"""Where classes of blocks are defined."""

SUPPORTED = (
    "cuba.Input, Flatten, Dense, Recurrent, Conv, Pool, Affine, Average; SpikingGRU, "
    "ConvSpikingGRU and AudioLayout of kipuka.train"
)
"""What a network may consist of, for messages."""

LOADED = "lava.lib.dl.slayer.auto"
"""Where SLAYER's container is defined that reads its blocks from a file."""

PARAMETRIZED = "torch.nn.utils.parametrize"
"""Where torch makes the classes of modules whose parameters it computes."""

ASIDE = ("torch.nn.modules.loss", "lava.lib.dl.slayer.loss", "lava.lib.dl.slayer.classifier")
"""Where modules are defined that evaluate what the blocks give and are no part of the network."""

TRANSPARENT = ("Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout")
"""Layers of torch that do nothing once training is over."""

LIBRARIES = ("torch.nn.modules.", "lava.lib.dl.")
CONTAINERS = ("torch.nn.modules.container", LOADED)


_TORCHS_OWN = ("_parameters", "_buffers", "_modules")
"""Attributes in which torch registers what it knows of."""


@dataclass(frozen=True, eq=False)
class Block:
    """One block of the network.

    Attributes
    ----------
    number : int
        From 0, in the order of registration.
    kind : str
        Name of its class, or of the block class that it inherits from.
    module : torch.nn.Module
    """

    number: int
    kind: str
    module: Any

    @property
    def where(self) -> str:
        """Name of the block in messages."""
        return _place(self.number, self.module)


def find_blocks(network: Any) -> list[Block]:
    """Blocks of a module, or of several, in the order of their registration.

    Parameters
    ----------
    network : torch.nn.Module or iterable of them
        Containers and modules of the user's own are searched; losses, dropout and the like are
        passed over.

    Returns
    -------
    list of Block

    Raises
    ------
    KipukaError
        If something else computes, or holds parameters, between the blocks.
    """
    modules = [network] if hasattr(network, "_modules") else list(network)
    _refuse_unregistered(modules)
    blocks: list[Block] = []
    for number, module in enumerate(_leaves(modules)):
        kind = block_class(module)
        if kind is None or not _forward_unchanged(module, kind):
            raise unsupported(_place(number, module), _reason(module, kind), SUPPORTED)
        if any(module is block.module for block in blocks):
            raise KipukaError(
                "a block is registered more than once, so that its place is not known",
                where=_place(number, module),
                limit="every block in one place",
                value=f"the same object as block {[b.module for b in blocks].index(module)}",
                remedy="give each place a block of its own, such as copy.deepcopy(block)",
            )
        blocks.append(Block(number, kind.__name__, module))
    return blocks


def block_class(module: Any) -> type | None:
    """Class of the block, past the subclasses that a user may have made of it; None if no block."""
    return next((c for c in type(module).__mro__ if c.__module__ in BLOCK_MODULES), None)


def plain_class(module: Any) -> type:
    """Class of a module, past the one that torch makes of it to parametrize it."""
    return next(kind for kind in type(module).__mro__ if kind.__module__ != PARAMETRIZED)


def unsupported(where: str, value: str, limit: str, remedy: str = "") -> KipukaError:
    """Refusal of a block, to be raised by the caller."""
    return KipukaError(
        "the block has no exact counterpart in integers",
        where=where,
        limit=limit,
        value=value,
        remedy=remedy or "train the network with the blocks that the limit names",
    )


def _refuse_unregistered(modules: Iterable[Any]) -> None:
    """Refuse blocks in lists and the like, of which torch does not know."""
    everything = all_modules(modules)
    known = {id(module) for module in everything}
    for module in everything:
        if block_class(module) is not None:
            continue
        own = {name: value for name, value in vars(module).items() if name not in _TORCHS_OWN}
        for name, value in own.items():
            hidden = next((one for one in _blocks_within(value) if id(one) not in known), None)
            if hidden is not None:
                raise KipukaError(
                    "a block stands in a plain list, of which torch registers nothing",
                    where=f"attribute {name} of {type(module).__name__}",
                    limit="blocks that are registered, in the order of forward",
                    value=f"a {type(value).__name__} with a {type(hidden).__name__}",
                    remedy="use torch.nn.ModuleList, or give program_from_blocks the list",
                )


def _blocks_within(value: Any) -> Iterator[Any]:
    """Blocks in lists, tuples, sets and dictionaries."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        for one in value:
            yield from _blocks_within(one)
    elif block_class(value) is not None and hasattr(value, "_modules"):
        yield value


def _leaves(modules: Iterable[Any]) -> Iterator[Any]:
    """Yield blocks, and whatever stands where only blocks may."""
    for module in modules:
        defined_in = getattr(type(module), "__module__", "")
        if defined_in.startswith(ASIDE) or _is_transparent(module):
            continue
        # Torch's own `children` would hide that a block stands in a list twice.
        parts = getattr(module, "_modules", None)
        library = defined_in.startswith(LIBRARIES) and not defined_in.startswith(CONTAINERS)
        if block_class(module) or library or parts is None or _has_parameters(module):
            yield module
        else:
            yield from _leaves(part for part in parts.values() if part is not None)


def _is_transparent(module: Any) -> bool:
    return any(
        c.__module__.startswith(LIBRARIES) and c.__name__ in TRANSPARENT
        for c in type(module).__mro__
        if getattr(c, "forward", None) is getattr(type(module), "forward", None)
    )


def _has_parameters(module: Any) -> bool:
    return any(parameter is not None for parameter in module._parameters.values())


def _forward_unchanged(module: Any, kind: type) -> bool:
    return bool(type(module).forward is kind.forward)  # type: ignore[attr-defined]


def _reason(module: Any, kind: type | None) -> str:
    if kind is not None:
        return f"a forward pass of its own in a subclass of {kind.__name__}"
    if getattr(module, "_modules", None) is None:
        return f"{type(module).__name__}, which is no torch module"
    return f"{type(module).__module__}.{type(module).__name__}"


def _place(number: int, module: Any) -> str:
    return f"block {number} ({type(module).__name__})"
