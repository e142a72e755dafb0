"""Kernels are compiled as the package is built; a build without them is a build all the same."""

import importlib.util
import shutil
from pathlib import Path
from typing import get_type_hints

import pytest

setuptools = pytest.importorskip("setuptools")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def build_kernels(tmp_path, monkeypatch):
    """The module `setup.py`, and its command for a folder; other folders keep nothing."""
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    spec = importlib.util.spec_from_file_location("kipuka_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv(module.SWITCH, raising=False)
    command = module.BuildKernels(setuptools.Distribution())
    command.build_lib = str(tmp_path / "build")
    return module, command


def test_kernels_lie_where_they_are_looked_for(build_kernels, monkeypatch):
    from kipuka.deploy.fast import machine_code

    module, command = build_kernels
    monkeypatch.setattr(module, "KINDS", ("",))
    stale = command.folder / "advance-000-0.kernel"
    stale.parent.mkdir(parents=True)
    stale.write_text("of an earlier build")
    command.run()
    found = sorted(Path(path) for path in command.get_outputs())
    assert [path.name.partition("-")[0] for path in found] == [*sorted(machine_code.FOR_ALL)]
    names = {machine_code._file_name(name, ()) for name in machine_code.FOR_ALL}
    assert {path.name for path in found} == names
    assert found[0].parent.relative_to(command.build_lib).parts[-3:] == ("fast", "kernels", "ahead")
    assert machine_code.AHEAD.parts[-3:] == ("fast", "kernels", "ahead")


def test_kinds_are_those_of_networks(build_kernels):
    from kipuka.deploy.fast.kernels import layout as at

    module, _ = build_kernels
    n_parts = list(get_type_hints(at.Network).values()).count(bool)
    assert {len(kind) for kind in module.KINDS} == {n_parts, 0}
    assert all(set(kind) <= {"0", "1"} for kind in module.KINDS)


def test_none_are_compiled_for_others(build_kernels, monkeypatch):
    module, command = build_kernels
    monkeypatch.setenv(module.SWITCH, "0")
    command.run()
    assert command.get_outputs() == []


def test_a_build_without_numba_says_so_and_goes_on(build_kernels, tmp_path, monkeypatch, capsys):
    module, command = build_kernels
    for folder in ("src", "convert", "deploy", "hardware_profiles"):
        clean = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / "clone" / folder, ignore=clean)
    monkeypatch.setattr(module, "ROOT", tmp_path / "clone")
    (tmp_path / "numba.py").write_text("raise ImportError('there is no Numba')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "kept"))
    command.run()
    assert command.get_outputs() == []
    said = "kernels will be compiled on first use: ImportError: there is no Numba\n"
    assert capsys.readouterr().err == said


def test_a_build_that_cannot_start_a_process_goes_on(build_kernels, monkeypatch, capsys):
    module, command = build_kernels
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    command.run()
    assert command.get_outputs() == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kernels will be compiled on first use: ")


def test_a_process_that_is_killed_without_a_word_is_said(build_kernels, monkeypatch, capsys):
    module, command = build_kernels
    monkeypatch.setattr(module, "PROGRAM", "import os; os.kill(os.getpid(), 9)")
    command.run()
    assert capsys.readouterr().err == "kernels will be compiled on first use: exit status -9\n"
