"""Check and time training on a GPU, at the size of an epoch of Spiking Speech Commands.

First, on small layers: spikes and states are those of the plain path in every bit, and gradients
lie as near to the plain path in float64 as the plain path in float32 does. Then times: an epoch of
75,466 samples x 250 steps x 140 channels through two layers of 256, as `kipuka train` runs it,
augmentation and validation included; an update with its samples on the GPU already; the same on the
plain path, some updates of it; and a network of SLAYER's CUBA blocks. Spikes are drawn at random,
about as many as there are in the data set: 8,000 in a sample. Run with::

    python benchmarks/train_gpu.py [--batch 512] [--samples 75466] [--kernels] [--json FILE]
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from kipuka.commands.console import STDOUT, print_table
from kipuka.train.cuba import integrator
from kipuka.train.cuba.compiled_blocks import compiled_blocks
from kipuka.train.datasets import Dataset, Split
from kipuka.train.delays import axonal
from kipuka.train.delays.axonal import annealed_taps, finite_difference_taps, no_delay
from kipuka.train.gru import block as gru_block
from kipuka.train.gru.cell import Cell, Surrogate
from kipuka.train.gru.sequence import can_fuse_on_gpu, run_sequence
from kipuka.train.networks import build_network
from kipuka.train.runs.config import TrainConfig
from kipuka.train.runs.losses import batch_loss
from kipuka.train.runs.parallel import Processes
from kipuka.train.runs.run import Run
from kipuka.train.threads import summing_in_one_order

SAMPLES, CHANNELS, STEPS, CLASSES, HIDDEN = 75_466, 140, 250, 35, 256
INPUT_RATE = 0.23
"""Spikes per channel and step, 8,000 in a sample; a GPU's time does not depend on it."""

VALIDATION = 1024
"""Samples of the validation part, small beside the epoch."""

MAX_DELAY = 62
TAPS: dict[str, Callable[[torch.Tensor], Any]] = {
    "no delay": lambda delay: no_delay(len(delay), delay),
    "delays": lambda delay: finite_difference_taps(delay, 2, MAX_DELAY),
    "annealed delays": lambda delay: annealed_taps(delay, 8.0, MAX_DELAY),
}
SHAPES = ((33, 40, 20), (16, 90, 256), (5, 40, 600))
"""Samples, steps and neurons of the layers that are checked."""

DEVICE = "cuda"


@contextmanager
def plain_path() -> Iterator[None]:
    """Let everything step in Python, as where there is no Triton, without a build by lava-dl."""
    stock = integrator._Chosen.stock
    with (
        compiled_blocks(),
        mock.patch.object(gru_block, "run_sequence", functools.partial(run_sequence, plain=True)),
        mock.patch.object(axonal, "takes_triton", lambda: False),
        mock.patch.object(integrator, "_compiled", lambda *_, **__: stock),
    ):
        yield


def drawn_layer(batch: int, steps: int, n: int) -> list[torch.Tensor]:
    """Activations, weights, bias and delays that make a layer spike."""
    generator = torch.Generator().manual_seed(n)
    shapes = ((steps, batch, 3 * n), (3 * n, n), (3 * n,))
    values = [
        (torch.randn(shape, generator=generator) * size).round() / 32
        for shape, size in zip(shapes, (48, 64 / n**0.5, 8), strict=True)
    ]
    delay = torch.rand(n, generator=generator) * MAX_DELAY / 3
    return [x.to(DEVICE) for x in (*values, delay)]


def outcome(
    values: list[torch.Tensor], taps: Callable[[torch.Tensor], Any], plain: bool
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return spikes and states, and gradients, of a layer."""
    leaves = [x.clone().requires_grad_() for x in values]
    cell = Cell(taps(values[-1].float()), 64, Surrogate(0.01, 10.0))
    if not plain and not can_fuse_on_gpu(leaves[0], leaves[1], cell):
        sys.exit("this GPU does not take the kernels: Triton 3 and capability 8.0 are needed")
    spikes, states = run_sequence(*leaves, cell, plain=plain)
    generator = torch.Generator().manual_seed(1)
    outer = torch.randn(spikes.shape, generator=generator).to(spikes)
    ((spikes * outer).sum() + 3 * states.overshoot.sum()).backward()
    return [spikes.detach(), *states], [leaf.grad for leaf in leaves if leaf.grad is not None]


def checked(batch: int, steps: int, n: int, name: str) -> dict[str, Any]:
    """Compare a layer of some size with the plain path."""
    values = drawn_layer(batch, steps, n)
    found, gradients = outcome(values, TAPS[name], plain=False)
    with mock.patch.object(axonal, "takes_triton", lambda: False):
        right, plain = outcome(values, TAPS[name], plain=True)
        _, exact = outcome([x.double() for x in values], TAPS[name], plain=True)
    same = all(torch.equal(x.to(y.dtype), y) for x, y in zip(found, right, strict=True))
    errors = {}
    for part, others in (("ours", gradients), ("plain", plain)):
        errors[part] = max(
            float((x - y).abs().max() / y.abs().max().clamp(min=1e-30))
            for x, y in zip(others, exact, strict=True)
        )
    return {
        "layer": f"{n} neurons, {steps} steps, {batch} samples, {name}",
        "spike_rate": float(found[0].mean()),
        "forward_identical": same,
        "gradient_error": errors["ours"],
        "gradient_error_plain": errors["plain"],
    }


def same_as_cpu(name: str) -> dict[str, Any]:
    """Compare a network's output spikes on the GPU with those on the CPU."""
    torch.manual_seed(0)
    network = spiking(build_network(name, CHANNELS, CLASSES, 32))
    x = (torch.rand(17, CHANNELS, 30) < INPUT_RATE).float()
    with compiled_blocks(), torch.no_grad():
        on_cpu = functools.reduce(lambda signal, layer: layer(signal), network, x)
        network.to(DEVICE)
        on_gpu = functools.reduce(lambda signal, layer: layer(signal), network, x.to(DEVICE))
    return {
        "layer": f"network {name}, GPU beside CPU",
        "spike_rate": float(on_cpu.mean()),
        "forward_identical": torch.equal(on_cpu, on_gpu.cpu()),
    }


def spiking(network: torch.nn.ModuleList) -> torch.nn.ModuleList:
    """Raise the weights so that fresh layers spike about as much as trained ones."""
    for layer in network:
        synapse = getattr(layer, "input_synapse", None) or layer.synapse
        synapse.weight.data *= 2
    return network


def drawn_split(samples: int, seed: int) -> Split:
    """Random spikes and labels, drawn on the GPU because they are many."""
    torch.manual_seed(seed)
    spikes = np.empty((samples, CHANNELS, STEPS), bool)
    for begin in range(0, samples, 4096):
        part = spikes[begin : begin + 4096]
        part[:] = (torch.rand(part.shape, device=DEVICE) < INPUT_RATE).cpu().numpy()
    return Split(spikes, np.random.default_rng(seed).integers(0, CLASSES, samples))


def made_run(data: Dataset, network: str, batch: int, samples: int) -> Run:
    """Return a run in memory on the first samples of the training part."""
    part = Split(data.train.spikes[:samples], data.train.labels[:samples])
    data = Dataset(data.name, data.n_classes, part, data.validation, data.test)
    config = TrainConfig(
        network=network,
        hidden=HIDDEN,
        batch_size=batch,
        epochs=1,
        learning_rate=1e-3,
        device=DEVICE,
    )
    run = Run(config, data, Processes())
    spiking(run.network)
    return run


def timed(work: Callable[[], Any]) -> float:
    """Seconds of some work, to its end on the GPU."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def updates(run: Run, count: int) -> list[float]:
    """Seconds of updates whose samples lie on the GPU already; the first one is not counted."""
    size = run.config.batch_size
    x = run.augmentation.spikes[:size].to(DEVICE).float()
    labels = run.labels[:size].to(DEVICE)

    def update() -> None:
        run.optimizer.zero_grad()
        (batch_loss(run.network, x, labels, run.config).total / size).backward()
        torch.nn.utils.clip_grad_norm_(run.weights, run.config.gradient_clip)
        run.optimizer.step()

    return [timed(update) for _ in range(count + 1)][1:]


def print_kernels(run: Run) -> None:
    """Print where an update's time on the GPU goes."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        updates(run, 1)
    totals: dict[str, list[float]] = {}
    for event in profiler.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            entry = totals.setdefault(event.name[:90], [0, 0.0])
            entry[0] += 1
            entry[1] += event.time_range.elapsed_us() / 1e3
    longest = sorted(totals.items(), key=lambda item: -item[1][1])[:16]
    print_table(
        "kernels of two updates",
        ["kernel", "calls", "ms"],
        [[name, int(calls), round(ms, 2)] for name, (calls, ms) in longest],
    )


class Numbers:
    """What is measured, printed and written as soon as it is known."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.found: dict[str, Any] = {}

    def add(self, key: str, value: Any) -> None:
        """Add a number, or whatever JSON holds."""
        self.found[key] = value
        if isinstance(value, float):
            STDOUT.print(f"{key}: {value:.3f}")
        if self.path:
            self.path.write_text(json.dumps(self.found, indent=2) + "\n")


def measure(arguments: argparse.Namespace, numbers: Numbers) -> None:
    """Time epoch and updates, in seconds."""
    start = time.perf_counter()
    validation = drawn_split(VALIDATION, seed=1)
    train = drawn_split(arguments.samples, seed=0)
    data = Dataset("drawn", CLASSES, train, validation, validation)
    numbers.add("drawing_s", time.perf_counter() - start)
    size, network = arguments.batch, "sgru-delay-2l"
    with summing_in_one_order():
        with compiled_blocks():
            warm = made_run(data, network, size, size)
            numbers.add("first_epoch_of_one_update_s", timed(lambda: warm.epoch(1, (), 0.0)))
            numbers.add("update_s", updates(warm, 10))
            torch.cuda.reset_peak_memory_stats()
            whole = made_run(data, network, size, len(train.labels))
            numbers.add("epoch_s", timed(lambda: whole.epoch(1, (), 0.0)))
            numbers.add("peak_memory_bytes", torch.cuda.max_memory_allocated())
            cuba = made_run(data, "cuba-ff-delay", size, size)
            numbers.add("cuba_update_s", updates(cuba, 5))
        with plain_path():
            run = made_run(data, network, size, size)
            numbers.add("plain_update_s", updates(run, arguments.plain))
            cuba = made_run(data, "cuba-ff-delay", size, size)
            numbers.add("cuba_plain_update_s", updates(cuba, arguments.plain))
        if arguments.kernels:
            with compiled_blocks():
                print_kernels(made_run(data, network, size, size))


def report(numbers: dict[str, Any], samples: int, batch: int) -> None:
    """Print the times."""
    n_updates = -(-samples // batch)
    rows = [["epoch, as kipuka train runs it", numbers["epoch_s"]]]
    for key, name in (
        ("update_s", "its updates, samples on the GPU already"),
        ("plain_update_s", "these on the plain path, from a part"),
        ("cuba_update_s", "updates of cuba-ff-delay"),
        ("cuba_plain_update_s", "these stepping in Python, from a part"),
    ):
        rows.append([name, statistics.median(numbers[key]) * n_updates])
    print_table(
        f"{samples} samples x {STEPS} steps x {CHANNELS} channels, two layers of {HIDDEN}, "
        f"{n_updates} updates of {batch}",
        ["work", "s", "ms per update"],
        [[name, round(s, 2), round(1e3 * s / n_updates, 2)] for name, s in rows],
    )
    first, memory = numbers["first_epoch_of_one_update_s"], numbers["peak_memory_bytes"]
    print_table(
        "beside",
        ["what", "value"],
        [
            ["first epoch of one update, kernels compiled in it, s", round(first, 2)],
            ["peak memory, GiB", round(memory / 2**30, 2)],
        ],
    )


def main() -> None:
    """Check, measure, print and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--plain", type=int, default=2, help="updates on the plain path")
    parser.add_argument("--kernels", action="store_true", help="where an update's time goes")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    machine = {
        "device": torch.cuda.get_device_name(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": importlib.metadata.version("triton"),
        "cuda": torch.version.cuda,
    }
    print_table("machine", list(machine), [list(machine.values())])
    checks = [checked(*shape, name) for shape in SHAPES for name in TAPS]
    checks += [same_as_cpu(name) for name in ("sgru-delay-2l", "cuba-ff-delay")]
    numbers = Numbers(arguments.json)
    for key, value in (("machine", machine), ("batch", arguments.batch), ("checks", checks)):
        numbers.add(key, value)
    print_table(
        "against the plain path: largest error of a gradient over its largest entry, from float64",
        ["layer", "spikes", "forward", "ours", "plain"],
        [
            [
                check["layer"],
                f"{check['spike_rate']:.3f}",
                "identical" if check["forward_identical"] else "DIFFERENT",
                f"{check['gradient_error']:.1e}" if "gradient_error" in check else "",
                f"{check['gradient_error_plain']:.1e}" if "gradient_error" in check else "",
            ]
            for check in checks
        ],
    )
    measure(arguments, numbers)
    report(numbers.found, arguments.samples, arguments.batch)
    if not all(check["forward_identical"] for check in checks):
        sys.exit(1)


if __name__ == "__main__":
    main()
