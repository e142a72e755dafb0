"""What has been published of Loihi 2 chips: tables of Intel's compiler, times, energies, powers.

Every row is a number that someone printed or measured, with its source; nothing is ours. [A] is
lava-nc/lava-dl, tutorials/lava/lib/dl/netx, commit d825ac5; [B] is
thomasshoesmith/Intel-Neuromorphic-Research-Project, commit 4fcedf0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from kipuka.convert.synapses import ConvSynapses, DenseSynapses
from kipuka.deploy.costs.mapping import Bundle, Group
from kipuka.deploy.costs.mapping.groups import INPUT


class DenseWords(NamedTuple):
    """Words of 64 bits that each input axon of a dense layer took on a core."""

    source: str
    neurons: int
    weight_bits: int
    words: int


DENSE_WORDS = (
    DenseWords("[A] mnist/run, 784 axons", 50, 8, 16),
    DenseWords("[A] mnist/run, 128 axons", 64, 8, 21),
    DenseWords("[A] mnist/run, 64 axons", 10, 8, 4),
    DenseWords("[B] 512 axons", 35, 8, 12),
    DenseWords("[B] recurrent, 592 axons", 41, 8, 13),
    DenseWords("[A] oxford/run, 256 axons", 200, 8, 63),
    DenseWords("[A] oxford/run, 200 axons", 256, 8, 81),
    DenseWords("[A] pilotnet_snn, 2560 axons", 100, 3, 24),
    DenseWords("[A] pilotnet_sdnn, 2560 axons", 100, 4, 26),
    DenseWords("[A] pilotnet_snn, 100 axons", 50, 4, 13),
    DenseWords("[A] pilotnet_sdnn, 100 axons", 50, 6, 15),
    DenseWords("[A] pilotnet_snn and sdnn, 50 axons", 10, 5, 3),
    DenseWords("[A] pilotnet_snn, 10 axons", 1, 6, 1),
    DenseWords("[A] pilotnet_snn, 2560 axons, first split", 20, 3, 5),
)


class Share(NamedTuple):
    """Row of a table in percent of a core, as the compiler of 2023 and later prints it."""

    source: str
    axons: float
    neurons: float
    synapses: float
    axon_map: float
    axon_memory: float
    total: float


SHARES = (
    Share("[A] mnist/run 64->10", 0.40, 0.24, 1.60, 0.06, 0.0, 1.71),
    Share("[A] mnist/run 128->64", 0.80, 1.56, 16.80, 0.40, 0.0, 14.72),
    Share("[A] mnist/run 784->128", 4.90, 1.22, 78.40, 0.31, 0.0, 67.14),
    Share("[B] 512->35", 3.20, 0.85, 38.40, 0.22, 0.0, 33.63),
    Share("[B] 80+512->512", 3.70, 1.00, 48.10, 0.26, 0.0, 41.86),
    Share("[A] yolo_kp/run 512->48", 0.01, 65.64, 19.20, 16.80, 0.0, 42.26),
    Share("[A] yolo_kp/run 256->512, first", 0.01, 87.52, 86.40, 0.35, 0.17, 87.47),
    Share("[A] yolo_kp/run 512->256", 0.01, 87.52, 67.20, 0.09, 0.35, 72.04),
    Share("[A] yolo_kp/run 256->512, second", 0.01, 87.52, 86.40, 0.35, 0.35, 87.61),
    Share("[A] yolo_kp/run 256->256", 0.01, 87.52, 72.00, 0.35, 2.80, 78.05),
    Share("[A] yolo_kp/run 128->256", 0.01, 87.52, 79.20, 0.17, 0.17, 81.57),
    Share("[A] yolo_kp/run 64->128", 0.01, 87.52, 39.60, 0.17, 0.35, 50.03),
    Share("[A] yolo_kp/run 32->64", 0.01, 87.52, 10.80, 0.35, 0.17, 26.99),
    Share("[A] yolo_kp/run 16->32", 0.01, 87.52, 3.60, 0.70, 0.35, 21.65),
    Share("[A] yolo_kp/run 3->16", 0.01, 87.52, 0.34, 1.40, 0.70, 19.88),
)


class Convolution(NamedTuple):
    """A convolution as the compiler cut it; `weight_bits` is None where weights are not public.

    `shape` is that of the output, `region` what one core holds: channels, rows, columns.
    """

    source: str
    inputs: int
    shape: tuple[int, int, int]
    kernel: int
    stride: int
    weight_bits: int | None
    words: int
    region: tuple[int, int, int]
    cores: int

    @property
    def before_a_convolution(self) -> bool:
        """Whether a convolution follows; else its axon map has a word for each neuron."""
        return not self.source.endswith((" 64->64", " 512->48"))

    @property
    def words_per_tap(self) -> float:
        """Words of one tap for one input channel."""
        return self.words / (self.kernel**2 * self.inputs)


SNN, SDNN, YOLO = "[A] pilotnet_snn", "[A] pilotnet_sdnn", "[A] yolo_kp/run"
CONVOLUTIONS = (
    Convolution(f"{SNN} 3->24", 3, (24, 32, 99), 3, 2, 5, 81, (24, 32, 4), 25),
    Convolution(f"{SNN} 24->36", 24, (36, 15, 49), 3, 2, 4, 864, (36, 15, 4), 13),
    Convolution(f"{SNN} 36->48", 36, (48, 7, 24), 3, 2, 4, 1620, (48, 7, 8), 3),
    Convolution(f"{SNN} 48->64", 48, (64, 4, 22), 3, 1, 4, 2160, (64, 4, 8), 3),
    Convolution(f"{SNN} 64->64", 64, (64, 2, 20), 3, 1, 4, 2880, (64, 2, 16), 2),
    Convolution(f"{SDNN} 3->24", 3, (24, 32, 99), 3, 2, 6, 81, (24, 32, 4), 25),
    Convolution(f"{SDNN} 24->36", 24, (36, 15, 49), 3, 2, 5, 864, (36, 15, 4), 13),
    Convolution(f"{SDNN} 36->48", 36, (48, 7, 24), 3, 2, 4, 1620, (48, 7, 8), 3),
    Convolution(f"{SDNN} 48->64", 48, (64, 4, 22), 3, 1, 5, 2592, (64, 4, 8), 3),
    Convolution(f"{SDNN} 64->64", 64, (64, 2, 20), 3, 1, 4, 2880, (64, 2, 16), 2),
    Convolution(f"{YOLO} 3->16", 3, (16, 224, 224), 3, 2, None, 54, (16, 28, 8), 224),
    Convolution(f"{YOLO} 16->32", 16, (32, 112, 112), 3, 2, None, 576, (32, 14, 8), 112),
    Convolution(f"{YOLO} 32->64", 32, (64, 56, 56), 3, 2, None, 1728, (64, 14, 4), 56),
    Convolution(f"{YOLO} 64->128", 64, (128, 28, 28), 3, 2, None, 6336, (128, 7, 4), 28),
    Convolution(f"{YOLO} 128->256", 128, (256, 28, 28), 3, 1, None, 12672, (128, 7, 4), 56),
    Convolution(f"{YOLO} 256->256", 256, (256, 14, 14), 3, 2, None, 11520, (64, 7, 8), 16),
    Convolution(f"{YOLO} 256->512, twice", 256, (512, 14, 14), 3, 1, None, 13824, (64, 7, 8), 32),
    Convolution(f"{YOLO} 512->256", 512, (256, 14, 14), 1, 1, None, 10752, (256, 7, 2), 14),
    Convolution(f"{YOLO} 512->48", 512, (48, 14, 14), 1, 1, None, 3072, (48, 14, 4), 4),
)


class DenseCores(NamedTuple):
    """A dense layer and the cores that the compiler took."""

    source: str
    inputs: tuple[int, ...]
    neurons: int
    weight_bits: int
    cores: int


DENSE_CORES = (
    DenseCores("[A] mnist/run 784->128", (784,), 128, 8, 3),
    DenseCores("[A] mnist/run 128->64", (128,), 64, 8, 1),
    DenseCores("[A] mnist/run 64->10", (64,), 10, 8, 1),
    DenseCores("[A] oxford/run 200->256", (200,), 256, 8, 3),
    DenseCores("[A] oxford/run 256->200", (256,), 200, 8, 2),
    DenseCores("[B] 80+512->512", (80, 512), 512, 8, 13),
    DenseCores("[B] 512->35", (512,), 35, 8, 1),
    DenseCores(f"{SNN} 2560->100", (2560,), 100, 3, 12),
    DenseCores(f"{SNN} 100->50", (100,), 50, 4, 1),
    DenseCores(f"{SNN} 50->10", (50,), 10, 5, 1),
    DenseCores(f"{SNN} 10->1", (10,), 1, 6, 1),
    DenseCores(f"{SDNN} 2560->100", (2560,), 100, 4, 12),
    DenseCores(f"{SDNN} 100->50", (100,), 50, 6, 1),
    DenseCores(f"{SDNN} 50->10", (50,), 10, 5, 1),
)


def weights_of(shape, bits):
    """Weights that NetX would store in so many bits, the sign included."""
    weights = np.full(shape, (1 << bits) - 2, np.int16)
    weights.flat[0] = -(1 << bits)
    return weights if weights.size > 1 else -weights


def dense_group(row):
    """Group of a dense layer."""
    bundles = []
    for inputs in row.inputs:
        synapses = DenseSynapses(weights_of((row.neurons, inputs), row.weight_bits))
        delays = np.zeros(inputs, np.int64)
        bundles.append(Bundle(INPUT, synapses, delays, keeps_zeros=True, message=f"{inputs}"))
    return group(row.source, (row.neurons,), bundles)


def conv_group(row, bits):
    """Group of a convolution whose input has just the size that its output asks for."""
    reach = [(extent - 1) * row.stride + row.kernel for extent in row.shape[1:]]
    weights = weights_of((row.shape[0], row.inputs, row.kernel, row.kernel), bits)
    size = (row.inputs, *reach)
    synapses = ConvSynapses(weights, size, row.shape, (row.stride, row.stride))
    delays = np.zeros(synapses.n_sources, np.int64)
    alone = group(row.source, row.shape, [Bundle(INPUT, synapses, delays)])
    return (replace(alone[0], feeds_kernels_only=row.before_a_convolution),)


def group(name, shape, bundles):
    """Group of CUBA neurons."""
    return (Group(name, 1, "CUBA", shape, 1, False, tuple(bundles)),)


class Measured(NamedTuple):
    """One frame of PilotNet LIF on one chip, rails VDD, VDDM and VDDIO, no host input."""

    source: str
    step_s: float
    dynamic_j: float
    static_j: float


def frames(source, per_second, dynamic_w, static_w):
    """Measurement from frames per second and powers; a frame takes 16 steps."""
    return Measured(source, 1 / per_second / 16, dynamic_w / per_second, static_w / per_second)


PILOTNET = (
    frames("[A] pilotnet_snn/benchmark, 2023-01", 408.91, 0.447156, 0.232078),
    frames("the same, 2022-10-28", 413.76, 0.443, 0.309),
)
PILOTNET_STEPS = 16
PILOTNET_CORES = 74
PILOTNET_OPERATIONS = 22.9e9 / 10_000
"""Synaptic operations per step, digitised from the notebook's plot of activity."""

PILOTNET_BUSIEST = 150_800
"""Synaptic operations per step of the busiest core, from the same plot."""

PILOTNET_NEURONS = 3168
"""Neurons of the fullest core."""


class HostRun(NamedTuple):
    """Wall time that the executor printed for a run with input from the host."""

    source: str
    fed_with: str
    steps: int
    run_s: float


HOST_RUNS = (
    HostRun("[A] oxford/run", "spikes", 2000, 16.1),
    HostRun("[B] shortest of ten", "spikes", 2048, 74.89),
    HostRun("[B] longest of ten", "spikes", 2048, 83.83),
    HostRun("[A] pilotnet_sdnn/benchmark", "frames", 2000, 114.3),
)
