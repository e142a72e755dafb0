"""Measure other simulators beside Kipuka: ``python benchmarks/peers.py [--engine X] [--case Y]``.

Each engine gets a throw-away environment, the same arrays and the same input as Kipuka, one core
and one thread. The two take turns, so that a busy machine slows both, and are compared by processor
time. Spikes are counted beside the times, and each row says what the engine leaves out. What cannot
be installed, or cannot express a network, is a row with its reason.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from datetime import date
from pathlib import Path

from peers.environments import Engine, Environments, NotInstalledError
from peers.networks import CASES, count_samples, write_case
from peers.turns import Row, Turns
from simulate import machine

ENGINES = {
    "JAX": Engine("run_jax.py", ("jax==0.12.0.1",), python="3.12", batches=True),
    "Brian2, C++ standalone": Engine("run_brian2.py", ("brian2==2.10.1",), python="3.12"),
    "NEST": Engine("run_nest.py", ("nest-simulator==3.10.0",), python="3.12"),
    "SANA-FE": Engine("run_sanafe.py", ("sanafe==2.2.9", "numpy==2.5.5"), python="3.12"),
    "nengo-loihi": Engine(
        "run_nengo_loihi.py",
        ("nengo-loihi==1.1.0", "nengo==3.2.0", "numpy==1.23.5", "setuptools<81"),
        python="3.10",
    ),
    "torch, float32 loop": Engine("run_torch.py", variant="float", batches=True),
    "torch, int32 loop": Engine("run_torch.py", variant="int32", batches=True),
    "torch, dense products alone": Engine("run_torch.py", variant="products", batches=True),
    "Norse": Engine(
        "run_norse.py", ("norse==1.1.0", "nirtorch==2.6", "pbr==7.1.3"), outer=True, batches=True
    ),
    "snnTorch": Engine("run_snntorch.py", ("snntorch==1.0.0",), outer=True, batches=True),
}

NOT_RUN = {
    "PyGeNN": "no package in the Python Package Index",
    "XyloSim 0.1.3": "crashed in version 0.1.3, the last one there",
}
"""Engines without an entry, and why."""


def measure(
    name: str, engine: Engine, folder: Path, environments: Environments, turns: Turns
) -> list[Row]:
    """Run an engine on a case with one sample a call, and with as many as there are if it can."""
    try:
        python = environments.python(engine)
    except NotInstalledError as error:
        return [Row(turns.case, name, f"not installed: {error}")]
    there = count_samples(folder)
    rows = []
    for samples in (1, there) if engine.batches and there > 1 else (1,):
        rows.append(turns.compare(name, engine, python, samples))
        if rows[-1].wall_s is None:
            break
    return rows


COLUMNS = ("network", "engine", "samples a call", "ms a sample", "Kipuka", "times Kipuka")
COLUMNS += ("spikes by layer", "Kipuka's", "leaves out")


def show(rows: list[Row]) -> None:
    """Print what ran as a table in Markdown, where Kipuka is behind first; then what did not."""
    ran = sorted((r for r in rows if r.times_kipuka), key=lambda r: r.times_kipuka >= 1)
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *(_cells(row) for row in ran)):
        print(f"| {' | '.join(cells)} |")  # noqa: T201
    print()  # noqa: T201
    for row in rows:
        if not row.times_kipuka:
            print(f"- {row.case}, {row.engine}: {row.leaves_out}")  # noqa: T201


def _cells(row: Row) -> list[str]:
    return [
        row.case,
        f"{row.engine} {row.version}",
        str(row.samples),
        f"{1e3 * row.processor_s:.3g}",
        f"{1e3 * row.kipuka_processor_s:.3g}",
        f"{row.times_kipuka:.3g}",
        _counts(row.spikes),
        _counts(row.kipuka_spikes),
        row.leaves_out,
    ]


def _counts(spikes: list[int]) -> str:
    return ", ".join(f"{count:,}" for count in spikes)


def write(rows: list[Row], file: Path) -> None:
    """Write the rows, and what they were measured on."""
    contents = {"machine": machine(), "rows": [dataclasses.asdict(row) for row in rows]}
    file.write_text(json.dumps(contents, indent=2) + "\n")


def main() -> None:
    """Measure, print and write what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", nargs="+", default=[""], help="part of their names")
    parser.add_argument("--case", nargs="+", default=[""], help="part of the networks' names")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each engine")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for a call")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--torch", type=Path, metavar="PYTHON", help="whose torch the loops take")
    options = parser.parse_args()
    print(f"{machine()}, one in use, {date.today()}: processor time\n")  # noqa: T201
    rows = []
    with tempfile.TemporaryDirectory(prefix="kipuka-peers-") as name:
        environments = Environments(Path(name), options.torch)
        for case in CASES:
            if not any(part in case for part in options.case):
                continue
            folder = Path(name) / "case"
            folder.mkdir(exist_ok=True)
            write_case(case, folder)
            turns = Turns(case, folder, options.rounds, options.limit)
            for engine, entry in ENGINES.items():
                if any(part in engine for part in options.engine):
                    found = measure(engine, entry, folder, environments, turns)
                    print(*found, sep="\n", file=sys.stderr, flush=True)  # noqa: T201
                    rows += found
            turns.close()
            if options.json:
                write(rows, options.json)
    show(rows)
    for engine, reason in NOT_RUN.items():
        print(f"- {engine}: {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
