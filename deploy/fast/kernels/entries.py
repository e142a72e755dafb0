"""The kernels as C functions of whole numbers, compiled by Numba to machine code.

A C function needs no Numba to be called, and its machine code none to be loaded: what is kept on
disk is loaded by `kipuka.deploy.fast.machine_code`, in a fraction of the time that importing Numba
takes. Importing this module loads Numba.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import binding
from numba import cfunc, types

from kipuka.compiling_notice import announce_compiling
from kipuka.deploy.fast.kernels import counting, events, network
from kipuka.deploy.fast.kernels import layout as at
from kipuka.deploy.fast.kernels.readers import (
    bytes_at,
    counts_at,
    numbers_at,
    reader,
    sums_at,
)
from kipuka.vectors import TOWARD_ZERO, processor, set_rounding

announce_compiling()


OF_LIBC = ("memset", "memcpy", "memmove")
"""Functions that LLVM makes of loops."""


def compiled(name: str, parts: tuple[bool, ...]) -> Any:
    """Compile a kernel and return Numba's C callback.

    Parameters
    ----------
    name : str
        Of a kernel in `ENTRIES`.
    parts : tuple of bool
        Of the network that it is for: `layout.Network.parts`.
    """
    entry = ENTRIES[name](parts)
    arguments = [types.int64] * len(inspect.signature(entry).parameters)
    options = {"nogil": True, "error_model": "numpy", "forceinline": True}
    return cfunc(types.int64(*arguments), **options)(entry)


def machine_code(function: Any) -> tuple[str, bytes] | None:
    """Symbol and object file of a compiled kernel; None if it needs Numba where it runs.

    LLVM finds that no kernel can raise an error, and so leaves out what would tell Python of one.
    """
    module = binding.parse_assembly(function.inspect_llvm())
    called = [function.name for function in module.functions if function.is_declaration]
    if not all(name.startswith("llvm.") or name in OF_LIBC for name in called):
        return None
    name, features = processor()
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=name, features=features, opt=3, jit=True
    )
    return function.native_name, machine.emit_object(module)


def _advance(parts: tuple[bool, ...]) -> Callable[..., Any]:
    network_at, work_at = reader(at.Network, parts), reader(at.Workspace)
    recording_at = reader(at.Recording)

    def advance(table: Any, work: Any, stretches: Any, n_stretches: Any) -> int:
        net, room, entries = network_at(table), work_at(work), counts_at(stretches)
        rounding = set_rounding(TOWARD_ZERO)
        for number in range(n_stretches):
            first = number * at.STRETCH_ENTRIES
            network.advance(
                net, room, recording_at(entries[first + at.RECORDING]),
                counts_at(entries[first + at.OFFSETS]), numbers_at(entries[first + at.UNITS]),
                numbers_at(entries[first + at.ACTIVATIONS]), entries[first + at.ACTIVATION_STEP],
                entries[first + at.FIRST_STEP], entries[first + at.N_STEPS],
                entries[first + at.FIRST_ROW], entries[first + at.SENT],
                numbers_at(entries[first + at.SENT]), counts_at(entries[first + at.SENT_OFFSETS]),
            )  # fmt: skip
            if entries[first + at.ENDS]:
                network.finish(net, room)
        set_rounding(rounding)
        return 0

    return advance


def _count_arrivals(parts: tuple[bool, ...]) -> Callable[..., Any]:
    network_at = reader(at.Network, parts)

    def count_arrivals(
        table: Any, emitted: Any, pending: Any, messages: Any, kernels_there: Any, few: Any,
        seen: Any, tables: Any, arrived: Any, n_activations: Any,
    ) -> int:  # fmt: skip
        counting.count_arrivals(
            network_at(table), counts_at(emitted), counts_at(pending), counts_at(messages),
            bytes_at(kernels_there), numbers_at(few), bytes_at(seen), sums_at(tables),
            counts_at(arrived), n_activations,
        )  # fmt: skip
        return 0

    return count_arrivals


def _count_dense(_: tuple[bool, ...]) -> Callable[..., Any]:
    def count_dense(spikes: Any, n_entries: Any, n_steps: Any, offsets: Any) -> int:
        events.count_dense(bytes_at(spikes), n_entries, n_steps, counts_at(offsets))
        return 0

    return count_dense


def _list_dense(_: tuple[bool, ...]) -> Callable[..., Any]:
    def list_dense(spikes: Any, n_entries: Any, n_steps: Any, following: Any, units: Any) -> int:
        events.list_dense(
            bytes_at(spikes), n_entries, n_steps, counts_at(following), numbers_at(units)
        )
        return 0

    return list_dense


def _list_events(_: tuple[bool, ...]) -> Callable[..., Any]:
    def list_events(
        times: Any, sources: Any, n_events: Any, n_units: Any, n_steps: Any, offsets: Any,
        following: Any, units: Any, seen: Any,
    ) -> Any:  # fmt: skip
        return events.list_events(
            counts_at(times), counts_at(sources), n_events, n_units, n_steps, counts_at(offsets),
            counts_at(following), numbers_at(units), counts_at(seen),
        )  # fmt: skip

    return list_events


ENTRIES: dict[str, Callable[[tuple[bool, ...]], Callable[..., Any]]] = {
    "advance": _advance,
    "count_arrivals": _count_arrivals,
    "count_dense": _count_dense,
    "list_dense": _list_dense,
    "list_events": _list_events,
}
"""What makes each kernel's C function for a network's parts."""
