"""The command line's entry: registers the commands, and says what went wrong in one paragraph."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from kipuka import __version__
from kipuka.commands.paths import PathCommand
from kipuka.commands.tables.layout import folded
from kipuka.commands.tables.streams import PipeClosedError, guarded_streams, let_go
from kipuka.errors import KipukaError, printable
from kipuka.screen import STDERR

BAD_INPUT, INTERNAL_ERROR, INTERRUPTED, PIPE_CLOSED = 2, 70, 130, 141
"""Exit statuses besides 0 and `kipuka.commands.options.MISMATCH`; the last one, as of a program
that is ended by SIGPIPE, says that nobody read the output to its end, and nothing else."""

COMMANDS = (
    "demo",
    "train",
    "compare",
    "convert",
    "inspect",
    "simulate",
    "classify",
    "verify",
    "profile",
    "deploy",
    "hardware",
)
"""Modules beside this one, with a function of their name, or an `app` of commands of its own."""

HELP = "Spiking networks with axonal delays and a spiking GRU, exact from training to Loihi 2."


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
    with guarded_streams():
        try:
            names = (words[0],) if words and words[0] in COMMANDS else COMMANDS
            result = commands(names)(words, prog_name="kipuka", standalone_mode=False)
            sys.stdout.flush()
            if result == INTERRUPTED:  # what the option parser makes of Ctrl-C
                return _complain("interrupted; nothing half-written is left", INTERRUPTED)
            return result if isinstance(result, int) else 0
        except PipeClosedError:
            return PIPE_CLOSED
        except Exception as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]
                return BAD_INPUT
            if debug and not _is_usage(error):
                raise
            return _complain(*_said(error))


def entry_point() -> None:
    """Run the command line as a process.

    Commands draw into files alone: how a notebook draws, which ``!kipuka`` in a cell inherits, may
    be installed for the notebook only.
    """
    os.environ["MPLBACKEND"] = "agg"
    status = main()
    let_go()
    sys.exit(status)


def _is_usage(error: Exception) -> bool:
    """Tell errors of the option parser, whose class differs between its versions."""
    return hasattr(error, "format_message")


def _said(error: Exception) -> tuple[str, int]:
    """One paragraph about what went wrong, and the exit status."""
    if isinstance(error, KipukaError):
        return str(error), BAD_INPUT
    if _is_usage(error):
        command = getattr(getattr(error, "ctx", None), "command_path", "kipuka")
        message = " ".join(error.format_message().split()).rstrip(".")  # type: ignore[attr-defined]
        return f"{message}. What to do: see {command} --help.", BAD_INPUT
    message = f"internal error: {type(error).__name__}: {error}. Run again with --debug"
    return f"{message} and report the traceback.", INTERNAL_ERROR


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"{__version__}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    # Both options act before a command does: --version on its own, --debug in `main`.
    del version, debug


def _typer(names: Iterable[str]) -> typer.Typer:
    """Register some commands, and the options that stand before them."""
    made = typer.Typer(
        name="kipuka",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Help is text: brackets in it are no markup, and rich need not be loaded to show it.
        rich_markup_mode=None,
        help=HELP,
    )
    made.callback()(_options)
    for name in names:
        module = importlib.import_module(f"kipuka.commands.{name}")
        if hasattr(module, "app"):
            made.add_typer(module.app, name=name)
        else:
            made.command(cls=PathCommand)(getattr(module, name))
    return made


@functools.cache
def commands(names: tuple[str, ...] = COMMANDS) -> Any:
    """Load some commands and read their options: for all, that takes as long as many a command."""
    return typer.main.get_command(_typer(names))


def _complain(message: str, status: int) -> int:
    text = f"kipuka: {printable(message)}"
    for line in folded(text, STDERR.width) if STDERR.is_terminal else [text]:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    return status
