"""Train small networks in other libraries, export them as NIR, and see what rounding costs.

Makes a throw-away environment that sees the packages of this one (torch above all), installs the
exporters into it, trains a network of a hidden layer on the digits with each for about a minute,
and exports it. Then the file is read by Kipuka as docs/nir.md says, and its integers run on the
same samples: those of the validation and the test part, on which nothing was chosen. Run with::

    python benchmarks/nir_exporters.py [--libraries norse,snntorch,sinabs] [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

PACKAGES = ("norse==1.1.0", "snntorch==1.0.0", "sinabs==3.1.3", "nirtorch==2.6", "pbr==7.1.3")
"""Exporters, installed without what they depend on: torch, numpy and nir are there."""

READING: dict[str, dict[str, Any]] = {
    "norse": {"dt": 1e-3, "preset": "norse"},
    "snntorch": {"preset": "snntorch"},
    "sinabs": {"preset": "sinabs"},
}
"""How each library's file is read."""

HIDDEN, CLASSES, BATCH, SEED = 256, 10, 256, 0
TAU_STEPS = 20.0
THRESHOLD = 1.0 / TAU_STEPS
"""Of neurons whose input is scaled by dt / tau; where it is not, 1 is the same."""

LEARNING_RATE = 5e-3

SHARPNESS = 0.3
"""Of the decision while training, per spike: less asks for classes that are more spikes apart."""


class Model(NamedTuple):
    """A network of one library.

    Attributes
    ----------
    module : torch.nn.Module
    run : callable (spikes (samples, steps, units)) -> spikes (samples, steps, classes)
    export : callable () -> nir.NIRGraph
    """

    module: torch.nn.Module
    run: Callable[[torch.Tensor], torch.Tensor]
    export: Callable[[], Any]


def norse_model(units: int) -> Model:
    """Leaky neurons without a synaptic filter; a dt of 1 makes the exporter write seconds."""
    import norse.torch as norse
    from norse.torch.utils.export_nir import to_nir

    def neurons(n: int) -> torch.nn.Module:
        values = [torch.full((n,), x) for x in (1e3 / TAU_STEPS, 0.0, THRESHOLD, 0.0)]
        return norse.LIFBoxCell(norse.LIFBoxParameters(*values, method="tanh", alpha=20.0))

    module = norse.SequentialState(*_alternating(units, neurons))

    def run(spikes: torch.Tensor) -> torch.Tensor:
        state, out = None, []
        for step in range(spikes.shape[1]):
            found, state = module(spikes[:, step], state)
            out.append(found)
        return torch.stack(out, dim=1)

    return Model(module, run, lambda: to_nir(module, torch.zeros(1, units), dt=1.0))


def snntorch_model(units: int) -> Model:
    """Leaky neurons that reset to zero; its exporter always writes for a dt of 1e-4."""
    import snntorch
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    def neurons(n: int) -> torch.nn.Module:
        beta = torch.full((n,), 1.0 - 1.0 / TAU_STEPS)
        ends = {"threshold": torch.ones(n), "reset_mechanism": "zero"}
        return snntorch.Leaky(beta, init_hidden=True, **ends)

    module = torch.nn.Sequential(*_alternating(units, neurons))

    def run(spikes: torch.Tensor) -> torch.Tensor:
        utils.reset(module)
        return torch.stack([module(x) for x in spikes.unbind(1)], dim=1)

    def export() -> Any:
        utils.reset(module)
        return export_to_nir(module, torch.zeros(1, units), ignore_dims=[0])

    return Model(module, run, export)


def sinabs_model(units: int) -> Model:
    """Leaky neurons with one spike at most and a reset to zero, which are not its defaults."""
    import sinabs
    import sinabs.activation as activation
    import sinabs.layers as layers
    from sinabs.nir import to_nir

    def neurons(n: int) -> torch.nn.Module:
        return layers.LIFSqueeze(
            batch_size=1,
            tau_mem=torch.full((n,), TAU_STEPS),
            spike_threshold=torch.full((n,), THRESHOLD),
            spike_fn=activation.SingleSpike,
            reset_fn=activation.MembraneReset(),
            surrogate_grad_fn=activation.SingleExponential(grad_width=0.5),
        )

    module = torch.nn.Sequential(*_alternating(units, neurons))
    # Sinabs trains each neuron's time constant, and Lava has one for a layer.
    for layer in module:
        if isinstance(layer, layers.LIFSqueeze):
            layer.tau_mem.requires_grad_(requires_grad=False)

    def run(spikes: torch.Tensor) -> torch.Tensor:
        sinabs.reset_states(module)
        for layer in module:
            if isinstance(layer, layers.LIFSqueeze):
                layer.batch_size = len(spikes)
        return module(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])

    def export() -> Any:
        run(torch.zeros(1, 2, units))
        return to_nir(module, torch.zeros(2, units))

    return Model(module, run, export)


MODELS: dict[str, Callable[[int], Model]] = {
    "norse": norse_model,
    "snntorch": snntorch_model,
    "sinabs": sinabs_model,
}


def _alternating(units: int, neurons: Callable[[int], torch.nn.Module]) -> list[torch.nn.Module]:
    """Weights and neurons in turn, through a hidden layer."""
    sizes = (units, HIDDEN, CLASSES)
    found: list[torch.nn.Module] = []
    for before, after in pairwise(sizes):
        found += [torch.nn.Linear(before, after), neurons(after)]
    return found


def train_and_export(library: str, folder: Path, seconds: float) -> None:
    """Train on ``data.npz``, write ``LIBRARY.nir`` and the decisions on the samples held out."""
    import nir

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    with np.load(folder / "data.npz") as data:
        spikes, labels, held_out = (
            torch.from_numpy(data[key]) for key in ("spikes", "labels", "held_out")
        )
    spikes, held_out = spikes.float().transpose(1, 2), held_out.float().transpose(1, 2)
    model = MODELS[library](spikes.shape[-1])
    optimizer = torch.optim.Adam(model.module.parameters(), lr=LEARNING_RATE)
    end, epochs = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for batch in torch.randperm(len(spikes)).split(BATCH):
            counts = model.run(spikes[batch]).sum(dim=1)
            loss = torch.nn.functional.cross_entropy(SHARPNESS * counts, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.module.parameters(), 1.0)
            optimizer.step()
        epochs += 1
    with torch.no_grad():
        out = model.run(held_out)
        nir.write(folder / f"{library}.nir", model.export())
    # Ties go to the lower class, as in Kipuka.
    decisions = np.argmax(out.sum(dim=1).numpy(), axis=1)
    np.savez(folder / f"{library}.npz", decisions=decisions, spikes=out.numpy() > 0, epochs=epochs)


def throw_away_environment(folder: Path) -> Path:
    """Make an environment that sees this one's packages, with the exporters; return its Python."""
    venv.create(folder, with_pip=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "outer.pth").write_text("\n".join(p for p in sys.path if p.endswith("-packages")))
    python = folder / "bin" / "python"
    words = [python, "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES]
    subprocess.run(words, check=True)
    return python


def compare(library: str, folder: Path, held_out: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Read the file that a library wrote, and hold its integers against the library."""
    from kipuka.convert.formats.nir.file import floats_of
    from kipuka.convert.quantization import quantize
    from kipuka.convert.trace import decide
    from kipuka.deploy import simulate
    from kipuka.deploy.fidelity import measure_fidelity

    floats = floats_of(folder / f"{library}.nir", **READING[library])
    quantized = quantize(floats)
    # Kipuka's last layer is behind by a step for each layer before it, and runs that much longer.
    lag = len(quantized.layers) - 1
    late = np.pad(held_out, ((0, 0), (0, 0), (0, lag)))
    last = simulate(quantized.program, late).trace.layers[-1]
    after = decide(quantized.program, last)
    fidelity = measure_fidelity(floats, quantized, late)
    with np.load(folder / f"{library}.npz") as found:
        before, epochs = found["decisions"], int(found["epochs"])
        theirs = found["spikes"].transpose(0, 2, 1)
    return {
        "library": library,
        "epochs": epochs,
        "samples": len(labels),
        "accuracy_before": float(np.mean(before == labels)),
        "accuracy_after": float(np.mean(after == labels)),
        "same_decisions": int(np.sum(before == after)),
        "same_decisions_as_floats": fidelity.same_decisions,
        "last_spikes": int(theirs.sum()),
        "last_agreement": float(np.mean(theirs == last.spikes[..., lag:])),
        "rounding": [str(report) for report in quantized.layers],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export, convert, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--libraries", default="norse,snntorch,sinabs")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        train_and_export(given.child[0], Path(given.child[1]), given.seconds)
        return 0
    from kipuka.commands.console import print_table
    from kipuka.train.datasets import load_dataset

    data = load_dataset("digits")
    held_out = np.concatenate([data.validation.spikes, data.test.spikes])
    labels = np.concatenate([data.validation.labels, data.test.labels])
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = throw_away_environment(folder / "environment")
        np.savez(
            folder / "data.npz",
            spikes=data.train.spikes,
            labels=data.train.labels,
            held_out=held_out,
        )
        for library in given.libraries.split(","):
            words = [python, __file__, "--seconds", str(given.seconds), "--child", library, folder]
            subprocess.run(words, check=True)
            rows.append(compare(library, folder, held_out, labels))
    columns = [
        "library",
        "accuracy\nbefore",
        "accuracy\nafter",
        "same\ndecisions",
        "last spikes\nagree",
    ]
    table = [
        [
            row["library"],
            f"{row['accuracy_before']:.2%}",
            f"{row['accuracy_after']:.2%}",
            f"{row['same_decisions']} of {row['samples']}",
            f"{row['last_agreement']:.2%}",
        ]
        for row in rows
    ]
    print_table("before and after conversion", columns, table)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
