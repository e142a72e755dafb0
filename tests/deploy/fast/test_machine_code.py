"""Kernels on disk are taken only if they are whole, of this machine, and nobody else's."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kipuka.deploy.fast import addresses, machine_code
from kipuka.deploy.fast.kernels import layout as at


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def keep(folder):
    machine_code._keep("a.kernel", "symbol", b"code\nwith\0lines")
    return folder / "a.kernel"


def test_what_is_kept_is_read(folder):
    keep(folder)
    assert machine_code._read("a.kernel") == ("symbol", b"code\nwith\0lines")
    assert machine_code._read("b.kernel") is None
    assert [path.name for path in folder.iterdir()] == ["a.kernel"]


def test_a_damaged_file_is_none(folder):
    path = keep(folder)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert machine_code._read("a.kernel") is None, place
        path.write_bytes(whole[:place])
        assert machine_code._read("a.kernel") is None, place
    path.write_bytes(whole)
    assert machine_code._read("a.kernel") is not None


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_to_is_none(folder, mode):
    keep(folder).chmod(mode)
    assert machine_code._read("a.kernel") is None


def test_a_file_of_somebody_else_is_none(folder, monkeypatch):
    path = keep(folder)
    real = os.fstat

    def of_another(handle):
        state = list(real(handle))
        state[4] = 4711
        return os.stat_result(state)

    monkeypatch.setattr(machine_code.os, "fstat", of_another)
    assert path.exists()
    assert machine_code._read("a.kernel") is None


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_none(folder, kind):
    path = keep(folder)
    path.rename(folder / "other")
    if kind == "link":
        path.symlink_to(folder / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert machine_code._read("a.kernel") is None


def test_a_folder_that_takes_nothing_is_no_error(folder, monkeypatch):
    (folder / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder / "file"))
    machine_code._keep("a.kernel", "symbol", b"code")
    assert machine_code._read("a.kernel") is None


@pytest.mark.parametrize("sources", [0o644, 0o664])
@pytest.mark.parametrize("mode", [0o644, 0o664, 0o646])
def test_what_was_installed_may_be_written_to_by_whom_the_sources_may(tmp_path, sources, mode):
    source, kernel = tmp_path / "source.py", tmp_path / "a.kernel"
    for path, its_mode in ((source, sources), (kernel, mode)):
        path.write_text("")
        path.chmod(its_mode)
    trusted = machine_code._is_trusted(kernel.stat(), source.stat(), installed=True)
    assert trusted == (mode == 0o644 or mode == sources)
    assert machine_code._is_trusted(kernel.stat(), source.stat(), installed=False) == (
        mode == 0o644
    )


CALL = """
import sys
from pathlib import Path
import numpy as np
from kipuka.deploy.fast import machine_code
machine_code.AHEAD = Path(sys.argv[1])
spikes, offsets = np.ones(6, np.uint8), np.zeros(4, np.int64)
machine_code.call("count_dense", spikes.ctypes.data, 6, 3, offsets.ctypes.data)
print(*offsets, "numba" in sys.modules)
"""


@pytest.fixture
def ahead(tmp_path, monkeypatch):
    folder = tmp_path / "ahead"
    machine_code.compile_ahead(folder, ())
    monkeypatch.setattr(machine_code, "AHEAD", folder)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kept"))
    yield folder
    assert not (tmp_path / "kept").exists()


def test_a_kernel_compiled_ahead_is_used_without_numba(ahead):
    names = sorted(path.name.partition("-")[0] for path in ahead.iterdir())
    assert names == ["count_dense", "list_dense", "list_events"]
    done = subprocess.run(
        [sys.executable, "-c", CALL, str(ahead)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "2", "2", "2", "False"]


@pytest.mark.parametrize("other", ["processor", "sources", "neither"])
def test_a_kernel_for_another_processor_or_of_other_sources_is_none(ahead, monkeypatch, other):
    made_for = machine_code._made_for.__wrapped__
    monkeypatch.setattr(machine_code, "_made_for", made_for)
    if other == "processor":
        monkeypatch.setattr(machine_code.binding, "get_host_cpu_name", lambda: "another")
    elif other == "sources":
        (ahead / "more.py").write_text("")
        more = (*machine_code.SOURCES, ahead / "more.py")
        monkeypatch.setattr(machine_code, "SOURCES", more)
    found = machine_code._read(machine_code._file_name("count_dense", ()))
    assert (found is not None) == (other == "neither")


def test_every_file_that_kernels_are_compiled_from_is_part_of_the_name():
    known = {path.resolve() for path in machine_code.SOURCES}
    no_code_of_theirs = {"kipuka.errors", "kipuka.compiling_notice"}
    for path in known:
        nodes = ast.walk(ast.parse(path.read_text()))
        for node in (node for node in nodes if isinstance(node, ast.ImportFrom)):
            if node.module.startswith("kipuka.") and node.module not in no_code_of_theirs:
                module = importlib.import_module(node.module)
                for name in (alias.name for alias in node.names):
                    found = getattr(module, name, module)
                    file = found.__file__ if inspect.ismodule(found) else module.__file__
                    assert Path(file).resolve() in known, f"{path} imports {node.module}, {name}"


def test_settings_of_the_compiler_are_part_of_the_name(monkeypatch):
    made_for = machine_code._made_for.__wrapped__
    before = made_for()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    assert made_for() == before
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert made_for() != before


def test_a_kernel_that_needs_numba_is_not_kept():
    entries = pytest.importorskip("kipuka.deploy.fast.kernels.entries")

    class Compiled:
        native_name = "f"

        def __init__(self, called):
            self.called = called

        def inspect_llvm(self):
            body = f"define void @f() {{\n call void @{self.called}()\n ret void\n}}"
            return f"declare void @{self.called}()\n{body}\n"

    assert entries.machine_code(Compiled("PyErr_Clear")) is None
    symbol, code = entries.machine_code(Compiled("memset"))
    assert symbol == "f" and code[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    "array", [np.zeros(4, np.int32), np.zeros(4, np.uint64), np.zeros(8, np.int64)[::2]]
)
def test_a_wrong_array_never_reaches_a_kernel(array):
    with pytest.raises(TypeError, match="int64"):
        addresses.address(array, np.dtype(np.int64))


def test_tables_name_all_arrays_of_their_kind():
    parts = {at.Network: ("convolved", "gated", "with_payloads")}
    for kind, dtypes in at.DTYPES.items():
        assert kind._fields == (*dtypes, *parts.get(kind, ()))


def test_a_table_has_addresses_and_lengths():
    arrays = {name: np.zeros((2, 3), dtype) for name, dtype in at.DTYPES[at.Recording].items()}
    recording = at.Recording(**arrays)
    table = addresses.table_of(recording)
    assert table.tolist() == [[array.ctypes.data, 2, 3] for array in recording]

    name = at.Recording._fields[1]
    other = np.zeros((5, 6), at.DTYPES[at.Recording][name])
    changed = addresses.with_array(table, at.Recording, name, other)
    assert changed[1].tolist() == [other.ctypes.data, 5, 6]
    assert changed[0].tolist() == table[0].tolist() and table[1, 1] == 2
