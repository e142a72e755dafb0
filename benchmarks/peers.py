"""Measure other simulators beside Kipuka: ``python benchmarks/peers.py [--json FILE]``.

Each engine gets an environment of its own, the same arrays and the same input as Kipuka, one core
and one thread. The two take turns, so that a busy machine slows both, and are compared by processor
time, the wall time beside it. Spikes are counted beside the times, and each row says what the
engine leaves out. What cannot be installed, or cannot express a network, is a row with its reason.
One command measures everything, in less than an hour; ``--engine`` and ``--case`` choose from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from datetime import date
from pathlib import Path

from peers.environments import Engine, Environments, NotInstalledError
from peers.networks import CASES, count_samples, write_case
from peers.table import render
from peers.turns import Row, Turns
from simulate import machine


def _torch(variant: str = "", file: str = "run_torch.py") -> Engine:
    packages = ("torch==2.15.0", "norse==1.1.0", "snntorch==1.0.0")
    return Engine(file, packages, variant, python="3.12", batches=True)


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
    "torch, dense products alone": _torch("products"),
    "torch, int8 product alone": _torch("int8"),
    "torch, dense products and compiled updates": _torch("compiled"),
    "torch, float32 loop": _torch("float"),
    "torch, int32 loop": _torch("int32"),
    "Norse": _torch(file="run_norse.py"),
    "snnTorch": _torch(file="run_snntorch.py"),
}

NOT_RUN = {
    "PyGeNN": "no package in the Python Package Index",
    "XyloSim 0.1.3": "a segmentation fault on small networks",
}
"""Engines without an entry, and why."""

KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34)}
"""Of all processes: what is freed stays with them, so that no call pays for new pages, which take
up to half the time of torch's products."""


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


def results(rows: list[Row]) -> dict[str, object]:
    """Give the rows, and what they were measured on."""
    return {
        "machine": machine(),
        "date": str(date.today()),
        "not_run": NOT_RUN,
        "rows": [dataclasses.asdict(row) for row in rows],
    }


def write(contents: dict[str, object], file: Path) -> None:
    """Write the results, a line for each row."""
    text = json.dumps({**contents, "rows": []}, indent=1)
    rows = ",\n  ".join(json.dumps(row) for row in contents["rows"])
    file.write_text(text.replace('"rows": []', f'"rows": [\n  {rows}\n ]') + "\n")


def main() -> None:
    """Measure, print and write what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", nargs="+", default=[""], help="part of their names")
    parser.add_argument("--case", nargs="+", default=[""], help="part of the networks' names")
    parser.add_argument("--rounds", type=int, default=5, help="most turns of each engine")
    parser.add_argument("--seconds", type=float, default=10.0, help="for the turns of a row")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for a call")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    parser.add_argument("--render", type=Path, metavar="FILE", help="print its tables")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="keep them there")
    options = parser.parse_args()
    if options.render:
        print(render(json.loads(options.render.read_text())), end="")  # noqa: T201
        return
    with tempfile.TemporaryDirectory(prefix="kipuka-peers-") as name:
        contents = run(options, Path(name))
    print(f"{contents['machine']}, one in use, {contents['date']}\n")  # noqa: T201
    print(render(contents), end="")  # noqa: T201


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Measure what the options ask for, network by network, and write it as it grows."""
    engines = {k: e for k, e in ENGINES.items() if any(part in k for part in options.engine)}
    environments = Environments(options.environments or folder)
    environments.make(engines.values())
    os.environ.update(KEPT_MEMORY)
    if hasattr(os, "sched_setaffinity"):
        # XLA would start threads on all that it sees.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows: list[Row] = []
    case_folder = folder / "case"
    case_folder.mkdir()
    for case in CASES:
        if not any(part in case for part in options.case):
            continue
        write_case(case, case_folder)
        turns = Turns(case, case_folder, options.rounds, options.limit, options.seconds)
        for engine, entry in engines.items():
            found = measure(engine, entry, case_folder, environments, turns)
            print(*found, sep="\n", file=sys.stderr, flush=True)  # noqa: T201
            rows += found
        turns.close()
        if options.json:
            write(results(rows), options.json)
    return results(rows)


if __name__ == "__main__":
    main()
