"""Mutations of files: of their bytes, and of what their formats are made of."""

from __future__ import annotations

import io
import json
import os
import zipfile

import h5py
import numpy as np
import yaml

NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    62,
    63,
    255,
    4096,
    -(1 << 15),
    1 << 16,
    (1 << 31) - 1,
    -(1 << 31),
    1 << 40,
    (1 << 63) - 1,
    -(1 << 63),
)
FRACTIONS = (0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"))
WORDS = (
    "",
    "CUBA",
    "input",
    "dense",
    "conv",
    "spiking_gru",
    "é\u202e\x1b[31m",
    "\ud7ff\U0001f30b",
    "x" * 5000,
    "../../etc/passwd",
    "/",
    "nan",
    "{}",
    "[" * 3000,
    '{"a": {}}',
)
SHAPES = ((), (0,), (1,), (2,), (3,), (1, 1), (2, 3), (3, 2), (4, 4), (1, 1, 3, 3), (2, 2, 1, 1, 1))
LARGEST = 1 << 22
HUGE = ((10**12,), (10**6, 10**6), (1 << 32, 1 << 32), (1 << 28,), (1, 1 << 60))


def choice(rng, values):
    return values[int(rng.integers(len(values)))]


def mutate_bytes(rng, path):
    data = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 9))):
        if not data:
            break
        at, kind = int(rng.integers(len(data))), rng.integers(6)
        if rng.random() < 0.5:
            at %= 2048
        at = min(at, len(data) - 1)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(choice(rng, (0, 1, 0x7F, 0x80, 0xFF, rng.integers(256))))
        elif kind == 2:
            size = int(choice(rng, (2, 4, 8)))
            data[at : at + size] = (int(choice(rng, NUMBERS)) % (1 << 8 * size)).to_bytes(
                size, "little"
            )
        elif kind == 3:
            del data[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            begin = int(rng.integers(len(data)))
            data[at:at] = data[begin : begin + int(rng.integers(1, 64))]
        elif rng.random() < 0.2:
            del data[at:]
    path.write_bytes(bytes(data))


def mutate_kind(rng, path):
    """Put a pipe, a link or a hole of gigabytes in a file's place."""
    kind = int(rng.integers(5))
    if kind >= 3:
        os.truncate(path, path.stat().st_size + (1 << 34))
        return
    path.unlink()
    if kind == 0:
        os.mkfifo(path)
    else:
        path.symlink_to(("/dev/zero", path.name)[kind - 1])


def _encoded(value, size):
    return (int(value) % (1 << 8 * size)).to_bytes(size, "little")


def mutate_hdf5(rng, path):
    with h5py.File(path, "r+") as file:
        for _ in range(int(rng.integers(1, 4))):
            found = []
            file.visititems(lambda name, thing, found=found: found.append(name))
            if found:
                _mutate_object(rng, file, choice(rng, found))


def _mutate_object(rng, file, name):
    parent, _, key = name.rpartition("/")
    group, thing = file[parent or "/"], file[name]
    kind = int(rng.integers(12))
    if kind == 0:
        del group[key]
    elif kind <= 3 and _has_numbers(thing):
        values = thing[()]
        flat = np.atleast_1d(np.array(values)).ravel()
        with np.errstate(all="ignore"):
            flat[int(rng.integers(flat.size))] = np.int64(choice(rng, NUMBERS)).astype(flat.dtype)
        thing[()] = flat.reshape(np.shape(values))
    elif kind == 4:
        _attribute(rng, thing)
    elif kind == 5:
        _link(rng, file, group, key, name)
    elif kind == 6:
        new = group.create_group(f"new{rng.integers(1000)}")
        new[str(choice(rng, ("a", "é\u202e", "\x1b[31m")))] = 1
    elif kind == 7:
        _declare(rng, group, key)
    else:
        del group[key]
        group.create_dataset(key, data=_values(rng))


def _has_numbers(thing):
    """Whether a data set stores numbers, and not only declares terabytes of them."""
    if not isinstance(thing, h5py.Dataset) or thing.is_virtual or thing.dtype.kind not in "iufb":
        return False
    return 0 < (thing.size or 0) <= LARGEST


def _attribute(rng, thing):
    keys = [*thing.attrs, "weight_exponent", "readout", "metadata", "format_version", "digest"]
    key = choice(rng, keys)
    if key in thing.attrs:
        del thing.attrs[key]
    values = (
        choice(rng, NUMBERS),
        choice(rng, FRACTIONS),
        choice(rng, WORDS),
        np.zeros(3),
        b"\xff",
        h5py.Empty("f4"),
        np.zeros(0),
    )
    thing.attrs[key] = choice(rng, values)


def _link(rng, file, group, key, name):
    del group[key]
    other = choice(rng, list(file) or [name])  # of a file that had nothing else
    hard = isinstance(file.get(other, getlink=True), h5py.HardLink)  # others may lead nowhere
    links = (
        h5py.SoftLink(f"/{name}"),
        h5py.SoftLink(f"/{other}"),
        h5py.ExternalLink("/etc/passwd", "/"),
        h5py.ExternalLink(file.filename, f"/{other}"),
        file[other] if hard else file,
        file,
    )
    group[key] = choice(rng, links)


def _declare(rng, group, key):
    del group[key]
    shape, dtype = choice(rng, HUGE), choice(rng, ("i1", "i2", "f8", "S100000"))
    kind = rng.integers(4)
    if kind == 0:
        group.create_dataset(
            key, shape, dtype, chunks=tuple(min(64, max(n, 1)) for n in shape), compression="gzip"
        )
    elif kind == 1:
        group.create_dataset(key, data=np.zeros(1 << 22, "i1"), compression="gzip")
    elif kind == 2:
        layout = h5py.VirtualLayout(shape=(4,), dtype="i4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "a", shape=(4,))
        group.create_virtual_dataset(key, layout)
    else:
        group.create_dataset(key, (4,), "i4", external=[("/etc/passwd", 0, 16)])


def _values(rng):
    kind = rng.integers(4)
    shape = choice(rng, SHAPES)
    if kind == 0:
        return np.full(shape, choice(rng, FRACTIONS), choice(rng, ("f2", "f4", "f8")))
    if kind == 1:
        return choice(rng, WORDS)
    if kind == 2:
        return np.full(shape, b"abc")
    return np.full(shape, choice(rng, NUMBERS), np.int64)


def mutate_yaml(rng, path):
    if rng.random() < 0.5:
        tree = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for _ in range(int(rng.integers(1, 4))):
            _mutate_tree(rng, tree)
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        path.write_text(yaml.dump(tree, Dumper=dumper, sort_keys=False, allow_unicode=True))
        return
    lines = path.read_text().splitlines()
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(lines) or 1))
        line = lines[at : at + 1] or [""]
        key = line[0].partition(":")[0]
        odd = (
            "&a [*a]",
            "[" * 2000,
            "{" * 50,
            "9" * 6000,
            "2026-13-45",
            "!!int x",
            "!!binary x",
            "!!python/object/apply:os.system [id]",
            "*a",
            ".nan",
            ".inf",
            "1:1:1",
            "!!set {a}",
            "? [a]",
            "<<: {a: 1}",
            "\x07",
            "!!timestamp x",
            "!!float x",
            "!!bool x",
            "!!omap [1]",
            "[" + "a," * 20000 + "]",
            "'" * 3,
            "0x",
            "0b",
            "-0",
            "1_0",
            "~",
            "|",
            ">-",
        )
        lines[at : at + 1] = choice(
            rng, ([], line * 2, [" " + line[0]], [f"{key}: {choice(rng, odd)}"], [choice(rng, odd)])
        )
    path.write_text("\n".join(lines))


def _mutate_tree(rng, tree):
    node = tree
    for _ in range(int(rng.integers(0, 5))):
        below = [
            v
            for v in (node.values() if isinstance(node, dict) else node)
            if isinstance(v, dict | list) and v
        ]
        if not below:
            break
        node = choice(rng, below)
    odd = (*NUMBERS, *FRACTIONS, *WORDS, None, True, [], {}, [1, "a"], {"a": {}}, 10**400)
    if not node:
        return
    key = choice(rng, list(node)) if isinstance(node, dict) else int(rng.integers(len(node)))
    kind = rng.integers(3)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[choice(rng, (1, "new", "é", 2.5, None, True))] = node.pop(key)
    else:
        node[key] = choice(rng, odd)


def mutate_safetensors(rng, path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8 : 8 + length]), bytearray(data[8 + length :])
    for _ in range(int(rng.integers(1, 3))):
        name = choice(rng, list(header))
        if name == "__metadata__":
            _mutate_metadata(rng, header)
        else:
            _mutate_tensor(rng, header, name, rest)
        if not header:
            break
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = choice(rng, (b"[" * 5000, b"{}", b"null", b"\xff", b'{"a": 1}', text[:-1]))
    size = choice(rng, NUMBERS) % (1 << 64) if rng.random() < 0.1 else len(text)
    path.write_bytes(size.to_bytes(8, "little") + text + bytes(rest))


def _mutate_metadata(rng, header):
    if not isinstance(header["__metadata__"], dict):
        return  # An earlier mutation has been here.
    key = choice(rng, list(header["__metadata__"]) or ["run"])
    try:
        facts = json.loads(header["__metadata__"].get(key, "{}"))
        _mutate_tree(rng, facts)
        header["__metadata__"][key] = json.dumps(facts)
    except (TypeError, ValueError, RecursionError):
        header["__metadata__"][key] = choice(rng, WORDS)
    if rng.random() < 0.2:
        header["__metadata__"] = choice(rng, (1, [], {}, {key: 1}, {key: "[" * 9000}, None))


def _mutate_tensor(rng, header, name, rest):
    entry = header[name]
    if not isinstance(entry, dict):
        return
    kind = rng.integers(7)
    if kind == 0:
        del header[name]
    elif kind == 1:
        entry["dtype"] = choice(
            rng, ("F64", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "F4", "X", 1, None, [])
        )
    elif kind == 2:
        entry["shape"] = choice(
            rng, ([], [0], [1], [-1], [0, 1 << 62], [10**12], [1.5], "a", None, [[1]])
        )
    elif kind == 3:
        entry["data_offsets"] = choice(rng, ([0, 0], [0, 10**15], [-1, 4], [8, 4], [0], "a", None))
    elif kind == 4:
        header[choice(rng, WORDS)] = header.pop(name)
    elif rest:
        at = int(rng.integers(len(rest))) // 4 * 4
        odd = np.float32(choice(rng, (*FRACTIONS, 1e30, -1.0)[4:])).tobytes()
        rest[at : at + 4] = odd[: len(rest) - at]


def _npy(rng, array):
    """A `.npy` file with something odd in its header or array."""
    kind, buffer = rng.integers(5), io.BytesIO()
    if rng.random() < 0.1:
        np.save(buffer, np.full(array.shape, rng.integers(256), np.uint8).view(bool))
        return buffer.getvalue()
    with np.errstate(all="ignore"):
        odd = np.full(choice(rng, SHAPES), choice(rng, NUMBERS), np.int64)
        if kind == 0:
            array = odd.astype(choice(rng, ("i1", "u8", "f2", "c8", "S3", "M8[s]", "?", ">i4")))
        elif kind == 1:
            array = np.full(array.shape, choice(rng, (*FRACTIONS, *map(float, NUMBERS))))
        elif kind == 2 and array.size:
            array = array.astype(np.int64)
            array.ravel()[int(rng.integers(array.size))] = choice(rng, NUMBERS)
    np.save(buffer, array)
    data = buffer.getvalue()
    if kind < 3:
        return data
    header = data[10:128].decode("latin1").strip()
    swaps = (
        ("shape': (", "shape': (1000000000000, "),
        ("shape': (", "shape': (-1, "),
        ("'<i8'", "'|O'"),
        ("'<i8'", "[('a', '<i8', (100000, 100000))]"),
        ("False", "True"),
        ("shape", "shap"),
        ("{", "[" * 400),
        ("{", "{1j: 2, "),
        ("'<i8'", "('<i8', (9,9))"),
        ("(", "(3L, "),
    )
    header = header.replace(*choice(rng, swaps))
    version = int(choice(rng, (1, 1, 1, 2, 3, 9)))
    size = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data[128:]


def mutate_npy(rng, path):
    path.write_bytes(_npy(rng, np.load(path)))


def mutate_npz(rng, path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    chosen = choice(rng, list(arrays))
    packer = choice(
        rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    with zipfile.ZipFile(path, "w", packer) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            data = _npy(rng, array) if name == chosen else buffer.getvalue()
            if name == chosen and rng.random() < 0.05:
                np.save(buffer, np.zeros(1 << 23, np.int64))
                data = buffer.getvalue()
            if name != chosen or rng.random() < 0.9:
                archive.writestr(f"{name}.npy", data)
