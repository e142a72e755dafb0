"""The engines that join the conformance suite: one entry each in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kipuka.commands.backends import BACKENDS
from kipuka.convert.program import Program
from kipuka.convert.trace import Trace
from kipuka.deploy.lowered import lower, run_lowered
from kipuka.errors import KipukaError
from kipuka_catalogue import AXONAL_DELAYS_CASES, SIGMA_DELTA_CASES
from kipuka_stale import tried

Jobs = Sequence[tuple[Program, np.ndarray]]


def run_jobs(name: str, jobs: Jobs) -> list[Trace]:
    """Run many networks, each on inputs of its own; Lava is then started only once."""
    if name in ("lava", "lowered", "netx"):
        from kipuka.deploy.lava.run import run_lava_jobs

        return run_lava_jobs(jobs, backend=name)
    return [BACKENDS[name](program, inputs) for program, inputs in jobs]


@dataclass(frozen=True)
class Engine:
    """How an engine joins the suite.

    Attributes
    ----------
    name : str
    run : callable
        Traces of (network, inputs), all from one start of the engine of that name.
    needs : tuple of str
        Modules without which its cases are skipped.
    marks : tuple of str
        Markers of its cases. With ``lava``, a case that is said not to run is tried in a process of
        its own, where NetX or Lava itself is asked.
    samples_limit : int, optional
        Samples of a case that it gets, where a step is expensive.
    steps_limit : callable
        Steps of a case that it gets for a network; None for all.
    unsupported : mapping of str to str
        Cases that it cannot run, each with its reason. A reason that no longer holds fails.
    """

    name: str
    run: Callable[[str, Jobs], list[Trace]] = run_jobs
    needs: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    samples_limit: int | None = None
    steps_limit: Callable[[Program], int | None] = lambda _: None
    unsupported: Mapping[str, str] = field(default_factory=dict)

    def given(self, network: Program, inputs: np.ndarray) -> np.ndarray:
        """Cut the inputs of a case to what the engine gets."""
        return inputs[: self.samples_limit, :, : self.steps_limit(network)]

    def tried(self, jobs: Jobs, folder: Path) -> list[Trace | None]:
        """Traces of jobs that it is said not to run; None for those that it refuses."""
        if "lava" in self.marks:
            return tried(self.name, jobs, folder)
        return [self._refused_or_run(job) for job in jobs]

    def _refused_or_run(self, job: tuple[Program, np.ndarray]) -> Trace | None:
        try:
            return self.run(self.name, [job])[0]
        except KipukaError:
            return None


def interpret(_: str, jobs: Jobs) -> list[Trace]:
    """Run the lowered networks in numpy."""
    return [run_lowered(lower(network, x.shape[2]), x).trace for network, x in jobs]


LOWERED_STEPS, LOWERED_STEPS_AFTER_DELAY = 28, 6
"""What Lava runs a lowered spiking GRU for, where a step is up to seven hardware steps of a hundred
processes: at least so many steps, and so many after the longest delay."""


def few_steps_of_a_gru(network: Program) -> int | None:
    """Return the steps that a lowered network gets in Lava."""
    if all(layer.model == "CUBA" for layer in network.layers):
        return None
    longest = max(p.delays.max(initial=0) for layer in network.layers for p in layer.projections)
    return max(LOWERED_STEPS, int(longest) + LOWERED_STEPS_AFTER_DELAY)


SIGMA_DELTA = tuple(case.__name__ for case in (*SIGMA_DELTA_CASES, *AXONAL_DELAYS_CASES))
PER_SYNAPSE = tuple(n for n in SIGMA_DELTA if n.endswith("delays") and "axonal" not in n)

NO_RESETS = "the lowering has no resets within a sample"
NOT_LOWERED = {
    "resets": NO_RESETS,
    "resets_of_a_gru": NO_RESETS,
    "resets_of_a_gru_with_current": NO_RESETS,
    "resets_of_an_mgu": NO_RESETS,
    **dict.fromkeys(SIGMA_DELTA, "the lowering has no cell for sigma-delta neurons"),
}

ONE_WRAP = {"current_beyond_one_period": "Lava wraps a current only once"}

NO_GRU = "NetX does not know the layer type spiking_gru, and passes over it"
NOT_IN_NETX = {
    **dict.fromkeys(
        (
            "gru_then_cuba",
            "gru_without_delays",
            "two_grus",
            "saturating_gru",
            "membrane_readout",
            "resets_of_a_gru",
            "dense_gru_with_current",
            "two_grus_with_current",
            "saturating_gru_with_current",
            "conv_gru_then_cuba",
            "conv_gru_with_stride_and_dilation",
            "grouped_conv_gru",
            "conv_gru_chain",
            "conv_gru_with_current",
            "convolution_then_gru_with_current",
            "resets_of_a_gru_with_current",
            "gru_with_a_constant_reset_gate",
        ),
        NO_GRU,
    ),
    **dict.fromkeys(
        (
            "mgu_then_cuba",
            "two_mgus",
            "saturating_mgu",
            "conv_mgu_then_gru",
            "resets_of_an_mgu",
        ),
        "NetX does not know the layer type spiking_mgu, and passes over it",
    ),
    "all_weights_at_the_lower_end": "NetX's scaling makes Lava clip all weights to 0",
    "recurrent_cuba_delays": "NetX ignores delay_rec",
    "recurrent_delay_per_synapse": "NetX ignores delay_rec",
    "square_recurrence": "NetX gives the arriving delays to the recurrence too",
    "weight_exponents": "NetX has no weight exponents",
    "convolution_with_delays": "NetX drops the delays of a convolution",
    "convolution_with_exponent": "NetX has no weight exponents",
    "pooling_past_the_edge": "NetX insists on the convolution's own output shape",
    "skip_connection": "NetX has no concat",
    "convolution_after_a_skip": "NetX has no concat",
    "population_readout": "NetX has no average",
    **{name: "NetX rectifies every activation" for name in SIGMA_DELTA if "unit" in name},
    **{name: "NetX drops the delays of a convolution" for name in SIGMA_DELTA if "delays" in name},
    "sigma_delta_with_a_skip_and_exponents": "NetX has no concat",
    "current_beyond_one_period": "NetX has no weight exponents",
}

NOT_IN_SLAYER = {
    "current_beyond_one_period": "SLAYER's current has no 24-bit limit",
    "recurrent_cuba_delays": "SLAYER has no delays inside a recurrence",
    "cuba_extremes": "SLAYER fires at the threshold from 64 nominal units on",
    "wrapping_current": "SLAYER's current has no 24-bit limit",
    "delay_per_synapse": "SLAYER has axonal delays only",
    "recurrent_delay_per_synapse": "SLAYER has no delays inside a recurrence",
    "square_recurrence": "SLAYER has no delays on the input",
    "weight_exponents": "SLAYER has no weight exponents",
    "odd_weights": "SLAYER has no weight exponents",
    "convolution_with_exponent": "SLAYER has no weight exponents",
    "skip_connection": "SLAYER's blocks have one input",
    "convolution_after_a_skip": "SLAYER's blocks have one input",
    **dict.fromkeys(PER_SYNAPSE, "SLAYER has axonal delays only"),
    "sigma_delta_with_a_skip_and_exponents": "SLAYER's blocks have one input",
    "resets": "SLAYER resets nothing within a sample",
    "resets_of_a_gru": "SLAYER resets nothing within a sample",
    "resets_of_a_gru_with_current": "SLAYER resets nothing within a sample",
    "resets_of_an_mgu": "SLAYER resets nothing within a sample",
}

ENGINES = (
    Engine("fast"),
    Engine("interpreter", interpret, marks=("slow",), unsupported=NOT_LOWERED),
    Engine("torch", needs=("lava",), marks=("slow",), unsupported=NOT_IN_SLAYER),
    Engine("lava", needs=("lava",), marks=("lava",), unsupported=ONE_WRAP),
    Engine(
        "lowered",
        needs=("lava",),
        marks=("lava",),
        samples_limit=1,
        steps_limit=few_steps_of_a_gru,
        unsupported=NOT_LOWERED | ONE_WRAP,
    ),
    Engine("netx", needs=("lava",), marks=("lava",), unsupported=NOT_IN_NETX),
)
"""All engines but the reference, which they are held against."""
