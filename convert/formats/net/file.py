"""Reading and writing `.net` files: NetX's HDF5 layout plus a versioned group ``kipuka``.

A network of stock layers carries nothing that NetX has to understand beyond its own keys; what NetX
lacks (readout, metadata, golden vectors) sits in the group, GRU layers and recurrent delays in
layer types and keys of their own (see `kipuka.convert.formats.net.keys`).
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np

from kipuka.convert import fixed
from kipuka.convert.formats.guarded.hdf5 import Expected, opened
from kipuka.convert.formats.guarded.records import Record
from kipuka.convert.formats.net.reader import NetworkReader
from kipuka.convert.formats.net.sigma_delta import sends_payloads
from kipuka.convert.formats.net.writer import write_layers
from kipuka.convert.operands import as_numbers, as_spikes
from kipuka.convert.program import Program, Readout, ReadoutKind, Reset, expect_program
from kipuka.convert.trace import Trace, readout_input
from kipuka.display import Shown
from kipuka.errors import KipukaError, expect
from kipuka.files import replacing
from kipuka.names import NETWORK_FILE
from kipuka.strangers import as_path

FORMAT_VERSION = 1

UNITS_PER_STEP, UNIT_STEPS_PER_NUMBER = 1024, 4
"""What a step of a golden vector costs besides its units, and units in steps for each number that a
file may unfold to.
"""

GOLDEN_VECTORS = 3
"""Inputs that commands and training keep in a file with their results."""


@dataclass(frozen=True, eq=False)
class GoldenVector(Shown):
    """One input with what the reference simulator made of it, for checking any backend later.

    Attributes
    ----------
    input : array (units, steps)
        Spikes as bool; for a network with an encoder, activations as int32.
    output : bool array (neurons, steps)
        Spikes as the readout receives them; int32 payloads of neurons that send graded spikes.
    digest : str
        SHA-256 over every spike and state of every layer (`Trace.digest`).
    """

    input: np.ndarray
    output: np.ndarray
    digest: str


def golden_of(program: Program, inputs: np.ndarray, trace: Trace) -> tuple[GoldenVector, ...]:
    """Keep what a network made of inputs: their spikes, those of the readout, and a digest.

    Parameters
    ----------
    program : Program
    inputs : bool or int32 array (samples, units, steps)
    trace : Trace
        Of these inputs.
    """
    outputs = readout_input(program.readout, trace.layers[-1].spikes)
    return tuple(GoldenVector(inputs[k], outputs[k], trace.digest(k)) for k in range(len(inputs)))


def save_net(path: str | Path, program: Program, golden: Sequence[GoldenVector] = ()) -> None:
    """Write `program` to a `.net` file, with golden vectors.

    Parameters
    ----------
    path : str or path
    program : Program
    golden : sequence of GoldenVector, optional
        Inputs with what the network makes of them, from `kipuka.deploy.golden_vectors`.

    Raises
    ------
    KipukaError
        If the file cannot be written; an older file of that name is then untouched.
    """
    expect_program(program)
    # HDF5 ends the process with a segmentation fault where the disk is full, so it gets no disk.
    with h5py.File(uuid.uuid4().hex, "w", driver="core", backing_store=False) as file:
        write_layers(file.create_group("layer"), program)
        own = file.create_group("kipuka")
        own.attrs["format_version"] = FORMAT_VERSION
        own.attrs["readout"] = program.readout.kind
        own.attrs["metadata"] = json.dumps(dict(program.metadata), sort_keys=True)
        own["readout_delay"] = program.readout.delays
        if program.reset:
            own["reset"] = np.array([program.reset.interval, program.reset.offset])
        for number, vector in enumerate(_checked_golden(golden)):
            group = own.create_group(f"golden/{number}")
            for key, units in (("input", program.n_inputs), ("output", program.n_outputs)):
                data = _golden_values(getattr(vector, key), units, f"vector {number}, {key}")
                group.create_dataset(key, data=data, compression="gzip")
            group.attrs["digest"] = vector.digest
        file.flush()
        image = file.id.get_file_image()
    with replacing(path) as temporary:
        temporary.write_bytes(image)


def _checked_golden(golden: Any) -> Iterable[GoldenVector]:
    """Golden vectors, which golden_vectors makes; nothing else has a digest."""
    made = "kipuka.deploy.golden_vectors(program, inputs) makes them"
    expect(golden, Iterable, "argument golden", made)
    for number, vector in enumerate(golden):
        expect(vector, GoldenVector, f"argument golden, vector {number}", made)
        yield vector


def _golden_values(values: Any, n_units: int, where: str) -> np.ndarray:
    """Return what a golden vector holds as a file stores it: spikes as uint8, payloads as int32."""
    array = as_numbers(values, f"golden {where}")
    if array.ndim != 2 or len(array) != n_units or array.dtype.kind not in "biu":
        raise KipukaError(
            "a golden vector does not fit the network",
            where=f"golden {where}",
            limit=f"bools or integers, {n_units} units x steps",
            value=f"shape {array.shape}, {array.dtype}",
            remedy="make them with kipuka.deploy.golden_vectors",
        )
    return as_spikes(array, where).astype(np.uint8) if array.dtype == np.bool_ else array


def load_net(path: str | Path, *, clamp_delays: bool = False) -> Program:
    """Read a `.net` file, Kipuka's or NetX's.

    Parameters
    ----------
    path : str or Path
    clamp_delays : bool
        Cut delays beyond the hardware's 62 steps to that, as NetX does, instead of refusing them.

    Returns
    -------
    Program

    Raises
    ------
    KipukaError
        If the file is missing, truncated, foreign, or holds what Kipuka cannot run exactly; the
        message names the layer (NetX numbering) and the key.
    """
    with _opened(path) as root:
        layers = root.group("layer")
        reader = NetworkReader(clamp_delays)
        for number in _layer_numbers(layers):
            reader.read(number, layers.group(str(number), f"{path}, layer {number}"))
        layers.refuse_unread()
        try:
            return Program(
                reader.input_shape,
                tuple(reader.layers),
                numbers=tuple(reader.numbers),
                encoder=reader.encoder,
                **_read_own(root, reader),
            )
        except KipukaError as error:
            raise KipukaError(
                error.what,
                where=f"{path}, {error.where}",
                limit=error.limit,
                value=error.value,
                remedy=error.remedy,
            ) from None


def load_golden(path: str | Path) -> tuple[GoldenVector, ...]:
    """Read the golden vectors of a `.net` file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    tuple of GoldenVector
        Empty if it carries none.

    Raises
    ------
    KipukaError
        If the file is no `.net` file, or a golden vector does not fit its network.
    """
    with _opened(path) as root:
        if not root.has("kipuka") or not root.group("kipuka").has("golden"):
            return ()
        group, layers = root.group("kipuka").group("golden"), root.group("layer")
        encoded = layers.group("0").has("neuron")
        units = sum(_units(layers.group(str(number))) for number in _layer_numbers(layers))
        numbers = range(len(group.keys()))
        graded = sends_payloads(layers)
        return tuple(_golden_vector(group.group(str(n)), encoded, graded, units) for n in numbers)


def _units(layer: Record) -> int:
    """Neurons of a layer, which have a state in every step."""
    neurons = (layer.has("neuron") or layer.has("weight")) and layer.has("shape")
    return math.prod(layer.numbers("shape").ravel().tolist()) if neurons else 0


def _golden_vector(record: Record, encoded: bool, graded: bool, units: int) -> GoldenVector:
    given, right = record.numbers("input"), record.numbers("output")
    n_steps = given.shape[-1] if given.ndim else 0
    # Whoever runs it keeps spikes and states of all units in all steps, and takes time for a step.
    record.spend(n_steps * max(units + UNITS_PER_STEP, 0) // UNIT_STEPS_PER_NUMBER, "input")
    steps = {values.shape[-1] for values in (given, right) if values.ndim == 2}
    ends = {True: (-fixed.INT32_MAX, fixed.INT32_MAX), False: (0, 1)}
    fits = all(
        values.size and low <= values.min() and values.max() <= high
        for values, (low, high) in ((given, ends[encoded]), (right, ends[graded]))
    )
    if given.ndim != 2 or right.ndim != 2 or len(steps) != 1 or not fits:
        raise KipukaError(
            "a golden vector cannot be used",
            where=record.where,
            limit="input and output as units x steps, equally many steps, 0 or 1 for spikes",
            value=f"shapes {given.shape} and {right.shape}, "
            f"{given.min(initial=0)} to {given.max(initial=0)}",
            remedy="export the network again",
        )
    return GoldenVector(
        given.astype(np.int32 if encoded else bool),
        right.astype(np.int32 if graded else bool),
        record.text_attribute("digest", ""),
    )


NETWORK = Expected(
    "the file is not a network",
    limit="an HDF5 file in the NetX layout, with a group named layer",
    remedy="write it again with kipuka convert or with lava-dl's export_hdf5",
)


def _refuse_part_of_a_run(path: Path) -> None:
    """Name the network's file where a run folder or a checkpoint in it is given instead.

    Raises
    ------
    KipukaError
        If it is one of the two.
    """
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or path.suffix == ".safetensors":
        raise KipukaError(
            "a training run is no network file",
            where=str(path),
            limit=f"a network file, such as {NETWORK_FILE} in a run folder",
            value="a folder" if path.is_dir() else "parameters in floats",
            remedy=f"give {folder / NETWORK_FILE}, which training writes at its end, or make it: "
            "kipuka convert in a shell, load_run, program_of and save_net in Python",
        )


@contextmanager
def _opened(path: str | Path) -> Iterator[Record]:
    _refuse_part_of_a_run(as_path(path))
    with opened(path, "network", NETWORK) as file:
        root = Record(file, file.root, str(path))
        if not root.has("layer"):
            raise NETWORK.refused(str(path), f"groups {root.keys()}")
        yield root


def _layer_numbers(layers: Record) -> list[int]:
    names = layers.keys()
    numbers = list(range(len(names)))
    if not numbers or set(names) != {str(number) for number in numbers}:
        raise KipukaError(
            "the layers are not numbered 0, 1, 2, ...",
            where=layers.where,
            limit="consecutive numbers from 0",
            value=sorted(names),
            remedy="export the network again",
        )
    return numbers


def _read_own(root: Record, reader: NetworkReader) -> dict[str, Any]:
    """Readout, reset and metadata, or what a NetX file means by its silence.

    That is no reset, and spike counts, or the membrane of a last layer that cannot spike, or the
    value of a sigma-delta layer.
    """
    if not root.has("kipuka"):
        last = reader.layers[-1] if reader.layers else None
        # In the order of what says most about the last layer.
        known: tuple[ReadoutKind, ...] = ("membrane", "value", "spike_count")
        kinds = last.neuron_model.readouts(last.neuron) if last else ()
        kind: ReadoutKind = next((one for one in known if one in kinds), "spike_count")
        readout = Readout(kind, reader.readout_delays(), reader.population)
        return {"readout": readout, "metadata": {"origin": "NetX"}}
    own = root.group("kipuka")
    version = own.whole_attribute("format_version", 0)
    if version != FORMAT_VERSION:
        raise KipukaError(
            "the file has another format version",
            where=f"{own.where}, attribute format_version",
            limit=f"{FORMAT_VERSION}",
            value=version,
            remedy="write the file again with this version of Kipuka, or install the one it names",
        )
    # Any other word is refused by the rule readout_fits_last_layer.
    kind = cast(ReadoutKind, own.text_attribute("readout", "spike_count"))
    return {
        "readout": Readout(kind, own.int16("readout_delay"), reader.population),
        "reset": _read_reset(own),
        "metadata": _read_metadata(own),
    }


def _read_reset(own: Record) -> Reset | None:
    if not own.has("reset"):
        return None
    values = own.numbers("reset").ravel().tolist()
    if len(values) != 2:
        raise KipukaError(
            "the reset cannot be used",
            where=f"{own.where}, key reset",
            limit="interval and offset, in steps",
            value=f"{len(values)} values",
            remedy="export the network again",
        )
    return Reset(*values)


def _read_metadata(own: Record) -> dict[str, str]:
    text = own.text_attribute("metadata", "{}")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise KipukaError(
            "the metadata cannot be used",
            where=f"{own.where}, attribute metadata",
            limit="JSON that maps words to text",
            value=text[:80],
            remedy="export the network again",
        )
    return metadata
