"""The command line's entry: registers the commands, and says what went wrong in one paragraph."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kipuka import __version__
from kipuka.commands.compare import compare
from kipuka.commands.convert import convert
from kipuka.commands.demo import demo
from kipuka.commands.deploy import deploy
from kipuka.commands.hardware import app as hardware_app
from kipuka.commands.inspect import inspect
from kipuka.commands.profile import profile
from kipuka.commands.simulate import simulate
from kipuka.commands.train import train
from kipuka.commands.verify import verify
from kipuka.errors import KipukaError

BAD_INPUT, INTERNAL_ERROR, INTERRUPTED = 2, 70, 130
"""Exit statuses besides 0 and `kipuka.commands.options.MISMATCH`."""

app = typer.Typer(
    name="kipuka",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Help is text: brackets in it are no markup, and rich need not be loaded to show it.
    rich_markup_mode=None,
    help="Spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2.",
)

for _command in (demo, train, compare, convert, inspect, simulate, verify, profile, deploy):
    app.command()(_command)
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


def _complain(message: str, status: int) -> int:
    typer.echo(f"kipuka: {message}", err=True)
    return status
