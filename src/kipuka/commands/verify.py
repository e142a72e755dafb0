"""``kipuka verify``: backends compared on every spike and state of a network file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.inputs.nir import (
    Bias,
    Decays,
    Dt,
    Percentile,
    Preset,
    Reset,
    WeightMax,
    is_nir,
    read_graph,
    refuse_options,
)
from kipuka.commands.options import (
    COUNT_MAX,
    MISMATCH,
    ClampDelays,
    Data,
    DataDir,
    Inputs,
    Json,
    Net,
    given,
    named,
    write_numbers,
)
from kipuka.errors import KipukaError

if TYPE_CHECKING:
    from kipuka.commands.inputs.nir import ReadGraph
    from kipuka.commands.inputs.samples import Samples
    from kipuka.convert.program import Program


def verify(
    net: Net,
    backends: Annotated[
        str | None,
        typer.Option(
            help="Two or more of reference, fast, torch, lava, lowered, netx; "
            "if not given, the first four as far as they are installed.",
        ),
    ] = None,
    input_file: Inputs = None,
    data: Data = None,
    data_dir: DataDir = None,
    samples: Annotated[
        int | None, typer.Option(min=1, max=COUNT_MAX, help="Take only so many samples.")
    ] = None,
    clamp_delays: ClampDelays = False,
    dt: Dt = None,
    preset: Preset = None,
    bias: Bias = None,
    reset: Reset = None,
    decays: Decays = None,
    weight_max: WeightMax = None,
    percentile: Percentile = None,
    json_file: Json = None,
) -> int:
    """Compare backends on every spike and state of a network.

    On --data or --input; without them, on the file's golden vectors. Of a .nir file, integers are
    compared with its floats as well. Exit status 1 on a mismatch of backends. What cannot run the
    network is shown as not applicable; the others are compared.
    """
    from kipuka.commands.backends import backend_name, installed_backends
    from kipuka.commands.inputs.samples import chosen_samples, open_network

    names = installed_backends() if backends is None else named(backends)
    names = list(dict.fromkeys(map(backend_name, names)))
    options = given(dt=dt, preset=preset, bias=bias, reset=reset, decays=decays)
    options |= given(weight_max=weight_max, percentile=percentile)
    graph = None
    if is_nir(net):
        _refuse_no_input(net, input_file, data)
        refuse_options(net, given(clamp_delays=clamp_delays or None), "a .net file")
        graph = read_graph(net, options)
        program = graph.quantized.program
    else:
        refuse_options(net, options, "a .nir file")
        program = open_network(net, clamp_delays=clamp_delays)
    given_samples = chosen_samples(net, program, input_file, data, data_dir, samples)
    found = verify_file(net, program, names, given_samples, json_file, graph)
    if found["agree"] and graph is None:
        from kipuka.commands.console import print_next
        from kipuka.commands.tables.next_steps import report_words

        shown = data if input_file is None else str(input_file)
        print_next(report_words(net, program, shown, data_dir))
    return 0 if found["agree"] else MISMATCH


def _refuse_no_input(net: Path, input_file: Path | None, data: str | None) -> None:
    if input_file is None and data is None:
        raise KipukaError(
            "there is no input to run on",
            where=str(net),
            limit="--input X.npy or --data: a .nir file holds no golden vectors",
            value="neither",
            remedy="give --input X.npy",
        )


def verify_file(
    net: Path,
    program: Program,
    backends: Sequence[str],
    samples: Samples | None,
    json_file: Path | None = None,
    graph: ReadGraph | None = None,
) -> dict[str, Any]:
    """Compare backends on a network file; without samples on its golden vectors, and with these.

    With the graph that the network was rounded from, also integers and floats.

    Raises
    ------
    KipukaError
        If fewer than two of them can run it.
    """
    from kipuka.commands.backends import compare_backends, obstacles
    from kipuka.commands.console import print_line, print_table
    from kipuka.commands.inputs.samples import labelled_samples
    from kipuka.commands.tables.fidelity import fidelity_numbers, print_fidelity
    from kipuka.commands.tables.verification import print_verification, verification_numbers
    from kipuka.convert.formats.net.file import load_golden
    from kipuka.deploy.fidelity import measure_fidelity
    from kipuka.deploy.golden import golden_mismatches

    golden = load_golden(net) if samples is None else ()
    samples = labelled_samples(net, program, None) if samples is None else samples
    inputs = samples.values
    refused = obstacles(backends, program, inputs.shape[-1])
    able = [name for name in backends if name not in refused]
    reasons = {name: f"{error.what}: {error.where}" for name, error in refused.items()}
    if len(able) < 2 <= len(backends):
        raise KipukaError(
            "fewer than two of the backends can run this network",
            where=str(net),
            limit="at least 2, one to compare with the other",
            value="; ".join(f"{name}: {reason}" for name, reason in reasons.items()),
            remedy="name others too, for example --backends reference,fast",
        )
    compared = compare_backends(able, program, inputs)
    verification = compared.verification
    stale = {name: golden_mismatches(golden, trace) for name, trace in compared.traces.items()}
    agree = verification.agree and not any(stale.values())
    numbers = verification_numbers(verification)
    values = {**numbers, "golden_mismatches": stale, "agree": agree}
    values["samples_from"] = samples.source
    fidelity = None if graph is None else measure_fidelity(*graph, inputs)
    if fidelity is not None:
        values["fidelity"] = fidelity_numbers(fidelity)
    values["not_applicable"] = reasons
    write_numbers(json_file, values)
    print_verification(verification)
    print_line(f"samples: {samples.source}")
    if fidelity is not None:
        print_fidelity(fidelity)
    if refused:
        reasons_shown = [[name, error.what, error.where] for name, error in refused.items()]
        print_table("not applicable", ["backend", "reason", "where"], reasons_shown)
    if golden:
        rows = [[name, len(golden), count] for name, count in stale.items()]
        print_table("golden vectors in the file", ["backend", "vectors", "mismatches"], rows)
    return values
