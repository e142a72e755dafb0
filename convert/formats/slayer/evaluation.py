"""Modules of torch as an evaluation from rest finds them, put back afterwards as they were."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from kipuka.errors import KipukaError

STATES = ("current_state", "voltage_state", "spike_state")
"""Buffers in which SLAYER's neurons and blocks keep what persists from one call to the next."""

WRAPPERS = {
    "torch._dynamo.eval_frame": "_orig_mod",
    "torch.nn.parallel.data_parallel": "module",
    "torch.nn.parallel.distributed": "module",
}
"""Where classes around a module are defined, and where these hold it."""


def unwrapped(module: Any) -> Any:
    """Return the module within what compiles it or spreads it over devices."""
    while (name := WRAPPERS.get(type(module).__module__)) and hasattr(module, name):
        module = getattr(module, name)
    return module


def all_modules(modules: Iterable[Any]) -> list[Any]:
    """Modules and all that is registered below them, each once."""
    found: dict[int, Any] = {}
    waiting = [module for module in modules if hasattr(module, "_modules")]
    while waiting:
        module = waiting.pop()
        if id(module) not in found:
            found[id(module)] = module
            waiting += [part for part in module._modules.values() if part is not None]
    return list(found.values())


@contextmanager
def evaluated(modules: Sequence[Any]) -> Iterator[None]:
    """Let modules compute on the CPU, in evaluation mode, from zero state and without gradients.

    Numbers of 16 bits are widened to float32, which changes no value. Whatever a forward pass
    within draws, counts or overwrites is undone in the end: parameters, buffers, attributes, hooks,
    modes and the states of all random generators.

    Parameters
    ----------
    modules : sequence of torch.nn.Module

    Raises
    ------
    KipukaError
        If a tensor has no plain memory: it is sparse, or laid out for a library.
    """
    import torch

    everything = all_modules(modules)
    _refuse_other_layouts(everything)
    kept = [_Kept(module) for module in everything]
    with _generators(), torch.no_grad():
        try:
            for module in everything:
                _prepare(module)
            yield
        finally:
            for one in kept:
                one.restore()


def _refuse_other_layouts(modules: Sequence[Any]) -> None:
    import torch

    for module in modules:
        for name, value in {**module._parameters, **module._buffers}.items():
            if _is_drawn(value) and value.layout != torch.strided:
                raise KipukaError(
                    "a tensor of the network has no plain memory",
                    where=f"{type(module).__name__}, {name}",
                    limit="dense tensors",
                    value=value.layout,
                    remedy="make it dense with to_dense() before exporting",
                )


class _Kept:
    """Everything about one module that may change.

    Attributes are kept by reference, dictionaries and lists by their items, tensors by content.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.attributes = dict(module.__dict__)
        holders = [v for v in self.attributes.values() if isinstance(v, dict | list)]
        self.holders = [(holder, holder.copy()) for holder in holders]
        own = (module._parameters, module._buffers, self.attributes)
        tensors = {id(t): t for values in own for t in values.values() if _is_drawn(t)}
        self.tensors = [(t, t.data, t.data.clone()) for t in tensors.values()]

    def restore(self) -> None:
        for tensor, data, content in self.tensors:
            if not _same_memory(tensor.data, data):
                tensor.data = data
            if not data.equal(content):
                data.copy_(content)
        self.module.__dict__.clear()
        self.module.__dict__.update(self.attributes)
        for holder, items in self.holders:
            holder.clear()
            (holder.update if isinstance(holder, dict) else holder.extend)(items)


def _is_drawn(value: Any) -> bool:
    """Whether something is a tensor that has values."""
    import torch

    return isinstance(value, torch.Tensor) and not (
        value.is_meta or torch.nn.parameter.is_lazy(value)
    )


def _same_memory(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.data_ptr() == b.data_ptr())


def _prepare(module: Any) -> None:
    module.__dict__["training"] = False
    module.__dict__.pop("_compiled_call_impl", None)
    for parameter in module._parameters.values():
        if _is_drawn(parameter):
            parameter.data = _widened(parameter.data)
    for values in (module._buffers, module.__dict__):
        for name, value in list(values.items()):
            if _is_drawn(value):
                values[name] = _widened(value.detach())
    for name in STATES:
        if _is_drawn(module._buffers.get(name)):
            module._buffers[name] = module._buffers[name].new_zeros(1)
    if "delay_buffer" in module.__dict__:
        module.__dict__["delay_buffer"] = None


def _widened(tensor: Any) -> Any:
    narrow = tensor.is_floating_point() and tensor.element_size() < 4
    return tensor.cpu().float() if narrow else tensor.cpu()


@contextmanager
def _generators() -> Iterator[None]:
    """Seed all random generators, and put them back."""
    import torch

    devices = list(range(torch.cuda.device_count()))
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002
