"""``kipuka verify``: backends compared on every spike and state of a network file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import MISMATCH, ClampDelays, Inputs, Json, Net, write_numbers

if TYPE_CHECKING:
    from kipuka.convert.program import Program


def verify(
    net: Net,
    backends: Annotated[
        str,
        typer.Option(help="Two or more of fast, reference, torch, lava, lava-stock, netx."),
    ] = "reference,fast,lava",
    input_file: Inputs = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Compare backends on every spike and state of a network.

    Without --input, on the file's golden vectors. Exit status 1 on a mismatch.
    """
    from kipuka.commands.samples import open_network

    program = open_network(net, clamp_delays=clamp_delays)
    return 0 if verify_file(net, program, backends, input_file, json_file)["agree"] else MISMATCH


def verify_file(
    net: Path,
    program: Program,
    backends: str,
    input_file: Path | None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Compare backends on a network file, and each of them with the file's golden vectors."""
    from kipuka.commands.backends import chosen_backends
    from kipuka.commands.console import print_table
    from kipuka.commands.samples import samples_of
    from kipuka.commands.tables.verification import print_verification, verification_numbers
    from kipuka.convert.formats.net.file import load_golden
    from kipuka.deploy.golden import golden_mismatches
    from kipuka.deploy.verification import verify as compare_traces

    chosen = chosen_backends(backends)
    golden = load_golden(net) if input_file is None else ()
    inputs = samples_of(net, program, input_file)
    traces = {name: run(program, inputs) for name, run in chosen.items()}
    verification = compare_traces(program, traces)
    stale = {name: golden_mismatches(golden, trace) for name, trace in traces.items()}
    agree = verification.agree and not any(stale.values())
    numbers = verification_numbers(verification)
    values = {**numbers, "golden_mismatches": stale, "agree": agree}
    write_numbers(json_file, values)
    print_verification(verification)
    if golden:
        rows = [[name, len(golden), count] for name, count in stale.items()]
        print_table("golden vectors in the file", ["backend", "vectors", "mismatches"], rows)
    return values
