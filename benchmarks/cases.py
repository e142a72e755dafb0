"""Networks and inputs that the simulators are measured on."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kipuka.convert.formats.net.file import load_net
from kipuka.convert.neurons.cuba import CubaParameters
from kipuka.convert.neurons.spiking_gru import SpikingGruParameters
from kipuka.convert.program import (
    PREVIOUS,
    RECURRENT,
    Layer,
    Program,
    Projection,
    Readout,
    Reset,
    Target,
)
from kipuka.convert.synapses import ConvSynapses, DenseSynapses, SparseSynapses, Synapses
from kipuka.deploy.fast.simulator import Events
from kipuka.lava_door import INSTALL

LONGEST_DELAY = 62


@dataclass(frozen=True, eq=False)
class Case:
    """One network with its input, and how much of it the slow engines run.

    Attributes
    ----------
    name : str
    program : Program
    samples : list of Events or of int32 arrays (units, steps)
    lava_steps : int
        Steps of the first sample that Lava runs; 0 if it is not measured.
    netx : bool
        Whether stock NetX builds Lava's graph.
    reference_samples : int
        Samples that the reference simulator and the torch forward pass run; 0 for none.
    """

    name: str
    program: Program
    samples: list[Events | np.ndarray]
    lava_steps: int = 0
    netx: bool = False
    reference_samples: int = 1

    @property
    def n_steps(self) -> int:
        """Steps of each sample."""
        first = self.samples[0]
        return first.n_steps if isinstance(first, Events) else first.shape[1]

    def dense(self, n_samples: int) -> np.ndarray:
        """Give the first samples as an array (samples, units, steps)."""
        chosen = self.samples[:n_samples]
        if isinstance(chosen[0], np.ndarray):
            return np.stack(chosen)
        spikes = np.zeros((len(chosen), self.program.n_inputs, self.n_steps), bool)
        for array, events in zip(spikes, chosen, strict=True):
            array[events.units, events.times] = True
        return spikes


def named_cases() -> Iterator[Case]:
    """Networks of known kinds, one after the other."""
    yield ntidigits()
    yield shd_recurrent()
    yield dense_layer(0.05, lava_steps=400)
    yield dense_layer(0.2)
    yield convolution(0.018)
    yield convolution(0.1)
    yield updates("cuba-1024-updates", cuba(1024, project(dense(1024, 4)), threshold=100_000))
    yield updates("gru-1024-updates", gru(1024, *gated(4, 1024), threshold=2000))
    yield gru_recurrent()
    yield pilotnet()
    yield pilotnet_sdnn()


def scaling_cases() -> Iterator[Case]:
    """Sparse networks of 100 synapses per neuron, by size and by activity."""
    for n in (1_000, 10_000, 100_000, 1_000_000):
        yield sparse_layer(f"sparse-{n}-at-1%", n, 0.01, max(200, 4_000_000 // n))
    for activity in (0.001, 0.01, 0.1, 0.5):
        yield sparse_layer(f"sparse-100000-at-{activity:.1%}", 100_000, activity, 200)


def ntidigits() -> Case:
    """N-TIDIGITS network of the lava-dl wheel, with the input that was recorded with it."""
    folder = wheel_networks() / "ntidigits"
    program = load_net(folder / "ntidigits.net")
    # NetX refuses the average layer behind the last neurons.
    program = dataclasses.replace(program, readout=Readout("spike_count", program.readout.delays))
    units, times = np.nonzero(np.load(folder / "input.npy"))
    return Case("ntidigits", program, [Events(times, units, 3000)], lava_steps=3000, netx=True)


def pilotnet() -> Case:
    """PilotNet LIF of the lava-dl wheel: five convolutions and four dense layers, one image."""
    folder = wheel_networks() / "pilotnet_lif"
    program = dataclasses.replace(load_net(folder / "network.net"), reset=Reset(16))
    image = np.load(folder / "image.npy").transpose(2, 1, 0).reshape(-1, 1).astype(np.int32)
    still = np.broadcast_to(image, (program.n_inputs, 160))
    return Case("pilotnet-lif", program, [still], lava_steps=32, netx=True)


def pilotnet_sdnn() -> Case:
    """PilotNet SDNN of the lava-dl wheel: its frame, a tenth of whose values change per step."""
    folder = wheel_networks() / "pilotnet_sdnn"
    program = load_net(folder / "network.net")
    frame = np.load(folder / "input.npy").transpose(2, 1, 0, 3).reshape(-1, 1).astype(np.int32)
    rng = np.random.default_rng(0)
    shape = (program.n_inputs, 160)
    changes = rng.integers(-8, 9, shape) * (rng.random(shape) < 0.1)
    video = np.clip(frame + np.cumsum(changes, axis=1), -64, 64).astype(np.int32)
    return Case("pilotnet-sdnn", program, [video], lava_steps=32, netx=True)


def wheel_networks() -> Path:
    """Folder of the networks that the wheels of Lava carry for their own tests."""
    spec = importlib.util.find_spec("lava.lib.dl.netx")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the benchmark needs lava-dl: {INSTALL}")
    site = Path(next(iter(spec.submodule_search_locations))).parents[3]
    return site / "tests/lava/lib/dl/netx/gts"


def shd_recurrent() -> Case:
    """700-256-20 with delays on input, recurrence and output: as many samples as SHD's test set."""
    rng = np.random.default_rng(0)
    hidden = cuba(
        256,
        project(dense(256, 700, 24, rng), delays=delays(700, rng)),
        project(dense(256, 256, 16, rng), RECURRENT, delays=delays(256, rng)),
        threshold=370,
    )
    output = cuba(20, project(dense(20, 256, 24, rng), delays=delays(256, rng)), threshold=200)
    samples = [scattered(700, 1000, 8000, rng) for _ in range(2264)]
    return Case("shd-700-256-20", program(700, hidden, output), samples, lava_steps=60)


def gru_recurrent() -> Case:
    """Two spiking GRU layers with delays in the recurrence and a readout, 140-128-128-10."""
    rng = np.random.default_rng(0)
    first = gru(128, *gated(140, 128, rng), *own(128, rng))
    second = gru(128, *gated(128, 128, rng, delays(128, rng)), *own(128, rng))
    readout = cuba(10, project(dense(10, 128, 60, rng)), threshold=64)
    samples = [scattered(140, 100, 700, rng) for _ in range(256)]
    return Case("gru-140-128-128-10", program(140, first, second, readout), samples, lava_steps=100)


def dense_layer(activity: float, lava_steps: int = 0) -> Case:
    """One dense layer of 1024 x 1024."""
    rng = np.random.default_rng(0)
    layer = cuba(1024, project(dense(1024, 1024, 250, rng)), threshold=100_000)
    n_steps = 4000
    events = scattered(1024, n_steps, int(activity * 1024 * n_steps), rng)
    name = f"dense-1024x1024-at-{activity:.0%}"
    return Case(name, program(1024, layer), [events], lava_steps=lava_steps, netx=True)


def convolution(activity: float) -> Case:
    """2x34x34-16c5s2-32c3s2-10, of a size as for N-MNIST, whose activity is about 1.8 %."""
    rng = np.random.default_rng(0)
    first = convolved((2, 34, 34), 16, 5, 300, rng)
    second = convolved(first.shape, 32, 3, 12_000, rng)
    output = cuba(10, project(dense(10, second.n_neurons, 60, rng)), threshold=2000)
    readout = Readout("spike_count", np.zeros(10, np.int16))
    network = Program((2, 34, 34), (first, second, output), readout, {"origin": "benchmark"})
    n_spikes = int(activity * 2 * 34 * 34 * 100)
    samples = [scattered(2 * 34 * 34, 100, n_spikes, rng) for _ in range(16)]
    return Case(f"conv-16c5-32c3-at-{activity:.1%}", network, samples, reference_samples=0)


def convolved(
    shape: tuple[int, int, int], outputs: int, kernel: int, threshold: int,
    rng: np.random.Generator,
) -> Layer:  # fmt: skip
    """CUBA layer behind a convolution with stride 2, whose weights lean to the positive."""
    weights = 2 * rng.integers(-30, 41, (outputs, shape[0], kernel, kernel), dtype=np.int16)
    rows, columns = ((size - kernel) // 2 + 1 for size in shape[1:])
    synapses = ConvSynapses(weights, shape, (outputs, rows, columns), stride=(2, 2))
    layer = cuba(synapses.n_targets, project(synapses), threshold=threshold)
    return dataclasses.replace(layer, shape=synapses.output_shape)


def updates(name: str, layer: Layer) -> Case:
    """Neuron updates with hardly any spikes, but too many for a layer to come to rest."""
    n_steps = 20_000
    times = np.arange(0, n_steps, 7)
    events = Events(times, np.zeros_like(times), n_steps)
    return Case(name, program(4, layer), [events], reference_samples=0)


def sparse_layer(name: str, n: int, activity: float, n_steps: int) -> Case:
    """`n` inputs to `n` neurons, 100 synapses from each."""
    rng = np.random.default_rng(0)
    apart = n // 100
    targets = rng.integers(0, apart, (n, 100), dtype=np.int32)
    targets += np.arange(100, dtype=np.int32) * np.int32(apart)
    weights = (rng.integers(-60, 61, targets.size, dtype=np.int16) | 1) * 2
    offsets = np.arange(0, targets.size + 1, 100, dtype=np.int64)
    synapses = SparseSynapses(weights.astype(np.int16), targets.ravel(), offsets, n)
    spiking = [np.flatnonzero(rng.random(n) < activity) for _ in range(n_steps)]
    times = np.repeat(np.arange(n_steps), [units.size for units in spiking])
    events = Events(times, np.concatenate(spiking), n_steps)
    small = int(n <= 1_000)
    return Case(
        name,
        program(n, cuba(n, project(synapses), threshold=4000)),
        [events],
        reference_samples=small,
    )


def scattered(n_units: int, n_steps: int, n_spikes: int, rng: np.random.Generator) -> Events:
    """Spikes anywhere, at most one per unit and step."""
    places = rng.choice(n_units * n_steps, n_spikes, replace=False)
    times, units = np.divmod(np.sort(places), n_units)
    return Events(times, units, n_steps)


def dense(
    n: int, n_sources: int, reach: int = 60, rng: np.random.Generator | None = None
) -> Synapses:
    """Random even weights up to `reach`."""
    rng = rng or np.random.default_rng(0)
    half = rng.integers(-reach // 2, reach // 2 + 1, (n, n_sources), dtype=np.int16)
    return DenseSynapses(2 * half)


def delays(n: int, rng: np.random.Generator) -> np.ndarray:
    """Random axonal delays up to the chip's limit."""
    return rng.integers(0, LONGEST_DELAY + 1, n, dtype=np.int16)


def project(
    synapses: Synapses,
    source: int = PREVIOUS,
    target: Target = "a",
    delays: np.ndarray | None = None,
) -> Projection:
    """Projection with delays per source."""
    if delays is None:
        delays = np.zeros(synapses.n_sources, np.int16)
    return Projection(synapses, source, target, delays, 0)


def gated(
    n_sources: int,
    n: int,
    rng: np.random.Generator | None = None,
    delays: np.ndarray | None = None,
    source: int = PREVIOUS,
) -> list[Projection]:
    """Projections to the three activations of a GRU."""
    return [project(dense(n, n_sources, 40, rng), source, gate, delays) for gate in ("i", "r", "z")]


def own(n: int, rng: np.random.Generator) -> list[Projection]:
    """Recurrent projections of a GRU with a delay per neuron."""
    return gated(n, n, rng, delays(n, rng), RECURRENT)


def cuba(n: int, *projections: Projection, threshold: int) -> Layer:
    """CUBA layer with leaky current and membrane."""
    values = (1024, 512, threshold, 0)
    return Layer(CubaParameters(*(np.full(n, x, np.int64) for x in values)), (n,), projections)


def gru(n: int, *projections: Projection, threshold: int = 64) -> Layer:
    """Spiking GRU layer without biases."""
    values = (threshold, 0, 0, 0)
    return Layer(
        SpikingGruParameters(*(np.full(n, x, np.int64) for x in values)), (n,), projections
    )


def program(n_inputs: int, *layers: Layer) -> Program:
    """Program whose last layer's spikes are counted."""
    readout = Readout("spike_count", np.zeros(layers[-1].n_neurons, np.int16))
    return Program((n_inputs,), layers, readout, {"origin": "benchmark"})
