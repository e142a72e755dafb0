"""A Loihi 2 board through Lava's public interface: the only file that touches it.

The names are those of `lava.utils.loihi`, `lava.magma.core.run_configs`, `lava.proc.cyclic_buffer`,
`lava.proc.embedded_io` and `lava.utils.loihi2_profiler` as public code uses them. Nothing here has
run on a board.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kipuka.deploy.lowered.streaming import Stream
from kipuka.errors import KipukaError
from kipuka.lava_door import missing

US = 1e-6
"""Unit of the probes' times, in seconds."""

POWER_STEPS = 10_000
"""Hardware steps from which on a measurement of power means anything."""


@dataclass(frozen=True)
class Loihi2Api:
    """The public names, so that a test can put others in their place.

    Attributes
    ----------
    is_installed : callable
        ``lava.utils.loihi.is_installed()``.
    use_slurm_host : callable
        ``lava.utils.loihi.use_slurm_host(partition=, board=)``.
    run_config : callable
        ``Loihi2HwCfg(callback_fxs=)``.
    preloaded : callable
        ``lava.proc.cyclic_buffer.process.CyclicBuffer(first_frame=, replay_frames=)``, which sends
        frames that were stored before the run; port ``s_out``.
    into_chip, out_of_chip : callable
        ``embedded_io.spike.PyToNxAdapter`` and ``NxToPyAdapter``, with ports ``inp`` and ``out``.
    time_probe, power_probe : callable
        ``Loihi2ExecutionTime()`` and ``Loihi2Power(num_steps=)``.
    """

    is_installed: Callable[[], bool]
    use_slurm_host: Callable[..., None]
    run_config: Callable[..., Any]
    preloaded: Callable[..., Any]
    into_chip: Callable[..., Any]
    out_of_chip: Callable[..., Any]
    time_probe: Callable[..., Any]
    power_probe: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class BoardRun:
    """What a board gave; all figures are measured.

    Attributes
    ----------
    spikes : bool array (samples, neurons, steps)
        Of the last layer, before the readout's delays.
    hardware_steps : int
        Of one sample, pause included.
    time_per_step_s : float
        Mean time of a hardware step.
    total_power_w, static_power_w : float
        Rails VDD, VDDM and VDDIO of the board.
    """

    spikes: np.ndarray
    hardware_steps: int
    time_per_step_s: float
    total_power_w: float
    static_power_w: float

    @property
    def time_s(self) -> float:
        """Time of one sample."""
        return self.time_per_step_s * self.hardware_steps

    @property
    def total_energy_j(self) -> float:
        """Energy of one sample: mean power times time."""
        return self.total_power_w * self.time_s

    @property
    def dynamic_energy_j(self) -> float:
        """Energy of one sample above that of the idle board."""
        return (self.total_power_w - self.static_power_w) * self.time_s


def public_api() -> Loihi2Api:
    """Import what Lava and its extension offer.

    Raises
    ------
    KipukaError
        If Lava or its extension for Loihi 2 is not installed: one sentence on what is missing.
    """
    if missing("lava"):
        raise _missing("lava-nc")
    loihi = importlib.import_module("lava.utils.loihi")
    if not loihi.is_installed():
        raise _missing("Lava's extension for Loihi 2 (lava.utils.loihi2_profiler)")
    configs = importlib.import_module("lava.magma.core.run_configs")
    adapters = importlib.import_module("lava.proc.embedded_io.spike")
    buffers = importlib.import_module("lava.proc.cyclic_buffer.process")
    profiler = importlib.import_module("lava.utils.loihi2_profiler")
    return Loihi2Api(
        loihi.is_installed,
        loihi.use_slurm_host,
        configs.Loihi2HwCfg,
        buffers.CyclicBuffer,
        adapters.PyToNxAdapter,
        adapters.NxToPyAdapter,
        profiler.Loihi2ExecutionTime,
        profiler.Loihi2Power,
    )


def _missing(what: str) -> KipukaError:
    return KipukaError(
        f"a run on Loihi 2 needs {what}, which is not installed here",
        where="target loihi2",
        limit="lava-nc with Intel's extension for members of the INRC, and a board",
        value=f"no {what}",
        remedy="run the same command where both are, or check the stream with --target lava-sim",
    )


class Loihi2Board:
    """A board, reached through SLURM or whatever the environment names.

    Parameters
    ----------
    api : Loihi2Api
    host_input : bool
        Whether a process on the host sends the input step by step, which takes milliseconds for
        each; else it is stored on the chip before the run.
    """

    def __init__(self, api: Loihi2Api, host_input: bool = False) -> None:
        self.api, self.host_input = api, host_input

    def connect(self, partition: str | None, board: str | None) -> None:
        """Choose a SLURM host by partition or by board.

        Raises
        ------
        KipukaError
            If both are given, or SLURM does not know them.
        """
        if partition and board:
            raise KipukaError(
                "a partition and a board are given",
                where="options partition and board",
                limit="one of the two",
                value=f"{partition} and {board}",
                remedy="leave one out",
            )
        try:
            self.api.use_slurm_host(partition=partition, board=board)
        except (ImportError, ValueError) as error:
            raise KipukaError(
                "SLURM gives no board",
                where="options slurm, partition and board",
                limit="a partition or board that sinfo lists as up",
                value=" ".join(str(error).split()),
                remedy="choose another, or leave them out to use the host of the environment",
            ) from error

    def run(self, stream: Stream, inputs: np.ndarray, progress: Callable[[], None]) -> BoardRun:
        """Stream samples (samples, units, steps) twice: for spikes and time, then for power.

        The probe of time disturbs the measurement of power, so they do not share a run.
        """
        timer = self.api.time_probe()
        spikes = self._stream(stream, inputs, timer, progress)
        copies = -(-POWER_STEPS // (stream.interval * len(inputs)))
        repeated = np.concatenate([inputs] * copies)
        meter = self.api.power_probe(num_steps=stream.interval * len(repeated))
        self._stream(stream, repeated, meter, progress)
        return BoardRun(
            spikes,
            stream.interval,
            float(np.mean(timer.avg_time_per_step)) * US,
            float(np.mean(meter.total_power)),
            float(np.mean(meter.static_total_power)),
        )

    def _stream(
        self, stream: Stream, inputs: np.ndarray, probe: Any, progress: Callable[[], None]
    ) -> np.ndarray:
        from kipuka.deploy.lava.lowered_network import run_stream

        config = self.api.run_config(callback_fxs=[probe])
        return run_stream(stream, inputs, progress, config, self)

    def play(self, values: np.ndarray, message_bits: int) -> Any:
        """Store what is to be sent, or send it from the host through an adapter."""
        if not self.host_input:
            frames = {"first_frame": values[:, 0], "replay_frames": values[:, 1:]}
            return self.api.preloaded(**frames).s_out
        source = importlib.import_module("lava.proc.io.source").RingBuffer(data=values)
        adapter = self.api.into_chip(shape=values.shape[:1], num_message_bits=message_bits)
        source.s_out.connect(adapter.inp)
        return adapter.out

    def out_of_chip(self, outlet: Any, size: int, message_bits: int) -> Any:
        """Put an adapter behind a port on the chip."""
        adapter = self.api.out_of_chip(shape=(size,), num_message_bits=message_bits)
        outlet.connect(adapter.inp)
        return adapter.out
