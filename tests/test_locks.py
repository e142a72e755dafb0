"""A folder is one process's at a time, and free again when that ends in whatever way."""

import os
import signal
import threading

import pytest

from kipuka.errors import KipukaError
from kipuka.locks import LOCK_FILE, locked


def forked(work):
    """Start a process that calls a function, and return its number."""
    process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(0)
    return process


def test_a_locked_folder_is_refused_with_its_owner(tmp_path, check_error):
    folder = tmp_path / "new" / "run"
    with locked(folder), pytest.raises(KipukaError) as caught, locked(folder):
        pass
    check_error(
        caught.value,
        what="another process works in the folder",
        where=str(folder),
        limit="one process",
        value=f"process {os.getpid()}",
        remedy="choose another folder",
    )
    assert list(folder.iterdir()) == []


def test_the_lock_dies_with_its_process(tmp_path, check_error):
    reads, writes = os.pipe()

    def hold():
        with locked(tmp_path):
            os.write(writes, b"x")
            signal.pause()

    process = forked(hold)
    os.read(reads, 1)
    with pytest.raises(KipukaError) as caught, locked(tmp_path):
        pass
    check_error(caught.value, value=f"process {process}")
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert (tmp_path / LOCK_FILE).exists()
    with locked(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


def test_only_one_of_many_is_inside_at_a_time(tmp_path):
    inside, most, entered = [0], [0], [0]

    def come_and_go():
        for _ in range(200):
            try:
                with locked(tmp_path):
                    inside[0] += 1
                    entered[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
            except KipukaError:
                continue

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert entered[0] > 0


def test_a_folder_that_cannot_be_is_refused(tmp_path, check_error):
    (tmp_path / "file").touch()
    with pytest.raises(KipukaError) as caught, locked(tmp_path / "file" / "run"):
        pass
    check_error(caught.value, what="cannot be used", limit="may be written", remedy="another")
