"""Reading and writing a network in whichever format its file has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kipuka.convert.formats.net.file import GoldenVector, load_net, save_net
from kipuka.convert.program import Program, expect_program
from kipuka.errors import KipukaError, nearest
from kipuka.strangers import as_path


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name : str
    suffixes : tuple of str
        Endings of file names, with the dot.
    load : callable (path, **options) -> Program
    save : callable (path, program, golden vectors) -> None, or None
        None where the format is read only.
    options : tuple of str
        Names of the options that `load` takes.
    """

    name: str
    suffixes: tuple[str, ...]
    load: Callable[..., Program]
    save: Callable[[str | Path, Program, Sequence[GoldenVector]], None] | None
    options: tuple[str, ...]


def _load_nir(path: str | Path, **options: Any) -> Program:
    """Read a NIR graph, whose reader is loaded for those alone who need it."""
    from kipuka.convert.formats.nir.file import load_nir

    return load_nir(path, **options)


def _save_nir(path: str | Path, program: Program, golden: Sequence[GoldenVector]) -> None:
    from kipuka.convert.formats.nir.file import save_nir

    save_nir(path, program, golden)


NIR_OPTIONS = ("dt", "preset", "bias", "reset", "weight_max", "percentile", "decays")
"""What `kipuka.convert.formats.nir.file.quantized_nir` takes beside the path."""

FORMATS = (
    Format("NetX", (".net", ".h5", ".hdf5"), load_net, save_net, ("clamp_delays",)),
    Format("NIR", (".nir",), _load_nir, _save_nir, NIR_OPTIONS),
)
"""Every format; the first is the one that `kipuka convert` writes."""


def load_network(path: str | Path, **options: Any) -> Program:
    """Read a network file.

    Parameters
    ----------
    path : str or Path
        Its ending names the format; with an ending that no format has, it is taken for the first of
        `FORMATS`, whose reader looks at the content.
    **options
        What the format's reader takes, such as ``clamp_delays`` of a ``.net`` file.

    Returns
    -------
    Program

    Raises
    ------
    KipukaError
        If an option is not the format's, or the file cannot be read.
    """
    found = _format_of(as_path(path))
    for name in options:
        if name not in found.options:
            raise KipukaError(
                "the option does not go with the format of the file",
                where=f"{path}, argument or option {name}",
                limit=f"options of the format {found.name}: {', '.join(found.options)}",
                value=name,
                remedy=nearest(name, found.options) + "leave it out",
            )
    return found.load(path, **options)


def save_network(path: str | Path, program: Program, golden: Sequence[GoldenVector] = ()) -> None:
    """Write a network file in the format that its ending names, or else the first.

    Parameters
    ----------
    path : str or Path
    program : Program
    golden : sequence of GoldenVector
        Kept in the file, where the format can.

    Raises
    ------
    KipukaError
        If networks of that format cannot be written, or the file cannot.
    """
    expect_program(program)
    found = _format_of(as_path(path))
    if found.save is None:
        raise KipukaError(
            "networks of this format can only be read",
            where=str(path),
            limit=", ".join(s for one in FORMATS if one.save for s in one.suffixes),
            value=found.name,
            remedy="choose one of these endings",
        )
    found.save(path, program, golden)


def _format_of(path: Path) -> Format:
    """Return the format of that ending; any other file is for the first to read or to refuse."""
    suffix = path.suffix.lower()
    return next((one for one in FORMATS if suffix in one.suffixes), FORMATS[0])
