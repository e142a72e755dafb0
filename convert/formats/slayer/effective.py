"""One walk over a block: what its forward pass in evaluation mode computes with, or a refusal.

Weight and spectral normalization and pruning write a weight in a pre-hook of the forward pass; a
parametrization computes it whenever it is read. Both are applied here. Any other hook, a method
that was replaced on the object, and a value that is still to be drawn are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kipuka.convert.formats.slayer.blocks import Block, plain_class, unsupported

RUN_ONCE = "run the network once before exporting it"

PRE_HOOKS = {
    "torch.nn.utils.weight_norm": "WeightNorm",
    "torch.nn.utils.spectral_norm": "SpectralNorm",
    "torch.nn.utils.prune": "BasePruningMethod",
}
"""Where the classes of pre-hooks are defined that do no more than write a weight."""

FROM_REST = "kipuka.train.networks"
"""Where the pre-hook is defined that lets a recurrent block of Kipuka's begin from rest."""

NOT_CALLED = {
    "Recurrent": ("recurrent_synapse",),
    "Affine": ("neuron",),
    "SpikingGRU": ("neuron", "delay_rec"),
    "ConvSpikingGRU": ("neuron", "delay_rec"),
}
"""Parts by kind of block that the forward pass reads without calling them, so that no hook runs."""


def apply_hooks(block: Block) -> None:
    """Write the values that pre-hooks of the forward pass would write.

    Parameters
    ----------
    block : Block
        In `evaluated`, which takes the values back.

    Raises
    ------
    KipukaError
        If the forward pass does something else than that of the block's class.
    """
    for name, module in _parts(block.module):
        _check_part(block, name, module)
        if name not in NOT_CALLED.get(block.kind, ()):
            run_pre_hooks(module)


def run_pre_hooks(module: Any) -> None:
    """Run the pre-hooks of a module that `apply_hooks` has found harmless."""
    for hook in module._forward_pre_hooks.values():
        if _writes_a_weight(hook):
            hook(module, ())


def check_class(where: str, name: str, module: Any, limit: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse a part of a block that is of another class.

    Parameters
    ----------
    where, name : str
        The block, and what its part is, for the message.
    module : object
    limit : mapping of str to tuple of str
        Names of classes by the module that defines them.
    """
    kind = plain_class(module)
    if kind.__name__ not in limit.get(kind.__module__, ()):
        allowed = [f"{file}.{one}" for file, names in limit.items() for one in names]
        found = f"{name} {kind.__module__}.{kind.__name__}"
        raise unsupported(where, found, " or ".join(allowed))


def _parts(module: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, module
    for key, part in module._modules.items():
        if part is not None:
            yield from _parts(part, f"{name}.{key}" if name else key)


def _check_part(block: Block, name: str, module: Any) -> None:
    where = f"{block.where}, {name}" if name else block.where
    for hook in module._forward_hooks.values():
        raise _hooked(where, f"a forward hook, {_named(hook)}")
    for hook in module._forward_pre_hooks.values():
        if not _writes_a_weight(hook) and getattr(hook, "__module__", "") != FROM_REST:
            raise _hooked(where, f"a forward pre-hook, {_named(hook)}")
    for key, value in module.__dict__.items():
        if callable(value) and callable(getattr(type(module), key, None)):
            raise unsupported(
                where,
                f"a method {key} of the object's own",
                f"the {key} of its class",
                f"remove it (del {key} on the object), or make it a block of its own class",
            )
    for key, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None and tensor.is_complex():
            raise unsupported(where, f"complex values of {key}", "real values")
        if tensor is not None and (tensor.is_meta or type(tensor).__name__.startswith("Uninit")):
            found = f"values of {key} that are still to be drawn"
            raise unsupported(where, found, "drawn values", RUN_ONCE)


def _hooked(where: str, found: str) -> Exception:
    limit = "no hooks but those of weight_norm, spectral_norm and pruning of torch.nn.utils"
    remedy = "remove the hook (handle.remove()) before exporting"
    return unsupported(where, found, limit, remedy)


def _writes_a_weight(hook: Any) -> bool:
    return any(PRE_HOOKS.get(one.__module__) == one.__name__ for one in type(hook).__mro__)


def _named(hook: Any) -> str:
    return str(getattr(hook, "__qualname__", type(hook).__qualname__))
