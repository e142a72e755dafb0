"""The command line: each command is one call of a public function with the same name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kipuka import __version__
from kipuka.commands.hardware import app as hardware_app
from kipuka.commands.options import (
    ClampDelays,
    DataDir,
    InputFile,
    Inputs,
    Json,
    Net,
    write_numbers,
)
from kipuka.commands.training import compare, convert, train
from kipuka.errors import KipukaError

BAD_INPUT, MISMATCH, INTERNAL_ERROR, INTERRUPTED = 2, 1, 70, 130
"""Exit statuses besides 0."""

app = typer.Typer(
    name="kipuka",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2.",
)

app.add_typer(hardware_app, name="hardware")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Words after the program's name; the process's own if not given.
    """
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        result = app(words, prog_name="kipuka", standalone_mode=False)
        if result == INTERRUPTED:  # what the option parser makes of Ctrl-C
            return _complain("interrupted; nothing half-written is left", INTERRUPTED)
        return result if isinstance(result, int) else 0
    except KipukaError as error:
        if debug:
            raise
        return _complain(str(error), BAD_INPUT)
    except Exception as error:
        if hasattr(error, "show"):  # a usage error of the option parser
            error.show()
            return BAD_INPUT
        if debug:
            raise
        message = f"internal error: {type(error).__name__}: {error}. Run again with --debug"
        return _complain(f"{message} and report the traceback.", INTERNAL_ERROR)


def entry_point() -> None:
    """Run the command line as a process."""
    sys.exit(main())


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    # Both options act before a command does: --version on its own, --debug in `main`.
    del version, debug


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for all results.")] = Path("kipuka-demo"),
    seed: Annotated[int, typer.Option(help="Seed of the training run.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = 40,
    samples: Annotated[int | None, typer.Option(help="Use only so many test samples.")] = None,
    json_file: Json = None,
) -> int:
    """Train, quantize, simulate, run in Lava, verify and cost a small network; write a report."""
    from kipuka.commands.demo import demo as run

    summary = run(out, seed=seed, epochs=epochs, samples=samples)
    write_numbers(json_file, summary)
    verified = summary["verify"]
    wrong = verified["spike_mismatches"] + verified["state_mismatches"]
    return MISMATCH if wrong else 0


app.command()(train)
app.command()(compare)
app.command()(convert)


@app.command()
def inspect(
    net: Net,
    steps: Annotated[
        int | None,
        typer.Option(help="Steps of the samples for which the range of states is analysed."),
    ] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Show a network file's layers, how far its states get, and what stock NetX would do."""
    from kipuka.commands.inspect import inspect_file

    write_numbers(json_file, inspect_file(net, steps, clamp_delays=clamp_delays))
    return 0


@app.command()
def simulate(
    net: Net,
    input_file: InputFile,
    output: Annotated[
        Path, typer.Option(metavar="Y.npy", help="Spikes of the last layer, delayed.")
    ],
    layer: Annotated[
        int | None,
        typer.Option(help="Write the spikes that this layer emits (NetX numbering) instead."),
    ] = None,
    backend: Annotated[str, typer.Option(help="fast, reference, torch, lava or netx.")] = "fast",
    reset_interval: Annotated[
        int | None, typer.Option(help="Reset every neuron every so many steps, as NetX can.")
    ] = None,
    reset_offset: Annotated[int, typer.Option(help="Step of the first layer's first reset.")] = 0,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Run a network file bit-accurately and write the spikes that its readout receives."""
    from kipuka.commands.pipeline import open_network, simulate_file

    reset = None if reset_interval is None else (reset_interval, reset_offset)
    program = open_network(net, clamp_delays=clamp_delays, reset=reset)
    write_numbers(json_file, simulate_file(program, input_file, output, backend, layer))
    return 0


@app.command()
def verify(
    net: Net,
    backends: Annotated[str, typer.Option(help="Two or more names.")] = "reference,fast,lava",
    input_file: Inputs = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Compare backends on every spike and state; without --input, on the file's golden vectors."""
    from kipuka.commands.pipeline import open_network, verify_file

    program = open_network(net, clamp_delays=clamp_delays)
    outcome = verify_file(net, program, backends, input_file)
    write_numbers(json_file, outcome)
    return 0 if outcome["agree"] else MISMATCH


@app.command()
def profile(
    net: Net,
    hardware: Annotated[str, typer.Option(help="Name or file of a hardware profile.")] = "loihi2",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="X.npy|X.npz|NAME",
            help="Array, events (with labels, if you like), or a data set's name: its test part.",
        ),
    ] = None,
    data_dir: DataDir = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Take only so many samples of the data.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a report as one HTML file.")
    ] = None,
    cores: Annotated[
        int | None, typer.Option(min=1, help="Spread over so many cores, not over the fewest.")
    ] = None,
    advise: Annotated[
        bool, typer.Option("--advise", help="Try and price changes that save energy or time.")
    ] = False,
    compare: Annotated[
        Path | None, typer.Option(metavar="B.net", help="Show a second network beside this one.")
    ] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Estimate energy and time of a network; without --data, on the file's golden vectors."""
    from kipuka.commands.pipeline import open_network
    from kipuka.commands.profile import Question, profile_file

    program = open_network(net, clamp_delays=clamp_delays)
    question = Question(hardware, data, data_dir, samples, cores)
    values = profile_file(net, program, question, advice=advise, other=compare, report=report)
    write_numbers(json_file, values)
    return 0


@app.command()
def deploy(
    net: Net,
    target: Annotated[
        str, typer.Option(help="lava-sim: Lava on this machine; loihi2: a board.")
    ] = "lava-sim",
    input_file: Inputs = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check what can be checked here.")
    ] = False,
    interval: Annotated[
        int | None,
        typer.Option(help="Hardware steps between samples; a power of two for loihi2."),
    ] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Ask SLURM for the board.")] = False,
    partition: Annotated[str | None, typer.Option(help="SLURM partition.")] = None,
    board: Annotated[str | None, typer.Option(help="SLURM board.")] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Lower a network to stock Lava processes, check it for Loihi 2, stream samples through it."""
    from kipuka.commands.deploy import Host, deploy_file
    from kipuka.commands.pipeline import open_network

    program = open_network(net, clamp_delays=clamp_delays)
    host = Host(slurm, partition, board)
    outcome = deploy_file(
        net, program, target, input_file, interval=interval, dry_only=dry_run, host=host
    )
    write_numbers(json_file, outcome)
    return 0 if outcome["agree"] else MISMATCH


def _complain(message: str, status: int) -> int:
    typer.echo(f"kipuka: {message}", err=True)
    return status
