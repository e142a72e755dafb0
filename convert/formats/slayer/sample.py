"""One sample through the blocks and through the layers that were made of them, compared bit by bit.

Every block gets spikes of its own, drawn anew, so that a silent layer hides nothing: its output is
compared with that of its layer, and a module's own forward pass has to hand each block what the one
before gave, once and in the order of registration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.slayer.blocks import ASIDE, Block, block_class
from kipuka.convert.formats.slayer.evaluation import all_modules, evaluated, unwrapped
from kipuka.convert.formats.slayer.replay import replay
from kipuka.convert.program import PREVIOUS, Program
from kipuka.errors import KipukaError

STEPS = 16
"""Steps of the sample beside the longest delay."""

SAMPLE_AXES = 3
"""Axes of a sample whose units stand in one row."""

IN_A_ROW = ("Dense", "Affine", "Recurrent", "SpikingGRU")
"""Blocks that take their input in one row if they have as many inputs as there are units."""

LIST = "give program_from_blocks the list of blocks in the order in which forward calls them"


class _Call(NamedTuple):
    """One call of a block: what it was given, what it gave, and what it was said to have given."""

    block: Block
    taken: Any
    given: Any
    passed_on: Any


def check_sample(
    program: Program, modules: Iterable[Any], blocks: Sequence[Block], layer_of: Mapping[int, int]
) -> None:
    """Compare a Program with the modules that it was made of.

    Parameters
    ----------
    program : Program
    modules : iterable of torch.nn.Module
        In `evaluated`.
    blocks : sequence of Block
        All that they hold.
    layer_of : mapping of int to int
        Position of the layer by the number of the block that it was made of.

    Raises
    ------
    KipukaError
        If a forward pass cannot be run, takes another way than from block to block, or gives
        something else than the layer.
    """
    for block in blocks:
        if block.number in layer_of:
            _align_decays(block, program.shape_of(layer_of[block.number]))
    sample = _Sample(program, blocks, layer_of)
    for module in _runnable(modules):
        sample.run(module)
    for call in sample.calls:
        if call.block.number in layer_of:
            _compare(program, call, layer_of[call.block.number])


def _align_decays(block: Block, shape: tuple[int, ...]) -> None:
    """Let SLAYER on the CPU take decays by channel, as on a GPU, and not along the width."""
    for name in ("current_decay", "voltage_decay"):
        decay = block.module.neuron._parameters.get(name)
        if decay is not None and decay.ndim == 1 and decay.numel() == shape[0] > 1:
            decay.data = decay.data.reshape(-1, *(1 for _ in shape[1:]))


def _dtype(blocks: Sequence[Block]) -> Any:
    """Type of the first parameter of any block."""
    import torch

    parameters = (p for block in blocks for p in block.module.parameters())
    return getattr(next(parameters, None), "dtype", torch.float32)


def _runnable(modules: Iterable[Any]) -> Iterator[Any]:
    """Yield modules that have a forward pass, in the place of lists the modules in them."""
    for module in modules:
        if type(module).__module__.startswith(ASIDE):
            continue
        module = unwrapped(module)
        if type(module).forward.__name__ == "_forward_unimplemented" and not vars(module).get(
            "forward"
        ):
            yield from _runnable(part for part in module._modules.values() if part is not None)
        else:
            yield module


class _Sample:
    """A sample on its way from module to module."""

    def __init__(
        self, program: Program, blocks: Sequence[Block], layer_of: Mapping[int, int]
    ) -> None:
        self.program, self.layer_of = program, layer_of
        self.block_of = {id(block.module): block for block in blocks}
        self.calls: list[_Call] = []
        self.rng = np.random.default_rng(0)
        projections = [p for layer in program.layers for p in layer.projections]
        delays = [program.readout.delays, *(p.delays for p in projections)]
        self.n_steps = STEPS + max(int(d.max(initial=0)) for d in delays)
        self.x = self._first_input(_dtype(blocks))

    def _first_input(self, dtype: Any) -> Any:
        import torch

        shape = (1, *self.program.input_shape, self.n_steps)
        if self.program.encoder is None:
            return self.spikes(shape, dtype)
        # Beyond the limits of 8 bits, and between the steps of its grid.
        return torch.from_numpy(self.rng.uniform(-5, 5, shape)).to(dtype)

    def spikes(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Draw spikes, few in the first steps and many in the last."""
        import torch

        rate = np.linspace(0.02, 0.6, shape[-1])
        return torch.from_numpy(self.rng.random(shape) < rate).to(dtype)

    def run(self, module: Any) -> None:
        """Send the sample through a module.

        Raises
        ------
        KipukaError
        """
        block = self.block_of.get(id(module))
        if block is None:
            self._through(module)
            return
        taken = self._in_shape(block)
        if hasattr(module, "count_log"):
            # Its rate fails in the torch of today, and nobody has asked for it.
            module.count_log = False
        self._note(block, taken, _called(module, taken, block.where))

    def _note(self, block: Block, taken: Any, given: Any) -> Any:
        """Keep a call of a block, and return what stands for its output from here on."""
        value = given[0] if isinstance(given, tuple) else given
        self.x = self.spikes(tuple(value.shape), value.dtype)
        self.calls.append(_Call(block, taken, value, self.x))
        return (self.x, *given[1:]) if isinstance(given, tuple) else self.x

    def _in_shape(self, block: Block) -> Any:
        """Return the sample in the shape that a block takes."""
        position = self.layer_of.get(block.number)
        if position is None or block.kind == "Input":
            return self.x.flatten(1, -2) if block.kind == "AudioLayout" else self.x
        synapse = getattr(block.module, "input_synapse", None) or block.module.synapse
        shape = self.program.shape_of(position - 1)
        units = int(np.prod(shape))
        if block.kind in IN_A_ROW and synapse.in_channels == units:
            shape = (units,)
        return self.x.reshape(1, *shape, self.n_steps)

    def _through(self, module: Any) -> None:
        """Run a module's own forward pass, with its blocks' outputs replaced."""
        inside = {id(part) for part in all_modules([module])}
        blocks = [block for key, block in self.block_of.items() if key in inside]
        shapes = [self.x]
        if not self.calls and self.x.ndim > SAMPLE_AXES:
            shapes.append(self.x.flatten(1, -2))
        done, refusals = len(self.calls), []
        for x in shapes:
            del self.calls[done:]
            # A try that fails leaves shapes behind.
            with evaluated([module]), _only(self.block_of):
                for block in blocks:
                    vars(block.module)["forward"] = self._standing_in(block)
                try:
                    output = _called(module, x, type(module).__name__)
                except KipukaError as error:
                    refusals.append(error)
                    continue
            _check_way(module, blocks, self.calls[done:], x, output)
            return
        raise refusals[0]

    def _standing_in(self, block: Block) -> Callable[..., Any]:
        forward = type(block.module).forward

        def stand_in(*taken: Any, **named: Any) -> Any:
            given = forward(block.module, *taken, **named)
            return self._note(block, (*taken, *named.values())[0], given)

        return stand_in


def _called(module: Any, taken: Any, where: str) -> Any:
    """Output of a module.

    Raises
    ------
    KipukaError
        If there is none, whatever the module raised.
    """
    try:
        return module(taken)
    except KipukaError:
        raise
    except Exception as error:
        raise KipukaError(
            "the forward pass cannot be run to compare it with the exported network",
            where=where,
            limit=f"a forward pass of one sample of the shape {tuple(taken.shape)}, on the CPU",
            value=f"{type(error).__name__}: {' '.join(str(error).split())}",
            remedy=f"let forward take such a sample alone, pass input_shape, or {LIST}",
        ) from error


@contextmanager
def _only(known: Mapping[int, Block]) -> Iterator[None]:
    """Refuse blocks that are run but not known."""
    from torch.nn.modules.module import register_module_forward_pre_hook

    def look(module: Any, taken: Any) -> None:
        if block_class(module) is not None and id(module) not in known:
            raise _astray(
                type(module).__name__, "registered blocks only", "one that is not registered"
            )

    handle = register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


def _check_way(
    module: Any, blocks: Sequence[Block], calls: Sequence[_Call], x: Any, output: Any
) -> None:
    """Refuse a forward pass that is no chain of the blocks in their order."""
    wanted, found = ([one.number for one in blocks], [call.block.number for call in calls])
    name = type(module).__name__
    if found != wanted:
        raise _astray(name, f"blocks {_listed(wanted)}", f"blocks {_listed(found)}")
    for call in calls:
        if not _same(call.taken, x):
            limit = "what the block before gave, unchanged"
            raise _astray(f"{name}, {call.block.where}", limit, "another input")
        x = call.passed_on
    while isinstance(output, tuple | list) and output:
        output = output[0]
    comparable = not blocks or getattr(output, "shape", None) == x.shape
    if comparable and not _same(output, x):
        limit = "what the last block gave, unchanged"
        raise _astray(f"{name}, output", limit, "another output")


def _astray(where: str, limit: str, value: str) -> KipukaError:
    return KipukaError(
        "the forward pass is no chain of the blocks in the order of their registration",
        where=where,
        limit=limit,
        value=value,
        remedy=f"register the blocks in that order, remove hooks, or {LIST} if it is a chain",
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers) or "none"


def _same(a: Any, b: Any) -> bool:
    return bool(
        hasattr(a, "reshape") and a.numel() == b.numel() and a.reshape(-1).equal(b.reshape(-1))
    )


def _compare(program: Program, call: _Call, position: int) -> None:
    """Refuse a layer that gives something else than its block."""
    taken, given = (x.detach().flatten(1, -2)[0].double().numpy() for x in (call.taken, call.given))
    encoder = program.encoder if position == 0 else None
    arriving = encoder.activation(taken) if encoder else taken != 0
    result = replay(program.layers[position], arriving, encoder)
    if call.block.kind == "Affine":
        expected = result.membrane / fixed.STATE_SCALE
    else:
        expected = _sent(program, position, result.spikes, bool(call.block.module.delay_shift))
    n_steps = result.exact_steps
    if given.shape != expected.shape or np.any(given[:, :n_steps] != expected[:, :n_steps]):
        raise KipukaError(
            "the exported layer does not compute what its block computes",
            where=f"{call.block.where}, layer {program.numbers[position]}, the first that differs",
            limit="the block's forward pass in evaluation mode, bit for bit, on one sample",
            value=_difference(given, expected, n_steps),
            remedy="look for what changes the block's forward pass, such as methods that were "
            "replaced or values drawn anew, or load its state_dict into a block made anew",
        )


def _sent(program: Program, position: int, spikes: np.ndarray, shifted: bool) -> np.ndarray:
    """Spikes of a layer as the next one has them, with its output delays."""
    delays = program.readout.delays
    if position + 1 < len(program.layers):
        delays = program.layers[position + 1].delays_from(PREVIOUS)
    n_neurons, n_steps = spikes.shape
    when = np.arange(n_steps) - int(shifted) - delays.astype(np.int64)[:, None]
    found = spikes[np.arange(n_neurons)[:, None], np.maximum(when, 0)] & (when >= 0)
    return found.astype(np.float64)


def _difference(given: np.ndarray, expected: np.ndarray, n_steps: int) -> str:
    if given.shape != expected.shape:
        return f"outputs of shape {given.shape} and {expected.shape}"
    wrong = np.argwhere(given[:, :n_steps] != expected[:, :n_steps])
    neuron, step = wrong[np.argmin(wrong[:, 1])]
    return (
        f"{len(wrong)} of {given[:, :n_steps].size} outputs, the first of neuron {neuron} in step "
        f"{step}: {given[neuron, step]:g} of the block, {expected[neuron, step]:g} of the layer"
    )
