"""Folders of recordings that are not what they say end in a paragraph, and cost little."""

import os
import tracemalloc

import numpy as np
import pytest

from kipuka.errors import KipukaError
from kipuka.train.datasets import load_dataset

pytest.importorskip("lava", reason="needs the lava extra")


def write(path, count=8, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = {} if count == 1 else {"labels": np.arange(count) % 2}
    np.savez(
        path, times=np.arange(count), units=np.arange(count) % 3, samples=np.arange(count),
        n_steps=9, **labels, **more,
    )  # fmt: skip


def folders_without_end(path):
    for _ in range(400):
        path = path / "train"
        path.mkdir()


def links_to_the_folder_itself(path):
    (path / "train").symlink_to(".")
    (path / "test").symlink_to(".")


def a_part_that_is_a_link_to_nothing(path):
    write(path / "train" / "a.npz")
    (path / "test").symlink_to("nowhere")


def a_part_that_is_a_link_to_itself(path):
    write(path / "train.npz")
    (path / "test.npz").symlink_to("test.npz")


def a_part_in_another_form(path):
    write(path / "train.npz")
    np.save(path / "test.npy", np.zeros((2, 3, 9)))


def a_part_as_a_folder_beside_files(path):
    write(path / "train.npz")
    write(path / "validation" / "a.npz")


def another_form_in_a_class(path):
    write(path / "a" / "0.npz", 1)
    write(path / "b" / "0.npz", 1)
    (path / "b" / "1.h5").touch()


def folders_in_a_class(path):
    write(path / "a" / "0.npz", 1)
    write(path / "b" / "0.npz", 1)
    write(path / "b" / "more" / "0.npz", 1)


HOSTILE = {
    folders_without_end: "more names of parts",
    links_to_the_folder_itself: "more names of parts",
    a_part_that_is_a_link_to_nothing: "test, which leads to nothing",
    a_part_that_is_a_link_to_itself: "test.npz, which leads to nothing",
    a_part_in_another_form: "test.npy, a part in no known form",
    a_part_as_a_folder_beside_files: "1 files and 1 folders",
    another_form_in_a_class: "1.h5 in a class",
    folders_in_a_class: "more in a class",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_what_could_be_meant_is_not_passed_over(make, tmp_path, check_error):
    make(tmp_path)
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(
        caught.value,
        what="no data set",
        where=str(tmp_path),
        limit="train, validation and test",
        value=HOSTILE[make],
        remedy="arrange",
    )


def test_notes_beside_recordings_are(tmp_path):
    for name in ("train", "test"):
        write(tmp_path / f"{name}.npz")
        (tmp_path / f"{name}.txt").touch()
    (tmp_path / "README").touch()
    assert len(load_dataset(str(tmp_path)).test.labels) == 8


def test_a_folder_that_cannot_be_listed(tmp_path, monkeypatch, check_error):
    def denied(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(caught.value, what="no data set", value="Permission denied")


def test_pipes_are_not_waited_for(tmp_path, check_error):
    write(tmp_path / "train.npz")
    os.mkfifo(tmp_path / "test.npz")
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    check_error(caught.value, value="a pipe", where=str(tmp_path / "test.npz"))


@pytest.mark.parametrize("folder", ["{k}_{part}.npz", "{part}/a/{k}.npz"])
def test_many_files_that_pack_to_nothing_are_refused_together(folder, tmp_path, check_error):
    zeros, inside = np.zeros(1 << 20, np.int8), "a/" in folder
    labels = {} if inside else {"labels": np.zeros(1, int)}
    packed = tmp_path / "packed.npz"
    np.savez_compressed(packed, times=zeros, units=zeros, n_steps=9, **labels)
    content = packed.read_bytes()
    packed.unlink()
    for k in range(40):
        path = tmp_path / folder.format(k=k, part="train")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(KipukaError) as caught:
        load_dataset(str(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 27
    check_error(
        caught.value,
        what="unfold to more than their files can mean",
        where=str(tmp_path),
        limit="numbers, for files of",
        remedy="how the files were made",
    )
