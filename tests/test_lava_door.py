"""The door to Lava: three of its modules are mended when they run, and nothing else."""

import contextlib
import dataclasses
import functools
import importlib
import re
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

from kipuka import lava_door

STRANGER = """
from dataclasses import dataclass, field

@dataclass
class Encoder:
    base: int = 0

@dataclass(frozen=True)
class Other:
    inner: Encoder = Encoder()
    listed: list = field(default_factory=list)

@dataclass
class Plain:
    base: int = 0
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module as Lava's is, that the door knows by name."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [lava_door.Door, *sys.meta_path])
    mend = functools.partial(lava_door.hashable, class_name="Encoder")
    monkeypatch.setitem(lava_door.MENDS, "stranger", mend)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("stranger")
    del sys.modules["stranger"]


def test_a_default_of_another_dataclass_gets_a_hash_and_no_other_class_does(stranger):
    assert stranger.Other().inner == stranger.Encoder(0)
    assert hash(stranger.Encoder(3)) == hash(stranger.Encoder(3))
    assert stranger.Plain.__hash__ is None
    assert stranger.Other(listed=[1]).listed == [1]


def test_the_decorator_is_its_own_again_and_the_file_untouched(stranger):
    assert dataclasses.dataclass.__module__ == "dataclasses"
    assert "<locals>" not in dataclasses.dataclass.__qualname__
    assert Path(stranger.__file__).read_text() == STRANGER
    assert stranger.__spec__.loader.get_source("stranger") == STRANGER


def test_other_modules_are_not_its_business():
    assert lava_door.Door.find_spec("dataclasses") is None
    assert lava_door.Door.find_spec("lava.magma.compiler.compiler") is None


@pytest.mark.parametrize("first", ["kipuka", "kipuka.errors", "kipuka.convert"])
def test_importing_anything_of_kipuka_opens_it_once(first):
    code = f"""
import sys, {first}, kipuka.lava_door as door
door.open_door()
print(sum(finder is door.Door for finder in sys.meta_path))
"""
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.strip() == "1"


def test_lavas_own_module_imports_behind_it():
    pytest.importorskip("lava", reason="needs the lava extra")
    code = """
import kipuka
from lava.magma.compiler import var_model
print(var_model.CoreEncoder(), "torch" in __import__("sys").modules)
"""
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    byte = "ByteEncoder(base=0, len=0, ptr=0)"
    assert printed == f"CoreEncoder(x={byte}, y={byte}, p={byte}) False\n"


def test_reshaped_ports_work_with_every_numpy():
    pytest.importorskip("lava", reason="needs the lava extra")
    code = """
import kipuka
import numpy as np
from lava.magma.core.process.ports.ports import ReshapePort
port = ReshapePort((2, 3), (6,))
forward = port.get_transform_func_fwd()(np.arange(6))
print(forward.tolist(), port.get_transform_func_bwd()(forward).tolist())
"""
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed == "[[0, 1, 2], [3, 4, 5]] [0, 1, 2, 3, 4, 5]\n"


def test_a_message_wakes_whoever_waits_though_another_was_there_when_it_came():
    """The queue holds a message when the next arrives, and is empty when that one is put there."""
    pytest.importorskip("lava", reason="needs the lava extra")
    channels = importlib.import_module("lava.magma.compiler.channels.pypychannel")
    requests = threading.Semaphore(0)
    port = channels.CspRecvPort(
        "port",
        shm=types.SimpleNamespace(buf=memoryview(bytearray(16))),
        proto=channels.Proto(shape=(1,), dtype=np.int32, nbytes=4),
        size=2,
        req=requests,
        ack=threading.Semaphore(0),
        io_watchdog=contextlib.nullcontext(),
        join_watchdog=contextlib.nullcontext(),
    )
    port.start()
    requests.release()
    port.peek()
    selector = channels.CspSelector()
    woken = threading.Event()
    waiting = threading.Thread(
        target=lambda: selector.select((port, woken.set)),
        daemon=True,
    )
    put = port._queue.put_nowait

    def put_late(item):
        port._queue.get()
        waiting.start()
        while not selector._cv._waiters:
            time.sleep(0.01)
        put(item)

    port._queue.put_nowait = put_late
    requests.release()
    assert woken.wait(10)


def test_the_commands_that_install_lava_name_what_is_asked_for():
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    extra = re.search(r"(?s)\nlava = \[(.*?)\n\]", text)[1]
    asked = re.findall(r'"(.+?)"', extra)
    assert asked == re.findall(r"kipuka\[training\]|lava-\w+==[\d.]+", lava_door.INSTALL)
