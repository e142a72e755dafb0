"""A folder is one process's at a time, and free again when that ends in whatever way."""

import errno
import fcntl
import os
import signal
import stat
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


def precious(folder):
    path = folder / "precious.txt"
    path.write_text("precious")
    return path


def hostile_link(lock):
    lock.symlink_to("../precious.txt")


def link_to_nothing(lock):
    lock.symlink_to("../new.txt")


def hostile_pipe(lock):
    os.mkfifo(lock)


def hostile_folder(lock):
    lock.mkdir()


def hostile_device(lock):
    lock.symlink_to("/dev/zero")


def another_name_of_a_file(lock):
    os.link(lock.parent.parent / "precious.txt", lock)


HOSTILE = [
    hostile_link,
    link_to_nothing,
    hostile_pipe,
    hostile_folder,
    hostile_device,
    another_name_of_a_file,
]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_strangers_lock_reaches_nothing(make, tmp_path, check_error):
    kept = precious(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    make(folder / LOCK_FILE)
    with pytest.raises(KipukaError) as caught, locked(folder):
        pass
    check_error(caught.value, what="folder", where=str(folder), limit="folder")
    assert kept.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious.txt", "run"]
    # The folder is not left locked.
    lock = folder / LOCK_FILE
    lock.rmdir() if lock.is_dir() else lock.unlink()
    with locked(folder):
        pass


def test_a_lock_file_that_says_something_else_is_not_shown_at_length(tmp_path, check_error):
    with locked(tmp_path):
        (tmp_path / LOCK_FILE).write_text("secret " * 1000)
        with pytest.raises(KipukaError) as caught, locked(tmp_path):
            pass
        check_error(caught.value, value="process secret")
        assert len(str(caught.value.value)) < 50


def test_without_its_file_the_folder_is_locked_still(tmp_path, check_error):
    with locked(tmp_path) as lock:
        (tmp_path / LOCK_FILE).unlink()
        with pytest.raises(KipukaError) as caught, locked(tmp_path):
            pass
        check_error(caught.value, what="another process works", value="process unknown")
        lock.check()


def test_a_folder_that_was_replaced_is_noticed(tmp_path, check_error):
    folder = tmp_path / "run"
    with locked(folder) as lock:
        lock.check()
        folder.rename(tmp_path / "moved")
        for make in (lambda: None, folder.mkdir):
            make()
            with pytest.raises(KipukaError) as caught:
                lock.check()
            check_error(
                caught.value,
                what="no longer locked",
                where=str(folder),
                limit="until the process is done",
                value="removed or replaced",
                remedy="which other process",
            )
        with locked(folder):
            pass
    assert list(folder.iterdir()) == []


def test_where_folders_take_no_locks_their_files_do(tmp_path, monkeypatch, check_error):
    real = fcntl.flock

    def only_files(handle, how):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(handle, how)

    monkeypatch.setattr("fcntl.flock", only_files)
    with locked(tmp_path) as lock:
        with pytest.raises(KipukaError) as caught, locked(tmp_path):
            pass
        check_error(caught.value, what="another process", value=f"process {os.getpid()}")
        lock.check()
        (tmp_path / LOCK_FILE).unlink()
        with locked(tmp_path) as other:
            other.check()
            with pytest.raises(KipukaError) as caught:
                lock.check()
            check_error(caught.value, what="no longer locked", where=LOCK_FILE)
    assert list(tmp_path.iterdir()) == []
