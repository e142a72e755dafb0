"""Shortcuts in Lava on the CPU: the same values, without what it does anew or number by number.

- A variable is read and written as one array. Lava passes each number of it from the process to the
  service and on to the runtime, as a message of its own each time.
- Synapses with delays keep the matrix of their weights by delay. Lava builds it in every step.
- The models of a process are looked for once for each kind of process. Lava runs all files beside
  it for each one of a graph.
- Plain values become attributes of a process as they are. Lava asks each whether it is a port.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

import numpy as np
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.model.py.model import AbstractPyProcessModel
from lava.magma.runtime.mgmt_token_enums import MGMT_COMMAND, MGMT_RESPONSE, enum_to_np
from lava.magma.runtime.runtime import Runtime
from lava.magma.runtime.runtime_services.runtime_service import PyRuntimeService
from lava.proc.dense.models import AbstractPyDelayDenseModel
from lava.proc.sparse.models import AbstractPyDelaySparseModel

PLAIN = (np.ndarray, int, str, list)
"""Types of values that are no ports."""


class Transfer:
    """Where the arrays of one graph pass between its processes and its runtime."""

    def __init__(self) -> None:
        self.read: Any = multiprocessing.SimpleQueue()
        self.written: Any = multiprocessing.SimpleQueue()


def new_transfer() -> None:
    """Give the next graph of this process its own `Transfer`, before its processes are forked."""
    AbstractPyProcessModel.transfer = Runtime.transfer = Transfer()


def take_shortcuts() -> None:
    """Let graphs that are built from now on in this process take all of them."""
    AbstractPyProcessModel._get_var, AbstractPyProcessModel._set_var = _give, _take
    PyRuntimeService._relay_to_runtime_data_given_model_id = _leave_to_process
    PyRuntimeService._relay_to_pm_data_given_model_id = _response
    Runtime.get_var, Runtime.set_var = get_var, set_var
    for model in (AbstractPyDelayDenseModel, AbstractPyDelaySparseModel):
        model.get_delay_wgts_mat = _kept(model.get_delay_wgts_mat)
    found = _once_for_each_kind(ProcGroupDiGraphs._find_proc_models)
    ProcGroupDiGraphs._find_proc_models = staticmethod(found)
    AbstractPyProcessModel.__setattr__ = _set_attribute(AbstractPyProcessModel.__setattr__)


def get_var(runtime: Any, var_id: int, idx: None = None) -> np.ndarray:
    """Read an array of a process: float64, as Lava's own, which takes `idx` too."""
    shape = _ask(runtime, MGMT_COMMAND.GET_DATA, var_id, idx).shape
    values: np.ndarray = runtime.transfer.read.get()
    return values.astype(np.float64).reshape(shape)


def set_var(runtime: Any, var_id: int, value: np.ndarray, idx: None = None) -> None:
    """Write an array of a process.

    Raises
    ------
    RuntimeError
        If the process does not confirm it, as Lava does.
    """
    model = _ask(runtime, MGMT_COMMAND.SET_DATA, var_id, idx)
    runtime.transfer.written.put(value)
    response = runtime.service_to_runtime[model.runtime_srv_id].recv()
    if response[0] != MGMT_RESPONSE.SET_COMPLETE[0]:
        raise RuntimeError("a variable was not set")


def _ask(runtime: Any, command: np.ndarray, var_id: int, idx: None) -> Any:
    """Have the service pass a command on to the process of a variable; return what Lava knows."""
    if idx is not None:
        raise NotImplementedError("variables are read and written whole")
    model = runtime._executable.node_configs[0].var_models[var_id]
    for message in (command, enum_to_np(model.proc_id), enum_to_np(var_id)):
        runtime.runtime_to_service[model.runtime_srv_id].send(message)
    return model


def _variable(process: Any) -> np.ndarray:
    """Array that a process was asked for."""
    name = process.var_id_to_var_map[int(process.service_to_process.recv()[0])]
    array = getattr(process, name)
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{name} is no array")
    return array


def _give(process: Any) -> None:
    process.transfer.read.put(_variable(process))


def _take(process: Any) -> None:
    array = _variable(process)
    array[...] = process.transfer.written.get().reshape(array.shape)
    process.process_to_service.send(MGMT_RESPONSE.SET_COMPLETE)
    process.on_var_update()


def _leave_to_process(service: Any, model_id: int) -> None:
    """Do nothing: the array has its own way."""


def _response(service: Any, model_id: int) -> Any:
    return service.process_to_service[service.model_ids.index(model_id)].recv()


def _kept(build: Callable[..., Any]) -> Callable[..., Any]:
    """Keep the matrix of a process, for as long as its weights are the same array."""

    def matrix(process: Any, weights: Any, delays: Any, max_delay: int) -> Any:
        kept = process.__dict__.get("weights_by_delay")
        if kept is None or kept[0] is not weights:
            kept = process.__dict__["weights_by_delay"] = (
                weights,
                build(weights, delays, max_delay),
            )
        return kept[1]

    return matrix


def _once_for_each_kind(find: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    known: dict[type, list[Any]] = {}

    def models(proc: Any) -> list[Any]:
        if type(proc) not in known:
            known[type(proc)] = find(proc)
        return list(known[type(proc)])

    return models


def _set_attribute(look_for_ports: Callable[..., None]) -> Callable[..., None]:
    def set_attribute(process: Any, name: str, value: Any) -> None:
        if isinstance(value, PLAIN):
            process.__dict__[name] = value
        else:
            look_for_ports(process, name, value)

    return set_attribute
