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


@pytest.fixture
def started():
    """A port of Lava's of either kind whose thread runs, and what its other end signals with."""
    pytest.importorskip("lava", reason="needs the lava extra")
    channels = importlib.import_module("lava.magma.compiler.channels.pypychannel")

    def start(kind, signal):
        ends = {"req": threading.Semaphore(0), "ack": threading.Semaphore(0)}
        port = getattr(channels, kind)(
            "port",
            shm=types.SimpleNamespace(buf=memoryview(bytearray(16))),
            proto=channels.Proto(shape=(1,), dtype=np.int32, nbytes=4),
            size=2,
            **ends,
            io_watchdog=contextlib.nullcontext(),
            join_watchdog=contextlib.nullcontext(),
        )
        port.start()
        return port, ends[signal], channels.CspSelector()

    return start


def wait_in_between(selector, port, woken, take, owner, name):
    """Let the process take what is there, and wait for more, before a method's next call."""
    note = getattr(owner, name)

    def noted(*item):
        setattr(owner, name, note)
        take()
        threading.Thread(target=selector.select, args=[(port, woken.set)], daemon=True).start()
        while not selector._cv._waiters:
            time.sleep(0.01)
        note(*item)

    setattr(owner, name, noted)


def test_a_message_wakes_whoever_waits_though_another_was_there_when_it_came(started):
    """The queue holds a message when the next arrives, and is empty when that one is put there."""
    port, requests, selector = started("CspRecvPort", "req")
    woken, queue = threading.Event(), port._queue
    requests.release()
    port.peek()
    wait_in_between(selector, port, woken, queue.get, queue, "put_nowait")
    requests.release()
    assert woken.wait(10)


def test_a_receipt_wakes_whoever_waits_though_a_place_was_free_when_it_came(started):
    """A place is free when a receipt arrives, and none is when that one's place is."""
    port, receipts, selector = started("CspSendPort", "ack")
    woken, places = threading.Event(), port._semaphore
    places.acquire()
    take = functools.partial(places.acquire, blocking=False)
    wait_in_between(selector, port, woken, take, places, "release")
    receipts.release()
    assert woken.wait(10)


def test_the_commands_that_install_lava_name_what_is_asked_for():
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    extra = re.search(r"(?s)\nlava = \[(.*?)\n\]", text)[1]
    asked = re.findall(r'"(.+?)"', extra)
    assert asked == re.findall(r"kipuka\[training\]|lava-\w+==[\d.]+", lava_door.INSTALL)
