"""A full disk ends in an error that says so, and what was there before is there still."""

import dataclasses
import errno
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from kipuka.convert.formats.net.file import load_net, save_net
from kipuka.deploy.inputs import save_spikes
from kipuka.errors import KipukaError
from kipuka.files import replacing, write_json
from kipuka_cases import program, random_cuba, random_gru


@pytest.fixture
def little_room(monkeypatch):
    """Files larger than so many bytes cannot be: what the system answers is as for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def check_full(check_error, error, path):
    check_error(
        error,
        what="the disk is full",
        where=str(path),
        limit="room for the whole file",
        remedy="kept unchanged",
    )


def write_network(path, n):
    rng = np.random.default_rng(n)
    save_net(path, program(64, random_gru(rng, 64, n), random_cuba(rng, n, 10)))


def write_spikes(path, n):
    save_spikes(path, np.ones((n, 64, 40), bool), batched=True)


def write_numbers(path, n):
    write_json(path, {"numbers": list(range(1000 * n))})


@pytest.mark.parametrize("write", [write_network, write_spikes, write_numbers])
@pytest.mark.parametrize("room", [0, 4096, 10_000])
def test_the_old_file_is_kept(write, room, little_room, tmp_path, check_error):
    path = tmp_path / "file.net"
    write(path, 4)
    old = path.read_bytes()
    little_room(room)
    with pytest.raises(KipukaError) as caught:
        write(path, 64)
    little_room(resource.RLIM_INFINITY)
    check_full(check_error, caught.value, path)
    assert path.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["file.net"]
    write(path, 64)
    assert path.read_bytes() != old


def test_a_folder_without_room_for_a_name(tmp_path, monkeypatch, check_error):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(KipukaError) as caught, replacing(tmp_path / "x"):
        pass
    check_full(check_error, caught.value, tmp_path / "x")


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 2])
def test_training_keeps_the_last_good_checkpoint_and_goes_on(
    epoch, little_room, tmp_path, check_error
):
    pytest.importorskip("lava", reason="needs the lava extra")
    from kipuka.train.runs.config import TrainConfig
    from kipuka.train.runs.trainer import load_run, train

    settings = TrainConfig(hidden=4, epochs=3, batch_size=512, seed=3)
    whole = train(settings, tmp_path / "whole")
    folder = tmp_path / "run"

    def fill(metrics):
        if metrics.epoch == epoch:
            little_room(2048)

    with pytest.raises(KipukaError) as caught:
        train(settings, folder, fill)
    little_room(resource.RLIM_INFINITY)
    check_full(check_error, caught.value, folder / "")
    assert load_run(folder)[0] == settings
    resumed = train(settings, folder, resume=True)
    for found, expected in zip(resumed.metrics, whole.metrics, strict=True):
        assert dataclasses.replace(found, seconds=expected.seconds) == expected


def test_a_device_is_not_replaced(check_error):
    for path, value in (("/dev/full", "device"), ("/dev", "a folder")):
        with pytest.raises(KipukaError) as caught:
            write_json(path, {})
        check_error(caught.value, what="cannot be written", where=path, value=value)


KILLED = """
import os, signal, sys
from kipuka.files import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    path, other = tmp_path / "x.json", tmp_path / "y.json"
    write_json(path, {"old": 1})
    old = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (p for p in tmp_path.iterdir() if p != path)
    assert path.read_bytes() == old
    write_json(other, {})
    assert left.exists(), "it is none of this file's"
    # One that lives, and one of another machine, are none of ours to remove.
    alive = tmp_path / left.name.replace(str(_number(left)), str(os.getppid()))
    elsewhere = tmp_path / left.name.replace(".x.", ".x.elsewhere")
    for copy in (alive, elsewhere):
        copy.write_text("half")
    write_json(path, {"new": 1})
    assert {p.name for p in tmp_path.iterdir()} == {"x.json", "y.json", alive.name, elsewhere.name}


def _number(path):
    return int(path.name.split("-")[-2])


def test_writers_within_a_process_leave_each_other_alone(tmp_path):
    with replacing(tmp_path / "x") as first:
        first.write_text("first")
        with replacing(tmp_path / "x") as second:
            second.write_text("second")
        assert (tmp_path / "x").read_text() == "second"
    assert (tmp_path / "x").read_text() == "first"


def test_a_network_written_whole_can_be_read(tmp_path):
    write_network(tmp_path / "a.net", 5)
    assert load_net(tmp_path / "a.net").n_classes == 10
