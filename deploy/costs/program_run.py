"""A run of a Program as the costs need it: which layer sent what, and what must be recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kipuka.convert.neurons.spiking_gru import CURRENT, current_message
from kipuka.convert.operands import checked_inputs
from kipuka.convert.program import Program
from kipuka.deploy.costs.core_activity import Channel, Sent
from kipuka.deploy.costs.mapping.groups import INPUT, SPIKES
from kipuka.deploy.counters import Counters
from kipuka.deploy.fast.recording import Record
from kipuka.deploy.reference import Simulation
from kipuka.errors import KipukaError


def record_for_costs(program: Program) -> Record:
    """Record of what costs are computed from: all spikes, and currents that are sent."""
    sending = [(k, "i") for k, layer in enumerate(program.layers) if layer.of_current]
    return Record(states=tuple(sending))


def sent_in(program: Program, inputs: np.ndarray, simulation: Simulation) -> Sent:
    """Say what every layer sent in a run.

    Parameters
    ----------
    program : Program
    inputs : array (samples, units, steps)
    simulation : Simulation
        Of these inputs, with the spikes of every layer.

    Raises
    ------
    KipukaError
        If the spikes of a layer were not recorded.
    """
    inputs = checked_inputs(program, inputs)
    n_samples, _, n_steps = inputs.shape
    _check_same_run(program, inputs, simulation.counters)
    _check_recorded(program, simulation, n_steps)

    def of_samples(chosen: slice) -> Mapping[Channel, np.ndarray]:
        sent = {(INPUT, SPIKES): inputs[chosen]}
        for position, trace in enumerate(simulation.trace.layers):
            sent[position, SPIKES] = trace.spikes[chosen]
            if program.layers[position].of_current:
                sent[position, CURRENT.name] = current_message(trace.states["i"][chosen])
        return sent

    widest = max(program.n_inputs, *(layer.n_neurons for layer in program.layers))
    return Sent(n_samples, n_steps, widest, of_samples)


def _check_same_run(program: Program, inputs: np.ndarray, counters: Counters) -> None:
    """Refuse an input that is not that of the run."""
    found = f"{inputs.shape[0]} samples of {inputs.shape[2]} steps"
    limit = f"{counters.n_samples} samples of {counters.n_steps} steps, as were simulated"
    same = (inputs.shape[0], inputs.shape[2]) == (counters.n_samples, counters.n_steps)
    if same and program.encoder is None:
        per_step = np.count_nonzero(inputs, axis=1)
        sent = per_step if counters.per_step else per_step.sum(axis=1, keepdims=True)
        same = np.array_equal(sent, counters.input_spikes)
        found = f"{per_step.sum()} spikes, or as many in other samples or steps"
        limit = f"the input that was simulated, with {counters.input_spikes.sum()} spikes"
    if not same:
        raise KipukaError(
            "the input is not that of the run",
            where="profile, input",
            limit=limit,
            value=found,
            remedy="pass the very input that the simulation was made of",
        )


def _check_recorded(program: Program, simulation: Simulation, n_steps: int) -> None:
    recorded = zip(program.numbers, program.layers, simulation.trace.layers, strict=True)
    for number, layer, trace in recorded:
        if trace.spikes.shape[2] != n_steps or (layer.of_current and "i" not in trace.states):
            raise KipukaError(
                "what a layer sends was not recorded",
                where=f"profile, layer {number}",
                limit=f"spikes of {n_steps} steps, and the state i where currents are sent",
                value=f"{trace.spikes.shape[2]} steps, states {', '.join(trace.states) or 'none'}",
                remedy="simulate with record_for_costs(program)",
            )
