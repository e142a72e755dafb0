"""Files that anyone may have made: what is opened, how large it counts, where its names lead."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.strangers import content_bytes, data_ranges, exists, inside, opened

TOO_LONG = "x" * 300


def pipe(path):
    os.mkfifo(path)


def link_to_a_pipe(path):
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def device(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def link_to_itself(path):
    path.symlink_to(path.name)


def link_to_nothing(path):
    path.symlink_to("nowhere")


def nothing(path):
    pass


def listening(path):
    with socket.socket(socket.AF_UNIX) as one:
        before = Path.cwd()
        os.chdir(path.parent)  # The system's paths of sockets are short.
        one.bind(path.name)
        os.chdir(before)


ODD = {
    pipe: "a pipe",
    link_to_a_pipe: "a pipe",
    device: "a device",
    folder: "a folder",
    listening: "a socket",
    link_to_itself: "symbolic links",
    link_to_nothing: "nothing at that path",
    nothing: "nothing at that path",
}


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_only_a_file_is_opened_and_nothing_is_waited_for(make, tmp_path, check_error):
    path = tmp_path / "x"
    make(path)
    with pytest.raises(KipukaError) as caught, opened(path, "thing"):
        pass
    check_error(
        caught.value,
        what="the thing cannot be read",
        where=str(path),
        limit="existing file",
        value=ODD[make],
        remedy="check the path",
    )


@pytest.mark.parametrize("name", [TOO_LONG, "a\0b", f"{'y' * 200}/" * 30])
def test_names_that_no_system_takes_stand_for_nothing(name, tmp_path, check_error):
    assert not exists(tmp_path / name)
    with pytest.raises(KipukaError) as caught, opened(tmp_path / name, "thing"):
        pass
    check_error(caught.value, what="cannot be read", limit="file", remedy="check")


def test_a_link_that_the_user_names_is_followed(tmp_path):
    (tmp_path / "x").write_bytes(b"content")
    (tmp_path / "link").symlink_to("x")
    with opened(tmp_path / "link", "thing") as file:
        assert file.read() == b"content"


def test_holes_are_no_content(tmp_path):
    path, block = tmp_path / "x", tmp_path.stat().st_blksize
    with path.open("wb") as file:
        for place in (0, 64 << 20, 1 << 36):
            file.seek(place)
            file.write(b"x" * block)
        file.truncate(1 << 37)
    with opened(path, "thing") as file:
        file.read(10)
        ranges = data_ranges(file)
        assert [begin for begin, _ in ranges] == [0, 64 << 20, 1 << 36]
        assert content_bytes(file) == 3 * block
        assert file.tell() == 10
        assert file.read(block) == b"x" * (block - 10) + b"\0" * 10


def test_a_file_without_holes_is_all_content(rng, tmp_path):
    for size in (0, 1, 5000, 1 << 20):
        (tmp_path / "x").write_bytes(rng.bytes(size))
        with opened(tmp_path / "x", "thing") as file:
            assert content_bytes(file) == size


@pytest.mark.parametrize(
    "make", [make for make in ODD if make not in (nothing, folder)], ids=lambda make: make.__name__
)
def test_names_of_our_own_lead_nowhere_else(make, tmp_path, check_error):
    make(tmp_path / "x")
    for is_folder in (False, True):
        with pytest.raises(KipukaError) as caught:
            inside(tmp_path, "x", is_folder=is_folder)
        check_error(
            caught.value,
            what="something else in the place",
            where=str(tmp_path / "x"),
            limit="a folder" if is_folder else "a file",
            value="a ",
            remedy="look where the folder comes from",
        )


def test_names_of_our_own_are_files_or_folders_or_free(tmp_path, check_error):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert inside(tmp_path, "file") == tmp_path / "file"
    assert inside(tmp_path, "folder", is_folder=True) == tmp_path / "folder"
    assert inside(tmp_path, "new") == tmp_path / "new"
    assert inside(tmp_path / "none", "new") == tmp_path / "none" / "new"
    for name, is_folder in (("file", True), ("folder", False)):
        with pytest.raises(KipukaError) as caught:
            inside(tmp_path, name, is_folder=is_folder)
        check_error(caught.value, value="a file" if is_folder else "a folder")


def test_random_holes_are_counted(tmp_path):
    block = tmp_path.stat().st_blksize
    for seed in range(20):
        rng = np.random.default_rng(seed)
        path = tmp_path / f"{seed}"
        filled = sorted(rng.choice(1000, int(rng.integers(0, 20)), replace=False).tolist())
        with path.open("wb") as file:
            for number in filled:
                file.seek(number * block)
                file.write(rng.bytes(block))
            file.truncate(1001 * block)
        with opened(path, "thing") as file:
            assert content_bytes(file) == len(filled) * block
            covered = [n for low, high in data_ranges(file) for n in range(low, high, block)]
            assert covered == [number * block for number in filled]
